//! Connections, and the settings that keep events safe.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use crate::clock::whole_millis;
use crate::error::OpenError;
use crate::store::erased;

/// The default limit of the bytes of pending bodies: 1 GiB.
pub(crate) const DEFAULT_MAX_BYTES: u64 = 1 << 30;

/// The default wait for another process's transaction.
pub(crate) const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `None`: the file's limit.
    pub(crate) capacity: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_dead_letters: Option<u64>,
    pub(crate) max_dead_age: Option<Duration>,
    pub(crate) in_application_file: bool,
    pub(crate) lock_timeout: Duration,
    /// For tests: the file's size at which the disk counts as full.
    pub(crate) max_pages: Option<u32>,
    /// For tests: commits without fsync.
    pub(crate) loses_events_in_a_power_cut: bool,
}

impl Settings {
    /// Returns how to overwrite deleted rows outside erasures: only where that costs no I/O. Free
    /// pages keep their bytes until an erasure gives them back. An application's file cannot give
    /// pages back, so it overwrites everything at once.
    pub(crate) fn secure_delete(&self) -> &'static str {
        if self.in_application_file { "ON" } else { "FAST" }
    }
}

/// Opens an existing file. Writes nothing yet.
pub(super) fn connect(path: &Path, lock_timeout: Duration) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|conn| {
        conn.busy_timeout(lock_timeout)?;
        Ok(conn)
    });
    let conn = opened.map_err(|error| OpenError::of(path, error))?;
    // SQLite silently opens a file read-only when it may not write.
    match conn.is_readonly("main") {
        Ok(false) => Ok(conn),
        Ok(true) => Err(OpenError::ReadOnlyFile { path: path.to_owned() }),
        Err(error) => Err(OpenError::of(path, error)),
    }
}

/// Returns whether no connection has the file open.
pub(super) fn is_closed(path: &Path) -> Result<bool, OpenError> {
    let conn = connect(path, Duration::ZERO)?;
    // In this mode SQLite needs exclusive access, and reads no shared memory.
    let alone =
        conn.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(())).and_then(
            |()| conn.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(())).optional(),
        );
    match alone.map_err(|error| OpenError::of(path, error)) {
        Ok(_) => Ok(true),
        Err(OpenError::Locked { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Applies the settings for safe commits, and reads them back.
pub(super) fn set_up(conn: &Connection, path: &Path, settings: &Settings) -> Result<(), OpenError> {
    let set = || -> rusqlite::Result<()> {
        conn.set_prepared_statement_cache_capacity(64);
        // Each statement has one good plan, so no bound value may change it.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // It has no effect after the first table. The outbox must not change an application's file.
        let tables = "SELECT count(*) FROM sqlite_schema";
        if !settings.in_application_file
            && conn.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0
        {
            conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        let synchronous = if settings.loses_events_in_a_power_cut { "NORMAL" } else { "FULL" };
        conn.pragma_update(None, "synchronous", synchronous)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        erased::overwrite(conn, settings.secure_delete())?;
        // 16 MiB, in KiB: enough for the pages in use, however many events are pending.
        conn.pragma_update(None, "cache_size", -16_384)?;
        // The outbox checkpoints, and detects failures: see `wal`.
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
    expect(path, "journal_mode", mode.map_err(failed)?, "wal")?;
    if settings.loses_events_in_a_power_cut {
        return Ok(());
    }
    let synchronous = conn.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0));
    expect(path, "synchronous", synchronous.map_err(failed)?.to_string(), "2")
}

/// Writes the limits into the file, where every process obeys them. An unset limit keeps the file's
/// value.
pub(super) fn limit(conn: &Connection, path: &Path, settings: &Settings) -> Result<(), OpenError> {
    let number = |bound: u64| i64::try_from(bound).unwrap_or(i64::MAX);
    let write = || -> rusqlite::Result<()> {
        conn.execute(
            "UPDATE outbox_counts SET capacity = ifnull(?1, capacity), \
             max_bytes = coalesce(?2, max_bytes, ?3) \
             WHERE capacity IS NOT ifnull(?1, capacity) OR max_bytes IS NOT coalesce(?2, max_bytes, ?3)",
            (
                settings.capacity.map(number),
                settings.max_bytes.map(number),
                number(DEFAULT_MAX_BYTES),
            ),
        )?;
        conn.execute(
            "UPDATE outbox_keeping SET max_dead_letters = ifnull(?1, max_dead_letters), \
             max_dead_age = ifnull(?2, max_dead_age) \
             WHERE max_dead_letters IS NOT ifnull(?1, max_dead_letters) \
             OR max_dead_age IS NOT ifnull(?2, max_dead_age)",
            (settings.max_dead_letters.map(number), settings.max_dead_age.map(whole_millis)),
        )?;
        Ok(())
    };
    write().map_err(|error| OpenError::of(path, error))
}

/// Fails when a setting did not take effect.
fn expect(
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
