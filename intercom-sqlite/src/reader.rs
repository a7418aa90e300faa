//! Reads dead letters and counts without delaying writes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use intercom_delivery::outbox::{Counts, OutboxError};
use rusqlite::Connection;

use crate::clock::Millis;
use crate::error::{Fault, OpenError};
use crate::open::{self, Settings};
use crate::store::accept::OldestOwn;
use crate::store::counts::CountsRow;
use crate::store::pending;

/// The connection that reads, shared with the writer.
///
/// It keeps SQLite's shared memory of the WAL alive while the writer reopens its own connection. If
/// the last connection closed, the next would read the WAL afresh, with a failed commit in it. When
/// the writer wants that, it closes this connection too.
#[derive(Clone)]
pub(crate) struct Reading(Arc<Mutex<Reader>>);

pub(crate) struct Reader {
    path: PathBuf,
    settings: Settings,
    pub(crate) conn: Option<Connection>,
    oldest_own: OldestOwn,
}

impl Reading {
    pub(crate) fn new(path: PathBuf, settings: Settings) -> Result<Self, OpenError> {
        let conn = open::again(&path, &settings)?;
        let counts = CountsRow::read(&conn).map_err(|error| OpenError::of(&path, error))?;
        let oldest_own = OldestOwn::new(&counts);
        Ok(Reading(Arc::new(Mutex::new(Reader { path, settings, conn: Some(conn), oldest_own }))))
    }

    /// Locks the reader. Nothing else reads while the guard lives.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Reader> {
        // A panic leaves the connection valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads, and retries once with a new connection. Blocks.
    pub(crate) fn read<T>(
        &self,
        read: impl Fn(&Connection, &mut OldestOwn) -> rusqlite::Result<T>,
    ) -> Result<T, OutboxError> {
        let reader = &mut *self.lock();
        if let Some(conn) = &reader.conn
            && let Ok(answer) = read(conn, &mut reader.oldest_own)
        {
            return Ok(answer);
        }
        // This connection may remember a past fault.
        let conn = open::again(&reader.path, &reader.settings);
        let conn = reader.conn.insert(conn.map_err(|error| Fault::from(error).to_error())?);
        read(conn, &mut reader.oldest_own).map_err(|error| Fault::from(error).to_error())
    }
}

impl Reader {
    /// Opens a closed connection. Returns whether it was closed.
    pub(crate) fn ensure(&mut self) -> Result<bool, OpenError> {
        let was_closed = self.conn.is_none();
        if was_closed {
            self.conn = Some(open::again(&self.path, &self.settings)?);
        }
        Ok(was_closed)
    }
}

/// Counts in one snapshot.
pub(crate) fn counts(
    conn: &Connection,
    oldest_own: &mut OldestOwn,
    now: Millis,
) -> rusqlite::Result<Counts> {
    let snapshot = conn.unchecked_transaction()?;
    let row = CountsRow::read(&snapshot)?;
    let oldest_own = oldest_own.find(&snapshot, &row)?;
    Ok(row.counts(oldest_own, pending::oldest(&snapshot, now)?))
}
