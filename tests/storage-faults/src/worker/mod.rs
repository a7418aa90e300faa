//! The worker processes over broken storage. Each is this program, with its work as arguments.

pub(crate) mod clock;
mod forgotten;
pub(crate) mod load;
pub(crate) mod script;

use std::env;
use std::path::Path;
use std::process::Command;

/// The argument that makes this program a worker.
pub(crate) const WORKER: &str = "worker";

/// The line of a worker that has finished.
pub(crate) const THROUGH: &str = "through";

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// All operations in the same order in each run.
    Script,
    /// As `Script`, but the worker dies at the first refusal, before it can do anything else.
    ScriptUntilRefused,
    /// As `ScriptUntilRefused`, but the worker waits for a line after it has opened the file.
    ScriptThatWaits,
    /// Accepts so many events that opening the file does not check all of it.
    Much,
    /// A checkpoint that stops halfway, and continues later.
    Forgotten,
    /// As `Forgotten`, while another connection has the file open.
    ForgottenShared,
    /// Many producers and a delivery, until it is killed.
    Load,
    /// As `Load`, while the worker empties the WAL and frees pages over and over.
    LoadMaintaining,
    /// As `Load`, but the transport never responds, so that events pile up.
    LoadHeld,
    /// As `Load`, with unsynced commits.
    LoadNotDurable,
    /// Puts events back while the clock steps.
    Clock,
    /// No producers: the worker delivers everything, and ends.
    Drain,
}

impl Work {
    const ALL: [Work; 12] = [
        Work::Clock,
        Work::Script,
        Work::ScriptUntilRefused,
        Work::ScriptThatWaits,
        Work::Much,
        Work::Forgotten,
        Work::ForgottenShared,
        Work::Load,
        Work::LoadMaintaining,
        Work::LoadHeld,
        Work::LoadNotDurable,
        Work::Drain,
    ];

    /// Returns the arguments for this work on this file. The worker numbers its events from `first`
    /// on.
    pub(crate) fn words(self, path: &Path, first: u64) -> Vec<String> {
        let program = env::current_exe().unwrap().to_str().unwrap().to_owned();
        let path = path.to_str().unwrap().to_owned();
        vec![program, WORKER.to_owned(), format!("{self:?}"), path, first.to_string()]
    }

    /// Returns the command with these arguments.
    pub(crate) fn command(self, path: &Path, first: u64) -> Command {
        let words = self.words(path, first);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

/// Does the work in the arguments.
pub(crate) fn work(arguments: &[String]) {
    let [work, path, first] = arguments else {
        panic!("a worker needs its work, its file and a number")
    };
    let (path, first) = (Path::new(path), first.parse().unwrap());
    let work = Work::ALL.into_iter().find(|known| format!("{known:?}") == *work).unwrap();
    match work {
        Work::Script => script::run(path, first, false, false),
        Work::ScriptUntilRefused => script::run(path, first, true, false),
        Work::ScriptThatWaits => script::run(path, first, true, true),
        Work::Much => forgotten::much(path, first),
        Work::Forgotten => forgotten::run(path, first, false),
        Work::ForgottenShared => forgotten::run(path, first, true),
        Work::Clock => clock::run(path),
        Work::Drain => load::drain(path),
        _ => load::run(work, path, first),
    }
}
