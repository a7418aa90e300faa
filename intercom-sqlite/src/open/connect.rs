//! A connection, and the settings without which events are not safe.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;

/// What a connection must know.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) capacity: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) in_application_file: bool,
    pub(crate) lock_timeout: Duration,
    /// For tests: how large the file may grow, as if the disk were full then.
    pub(crate) max_pages: Option<u32>,
    /// For tests: commits are not synced, so that a power cut loses them.
    pub(crate) loses_events_in_a_power_cut: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            capacity: None,
            max_bytes: None,
            in_application_file: false,
            lock_timeout: Duration::from_secs(5),
            max_pages: None,
            loses_events_in_a_power_cut: false,
        }
    }
}

/// Opens a file that is there. It writes nothing yet.
pub(super) fn connect(path: &Path, lock_timeout: Duration) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|conn| {
        conn.busy_timeout(lock_timeout)?;
        Ok(conn)
    });
    let conn = opened.map_err(|error| OpenError::of(path, error))?;
    // SQLite falls back on reading where it may not write, and says so only when asked.
    match conn.is_readonly("main") {
        Ok(false) => Ok(conn),
        Ok(true) => Err(OpenError::ReadOnlyFile { path: path.to_owned() }),
        Err(error) => Err(OpenError::of(path, error)),
    }
}

/// Makes the connection one whose commits are safe, and asks whether it is.
pub(super) fn set_up(conn: &Connection, path: &Path, settings: &Settings) -> Result<(), OpenError> {
    let set = || -> rusqlite::Result<()> {
        conn.set_prepared_statement_cache_capacity(64);
        // There is one good plan for each statement, so none is prepared anew for what is bound to it.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // It only has an effect before the first table is made. Of an application's file it is not ours to say.
        let tables = "SELECT count(*) FROM sqlite_schema";
        if !settings.in_application_file
            && conn.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0
        {
            conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        let synchronous = if settings.loses_events_in_a_power_cut { "NORMAL" } else { "FULL" };
        conn.pragma_update(None, "synchronous", synchronous)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        // 16 MiB, in KiB: enough for the ends of the trees that are worked at, however much is pending.
        conn.pragma_update(None, "cache_size", -16_384)?;
        // The owner does it, and looks whether it went well: see `log`.
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        conn.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
        if let Some(pages) = settings.max_pages {
            conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        Ok(())
    };
    set().map_err(|error| OpenError::of(path, error))?;
    let failed = |error| OpenError::of(path, error);
    let mode = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
    hold(path, "journal_mode", mode.map_err(failed)?, "wal")?;
    if settings.loses_events_in_a_power_cut {
        return Ok(());
    }
    let synchronous = conn.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0));
    hold(path, "synchronous", synchronous.map_err(failed)?.to_string(), "2")
}

/// Writes down how much may be pending, so that an application's own transactions keep to it too.
pub(super) fn limit(conn: &Connection, path: &Path, settings: &Settings) -> Result<(), OpenError> {
    let number = |most: Option<u64>| most.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    let limits = (number(settings.capacity), number(settings.max_bytes));
    let write = conn.execute(
        "UPDATE outbox_counts SET capacity = ?1, max_bytes = ?2 WHERE capacity IS NOT ?1 OR max_bytes IS NOT ?2",
        limits,
    );
    write.map(drop).map_err(|error| OpenError::of(path, error))
}

fn hold(
    path: &Path,
    setting: &'static str,
    found: String,
    wanted: &'static str,
) -> Result<(), OpenError> {
    match found == wanted {
        true => Ok(()),
        false => Err(OpenError::NotDurable { path: path.to_owned(), setting, found, wanted }),
    }
}
