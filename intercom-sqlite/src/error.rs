//! What can go wrong with the file: when it is opened, and later.

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
pub enum OpenError {
    /// Somebody delivers from it already.
    #[error(
        "{} is open as an outbox already, in this process or another; each file has one that delivers \
         from it: end the other one, or use a file of your own; to look into it, use `SqliteOutbox::inspect`",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There is no such file to look into.
    #[error("{} does not exist; `SqliteOutbox::open` makes it", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is a file to look into, and no outbox in it.
    #[error(
        "{} has no outbox in it; `SqliteOutbox::open` makes one in a file of its own, and with \
         `.in_application_file()` beside the tables of your application",
        path.display()
    )]
    NoOutbox {
        /// The file.
        path: PathBuf,
    },
    /// A table or a view of the application has a name that the outbox needs.
    #[error(
        "{} has a `{name}` of your application's, and the outbox needs that name; rename yours, or give the outbox a \
         file of its own",
        path.display()
    )]
    NameTaken {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The folder that the file should be in is not there.
    #[error("the folder {} does not exist; make it first", path.display())]
    MissingFolder {
        /// The folder.
        path: PathBuf,
    },
    /// There is a folder by that name.
    #[error("{} is a folder; name a file in it, such as {}", path.display(), path.join("events.db").display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// It is no database at all.
    #[error("{} is not a SQLite file, and was left as it is; give the outbox another name", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// It is a database of something else.
    #[error(
        "{} is a SQLite file of another application, and was left as it is; give the outbox another name, or, \
         if it is your own application's and is to hold both, open it with `.in_application_file()`",
        path.display()
    )]
    AnotherApplication {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this crate wrote it.
    #[error(
        "{} was written by a later version of intercom-sqlite: its tables have the version {found}, and \
         {SCHEMA_VERSION} is the highest that this one knows; upgrade intercom-sqlite",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i32,
    },
    /// An earlier version of this crate wrote it, and looking into it must not change it.
    #[error(
        "{} was written by an earlier version of intercom-sqlite: its tables have the version {found}; open it once \
         with `SqliteOutbox::open`, which brings them to the version {SCHEMA_VERSION}",
        path.display()
    )]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i32,
    },
    /// It is damaged.
    #[error(
        "{} is damaged ({detail}), and was left as it is; move it away with its `-wal` and `-shm`, and see what \
         `sqlite3 … .recover` gets out of it",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// The file cannot be written.
    #[error("{} cannot be written; give this process the right to, or use another file", path.display())]
    ReadOnlyFile {
        /// The file.
        path: PathBuf,
    },
    /// The folder cannot be written, and SQLite keeps its log beside the file.
    #[error(
        "the folder {} cannot be written, and the outbox keeps files beside its own; give this process the right to, \
         or use another folder",
        path.display()
    )]
    ReadOnlyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// There is no room on the disk.
    #[error("the disk is full, and {} cannot be set up; make room", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The disk could not be read, written or synced.
    #[error("the disk failed while {} was opened; see the system's log, and open it again when the disk works", path.display())]
    DiskFailed {
        /// The file.
        path: PathBuf,
        /// What SQLite or the operating system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It lies on a file system that is shared over a network, where SQLite cannot keep it safe.
    #[error(
        "{} lies on {kind}, which many machines can share, and SQLite cannot keep a file safe there; use a local disk",
        path.display()
    )]
    NetworkFileSystem {
        /// The file.
        path: PathBuf,
        /// What kind of file system it is.
        kind: &'static str,
    },
    /// SQLite does not do what makes events safe.
    #[error(
        "SQLite cannot keep {} safe: `{setting}` is `{found}` after it was set to `{wanted}`; use a local disk and an \
         ordinary file",
        path.display()
    )]
    NotDurable {
        /// The file.
        path: PathBuf,
        /// The setting that has no effect.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// Another program's transaction lasts too long.
    #[error("{} is locked by another program's transaction; end that one, and open it again", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused something else.
    #[error("{} could not be opened", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// SQLite refused something else.
    #[error("{} could not be opened", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

/// The same sentence, and what it comes from.
impl fmt::Debug for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        intercom_core::write_with_sources(f, self)
    }
}

impl OpenError {
    /// What SQLite says, as the mistake that it tells of.
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

/// A fault of a whole batch, told to each of its callers.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    message: &'static str,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    /// Whether somebody else was in the way, and the connection is as good as before.
    pub(crate) busy: bool,
    /// Whether the disk failed, so that nobody knows what is on it.
    pub(crate) doubtful: bool,
    /// Whether there was no room.
    pub(crate) full: bool,
}

impl Fault {
    /// The writing thread is gone, which only a panic in it can cause.
    pub(crate) const ENDED: Fault = Fault {
        message: "the outbox has ended; see the log for a panic",
        source: None,
        busy: false,
        doubtful: false,
        full: false,
    };

    /// The file is in doubt, and somebody else has it open.
    pub(crate) const SHARED: Fault = Fault {
        message: "the disk of the outbox failed, and the file cannot be made certain of while another program has it \
                  open; end that one",
        source: None,
        busy: true,
        doubtful: false,
        full: false,
    };

    pub(crate) fn to_error(&self) -> OutboxError {
        let error = OutboxError::new(self.message);
        match &self.source {
            Some(source) => error.with_source(Source(source.clone())),
            None => error,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(source: rusqlite::Error) -> Self {
        let message = match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "the disk of the outbox is full; make room on it",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "the outbox is locked by another program's transaction, which lasts too long"
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                "the file of the outbox cannot be written any more"
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                "the file of the outbox is damaged; stop, and move it away"
            }
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                "the disk of the outbox failed"
            }
            _ => "SQLite could not do what the outbox asked",
        };
        let busy = matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        );
        let doubtful = source.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        let full = source.sqlite_error_code() == Some(ErrorCode::DiskFull);
        Fault { message, source: Some(Arc::new(source)), busy, doubtful, full }
    }
}

impl From<OpenError> for Fault {
    fn from(source: OpenError) -> Self {
        let message = "the file of the outbox could not be opened again";
        let full = matches!(source, OpenError::DiskFull { .. });
        Fault { message, source: Some(Arc::new(source)), busy: false, doubtful: false, full }
    }
}

/// An error that several callers share.
#[derive(Debug)]
struct Source(Arc<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Source {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
