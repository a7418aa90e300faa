//! Checkpoints in the file of a SQLite outbox.

use std::path::Path;
use std::time::Duration;

use intercom_core::DataEvent;
use intercom_sqlite::accept_in;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{Checkpoint, Stored, import_is_running};
use crate::exit::Exit;
use crate::failure::Failure;

/// The longest wait for the writes of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS import_progress (
        id INTEGER PRIMARY KEY,
        -- The digest of the file's first record.
        first INTEGER NOT NULL,
        -- The number of records so far, and their digest.
        records INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        -- The digest of all that decides which event a record becomes.
        plan INTEGER NOT NULL,
        accepted INTEGER NOT NULL,
        file TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS import_progress_first ON import_progress (first);";

pub(crate) struct SqliteCheckpoints {
    connection: Connection,
}

impl SqliteCheckpoints {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let connection = Connection::open(path).and_then(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            // Commits as durably as the outbox. Only the outbox checkpoints the WAL, so that it
            // notices a failure.
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "wal_autocheckpoint", 0)?;
            connection.pragma_update(None, "temp_store", "MEMORY")?;
            connection.pragma_update(None, "cache_size", -16_384)?;
            connection.execute_batch(TABLE)?;
            Ok(connection)
        });
        Ok(SqliteCheckpoints { connection: connection.map_err(|error| failed(&error))? })
    }

    pub(super) fn find(&self, first: i64) -> Result<Vec<Checkpoint>, Failure> {
        let read = || -> rusqlite::Result<Vec<Checkpoint>> {
            let mut select = self.connection.prepare_cached(
                "SELECT id, first, records, digest, plan, accepted, file FROM import_progress
                 WHERE first = ?1 ORDER BY records DESC, id DESC",
            )?;
            let rows = select.query_map([first], |row| {
                Ok(Checkpoint {
                    id: row.get(0)?,
                    first: row.get(1)?,
                    records: row.get(2)?,
                    digest: row.get(3)?,
                    plan: row.get(4)?,
                    accepted: row.get(5)?,
                    file: row.get(6)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|error| failed(&error))
    }

    pub(super) fn begin(
        &mut self,
        checkpoint: &Checkpoint,
        known: usize,
        forgotten: &[i64],
    ) -> Result<i64, Failure> {
        let transaction = self.write()?;
        let begin = || -> rusqlite::Result<Option<i64>> {
            let there = "SELECT count(*) FROM import_progress WHERE first = ?1";
            let there: i64 = transaction.query_row(there, [checkpoint.first], |row| row.get(0))?;
            if usize::try_from(there) != Ok(known) {
                return Ok(None);
            }
            for id in forgotten {
                transaction.execute("DELETE FROM import_progress WHERE id = ?1", [id])?;
            }
            transaction.execute(
                "INSERT INTO import_progress (first, records, digest, plan, accepted, file, updated_at)
                 VALUES (?1, 0, 0, ?2, 0, ?3, datetime('now'))",
                params![checkpoint.first, checkpoint.plan, checkpoint.file],
            )?;
            Ok(Some(transaction.last_insert_rowid()))
        };
        let id = begin().map_err(|error| failed(&error))?;
        let id = id.ok_or_else(|| import_is_running(&checkpoint.file))?;
        transaction.commit().map_err(|error| failed(&error))?;
        Ok(id)
    }

    pub(super) fn step(
        &mut self,
        before: i64,
        checkpoint: &Checkpoint,
        events: &[DataEvent],
    ) -> Result<Stored, Failure> {
        let transaction = self.write()?;
        let moved = transaction
            .prepare_cached(
                "UPDATE import_progress SET records = ?3, digest = ?4, accepted = ?5, file = ?6,
                 plan = ?7, updated_at = datetime('now') WHERE id = ?1 AND records = ?2",
            )
            .and_then(|mut update| {
                let Checkpoint { id, first: _, records, digest, plan, accepted, file } = checkpoint;
                update.execute(params![id, before, records, digest, accepted, file, plan])
            })
            .map_err(|error| failed(&error))?;
        if moved != 1 {
            return Err(import_is_running(&checkpoint.file));
        }
        let stored = Stored::of(accept_in(&transaction, events))?;
        if let Stored::Done = stored {
            transaction.commit().map_err(|error| failed(&error))?;
        }
        Ok(stored)
    }

    fn write(&mut self) -> Result<Transaction<'_>, Failure> {
        self.connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failed(&error))
    }
}

fn failed(error: &rusqlite::Error) -> Failure {
    Failure::new(
        Exit::Operator,
        "outbox",
        format!(
            "cannot write to the outbox: {error}; \
             check the disk and the file, then start the import again"
        ),
    )
}
