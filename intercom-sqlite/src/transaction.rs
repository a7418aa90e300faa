//! Accepts events in the application's own transaction.

use std::iter;
use std::time::SystemTime;

use intercom_core::DataEvent;
use intercom_delivery::outbox::AcceptError;
use rusqlite::{Connection, Transaction};

use crate::clock::{Millis, millis};
use crate::error::Fault;
use crate::schema;
use crate::store::accept::{NewEvent, accept};
use crate::store::counts::CountsRow;

/// Accepts events within your own transaction on the outbox's file: they exist if and only if your
/// changes do.
///
/// Also accepts the [derived](DataEvent::derived) events of each event.
///
/// The events are accepted when you commit, and are as durable as the transaction. A connection has
/// `synchronous` at `FULL` unless you change it. Set `PRAGMA wal_autocheckpoint = 0`, because the
/// outbox checkpoints and detects failures. Call [`notify`](crate::SqliteOutbox::notify) after the
/// commit.
///
/// Use an [immediate](rusqlite::TransactionBehavior::Immediate) transaction. Any other fails with
/// `SQLITE_BUSY_SNAPSHOT` when another connection has written since its first read. Keep it short,
/// because all processes wait for it.
///
/// # Errors
///
/// Fails when the file's limits leave no room, or when the file has no outbox, or one of another
/// version. Then it accepts none of these events, and you can continue the transaction without
/// them. Also fails when SQLite cannot read or write the file. Then roll the transaction back.
pub fn accept_in(transaction: &Transaction<'_>, events: &[DataEvent]) -> Result<(), AcceptError> {
    accept_at(transaction, events, SystemTime::now())
}

/// Accepts events at this time, as [`accept_in`] does: for tests with their own clock.
///
/// # Errors
///
/// Fails as [`accept_in`] does.
#[cfg(feature = "test-util")]
pub fn accept_in_at(
    transaction: &Transaction<'_>,
    events: &[DataEvent],
    now: SystemTime,
) -> Result<(), AcceptError> {
    accept_at(transaction, events, now)
}

fn accept_at(
    transaction: &Transaction<'_>,
    events: &[DataEvent],
    now: SystemTime,
) -> Result<(), AcceptError> {
    let events: Vec<_> =
        events.iter().flat_map(|event| iter::once(event).chain(event.derived())).cloned().collect();
    let events = NewEvent::all(&events)?;
    schema::expect_tables(transaction)?;
    let failed = |error| AcceptError::from(Fault::from(error).to_error());
    transaction.execute_batch("SAVEPOINT intercom_accept").map_err(failed)?;
    let accepted = accept_all(transaction, &events, millis(now));
    let end = match accepted {
        Ok(Ok(())) => "RELEASE intercom_accept",
        // The caller's commit must not include a part of the events.
        _ => "ROLLBACK TO intercom_accept; RELEASE intercom_accept",
    };
    let ended = transaction.execute_batch(end);
    accepted.map_err(failed)?.and(ended.map_err(failed))
}

fn accept_all(
    conn: &Connection,
    events: &[NewEvent],
    now: Millis,
) -> rusqlite::Result<Result<(), AcceptError>> {
    let mut counts = CountsRow::read(conn)?;
    let accepted = accept(conn, &mut counts, events, now)?;
    counts.write(conn)?;
    Ok(accepted)
}
