//! Checkpoints of SQLite's WAL.
//!
//! SQLite would checkpoint at the end of a commit, and hide a failure. The outbox checkpoints
//! itself, because after such a failure SQLite's memory of the WAL is unreliable: see
//! `writer::database`.
//!
//! A missing WAL loses the events accepted last. So each checkpoint runs between two commits. The
//! first says that the file needs its WAL, and reaches the file. The second reverts that, in the
//! WAL alone. So opening detects a copy without its WAL, and a file whose WAL was deleted after a
//! crash.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::lock::RETRY;

/// Checkpoints, and leaves a mark that shows when the file lacks its WAL.
///
/// The row in the file says that it needs its WAL, and the row in the WAL says the opposite. So
/// only a copy without the WAL shows the mark. A copy by SQLite's backup does not, nor does a
/// closed file.
pub(crate) fn sealed<T>(
    conn: &Connection,
    checkpoint: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // Until this completes, closing any connection keeps the WAL.
    keep(conn, true)?;
    match mark(conn, true) {
        Ok(()) => {}
        Err(error) if is_in_the_way(&error) => {
            keep(conn, false)?;
            return checkpoint();
        }
        Err(error) => return Err(error),
    }
    let done = checkpoint()?;
    mark(conn, false)?;
    keep(conn, false)?;
    Ok(done)
}

/// Writes whether the file needs its WAL.
pub(crate) fn mark(conn: &Connection, needs_wal: bool) -> rusqlite::Result<()> {
    let mut update = conn.prepare_cached("UPDATE outbox_keeping SET needs_wal = ?1")?;
    update.execute([needs_wal]).map(drop)
}

/// Sets whether closing this connection keeps the WAL instead of checkpointing.
pub(crate) fn keep(conn: &Connection, keep: bool) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop)
}

/// Returns whether the only fault is a full disk, or another connection that writes.
fn is_in_the_way(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | DiskFull))
}

/// Returns whether the file lacks its WAL.
pub(super) fn is_missed(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT needs_wal FROM outbox_keeping", [], |row| row.get(0))
}

/// The length of the WAL, in pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) logged: i64,
    /// The pages that SQLite remembers as checkpointed.
    pub(crate) checkpointed: i64,
}

/// Returns the length of the WAL.
pub(crate) fn extent(conn: &Connection) -> rusqlite::Result<Extent> {
    run(conn, "PRAGMA wal_checkpoint(NOOP)").map(|(_, extent)| extent)
}

/// Checkpoints what it can without waiting for readers and writers.
pub(crate) fn checkpoint(conn: &Connection) -> rusqlite::Result<()> {
    run(conn, "PRAGMA wal_checkpoint(PASSIVE)").map(drop)
}

/// Checkpoints the whole WAL while other processes write: the other connection blocks them
/// meanwhile. Then the next commit restarts the WAL, unless a reader uses it.
pub(crate) fn checkpoint_all(conn: &Connection, other: &Connection) -> rusqlite::Result<()> {
    other.execute_batch("BEGIN IMMEDIATE")?;
    let done = checkpoint(conn);
    done.and(other.execute_batch("ROLLBACK"))
}

/// Checkpoints the whole WAL, and truncates it. Returns whether it succeeded: it fails while
/// another connection reads or writes, and does not wait.
pub(crate) fn empty(conn: &Connection, lock_timeout: Duration) -> rusqlite::Result<bool> {
    conn.busy_timeout(Duration::ZERO)?;
    let done = run(conn, "PRAGMA wal_checkpoint(TRUNCATE)");
    conn.busy_timeout(lock_timeout)?;
    done.map(|(busy, _)| !busy)
}

/// Checkpoints an existing WAL. Waits for another process that does the same.
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
