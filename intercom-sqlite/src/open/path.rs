//! Where the file is: its name, its folder and its mode.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// Returns the canonical name of the file, so that two names of one file have one lock.
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

/// Makes the file if there is none, for this user alone: it will hold personal data. SQLite gives
/// the files that it makes beside it the same mode.
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

/// Fails when the folder is read-only. Opening a file there would not fail for a superuser.
pub(super) fn expect_writable_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match fs::metadata(folder) {
        Ok(found) if !is_writable(&found.permissions()) => {
            Err(OpenError::ReadOnlyFolder { path: folder.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Syncs the folder, so that the names of the file and its WAL are on the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    use io::ErrorKind::{InvalidInput, Unsupported};
    let folder = path.parent().unwrap_or(Path::new("/"));
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder, and some systems cannot open one.
        Err(error) if cfg!(unix) && !matches!(error.kind(), InvalidInput | Unsupported) => {
            Err(OpenError::DiskFailed { path: path.to_owned(), source: error.into() })
        }
        _ => Ok(()),
    }
}

/// Returns what it means that a file could not be made.
pub(super) fn unwritable(path: &Path, source: io::Error) -> OpenError {
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

/// Lets only this user read and write a file that is made.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Returns whether anybody may write it.
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
    fn errors_of_the_system_become_errors_of_opening() {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
        assert!(matches!(told(PermissionDenied), OpenError::ReadOnlyFolder { .. }));
        assert!(matches!(told(ReadOnlyFilesystem), OpenError::ReadOnlyFolder { .. }));
        assert!(matches!(told(StorageFull), OpenError::DiskFull { .. }));
    }
}
