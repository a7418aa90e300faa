//! Clock steps, forward and back, of the database and of the processes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::TempDir;
use test_postgres::Server;
use tests::Summary;
use tokio::runtime::Runtime;

use super::judged;
use crate::pause::{PATIENCE, until};
use crate::process::Process;
use crate::rig::{Rig, Setup, query};
use crate::worker::{CLOCK_SET, DELIVERS};

const HOUR: i64 = 3_600;

/// The offset of each clock from the true time, and the step in seconds to get there.
const STEPS: [(&str, i64); 4] =
    [("+3600s", HOUR), ("+0s", -HOUR), ("-3600s", -HOUR), ("+0s", HOUR)];

pub(super) fn part(runtime: &Runtime, summary: &mut Summary) {
    let Some(library) = library() else {
        return summary.skip("clocks", "libfaketime is not installed: apt-get install libfaketime");
    };
    for whose in ["the database", "the processes"] {
        let name = format!("clocks of {whose}");
        let [database, processes] = [FakeClock::new(&library), FakeClock::new(&library)];
        let server = match Server::with_environment(&[], &database.environment()) {
            Ok(server) => server,
            Err(error) => return summary.skip(&name, &error.to_string()),
        };
        let complaints = runtime.block_on(async {
            let setup = Setup { environment: processes.environment(), ..Setup::new(&server.url()) };
            let mut rig = Rig::start(setup).await;
            rig.start_processes(3).await;
            rig.arrive(40).await;
            rig.refuse(&server, 3).await;
            let begun = Instant::now();
            for (step, seconds) in STEPS {
                let set = Instant::now();
                if whose == "the database" {
                    let before = now(&server);
                    database.set(step);
                    let is_set = until(PATIENCE, || (now(&server) - before).abs() > HOUR - 60);
                    let is_set = is_set.await;
                    rig.expect(is_set, &format!("the database's clock did not step by {step}"));
                } else {
                    processes.set(step);
                    for index in 0..rig.processes.len() {
                        let process = &rig.processes[index];
                        let is_set = until(PATIENCE, || was_set(process, set, seconds)).await;
                        rig.expect(is_set, &format!("a process's clock did not step by {step}"));
                    }
                }
                // Events of all processes must go on arriving.
                for index in 0..rig.processes.len() {
                    rig.arrive_from(index).await;
                }
            }
            // A clock step must not depose the deliverer.
            let began = |process: &Process| process.said(DELIVERS, Some(begun)).is_some();
            let is_deposed = rig.processes.iter().any(began);
            rig.expect(!is_deposed, "another process took over after a clock step");
            judged(rig, &server).await
        });
        summary.add(&name, &complaints);
    }
}

/// Returns the time of the database's clock, in Unix seconds.
fn now(server: &Server) -> i64 {
    query(server, "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint").parse().unwrap()
}

/// Returns whether the process noticed, after `after`, that its clock stepped by `by` seconds.
fn was_set(process: &Process, after: Instant, by: i64) -> bool {
    let said = process.said(CLOCK_SET, Some(after)).and_then(|(_, by)| by.parse::<i64>().ok());
    said.is_some_and(|said| (said - by).abs() < 60)
}

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|folder| folder.path());
    let libraries = folders.map(|folder| folder.join("faketime/libfaketime.so.1"));
    libraries.into_iter().find(|library| library.is_file())
}

/// A clock that libfaketime sets from a file. Monotonic clocks stay as they are.
struct FakeClock {
    folder: TempDir,
    library: PathBuf,
}

impl FakeClock {
    fn new(library: &Path) -> Self {
        let clock = FakeClock { folder: tempfile::tempdir().unwrap(), library: library.to_owned() };
        // The database runs as another user.
        fs::set_permissions(clock.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        clock.set("+0s");
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    fn set(&self, step: &str) {
        // Renamed into place, because other processes read it at any moment.
        let next = self.folder.path().join("next");
        fs::write(&next, step).unwrap();
        fs::rename(next, self.file()).unwrap();
    }

    fn environment(&self) -> Vec<(String, OsString)> {
        let variables = [
            ("LD_PRELOAD", self.library.clone().into_os_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().into_os_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
