//! The file's path, folder and mode.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{OpenError, folder, is_limit_of_files};

/// Returns the canonical name of the file, so that two names of one file have one lock.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let text = path.to_string_lossy().to_ascii_lowercase();
    if text == ":memory:" || text.starts_with("file:") || text.starts_with("sqlite:") {
        return Err(OpenError::NotAPath { path: path.to_owned() });
    }
    match fs::canonicalize(path) {
        Ok(path) if path.is_dir() => return Err(OpenError::Folder { path }),
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(OpenError::io(path, source)),
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
        Err(source) => Err(OpenError::io(folder, source)),
    }
}

/// Creates the file if it does not exist, for this user only: it will hold personal data. SQLite
/// gives the files beside it the same mode.
pub(super) fn ensure_file(path: &Path) -> Result<(), OpenError> {
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::metadata(path) {
            Ok(file) if file.is_dir() => Err(OpenError::Folder { path: path.to_owned() }),
            Ok(file) if !file.permissions().readonly() => Ok(()),
            Ok(_) => Err(OpenError::ReadOnlyFile { path: path.to_owned() }),
            Err(source) => Err(OpenError::io(path, source)),
        },
        Err(error) => Err(OpenError::io(path, error)),
    }
}

/// Fails when the file has more than one name: SQLite would keep a WAL for each and destroy the
/// file.
#[cfg(unix)]
pub(super) fn expect_one_name(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::MetadataExt as _;
    match fs::metadata(path).map_or(1, |file| file.nlink()) {
        0 | 1 => Ok(()),
        links => Err(OpenError::HardLinked { path: path.to_owned(), links }),
    }
}

#[cfg(not(unix))]
pub(super) fn expect_one_name(_: &Path) -> Result<(), OpenError> {
    Ok(())
}

/// Fails when the folder is read-only. For a superuser, opening a file there would not fail.
pub(super) fn expect_writable_folder(path: &Path) -> Result<(), OpenError> {
    let folder = folder(path);
    match fs::metadata(folder) {
        Ok(found) if found.permissions().readonly() => {
            Err(OpenError::ReadOnlyFolder { path: folder.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Syncs the folder, so that the names of the file and its WAL are on the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    use io::ErrorKind::{InvalidInput, Unsupported};
    let folder = folder(path);
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if is_limit_of_files(&error) => Err(OpenError::io(path, error)),
        // Some file systems cannot sync a folder, and some systems cannot open one.
        Err(error) if cfg!(unix) && !matches!(error.kind(), InvalidInput | Unsupported) => {
            Err(OpenError::DiskFailed { path: path.to_owned(), source: error.into() })
        }
        _ => Ok(()),
    }
}

/// Makes new files readable and writable by this user only.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
