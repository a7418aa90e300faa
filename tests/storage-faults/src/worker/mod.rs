//! The processes whose storage is broken. Each is this program, told what to do.

pub(crate) mod clock;
mod forgotten;
pub(crate) mod load;
pub(crate) mod script;

use std::env;
use std::path::Path;
use std::process::Command;

/// The argument that makes this program a worker.
pub(crate) const WORKER: &str = "worker";

/// What a worker says when it has done everything.
pub(crate) const THROUGH: &str = "through";

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// One thing after the other, the same in each run.
    Script,
    /// As the script, and it dies as soon as something is refused, before anything else can be done.
    ScriptUntilRefused,
    /// The same, and it waits for a line when it has opened the file.
    ScriptThatWaits,
    /// Accepts so much that opening the file does not check all of it.
    Much,
    /// A checkpoint that has to stop halfway, and is gone on with.
    Forgotten,
    /// The same, while somebody else has the file open.
    ForgottenShared,
    /// Many producers and a delivery, until it is killed.
    Load,
    /// As the load, while the WAL is emptied and free pages are given back, over and over.
    LoadMaintaining,
    /// As the load, but what is delivered does not get away, so that events pile up.
    LoadHeld,
    /// As the load, with commits that are not synced.
    LoadNotDurable,
    /// Puts events back while the clock is stepped.
    Clock,
    /// No producers: everything is delivered, and then it ends.
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

    /// The words that make this program do this work on this file. Its events are numbered from `first` on.
    pub(crate) fn words(self, path: &Path, first: u64) -> Vec<String> {
        let program = env::current_exe().unwrap().to_str().unwrap().to_owned();
        let path = path.to_str().unwrap().to_owned();
        vec![program, WORKER.to_owned(), format!("{self:?}"), path, first.to_string()]
    }

    /// The same as a command.
    pub(crate) fn command(self, path: &Path, first: u64) -> Command {
        let words = self.words(path, first);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

/// Does what it was told to.
pub(crate) fn work(told: &[String]) {
    let [work, path, first] = told else {
        panic!("a worker is told its work, its file and a number")
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
