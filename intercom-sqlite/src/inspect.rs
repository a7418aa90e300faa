//! Inspects the file from any process: for tools.

use std::fmt;
use std::path::{Path, PathBuf};

use intercom_core::Contact;
use intercom_delivery::outbox::{
    Counts, DeadLetter, ErasedEvents, EventId, OutboxError, PendingEvent, Selection, Standby,
};
use rusqlite::{Connection, TransactionBehavior};

use crate::clock::{Clock, Millis};
use crate::error::{Fault, OpenError};
use crate::open;
use crate::open::lock::Lock;
use crate::open::{DEFAULT_LOCK_TIMEOUT, wal};
use crate::schema::expect_tables;
use crate::store::counts::{self, CountsRow};
use crate::store::{dead, erased, pending};
use crate::writer::maintenance;

/// Inspects an outbox from any process. [`SqliteOutbox::inspect`](crate::SqliteOutbox::inspect)
/// returns it.
///
/// It can read and bury pending events, read, redrive and purge dead letters, and erase contacts.
/// The process that delivers notices a change within its [poll
/// interval](crate::SqliteOutboxBuilder::poll_interval). All methods block.
pub struct Inspection {
    path: PathBuf,
    conn: Connection,
    clock: Clock,
}

impl Inspection {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let (path, conn) = open::to_inspect(path)?;
        Ok(Inspection { path, conn, clock: Clock::system() })
    }

    /// Returns the counts since the file was created.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn counts(&self) -> Result<Counts, OutboxError> {
        let read = || {
            let snapshot = self.conn.unchecked_transaction()?;
            let oldest = pending::oldest(&snapshot, self.clock.now())?;
            Ok(CountsRow::read(&snapshot)?.counts(None, oldest))
        };
        read().map_err(fault)
    }

    /// Returns the turn of the process that delivers, if one does.
    ///
    /// # Errors
    ///
    /// Fails when the file or its lock file cannot be read.
    pub fn deliverer(&self) -> Result<Option<Standby>, OutboxError> {
        let is_held = Lock::is_held(&self.path).map_err(|error| {
            let message = "cannot tell whether a process delivers: the lock file cannot be read";
            OutboxError::new(message).with_source(error)
        })?;
        // The file still names a process that was killed. Its lock ended with it.
        if is_held { counts::deliverer(&self.conn).map_err(fault) } else { Ok(None) }
    }

    /// Reads up to `limit` pending events with an id above `after`, in the order of their ids.
    /// `None` begins with the first.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn pending(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<PendingEvent>, OutboxError> {
        pending::read(&self.conn, after, limit).map_err(fault)
    }

    /// Reads up to `limit` dead letters with an id above `after`, in the order of their ids. `None`
    /// begins with the first.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        dead::read(&self.conn, after, limit).map_err(fault)
    }

    /// Makes dead letters pending again, due now and with zero attempts. Returns their number.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written. Then it redrove nothing.
    pub fn redrive(&mut self, which: &Selection) -> Result<u64, OutboxError> {
        self.change(|conn, counts, now| dead::redrive(conn, counts, which, now))
    }

    /// Deletes dead letters for good. Returns their number.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written. Then it purged nothing.
    pub fn purge(&mut self, which: &Selection) -> Result<u64, OutboxError> {
        self.change(|conn, counts, _| dead::purge(conn, counts, which))
    }

    /// Makes pending events dead letters. Returns their number.
    ///
    /// An event whose first attempt is in flight may still arrive. If you then redrive it, it may
    /// arrive twice: only the process that delivers knows which events are in flight.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written. Then it buried nothing.
    pub fn bury(&mut self, which: &Selection) -> Result<u64, OutboxError> {
        self.change(|conn, counts, now| pending::bury(conn, counts, which, now, |_| false))
            .map(|buried| buried.len() as u64)
    }

    /// Erases a contact: deletes its pending events and dead letters, and keeps tombstones that
    /// withhold later events. Returns the numbers of deleted events.
    ///
    /// The process that delivers learns of the erasure within its poll interval. Until then it may
    /// send the events that it has leased.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written. Then it erased nothing.
    pub fn erase(&mut self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        let erased = self.change(|conn, counts, now| erased::erase(conn, counts, contact, now))?;
        // If this fails, the process that delivers does it when idle.
        let emptied = maintenance::give_all_back(&self.conn).and_then(|()| {
            wal::sealed(&self.conn, || wal::empty(&self.conn, DEFAULT_LOCK_TIMEOUT))
        });
        if !emptied.is_ok_and(|emptied| emptied) {
            tracing::warn!(
                "the WAL keeps bytes of erased events while another process reads the file"
            );
        }
        Ok(erased)
    }

    /// Ends the erasure of a contact, so that the engine sends its later events. Returns whether the
    /// contact was erased.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written. Then it forgave nothing.
    pub fn forgive(&mut self, contact: &Contact) -> Result<bool, OutboxError> {
        self.change(|conn, counts, _| erased::forgive(conn, counts, contact))
    }

    /// Reads the whole file, and returns SQLite's description of each fault. The list is empty if
    /// the file is sound. With a million events this takes some seconds.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn check(&self) -> Result<Vec<String>, OutboxError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut check = self.conn.prepare("PRAGMA integrity_check")?;
            let lines = check.query_map([], |row| row.get(0))?;
            lines.filter(|line| !line.as_ref().is_ok_and(|line| line == "ok")).collect()
        };
        read().map_err(fault)
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&Connection, &mut CountsRow, Millis) -> rusqlite::Result<T>,
    ) -> Result<T, OutboxError> {
        let now = self.clock.now();
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.conn.transaction_with_behavior(immediate).map_err(fault)?;
        expect_tables(&transaction)?;
        let change = || -> rusqlite::Result<T> {
            let mut counts = CountsRow::read(&transaction)?;
            let changed = change(&transaction, &mut counts, now)?;
            counts.write(&transaction)?;
            transaction.commit()?;
            Ok(changed)
        };
        change().map_err(fault)
    }
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection").field("path", &self.path).finish_non_exhaustive()
    }
}

fn fault(error: rusqlite::Error) -> OutboxError {
    Fault::from(error).to_error()
}
