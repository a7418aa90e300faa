//! Errors of opening the file, and faults of using it.

use std::error::Error as StdError;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use intercom_delivery::OutboxError;
use rusqlite::ErrorCode;

use crate::open::is_full;
use crate::schema::SCHEMA_VERSION;

/// The reason that a file failed to open as an outbox. The file keeps its events.
#[derive(thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub enum OpenError {
    /// The tables must be created or migrated, but another process holds the lock to deliver.
    #[error(
        "{path} is held by a process that cannot share it: one with an earlier version of \
         intercom-sqlite, or one that still delivers from a deleted file of that name; end that \
         process, and open the file again"
    )]
    InUse { path: PathBuf },
    /// The file to inspect does not exist.
    #[error("{path} does not exist; `SqliteOutbox::open` makes it")]
    Missing { path: PathBuf },
    /// The file to inspect has no outbox.
    #[error(
        "{path} has no outbox in it; `SqliteOutbox::open` makes one in a file of its own, and with \
         `.in_application_file()` beside the tables of your application"
    )]
    NoOutbox { path: PathBuf },
    /// An application's table or view has a name that the outbox needs.
    #[error(
        "{path} has a `{name}` of your application's, and the outbox needs that name; rename \
         yours, or give the outbox a file of its own"
    )]
    NameTaken { path: PathBuf, name: String },
    /// The folder of the file does not exist.
    #[error("the folder {path} does not exist; make it first")]
    MissingFolder { path: PathBuf },
    /// The path is a URI, or SQLite's name for a database in memory.
    #[error(
        "`{path}` is not the name of a file; give the outbox a path, such as `events.db`, or use \
         `intercom_delivery::MemoryOutbox` for events in memory"
    )]
    NotAPath { path: PathBuf },
    /// The path is a folder.
    #[error("{path} is a folder; name a file in it, such as {}", path.join("events.db").display())]
    Folder { path: PathBuf },
    /// The file is not a database.
    #[error("{path} is not a SQLite file, and was left as it is; give the outbox another name")]
    NotADatabase { path: PathBuf },
    /// The file is another program's database.
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
    /// An earlier version of this crate wrote the file, and inspecting must not migrate it.
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
    /// The folder cannot be written, but the outbox needs files beside its own.
    #[error(
        "the folder {path} cannot be written, and the outbox keeps files beside its own; give this \
         process the right to, or use another folder"
    )]
    ReadOnlyFolder { path: PathBuf },
    /// The disk is full.
    #[error("the disk is full, and {path} cannot be set up; make room")]
    DiskFull { path: PathBuf },
    /// Reading, writing or syncing the disk failed.
    #[error(
        "the disk failed while {path} was opened; see the system's log, and open it again when the \
         disk works"
    )]
    DiskFailed { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    /// The file is on a file system that several machines can share, or a virtual machine and its
    /// host. SQLite cannot keep it safe there.
    #[error(
        "{path} lies on {kind}, which several machines can share, and SQLite cannot keep a file safe \
         there; use a local disk, or a volume of the container"
    )]
    SharedFileSystem { path: PathBuf, kind: String },
    /// The file itself is a mount point, so the outbox's other files would be elsewhere.
    #[error(
        "{path} is a mount point, and its WAL and its lock would lie elsewhere; mount its folder {} \
         instead",
        folder(path).display()
    )]
    MountPoint { path: PathBuf },
    /// The file has several names (hard links), and SQLite would keep a WAL for each.
    #[error(
        "{path} has {links} names (hard links), and SQLite would keep a WAL for each; remove the \
         others, or copy the file to a new one"
    )]
    HardLinked { path: PathBuf, links: u64 },
    /// The WAL is missing, which had the events accepted last.
    #[error(
        "{path} has no `-wal` beside it, which holds what was accepted last: it was deleted, or the \
         file was copied without it; put it back. If it is lost, or another program such as `sqlite3` \
         closed the file after a crash, end all processes that have the file open and make an empty \
         `-wal`: then the file opens with what is in it"
    )]
    MissingWal { path: PathBuf },
    /// The lock file beside the outbox belongs to another user.
    #[error(
        "{path} belongs to another user, and this process may not write it; give it to the user of \
         this process, or remove it while no process has the outbox open"
    )]
    LockOfAnotherUser { path: PathBuf },
    /// The process or the machine is out of file descriptors.
    #[error(
        "{path} could not be opened, because no file descriptor is left; raise the limit \
         (`ulimit -n`), or close what is not needed"
    )]
    TooManyFiles { path: PathBuf },
    /// SQLite did not take a setting that a durable file needs.
    #[error(
        "SQLite cannot keep {path} safe: `{setting}` is `{found}` after it was set to `{wanted}`; \
         use a local disk and an ordinary file"
    )]
    NotDurable { path: PathBuf, setting: &'static str, found: String, wanted: &'static str },
    /// Another program's transaction took longer than the
    /// [lock timeout](crate::SqliteOutboxBuilder::lock_timeout).
    #[error("{path} is locked by another program's transaction; end that one, and open it again")]
    Locked { path: PathBuf },
    /// Any other error of the operating system.
    #[error("{path} could not be opened")]
    Io { path: PathBuf, source: io::Error },
    /// Any other error of SQLite.
    #[error("{path} could not be opened")]
    Sqlite { path: PathBuf, source: Box<dyn StdError + Send + Sync> },
}

