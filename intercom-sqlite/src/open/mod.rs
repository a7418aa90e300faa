//! Opening the file. Nothing is written before the file is known to be an outbox, or to become one.

mod connect;
pub(crate) mod lock;
mod network;
mod path;
pub(crate) mod wal;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use self::lock::Lock;
use crate::error::OpenError;
use crate::schema::{self, APPLICATION_ID, SCHEMA_VERSION};

pub(crate) use connect::Settings;
pub use connect::{DEFAULT_LOCK_TIMEOUT, DEFAULT_MAX_BYTES};

/// Up to this size a file is checked from end to end when it is opened, in some milliseconds: 8 MiB,
/// in pages of 4 KiB.
const CHECKED_PAGES: i64 = 2048;

/// A file that was found fit to be an outbox.
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) conn: Connection,
}

/// Opens the outbox, and makes it if there is none.
///
/// Several processes may have it open. A file that is new or of an earlier version is prepared under
/// the deliverer's lock, which each process of an earlier version holds as long as it lives.
pub(crate) fn open(path: &Path, settings: &Settings) -> Result<Opened, OpenError> {
    let path = path::resolve(path)?;
    network::refuse(&path)?;
    path::expect_writable_folder(&path)?;
    path::ensure_file(&path)?;
    let mut conn = connect::connect(&path, settings.lock_timeout)?;
    let found = judge(&conn, &path, settings.in_application_file)?;
    expect_free_names(&conn, &path)?;
    let _lock = match found {
        SCHEMA_VERSION => None,
        _ => lock_to_prepare(&conn, &path, settings)?,
    };
    let failed = |error| OpenError::of(&path, error);
    connect::set_up(&conn, &path, settings)?;
    match bring_in_wal(&conn, &path, settings) {
        // A full disk has lost nothing, and what is pending can be delivered.
        Ok(()) | Err(OpenError::DiskFull { .. }) => {}
        Err(error) => return Err(error),
    }
    schema::migrate(&mut conn, !settings.in_application_file).map_err(failed)?;
    connect::limit(&conn, &path, settings)?;
    // SQLite does so too, and ignores a failure.
    path::sync_folder(&path)?;
    Ok(Opened { path, conn })
}

/// Opens the file once more, for an outbox that lost its connection or needs another one.
pub(crate) fn again(path: &Path, settings: &Settings) -> Result<Connection, OpenError> {
    let conn = connect::connect(path, settings.lock_timeout)?;
    judge(&conn, path, settings.in_application_file)?;
    connect::set_up(&conn, path, settings)?;
    Ok(conn)
}

/// Opens the file to look into it.
pub(crate) fn to_inspect(path: &Path) -> Result<Connection, OpenError> {
    let path = path::resolve(path)?;
    network::refuse(&path)?;
    if !path.exists() {
        return Err(OpenError::Missing { path });
    }
    path::expect_writable_folder(&path)?;
    let settings = Settings { lock_timeout: DEFAULT_LOCK_TIMEOUT, ..Settings::default() };
    let conn = connect::connect(&path, settings.lock_timeout)?;
    match found_version(&conn, &path, true)? {
        0 => return Err(OpenError::NoOutbox { path }),
        SCHEMA_VERSION => {}
        found => return Err(OpenError::OlderSchema { path, found }),
    }
    connect::set_up(&conn, &path, &settings)?;
    Ok(conn)
}

/// Takes the lock under which a file is prepared, unless another process has just prepared it.
fn lock_to_prepare(
    conn: &Connection,
    path: &Path,
    settings: &Settings,
) -> Result<Option<Lock>, OpenError> {
    let taken = Lock::take(path, settings.lock_timeout)
        .map_err(|error| path::unwritable(&lock::beside(path), error))?;
    if taken.is_none() && found_version(conn, path, settings.in_application_file)? != SCHEMA_VERSION
    {
        return Err(OpenError::InUse { path: path.to_owned() });
    }
    Ok(taken)
}

/// Brings a WAL that is found into the file, with a sync, before anything is added to it.
///
/// If the process that wrote it saw a sync fail, the system may show what the disk does not have, and
/// would not write it again. A WAL that must be read afresh stays as it is: see `writer::database`.
fn bring_in_wal(conn: &Connection, path: &Path, settings: &Settings) -> Result<(), OpenError> {
    let bring_in = || match lock::is_wal_stale(path) && wal::extent(conn)?.checkpointed > 0 {
        true => Ok(false),
        false => wal::bring_in_found(conn, settings.lock_timeout).map(|()| true),
    };
    match bring_in() {
        Ok(false) => Ok(()),
        Ok(true) => lock::clear_stale_wal(path).map_err(|error| path::unwritable(path, error)),
        Err(error) => Err(OpenError::of(path, error)),
    }
}

/// Returns the version of the tables if the file is an outbox or may become one. It only reads.
fn judge(conn: &Connection, path: &Path, in_application_file: bool) -> Result<i32, OpenError> {
    let found = found_version(conn, path, in_application_file)?;
    check(conn, path)?;
    Ok(found)
}

/// Returns the version of the tables in the file, if it may have them.
fn found_version(
    conn: &Connection,
    path: &Path,
    in_application_file: bool,
) -> Result<i32, OpenError> {
    let read = || -> rusqlite::Result<_> {
        // One snapshot, because another process may be preparing the file.
        let conn = conn.unchecked_transaction()?;
        let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let numbered: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables: i64 =
            conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let version = schema::version(&conn)?;
        Ok((application, numbered, tables, version))
    };
    let (application, numbered, tables, version) =
        read().map_err(|error| OpenError::of(path, error))?;
    let marked = application == APPLICATION_ID;
    let blank = application == 0 && numbered == 0 && tables == 0;
    if !marked && !blank && !in_application_file {
        return Err(OpenError::AnotherApplication { path: path.to_owned() });
    }
    let found = if marked { version.max(numbered) } else { version };
    if found > SCHEMA_VERSION {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found });
    }
    Ok(found)
}

/// Fails when the file has no outbox yet, and something of the application's has a name that the
/// outbox needs.
fn expect_free_names(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    // One snapshot, because another process may be preparing the file.
    let taken = conn.unchecked_transaction().and_then(|conn| schema::name_taken(&conn));
    match taken.map_err(|error| OpenError::of(path, error))? {
        None => Ok(()),
        Some(name) => Err(OpenError::NameTaken { path: path.to_owned(), name }),
    }
}

/// Fails when the file is damaged, as far as that can be found out quickly.
fn check(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let read = || -> rusqlite::Result<String> {
        let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
        if pages > CHECKED_PAGES {
            return Ok("ok".to_owned());
        }
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
    };
    match read() {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(answer) => Err(OpenError::Corrupt { path: path.to_owned(), detail: answer }),
        Err(error) => Err(OpenError::of(path, error)),
    }
}
