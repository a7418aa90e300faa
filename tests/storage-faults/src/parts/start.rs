//! The files that a worker finds at its start.

use std::fs;
use std::path::{Path, PathBuf};

use intercom_sqlite::APPLICATION_ID;
use intercom_sqlite::rusqlite::Connection;
use tempfile::TempDir;

use crate::events::PER_PROCESS;
use crate::ledger::Ledger;
use crate::worker::Work;

/// The worker under test numbers its events from here on. Earlier events have numbers from 0 on.
pub(crate) const FIRST: u64 = PER_PROCESS;

/// A folder to copy for each start of a worker.
pub(crate) struct Start {
    pub(crate) name: &'static str,
    folder: TempDir,
    ledger: Ledger,
}

/// A copy of it to break.
pub(crate) struct Place {
    folder: TempDir,
    /// The ledger of its contents.
    pub(crate) ledger: Ledger,
}

impl Start {
    /// No file.
    pub(crate) fn fresh() -> Start {
        Start::new("a fresh file", |_| Ledger::default())
    }

    /// A file after a crash, with a large WAL.
    pub(crate) fn crashed() -> Start {
        Start::new("a file after a crash", |path| worker(Work::Forgotten, path))
    }

    /// A closed file.
    pub(crate) fn closed() -> Start {
        Start::new("a closed file", |path| worker(Work::Script, path))
    }

    /// A closed file, so large that opening it does not check all of it.
    pub(crate) fn large() -> Start {
        Start::new("a large file", |path| worker(Work::Much, path))
    }

    /// A file of version 0: it has the outbox's application id, and no table.
    pub(crate) fn version_zero() -> Start {
        Start::new("a file of version 0", |path| {
            let conn = Connection::open(path).unwrap();
            conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
            Ledger::default()
        })
    }

    fn new(name: &'static str, prepare: impl FnOnce(&Path) -> Ledger) -> Start {
        let folder = in_memory();
        let ledger = prepare(&file(&folder));
        Start { name, folder, ledger }
    }

    pub(crate) fn copy(&self) -> Place {
        let folder = in_memory();
        for file in fs::read_dir(&self.folder).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        Place { folder, ledger: self.ledger.clone() }
    }
}

impl Place {
    pub(crate) fn path(&self) -> PathBuf {
        file(&self.folder)
    }
}

/// Uses memory, which is faster: these tests break system calls, and not the disk.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("events.db")
}

/// Runs a worker without a fault.
fn worker(work: Work, path: &Path) -> Ledger {
    let output = work.command(path, 0).output().unwrap();
    let mut ledger = Ledger::default();
    String::from_utf8(output.stdout).unwrap().lines().for_each(|line| ledger.read(line));
    ledger
}
