//! What can go wrong with the file, when it is opened and later.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use intercom_delivery::OutboxError;
use rusqlite::ErrorCode;

use crate::schema::SCHEMA_VERSION;

/// Why a file could not be opened as an outbox. Nothing in it was changed then.
#[derive(thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub enum OpenError {
    /// A process that cannot share the file has it.
    #[error(
        "{path} is held by a process that cannot share it: one with an earlier version of \
         intercom-sqlite, or one that still delivers from a deleted file of that name; end that \
         process, and open the file again"
    )]
    InUse { path: PathBuf },
    /// There is no such file to look into.
    #[error("{path} does not exist; `SqliteOutbox::open` makes it")]
    Missing { path: PathBuf },
    /// There is a file to look into, and no outbox in it.
    #[error(
        "{path} has no outbox in it; `SqliteOutbox::open` makes one in a file of its own, and with \
         `.in_application_file()` beside the tables of your application"
    )]
    NoOutbox { path: PathBuf },
    /// A table or a view of the application has a name that the outbox needs.
    #[error(
        "{path} has a `{name}` of your application's, and the outbox needs that name; rename \
         yours, or give the outbox a file of its own"
    )]
    NameTaken { path: PathBuf, name: String },
    /// The folder of the file does not exist.
    #[error("the folder {path} does not exist; make it first")]
    MissingFolder { path: PathBuf },
    /// There is a folder of that name.
    #[error("{path} is a folder; name a file in it, such as {}", path.join("events.db").display())]
    Folder { path: PathBuf },
    /// The file is no database.
    #[error("{path} is not a SQLite file, and was left as it is; give the outbox another name")]
    NotADatabase { path: PathBuf },
    /// The file is a database of something else.
    #[error(
        "{path} is a SQLite file of another application, and was left as it is; give the outbox \
         another name, or, if it is your own application's and is to hold both, open it with \
         `.in_application_file()`"
    )]
    AnotherApplication { path: PathBuf },
    /// A later version of this crate wrote the file.
    #[error(
        "{path} was written by a later version of intercom-sqlite: its tables have the version \
         {found}, and {SCHEMA_VERSION} is the highest that this one knows; upgrade intercom-sqlite"
    )]
    NewerSchema { path: PathBuf, found: i32 },
    /// An earlier version of this crate wrote the file, and looking into it must not change it.
    #[error(
        "{path} was written by an earlier version of intercom-sqlite: its tables have the version \
         {found}; open it once with `SqliteOutbox::open`, which brings them to the version \
         {SCHEMA_VERSION}"
    )]
    OlderSchema { path: PathBuf, found: i32 },
    /// The file is damaged.
    #[error(
        "{path} is damaged ({detail}), and was left as it is; move it away with its `-wal` and \
         `-shm`, and see what `sqlite3 … .recover` gets out of it"
    )]
    Corrupt { path: PathBuf, detail: String },
    /// The file cannot be written.
    #[error("{path} cannot be written; give this process the right to, or use another file")]
    ReadOnlyFile { path: PathBuf },
    /// The folder cannot be written, and SQLite keeps its WAL beside the file.
    #[error(
        "the folder {path} cannot be written, and the outbox keeps files beside its own; give this \
         process the right to, or use another folder"
    )]
    ReadOnlyFolder { path: PathBuf },
    /// There is no room on the disk.
    #[error("the disk is full, and {path} cannot be set up; make room")]
    DiskFull { path: PathBuf },
    /// The disk could not be read, written or synced.
    #[error(
        "the disk failed while {path} was opened; see the system's log, and open it again when the \
         disk works"
    )]
    DiskFailed { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    /// The file lies on a network file system, where SQLite cannot keep it safe.
    #[error(
        "{path} lies on {kind}, which many machines can share, and SQLite cannot keep a file safe \
         there; use a local disk"
    )]
    NetworkFileSystem { path: PathBuf, kind: &'static str },
    /// A setting of SQLite without which events are not safe has no effect.
    #[error(
        "SQLite cannot keep {path} safe: `{setting}` is `{found}` after it was set to `{wanted}`; \
         use a local disk and an ordinary file"
    )]
    NotDurable { path: PathBuf, setting: &'static str, found: String, wanted: &'static str },
    /// A transaction of another program lasts too long.
    #[error("{path} is locked by another program's transaction; end that one, and open it again")]
    Locked { path: PathBuf },
    /// The operating system refused something else.
    #[error("{path} could not be opened")]
    Io { path: PathBuf, source: io::Error },
    /// SQLite refused something else.
    #[error("{path} could not be opened")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

/// The same sentence, and what it comes from.
impl fmt::Debug for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        intercom_core::write_with_sources(f, self)
    }
}

impl OpenError {
    /// Returns the error that an error of SQLite means.
    pub(crate) fn of(path: &std::path::Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
            Some(ErrorCode::DatabaseCorrupt) => {
                OpenError::Corrupt { path, detail: source.to_string() }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                OpenError::ReadOnlyFile { path }
            }
            Some(ErrorCode::DiskFull) => OpenError::DiskFull { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
            Some(ErrorCode::SystemIoFailure) => {
                OpenError::DiskFailed { path, source: source.into() }
            }
            _ => OpenError::Sqlite { path, source },
        }
    }
}

/// A fault of a whole transaction, told to each of its callers.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    message: &'static str,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    pub(crate) kind: FaultKind,
}

/// What a fault means for what is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Another connection was in the way. The connection is as good as before.
    Busy,
    /// The disk failed: nobody knows what is on it.
    Disk,
    /// There was no room.
    Full,
    Other,
}

impl Fault {
    /// The writing thread is gone, which only a panic can cause.
    pub(crate) const ENDED: Fault = Fault {
        message: "the outbox has ended; see the log for a panic",
        source: None,
        kind: FaultKind::Other,
    };

    /// The WAL must be read afresh, and another process has the file open.
    pub(crate) const SHARED: Fault = Fault {
        message: "a checkpoint of the outbox failed, and cannot be repeated while another program \
                  has the file open; close the file there",
        source: None,
        kind: FaultKind::Busy,
    };

    pub(crate) fn to_error(&self) -> OutboxError {
        let error = OutboxError::new(self.message);
        match &self.source {
            Some(source) => error.with_source(source.clone()),
            None => error,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(source: rusqlite::Error) -> Self {
        let (kind, message) = match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                (FaultKind::Full, "the disk of the outbox is full; make room on it")
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                FaultKind::Busy,
                "the outbox is locked by another program's transaction, which lasts too long",
            ),
            Some(ErrorCode::SystemIoFailure) => (FaultKind::Disk, "the disk of the outbox failed"),
            Some(ErrorCode::CannotOpen) => (FaultKind::Other, "the disk of the outbox failed"),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                (FaultKind::Other, "the file of the outbox cannot be written any more")
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                (FaultKind::Other, "the file of the outbox is damaged; stop, and move it away")
            }
            _ => (FaultKind::Other, "SQLite could not do what the outbox asked"),
        };
        Fault { message, source: Some(Arc::new(source)), kind }
    }
}

impl From<OpenError> for Fault {
    fn from(source: OpenError) -> Self {
        let message = "the file of the outbox could not be opened again";
        let kind = match source {
            OpenError::DiskFull { .. } => FaultKind::Full,
            _ => FaultKind::Other,
        };
        Fault { message, source: Some(Arc::new(source)), kind }
    }
}

/// A lock that cannot be tried says nothing about the connection.
impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        let message = "the lock file beside the outbox could not be opened";
        Fault { message, source: Some(Arc::new(source)), kind: FaultKind::Busy }
    }
}
