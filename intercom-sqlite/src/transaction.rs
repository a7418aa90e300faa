//! Accepting events in a transaction of the application's own.

use std::time::SystemTime;

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, Collisions, OutboxError};
use rusqlite::{Connection, Transaction};

use crate::clock::{Millis, millis};
use crate::error::Fault;
use crate::schema::{self, SCHEMA_VERSION};
use crate::store::accept::{Incoming, Refused, accept};
use crate::store::books::Books;
use crate::store::fresh::Fresh;

/// Accepts events within a transaction of your own on the file of the outbox: they exist exactly if your changes do.
///
/// They are accepted when the transaction is committed, and as safe as it is: a connection of your own has
/// `synchronous` at `FULL` unless you change it, and should say `PRAGMA wal_autocheckpoint = 0`: the outbox brings the log
/// into the file, and looks whether it gets there. [Nudge](crate::SqliteOutbox::nudge) the outbox after the commit.
///
/// The transaction should be [immediate](rusqlite::TransactionBehavior::Immediate): one that read before it writes may
/// find that another has written. Keep it short, because the outbox waits for it.
///
/// # Errors
///
/// Fails when there is no room, by the bounds that the owner set, or the file has no outbox, or one of another version.
/// None of these events is accepted then, and the transaction can go on without them.
pub fn accept_in(
    transaction: &Transaction<'_>,
    events: &[DataEvent],
    collisions: Collisions,
) -> Result<(), AcceptError> {
    accept_in_at(transaction, events, collisions, SystemTime::now())
}

/// As [`accept_in`], at this time: for tests, where the outbox goes by a clock of theirs.
///
/// # Errors
///
/// As [`accept_in`].
#[doc(hidden)]
pub fn accept_in_at(
    transaction: &Transaction<'_>,
    events: &[DataEvent],
    collisions: Collisions,
    now: SystemTime,
) -> Result<(), AcceptError> {
    let mut incoming = Incoming::all(events)?;
    expect_tables(transaction)?;
    let failed = |error| AcceptError::from(Fault::from(error).to_error());
    transaction.execute_batch("SAVEPOINT intercom_accept").map_err(failed)?;
    let accepted = accept_all(transaction, &mut incoming, collisions, millis(now));
    let end = match accepted {
        Ok(()) => "RELEASE intercom_accept",
        // What was written of them must not be committed with the rest.
        Err(_) => "ROLLBACK TO intercom_accept; RELEASE intercom_accept",
    };
    let ended = transaction.execute_batch(end);
    match accepted {
        Ok(()) => ended.map_err(failed),
        Err(Refused::These(error)) => Err(error),
        Err(Refused::All(error)) => Err(failed(error)),
    }
}

/// Makes sure that the file has tables that this version may write to: somebody else may have brought them to a later
/// one while a connection was open.
pub(crate) fn expect_tables(conn: &Connection) -> Result<(), OutboxError> {
    match schema::version(conn).map_err(|error| Fault::from(error).to_error())? {
        SCHEMA_VERSION => Ok(()),
        0 => Err(OutboxError::new(
            "this file has no outbox; open it first, with `SqliteOutbox::builder(…).in_application_file()`",
        )),
        found => Err(OutboxError::new(format!(
            "the tables of the outbox have the version {found}, and this program writes the version {SCHEMA_VERSION}; \
             build all programs that write to the file with the same version of intercom-sqlite"
        ))),
    }
}

fn accept_all(
    conn: &Connection,
    incoming: &mut Vec<Incoming>,
    collisions: Collisions,
    now: Millis,
) -> Result<(), Refused> {
    let mut books = Books::read(conn)?;
    books.turn_over(now);
    let mut fresh = Fresh::once(incoming.len());
    accept(conn, &mut books, &mut fresh, incoming, collisions, now, &mut Vec::new())?;
    books.write(conn)?;
    Ok(())
}
