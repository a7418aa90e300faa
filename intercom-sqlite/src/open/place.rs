//! Where the file is: its folder, its mode, and the lock beside it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// The file's one true name, so that two names of one file have one lock.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    match fs::canonicalize(path) {
        Ok(path) if path.is_dir() => return Err(OpenError::Folder { path }),
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(OpenError::Io { path: path.to_owned(), source }),
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let Some(name) = path.file_name() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
        return Err(OpenError::Io { path: path.to_owned(), source });
    };
    match fs::canonicalize(folder) {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OpenError::MissingFolder { path: folder.to_owned() })
        }
        Err(source) => Err(OpenError::Io { path: folder.to_owned(), source }),
    }
}

/// Makes the file where there is none, for this user alone: it will hold personal data. SQLite gives the files that it
/// makes beside it the same mode.
pub(super) fn ensure_file(path: &Path) -> Result<(), OpenError> {
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::metadata(path) {
            Ok(file) if file.is_dir() => Err(OpenError::Folder { path: path.to_owned() }),
            Ok(file) if is_writable(&file.permissions()) => Ok(()),
            Ok(_) => Err(OpenError::ReadOnlyFile { path: path.to_owned() }),
            Err(source) => Err(OpenError::Io { path: path.to_owned(), source }),
        },
        Err(error) => Err(unwritable(path, error)),
    }
}

/// Asked even though opening would tell, because nothing stops a superuser, and the mode is a wish.
pub(super) fn expect_writable_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match fs::metadata(folder) {
        Ok(found) if !is_writable(&found.permissions()) => {
            Err(OpenError::ReadOnlyFolder { path: folder.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Keeps the file from other owners while it lives. It is an advisory lock on a file beside it, which ends with the
/// process in whatever way that ends. That file stays, because removing it would let two owners in.
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        expect_writable_folder(path)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push("-lock");
        let file = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(&beside)
            .map_err(|error| unwritable(Path::new(&beside), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(OpenError::Io { path: beside.into(), source }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it does not suffice: a program that this process is just starting holds it too, for a moment.
        let _ = self.file.unlock();
    }
}

/// Makes sure that the names of the file and its log are on the disk, as what is in them will be.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Ok(()) => Ok(()),
        // A file system on which this means nothing.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
        {
            Ok(())
        }
        Err(source) => Err(OpenError::DiskFailed { path: path.to_owned(), source: source.into() }),
    }
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> Result<(), OpenError> {
    Ok(())
}

/// What it means that a file could not be made.
fn unwritable(path: &Path, source: io::Error) -> OpenError {
    let folder = || path.parent().unwrap_or(Path::new("/")).to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::ReadOnlyFolder { path: folder() }
        }
        io::ErrorKind::NotFound => OpenError::MissingFolder { path: folder() },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            OpenError::DiskFull { path: path.to_owned() }
        }
        _ => OpenError::Io { path: path.to_owned(), source },
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Whether anybody may write it.
fn is_writable(permissions: &Permissions) -> bool {
    !permissions.readonly()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: io::ErrorKind) -> OpenError {
        unwritable(Path::new("/folder/events.db"), kind.into())
    }

    #[test]
    fn what_the_system_says_becomes_the_mistake_that_it_tells_of() {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
        assert!(matches!(told(PermissionDenied), OpenError::ReadOnlyFolder { .. }));
        assert!(matches!(told(ReadOnlyFilesystem), OpenError::ReadOnlyFolder { .. }));
        assert!(matches!(told(StorageFull), OpenError::DiskFull { .. }));
    }
}
