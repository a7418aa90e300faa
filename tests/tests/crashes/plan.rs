//! What a run of the process does, and how the test hands it over.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Where the process keeps its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    Sqlite,
    /// Loses them, which must be seen.
    Memory,
}

/// What goes on in the process when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Many producers, and one request at a time, so that events pile up.
    Accepting,
    /// No producers: events leave and are acknowledged.
    Delivering,
    Both,
    /// As both, while the WAL is emptied and free pages are given back, over and over.
    Maintaining,
    /// As both, but it is killed before it has begun, or right after.
    Opening,
    /// As both, while another process has the outbox too. It says whether it delivers, and ends on
    /// request.
    Sharing,
    /// It is not killed: it delivers everything, and ends.
    Ending,
}

impl Work {
    pub(crate) const KILLED: [Work; 5] =
        [Work::Accepting, Work::Delivering, Work::Both, Work::Maintaining, Work::Opening];

    pub(crate) fn producers(self) -> usize {
        match self {
            Work::Delivering | Work::Ending => 0,
            Work::Sharing => 2,
            Work::Accepting | Work::Both | Work::Maintaining | Work::Opening => PRODUCERS,
        }
    }

    /// How often a producer accepts an event, where it does not do so as often as it can. Delivery
    /// keeps up with this, so that events of two processes arrive.
    pub(crate) fn pace(self) -> Option<Duration> {
        (self == Work::Sharing).then_some(Duration::from_millis(10))
    }

    pub(crate) fn concurrency(self) -> usize {
        if self == Work::Accepting { 1 } else { CONCURRENCY }
    }
}

/// As many events, at most, are accepted at a kill without a line in the ledger.
pub(crate) const PRODUCERS: usize = 32;

pub(crate) const CONCURRENCY: usize = 16;

/// One run of the process.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) keeper: Keeper,
    pub(crate) work: Work,
    pub(crate) run: u64,
    pub(crate) url: String,
    pub(crate) token: String,
    /// The outbox.
    pub(crate) data: PathBuf,
    /// What was accepted, one number a line.
    pub(crate) ledger: PathBuf,
}

impl Plan {
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("CRASHES_KEEPER", format!("{:?}", self.keeper))
            .env("CRASHES_WORK", format!("{:?}", self.work))
            .env("CRASHES_RUN", self.run.to_string())
            .env("CRASHES_URL", &self.url)
            .env("CRASHES_TOKEN", &self.token)
            .env("CRASHES_DATA", &self.data)
            .env("CRASHES_LEDGER", &self.ledger);
    }

    /// Nothing, where this process was not told anything.
    pub(crate) fn told() -> Option<Plan> {
        let read = |name| env::var(name).unwrap();
        let run = env::var("CRASHES_RUN").ok()?.parse().unwrap();
        let keeper = match read("CRASHES_KEEPER").as_str() {
            "Sqlite" => Keeper::Sqlite,
            "Memory" => Keeper::Memory,
            other => panic!("no keeper is {other}"),
        };
        let work = match read("CRASHES_WORK").as_str() {
            "Accepting" => Work::Accepting,
            "Delivering" => Work::Delivering,
            "Both" => Work::Both,
            "Maintaining" => Work::Maintaining,
            "Opening" => Work::Opening,
            "Sharing" => Work::Sharing,
            "Ending" => Work::Ending,
            other => panic!("no work is {other}"),
        };
        let (url, token) = (read("CRASHES_URL"), read("CRASHES_TOKEN"));
        let (data, ledger) = (read("CRASHES_DATA").into(), read("CRASHES_LEDGER").into());
        Some(Plan { keeper, work, run, url, token, data, ledger })
    }
}
