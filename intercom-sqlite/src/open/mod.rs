//! Opens the file. Writes nothing before the file is known to be an outbox, or to become one.
//!
//! A new or older file is set up under the lock, so that no process delivers meanwhile. One
//! transaction migrates to the present version.

mod connect;
pub(crate) mod lock;
mod mounts;
mod path;
pub(crate) mod reserve;
pub(crate) mod wal;

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use rusqlite::Connection;

use self::lock::{Lock, beside};
use self::reserve::Reserve;
use crate::error::OpenError;
use crate::schema::{self, APPLICATION_ID, SCHEMA_VERSION};

pub(crate) use connect::DEFAULT_LOCK_TIMEOUT;
pub(crate) use connect::Settings;
pub(crate) use reserve::is_full;

/// The largest file that opening checks from end to end, in some milliseconds: 8 MiB, in pages of 4
/// KiB.
const CHECKED_PAGES: i64 = 2048;

/// Opens the outbox, and creates it if it does not exist.
///
/// Several processes may have it open. A new or older file is prepared under the deliverer's lock,
/// which a process of an earlier version holds as long as it lives.
pub(crate) fn open(path: &Path, settings: &Settings) -> Result<(PathBuf, Connection), OpenError> {
    let path = find(path)?;
    path::ensure_file(&path)?;
    let had_lock_file = beside(&path, "-lock").exists();
    ensure_lock_file(&path)?;
    let conn = match open_found(&path, settings) {
        // On a full disk, opening succeeds after the outbox frees its reserve.
        Err(OpenError::DiskFull { .. } | OpenError::DiskFailed { .. })
            if Reserve::of(&path).give_up() =>
        {
            open_found(&path, settings)?
        }
        opened => opened?,
    };
    let epoch = conn.query_row("SELECT epoch FROM outbox_counts", [], |row| row.get::<_, i64>(0));
    if epoch.map_err(|error| OpenError::of(&path, error))? > 0 && !had_lock_file {
        tracing::warn!(outbox = %path.display(), "{RESTORED}");
    }
    Ok((path, conn))
}

/// The log message for a file older than the one that the process delivered from last.
pub(crate) const RESTORED: &str = "the file of the outbox was restored from a backup, or copied: what \
    was pending in it is delivered once more, which Intercom ignores; it may also ignore new events \
    in the seconds of events that were delivered since, which this file does not know";

fn open_found(path: &Path, settings: &Settings) -> Result<Connection, OpenError> {
    let (mut conn, found) = connect(path, settings)?;
    let failed = |error| OpenError::of(path, error);
    expect_free_names(&conn, path)?;
    let _lock = match found {
        SCHEMA_VERSION => None,
        _ => lock_to_prepare(&conn, path, settings)?,
    };
    connect::set_up(&conn, path, settings)?;
    tolerate_full(bring_in_wal(&conn, path, settings))?;
    schema::migrate(&mut conn, !settings.in_application_file).map_err(failed)?;
    connect::limit(&conn, path, settings)?;
    if !lock::is_wal_stale(path) {
        let emptied = wal::sealed(&conn, || wal::empty(&conn, settings.lock_timeout));
        tolerate_full(emptied.map(drop).map_err(failed))?;
    }
    // SQLite does so too, but ignores a failure.
    path::sync_folder(path)?;
    Ok(conn)
}

/// Opens a file with its companions, and returns the version of its tables. Only reads.
fn connect(path: &Path, settings: &Settings) -> Result<(Connection, i32), OpenError> {
    let missing = || Err(OpenError::MissingWal { path: path.to_owned() });
    let has_wal = has_wal(path)?;
    // Reading would create a WAL beside another WAL's shared memory.
    if has_wal == Some(false) {
        return missing();
    }
    let conn = connect::connect(path, settings.lock_timeout)?;
    let found = found_version(&conn, path, settings.in_application_file)?;
    check(&conn, path)?;
    if has_wal.is_none()
        && found == SCHEMA_VERSION
        && wal::is_missed(&conn).map_err(|error| OpenError::of(path, error))?
    {
        return missing();
    }
    Ok((conn, found))
}

/// Returns the file's path, if an outbox is safe there.
fn find(path: &Path) -> Result<PathBuf, OpenError> {
    let path = path::resolve(path)?;
    mounts::refuse(&path)?;
    path::expect_one_name(&path)?;
    path::expect_writable_folder(&path)?;
    Ok(path)
}

