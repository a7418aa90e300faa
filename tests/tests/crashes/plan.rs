//! The plan of a run, and how the test passes it to the process.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The outbox of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutboxKind {
    Sqlite,
    /// Loses its events in a kill, and the test must notice that.
    Memory,
}

/// The work of the process at the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Many producers, and one request at a time, so that events pile up.
    Accepting,
    /// No producers: the process delivers and settles.
    Delivering,
    Both,
    /// As `Both`, while the process empties the WAL and frees pages over and over.
    Maintaining,
    /// As `Both`, but the kill comes before the work has begun, or right after.
    Opening,
    /// As `Both`, while another process shares the outbox. The process prints whether it delivers,
    /// and ends on request.
    Sharing,
    /// No kill: the process delivers everything, and ends.
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

    /// Returns the interval between a producer's events, or `None` for full speed. Delivery keeps
    /// up with the interval, so that events of two processes arrive.
    pub(crate) fn pace(self) -> Option<Duration> {
        (self == Work::Sharing).then_some(Duration::from_millis(10))
    }

    pub(crate) fn concurrency(self) -> usize {
        if self == Work::Accepting { 1 } else { CONCURRENCY }
    }
}

/// Also the limit of events that a kill leaves accepted without a line in the ledger.
pub(crate) const PRODUCERS: usize = 32;

pub(crate) const CONCURRENCY: usize = 16;

/// One run of the process.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) outbox: OutboxKind,
    pub(crate) work: Work,
    pub(crate) run: u64,
    pub(crate) url: String,
    pub(crate) token: String,
    /// The path of the outbox.
    pub(crate) data: PathBuf,
    /// The file of accepted events, one number a line.
    pub(crate) ledger: PathBuf,
}

impl Plan {
    pub(crate) fn set_environment(&self, command: &mut Command) {
        command
            .env("CRASHES_OUTBOX", format!("{:?}", self.outbox))
            .env("CRASHES_WORK", format!("{:?}", self.work))
            .env("CRASHES_RUN", self.run.to_string())
            .env("CRASHES_URL", &self.url)
            .env("CRASHES_TOKEN", &self.token)
            .env("CRASHES_DATA", &self.data)
            .env("CRASHES_LEDGER", &self.ledger);
    }

    /// Returns `None` if no test started this process.
    pub(crate) fn from_environment() -> Option<Plan> {
        let read = |name| env::var(name).unwrap();
        let run = env::var("CRASHES_RUN").ok()?.parse().unwrap();
        let outbox = match read("CRASHES_OUTBOX").as_str() {
            "Sqlite" => OutboxKind::Sqlite,
            "Memory" => OutboxKind::Memory,
            other => panic!("unknown outbox: {other}"),
        };
        let work = match read("CRASHES_WORK").as_str() {
            "Accepting" => Work::Accepting,
            "Delivering" => Work::Delivering,
            "Both" => Work::Both,
            "Maintaining" => Work::Maintaining,
            "Opening" => Work::Opening,
            "Sharing" => Work::Sharing,
            "Ending" => Work::Ending,
            other => panic!("unknown work: {other}"),
        };
        let (url, token) = (read("CRASHES_URL"), read("CRASHES_TOKEN"));
        let (data, ledger) = (read("CRASHES_DATA").into(), read("CRASHES_LEDGER").into());
        Some(Plan { outbox, work, run, url, token, data, ledger })
    }
}
