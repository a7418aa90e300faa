//! Checkpoints of SQLite's WAL.
//!
//! SQLite would checkpoint by itself at the end of a commit, and hide a failure. The outbox does it
//! on purpose, because after such a failure SQLite's memory of the WAL must not be relied on: see
//! `writer::database`.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::lock::RETRY;

/// How long the WAL is, in pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) logged: i64,
    /// Of these, those that SQLite remembers to have brought into the file.
    pub(crate) checkpointed: i64,
}

/// Returns how long the WAL is.
pub(crate) fn extent(conn: &Connection) -> rusqlite::Result<Extent> {
    run(conn, "PRAGMA wal_checkpoint(NOOP)").map(|(_, extent)| extent)
}

/// Brings into the file what can be without waiting for readers and writers.
pub(crate) fn checkpoint(conn: &Connection) -> rusqlite::Result<()> {
    run(conn, "PRAGMA wal_checkpoint(PASSIVE)").map(drop)
}

/// Brings all of the WAL into the file, also while other processes write: the other connection keeps
/// them from it meanwhile. Then the next commit begins the WAL anew, unless somebody reads from it.
pub(crate) fn checkpoint_all(conn: &Connection, other: &Connection) -> rusqlite::Result<()> {
    other.execute_batch("BEGIN IMMEDIATE")?;
    let done = checkpoint(conn);
    done.and(other.execute_batch("ROLLBACK"))
}

/// Brings all of the WAL into the file, and gives its space back. Returns whether it could: it
/// cannot while somebody reads or writes, and does not wait for them.
pub(crate) fn empty(conn: &Connection, lock_timeout: Duration) -> rusqlite::Result<bool> {
    conn.busy_timeout(Duration::ZERO)?;
    let done = run(conn, "PRAGMA wal_checkpoint(TRUNCATE)");
    conn.busy_timeout(lock_timeout)?;
    done.map(|(busy, _)| !busy)
}

/// Brings a WAL that was found into the file. Waits for another process that is at it.
pub(super) fn bring_in_found(conn: &Connection, lock_timeout: Duration) -> rusqlite::Result<()> {
    let began = Instant::now();
    while run(conn, "PRAGMA wal_checkpoint(PASSIVE)")?.0 && began.elapsed() < lock_timeout {
        thread::sleep(RETRY);
    }
    empty(conn, lock_timeout).map(drop)
}

fn run(conn: &Connection, pragma: &str) -> rusqlite::Result<(bool, Extent)> {
    conn.prepare_cached(pragma)?.query_row([], |row| {
        let extent = Extent { logged: row.get(1)?, checkpointed: row.get(2)? };
        Ok((row.get::<_, i64>(0)? != 0, extent))
    })
}
