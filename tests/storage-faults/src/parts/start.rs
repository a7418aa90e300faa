//! What a worker finds when it starts.

use std::fs;
use std::path::{Path, PathBuf};

use intercom_sqlite::APPLICATION_ID;
use intercom_sqlite::rusqlite::Connection;
use tempfile::TempDir;

use crate::events::OF_A_RUN;
use crate::ledger::Ledger;
use crate::worker::Work;

/// The events of the worker under test are numbered from here on; those that were there before, from 0 on.
pub(crate) const FIRST: u64 = OF_A_RUN;

/// A folder in which a worker can be started, as often as wanted.
pub(crate) struct Start {
    pub(crate) name: &'static str,
    folder: TempDir,
    told: Ledger,
}

/// A copy of it, to be broken.
pub(crate) struct Place {
    folder: TempDir,
    /// What was told of what is in it.
    pub(crate) told: Ledger,
}

impl Start {
    /// There is no file.
    pub(crate) fn fresh() -> Start {
        Start::new("a fresh file", |_| Ledger::default())
    }

    /// The file is that of a crash: there is much in its log.
    pub(crate) fn crashed() -> Start {
        Start::new("a file after a crash", |path| worker(Work::Forgotten, path))
    }

    /// The file was closed.
    pub(crate) fn closed() -> Start {
        Start::new("a closed file", |path| worker(Work::Script, path))
    }

    /// The file was closed, and is so large that opening it does not check all of it.
    pub(crate) fn large() -> Start {
        Start::new("a large file", |path| worker(Work::Much, path))
    }

    /// The file has version 0: it is known as ours, and has no table.
    pub(crate) fn version_zero() -> Start {
        Start::new("a file of version 0", |path| {
            let conn = Connection::open(path).unwrap();
            conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
            Ledger::default()
        })
    }

    fn new(name: &'static str, prepare: impl FnOnce(&Path) -> Ledger) -> Start {
        let folder = in_memory();
        let told = prepare(&file(&folder));
        Start { name, folder, told }
    }

    pub(crate) fn copy(&self) -> Place {
        let folder = in_memory();
        for file in fs::read_dir(&self.folder).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        Place { folder, told: self.told.clone() }
    }
}

impl Place {
    pub(crate) fn path(&self) -> PathBuf {
        file(&self.folder)
    }
}

/// What the disk does is not looked at where system calls are what fails, and memory is quicker.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("events.db")
}

/// A worker that nothing is done to.
fn worker(work: Work, path: &Path) -> Ledger {
    let output = work.command(path, 0).output().unwrap();
    let mut told = Ledger::default();
    String::from_utf8(output.stdout).unwrap().lines().for_each(|line| told.read(line));
    told
}
