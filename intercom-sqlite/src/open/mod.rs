//! Opening the file: nothing is written to it before it is known to be an outbox, or to become one.

mod connect;
pub(crate) mod log;
mod network;
mod place;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::OpenError;
use crate::schema::{self, APPLICATION_ID, SCHEMA_VERSION};

pub(crate) use connect::Settings;
pub(crate) use place::Lock;

/// Up to this size a file is checked from end to end when it is opened, which takes some milliseconds: 8 MiB, in pages
/// of 4 KiB. A larger one would take too long.
const CHECKED_PAGES: i64 = 2048;

/// A file that was found fit to be an outbox, and is kept from other owners as long as this lives.
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) conn: Connection,
    pub(crate) lock: Lock,
}

/// Opens the file to deliver from it, and makes it where there is none.
pub(crate) fn to_own(path: &Path, settings: &Settings) -> Result<Opened, OpenError> {
    let path = place::resolve(path)?;
    network::refuse(&path)?;
    let lock = Lock::take(&path)?;
    place::ensure_file(&path)?;
    let mut conn = connect::connect(&path, settings.lock_timeout)?;
    let set_up = |conn: &mut Connection| {
        judge(conn, &path, settings.in_application_file)?;
        expect_free_names(conn, &path)?;
        connect::set_up(conn, &path, settings)?;
        // What was found in the log may never have reached the disk, if the process that wrote it has seen a sync fail:
        // the system shows it all the same, and would not write it again. So nothing is added to that log.
        match log::empty(conn, settings.lock_timeout).map_err(|error| OpenError::of(&path, error)) {
            // Where there is no room for it, what is there can be delivered all the same.
            Ok(_) | Err(OpenError::DiskFull { .. }) => {}
            Err(error) => return Err(error),
        }
        schema::migrate(conn, !settings.in_application_file)
            .map_err(|error| OpenError::of(&path, error))?;
        connect::limit(conn, &path, settings)?;
        // SQLite does so too, and does not look whether it went well.
        place::sync_folder(&path)
    };
    set_up(&mut conn)?;
    Ok(Opened { path, conn, lock })
}

/// Opens the file once more, for the owner, who has lost its connection or needs another one.
pub(crate) fn again(path: &Path, settings: &Settings) -> Result<Connection, OpenError> {
    let conn = connect::connect(path, settings.lock_timeout)?;
    judge(&conn, path, settings.in_application_file)?;
    connect::set_up(&conn, path, settings)?;
    Ok(conn)
}

/// Opens the file to look into it, for somebody who need not be the owner.
pub(crate) fn to_inspect(path: &Path) -> Result<Connection, OpenError> {
    let path = place::resolve(path)?;
    network::refuse(&path)?;
    if !path.exists() {
        return Err(OpenError::Missing { path });
    }
    place::expect_writable_folder(&path)?;
    let settings = Settings::default();
    let conn = connect::connect(&path, settings.lock_timeout)?;
    match found_version(&conn, &path, true)? {
        0 => return Err(OpenError::NoOutbox { path }),
        SCHEMA_VERSION => {}
        found => return Err(OpenError::OlderSchema { path, found }),
    }
    connect::set_up(&conn, &path, &settings)?;
    Ok(conn)
}

/// Whether the file is an outbox, may become one, or must be left alone. It only reads.
fn judge(conn: &Connection, path: &Path, in_application_file: bool) -> Result<(), OpenError> {
    found_version(conn, path, in_application_file)?;
    check(conn, path)
}

/// The version of the tables in the file, when these are its own or it may have them.
fn found_version(
    conn: &Connection,
    path: &Path,
    in_application_file: bool,
) -> Result<i32, OpenError> {
    let read = || -> rusqlite::Result<_> {
        let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let numbered: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables: i64 =
            conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let version = schema::version(conn)?;
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

/// Where the file has no outbox yet, nothing of the application's may have a name that is needed for it.
fn expect_free_names(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    match schema::name_taken(conn).map_err(|error| OpenError::of(path, error))? {
        None => Ok(()),
        Some(name) => Err(OpenError::NameTaken { path: path.to_owned(), name }),
    }
}

/// Whether the file is whole, as far as that can be told quickly.
fn check(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let read = || -> rusqlite::Result<String> {
        let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
        if pages > CHECKED_PAGES {
            return Ok("ok".to_owned());
        }
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
    };
    match read() {
        Ok(said) if said == "ok" => Ok(()),
        Ok(said) => Err(OpenError::Corrupt { path: path.to_owned(), detail: said }),
        Err(error) => Err(OpenError::of(path, error)),
    }
}