/// Fails when the lock file is another user's, because this process could never deliver.
fn ensure_lock_file(path: &Path) -> Result<(), OpenError> {
    let lock = beside(path, "-lock");
    let mut options = OpenOptions::new();
    match path::private(options.write(true).create(true).truncate(false)).open(&lock) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && lock.exists() => {
            Err(OpenError::LockOfAnotherUser { path: lock })
        }
        // The lock file exists, or delivering will report what is wrong.
        Err(error) if is_full(&error) => Ok(()),
        Err(error) => Err(OpenError::io(&lock, error)),
    }
}

/// Returns whether a WAL exists, where that is known before SQLite creates one. `Some(false)`: it
/// was deleted under a process that had it open.
fn has_wal(path: &Path) -> Result<Option<bool>, OpenError> {
    // SQLite creates the WAL before its shared memory, and deletes it afterwards. Another process
    // that closes the file briefly looks different.
    for _ in 0..3 {
        let has_memory = beside(path, "-shm").exists();
        match beside(path, "-wal").exists() {
            true => return Ok(Some(true)),
            false if !has_memory || connect::is_closed(path)? => return Ok(None),
            false => thread::sleep(lock::RETRY),
        }
    }
    Ok(Some(false))
}

/// A full disk has lost nothing, and pending events can be delivered.
fn tolerate_full(done: Result<(), OpenError>) -> Result<(), OpenError> {
    match done {
        Err(OpenError::DiskFull { .. }) => Ok(()),
        done => done,
    }
}

/// Reopens the file, for an outbox that lost its connection or needs another.
pub(crate) fn again(path: &Path, settings: &Settings) -> Result<Connection, OpenError> {
    let (conn, _) = connect(path, settings)?;
    connect::set_up(&conn, path, settings)?;
    Ok(conn)
}

/// Opens the file to inspect it. Returns its path too.
pub(crate) fn to_inspect(path: &Path) -> Result<(PathBuf, Connection), OpenError> {
    let path = find(path)?;
    if !path.exists() {
        return Err(OpenError::Missing { path });
    }
    let settings = Settings {
        in_application_file: true,
        lock_timeout: DEFAULT_LOCK_TIMEOUT,
        ..Settings::default()
    };
    let conn = match connect(&path, &settings)? {
        (_, 0) => return Err(OpenError::NoOutbox { path }),
        (conn, SCHEMA_VERSION) => conn,
        (_, found) => return Err(OpenError::OlderSchema { path, found }),
    };
    connect::set_up(&conn, &path, &settings)?;
    // A killed process may have left the mark of its checkpoint. Closing must not keep it.
    let healed = wal::is_missed(&conn).and_then(|is_missed| match is_missed {
        true => wal::mark(&conn, false),
        false => Ok(()),
    });
    healed.map_err(|error| OpenError::of(&path, error))?;
    Ok((path, conn))
}

/// Takes the lock to prepare a file, unless another process has just prepared it.
fn lock_to_prepare(
    conn: &Connection,
    path: &Path,
    settings: &Settings,
) -> Result<Option<Lock>, OpenError> {
    let taken = Lock::take(path, settings.lock_timeout)
        .map_err(|error| OpenError::io(&beside(path, "-lock"), error))?;
    if taken.is_none() && found_version(conn, path, settings.in_application_file)? != SCHEMA_VERSION
    {
        return Err(OpenError::InUse { path: path.to_owned() });
    }
    Ok(taken)
}

/// Checkpoints an existing WAL with fsync, before anything is added to it.
///
/// If its writer saw a sync fail, the system may show data that is not on the disk, and would not
/// write it again. A WAL that must be read afresh stays as it is: see `writer::database`.
fn bring_in_wal(conn: &Connection, path: &Path, settings: &Settings) -> Result<(), OpenError> {
    let bring_in = || match lock::is_wal_stale(path) && wal::extent(conn)?.checkpointed > 0 {
        true => Ok(false),
        false => wal::bring_in_found(conn, settings.lock_timeout).map(|()| true),
    };
    match bring_in() {
        Ok(false) => Ok(()),
        Ok(true) => lock::clear_stale_wal(path).map_err(|error| OpenError::io(path, error)),
        Err(error) => Err(OpenError::of(path, error)),
    }
}

/// Returns the version of the tables in the file, if the file may have them.
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

/// Fails when the file has no outbox yet, and a name that the outbox needs is the application's.
fn expect_free_names(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    // One snapshot, because another process may be preparing the file.
    let taken = conn.unchecked_transaction().and_then(|conn| schema::name_taken(&conn));
    match taken.map_err(|error| OpenError::of(path, error))? {
        None => Ok(()),
        Some(name) => Err(OpenError::NameTaken { path: path.to_owned(), name }),
    }
}

/// Fails when the file is damaged, as far as a quick check can tell.
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
