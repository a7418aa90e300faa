//! SQLite's log (WAL), and how what is in it comes into the file.
//!
//! SQLite would do that by itself at the end of a commit, and keep a failure of it to itself. It is done on purpose
//! here, because after such a failure nothing that SQLite remembers of the log may be relied on: see `writer::doubt`.

use std::time::Duration;

use rusqlite::Connection;

/// How much of the log there is, in pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// In the log.
    pub(crate) logged: i64,
    /// Of these, what SQLite remembers to have brought into the file.
    pub(crate) brought_in: i64,
}

/// Asks how long the log is, and changes nothing.
pub(crate) fn extent(conn: &Connection) -> rusqlite::Result<Extent> {
    checkpoint(conn, "PRAGMA wal_checkpoint(NOOP)").map(|(_, extent)| extent)
}

/// Brings into the file what can be without waiting for anybody.
pub(crate) fn bring_in(conn: &Connection) -> rusqlite::Result<()> {
    checkpoint(conn, "PRAGMA wal_checkpoint(PASSIVE)").map(drop)
}

/// Brings all of it into the file, and gives the space of the log back. Whether that was possible: it is not while
/// somebody reads or writes, whom nobody should wait for.
pub(crate) fn empty(conn: &Connection, lock_timeout: Duration) -> rusqlite::Result<bool> {
    conn.busy_timeout(Duration::ZERO)?;
    let done = checkpoint(conn, "PRAGMA wal_checkpoint(TRUNCATE)");
    conn.busy_timeout(lock_timeout)?;
    done.map(|(busy, _)| !busy)
}

fn checkpoint(conn: &Connection, pragma: &str) -> rusqlite::Result<(bool, Extent)> {
    conn.prepare_cached(pragma)?.query_row([], |row| {
        let extent = Extent { logged: row.get(1)?, brought_in: row.get(2)? };
        Ok((row.get::<_, i64>(0)? != 0, extent))
    })
}
