//! Looking into the file from outside: for tools.

use std::fmt;
use std::path::{Path, PathBuf};

use intercom_delivery::outbox::{Counts, DeadLetter, EventId, OutboxError, Selection};
use rusqlite::{Connection, TransactionBehavior};

use crate::clock::{Clock, Millis};
use crate::error::{Fault, OpenError};
use crate::open;
use crate::store::books::{Base, Books};
use crate::store::letters;
use crate::store::pending::{self, PendingEvent};
use crate::transaction::expect_tables;

/// A file that is looked into, while another process may deliver from it. Made by
/// [`SqliteOutbox::inspect`](crate::SqliteOutbox::inspect).
///
/// It can redrive and purge dead letters; the owner notices within its
/// [poll interval](crate::SqliteOutboxBuilder::poll_interval). All of its methods block.
pub struct Inspection {
    path: PathBuf,
    conn: Connection,
    clock: Clock,
}

impl Inspection {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let conn = open::to_inspect(path)?;
        Ok(Inspection { path: path.to_owned(), conn, clock: Clock::system() })
    }

    /// The counts since the file was made, dead letters that were purged included.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn counts(&self) -> Result<Counts, OutboxError> {
        let read = || -> rusqlite::Result<_> {
            let transaction = self.conn.unchecked_transaction()?;
            let books = Books::read(&transaction)?;
            Ok(books.counts_since(&Base::default(), pending::oldest(&transaction)?))
        };
        read().map_err(fault)
    }

    /// Reads events that are pending, in the order of their ids, beginning after this one.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn pending(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<PendingEvent>, OutboxError> {
        pending::read(&self.conn, after, most).map_err(fault)
    }

    /// Reads dead letters, in the order of their ids, beginning after this one.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        letters::read(&self.conn, after, most).map_err(fault)
    }

    /// Makes dead letters pending again, due at once and with no attempt spent, and says how many.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn redrive(&mut self, which: &Selection) -> Result<u64, OutboxError> {
        self.change(|conn, books, now| {
            letters::redrive(conn, books, which, now).map(|redriven| redriven.len() as u64)
        })
    }

    /// Forgets dead letters for good, and says how many.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn purge(&mut self, which: &Selection) -> Result<u64, OutboxError> {
        self.change(|conn, books, _| letters::purge(conn, books, which))
    }

    /// Reads the whole file, and gives what is wrong with it in SQLite's words: nothing, if it is whole. With a million
    /// events it takes some seconds.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, OutboxError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut check = self.conn.prepare("PRAGMA integrity_check")?;
            let said = check.query_map([], |row| row.get(0))?;
            said.filter(|line| !line.as_ref().is_ok_and(|line| line == "ok")).collect()
        };
        read().map_err(fault)
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&Connection, &mut Books, Millis) -> rusqlite::Result<T>,
    ) -> Result<T, OutboxError> {
        let now = self.clock.now();
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.conn.transaction_with_behavior(immediate).map_err(fault)?;
        expect_tables(&transaction)?;
        let done = || -> rusqlite::Result<T> {
            let mut books = Books::read(&transaction)?;
            books.turn_over(now);
            let done = change(&transaction, &mut books, now)?;
            books.write(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        done().map_err(fault)
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
