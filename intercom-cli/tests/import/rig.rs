//! A file to import, an outbox, and the events in it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// The number of rows in the file.
pub(crate) const ROWS: usize = 30_000;

pub(crate) struct Rig {
    pub(crate) folder: TempDir,
}

impl Rig {
    /// Makes a folder with a file. Some rows are valid, some are rejected, and some share a second.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut text = "user_id,created_at,number,note\n".to_owned();
        for row in 0..ROWS {
            let time = if row % 97 == 13 {
                "soon".to_owned()
            } else {
                (1_700_000_000 + row / 3).to_string()
            };
            writeln!(text, "{},{time},{row},\"a \"\"note\"\",\nof two lines\"", row % 50).unwrap();
        }
        fs::write(folder.path().join("events.csv"), text).unwrap();
        Rig { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, outbox: &str) -> Command {
        let mut command = program(self.folder.path());
        command.args(["import", "events.csv", "--event", "counted", "--outbox", outbox]);
        command
    }

    pub(crate) fn bodies(&self, outbox: &str) -> Vec<String> {
        bodies(&self.path(outbox))
    }

    pub(crate) fn rejected(&self) -> String {
        fs::read_to_string(self.path("events.rejected.csv")).unwrap()
    }
}

/// Returns the command of the program in this folder, without a configuration.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_intercom"));
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .env_remove("INTERCOM_OUTBOX")
        .stdin(Stdio::null());
    command
}

/// Runs the program in this folder.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder).args(arguments).output().unwrap()
}

/// Returns the bodies of the pending events, in the order of their ids.
pub(crate) fn bodies(outbox: &Path) -> Vec<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags(outbox, flags).unwrap();
    let mut select = connection.prepare("SELECT body FROM outbox_events ORDER BY id").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Returns the number of records of the newest import.
pub(crate) fn records(outbox: &Path) -> Option<usize> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags(outbox, flags).ok()?;
    // After a kill this is the last connection. Closing it must not checkpoint, because the next
    // start of the program must meet the WAL.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).ok()?;
    let select = "SELECT records FROM import_progress ORDER BY id DESC LIMIT 1";
    let records: i64 = connection.query_row(select, [], |row| row.get(0)).ok()?;
    usize::try_from(records).ok()
}