/// The sentence and its sources.
impl fmt::Debug for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        intercom_core::write_with_sources(f, self)
    }
}

impl OpenError {
    /// Returns the error for an error of SQLite.
    pub(crate) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if is_out_of_files() => {
                OpenError::TooManyFiles { path }
            }
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
            _ => OpenError::Sqlite { path, source: source.into() },
        }
    }

    /// Returns the error for an error of the operating system.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::ReadOnlyFolder { path: folder(&path).to_owned() }
            }
            io::ErrorKind::NotFound => OpenError::MissingFolder { path: folder(&path).to_owned() },
            _ if is_full(&source) => OpenError::DiskFull { path },
            _ if is_limit_of_files(&source) => OpenError::TooManyFiles { path },
            _ => OpenError::Io { path, source },
        }
    }
}

/// Returns the folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Returns whether the process or the machine is out of file descriptors: `ENFILE` or `EMFILE`.
pub(crate) fn is_limit_of_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// Tests whether a file descriptor is left. SQLite does not say why it cannot open a file.
fn is_out_of_files() -> bool {
    File::open("/").is_err_and(|error| is_limit_of_files(&error))
}

/// A fault of a whole transaction. Each of its callers gets it.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    message: &'static str,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    pub(crate) kind: FaultKind,
}

/// The consequence of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Another connection was in the way. This connection stays valid.
    Busy,
    /// The disk failed, and its content is unknown.
    Disk,
    /// The disk was full.
    Full,
    /// The reserve could not grow. The connection stays valid.
    NoReserve,
    Other,
}

impl FaultKind {
    pub(crate) fn is_full(self) -> bool {
        matches!(self, FaultKind::Full | FaultKind::NoReserve)
    }
}

impl Fault {
    /// The writing thread has ended, which only a panic can cause.
    pub(crate) const ENDED: Fault = Fault {
        message: "the outbox has ended; see the log for a panic",
        source: None,
        kind: FaultKind::Other,
    };

    /// The WAL must be read afresh, but another process has the file open.
    pub(crate) const SHARED: Fault = Fault {
        message: "a checkpoint of the outbox failed, and cannot be repeated while another program \
                  has the file open; close the file there",
        source: None,
        kind: FaultKind::Busy,
    };

    /// The file was deleted. The engine still delivers its events, but the outbox accepts none: no
    /// start would find them.
    pub(crate) const DELETED: Fault = Fault {
        message: "the file of the outbox or its WAL was deleted or moved away; what is in it is still \
                  delivered, and nothing more is accepted until it is opened anew",
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
            Some(ErrorCode::DiskFull) => (FaultKind::Full, FULL),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                FaultKind::Busy,
                "the outbox is locked by another program's transaction, which lasts too long",
            ),
            Some(ErrorCode::SystemIoFailure) if is_out_of_files() => (FaultKind::Disk, NO_FILES),
            Some(ErrorCode::SystemIoFailure) => (FaultKind::Disk, "the disk of the outbox failed"),
            Some(ErrorCode::CannotOpen) if is_out_of_files() => (FaultKind::Other, NO_FILES),
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
        let (kind, message) = match source {
            OpenError::DiskFull { .. } => (FaultKind::Full, FULL),
            OpenError::TooManyFiles { .. } => (FaultKind::Other, NO_FILES),
            _ => (FaultKind::Other, "the file of the outbox could not be opened again"),
        };
        Fault { message, source: Some(Arc::new(source)), kind }
    }
}

/// A failure of a file beside the outbox does not affect the connection.
impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        let (kind, message) = match source.kind() {
            _ if is_full(&source) => (FaultKind::NoReserve, FULL),
            _ if is_limit_of_files(&source) => (FaultKind::Busy, NO_FILES),
            io::ErrorKind::PermissionDenied => (
                FaultKind::Busy,
                "the lock file beside the outbox belongs to another user; give it to the user of \
                 this process",
            ),
            _ => (FaultKind::Busy, "the lock file beside the outbox could not be opened"),
        };
        Fault { message, source: Some(Arc::new(source)), kind }
    }
}

const FULL: &str = "the disk of the outbox is full; make room on it";
const NO_FILES: &str = "no file descriptor is left for the outbox; raise the limit (`ulimit -n`)";
