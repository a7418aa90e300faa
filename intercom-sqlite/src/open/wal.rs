//! Checkpoints of SQLite's WAL.
//!
//! SQLite would checkpoint by itself at the end of a commit, and hide a failure. The outbox does it
//! on purpose, because after such a failure SQLite's memory of the WAL must not be relied on: see
//! `writer::database`.
//!
//! A WAL that is missing takes what was accepted last with it. So each checkpoint stands between two
//! commits: the first says that the file needs its WAL, and gets into the file; the second takes that
//! back, in the WAL alone. A copy without its WAL, or a file whose WAL was deleted after a crash, says so when
//! it is opened.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::lock::RETRY;

/// Checkpoints, and leaves a mark by which a file without its WAL is known.
///
/// In the file, its row says that it needs its WAL, and in the WAL that it does not: so a copy without
/// the WAL says it, a copy made by SQLite's backup does not, and neither does a file that was closed.
pub(crate) fn sealed<T>(
    conn: &Connection,
    checkpoint: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // If this does not come to its end, the WAL stays where it is, whoever closes it.
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

/// Sets whether the WAL stays as it is when this connection closes, instead of a checkpoint.
pub(crate) fn keep(conn: &Connection, keep: bool) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop)
}

/// Returns whether nothing is wrong but that there is no room, or that another connection writes.
fn is_in_the_way(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | DiskFull))
}

/// Returns whether the file lacks its WAL.
pub(super) fn is_missed(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT needs_wal FROM outbox_keeping", [], |row| row.get(0))
}

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
