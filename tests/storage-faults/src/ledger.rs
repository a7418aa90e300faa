//! The ledger of a worker's events. The worker writes it to a pipe, which no fault reaches. A line
//! follows what it records.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Write as _;
use std::ops::Range;

macro_rules! steps {
    ($($(#[doc = $doc:literal])* $step:ident),*) => {
        /// A step of an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Step {
            $($(#[doc = $doc])* $step),*
        }

        impl Step {
            fn of(text: &str) -> Option<Step> {
                match text {
                    $(stringify!($step) => Some(Step::$step),)*
                    _ => None,
                }
            }
        }
    };
}

steps! {
    /// The worker is about to offer it to the outbox.
    Offered,
    /// The outbox accepted it.
    Accepted,
    /// The outbox refused it.
    Refused,
    /// The destination received it.
    Delivered,
    /// The destination refused it.
    Rejected,
    /// The destination received other bytes.
    Changed,
    /// The outbox settled it as delivered.
    Settled,
    /// The outbox settled it as a dead letter.
    Buried,
    /// Its settlement failed.
    Kept,
    /// The worker is about to redrive it.
    Redriven
}

/// Prints a step of these events.
pub(crate) fn record(step: Step, events: Range<u64>) {
    line(&format!("{step:?} {} {}", events.start, events.end));
}

/// Prints a note.
pub(crate) fn note(text: &str) {
    line(&format!("Note {}", text.replace('\n', " ")));
}

/// The first words of a note about an error.
pub(crate) const FAILED: &str = "failed: ";

/// Prints an error, with its causes.
pub(crate) fn failed(error: &dyn Error) {
    note(&format!("{FAILED}{}", in_words(error)));
}

/// Writes an error with its causes.
pub(crate) fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

fn line(text: &str) {
    // One write a line, so that a kill leaves no half line.
    std::io::stdout().lock().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// The records of all workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) offered: BTreeSet<u64>,
    pub(crate) accepted: BTreeSet<u64>,
    pub(crate) refused: BTreeSet<u64>,
    /// How often each event was delivered.
    pub(crate) delivered: BTreeMap<u64, usize>,
    pub(crate) rejected: BTreeSet<u64>,
    pub(crate) changed: BTreeSet<u64>,
    pub(crate) settled: BTreeSet<u64>,
    pub(crate) buried: BTreeSet<u64>,
    pub(crate) kept: BTreeSet<u64>,
    pub(crate) redriven: BTreeSet<u64>,
    pub(crate) notes: Vec<String>,
}

impl Ledger {
    /// Reads one more line. Ignores a last line that breaks off.
    pub(crate) fn read(&mut self, line: &str) {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        if first == "Note" {
            return self.notes.push(rest.to_owned());
        }
        let range = rest
            .split_once(' ')
            .and_then(|(start, end)| Some(start.parse::<u64>().ok()?..end.parse::<u64>().ok()?));
        let (Some(step), Some(range)) = (Step::of(first), range) else { return };
        let set = match step {
            Step::Offered => &mut self.offered,
            Step::Accepted => &mut self.accepted,
            Step::Refused => &mut self.refused,
            Step::Rejected => &mut self.rejected,
            Step::Changed => &mut self.changed,
            Step::Settled => &mut self.settled,
            Step::Buried => &mut self.buried,
            Step::Kept => &mut self.kept,
            Step::Redriven => &mut self.redriven,
            Step::Delivered => {
                range.for_each(|number| *self.delivered.entry(number).or_default() += 1);
                return;
            }
        };
        set.extend(range);
    }

    /// Returns whether a line records an answer of the outbox.
    pub(crate) fn is_answer(line: &str) -> bool {
        let step = line.split_once(' ').and_then(|(step, _)| Step::of(step));
        matches!(step, Some(Step::Accepted | Step::Refused))
    }

    pub(crate) fn noted(&self, beginning: &str) -> Vec<&str> {
        self.notes.iter().filter_map(|note| note.strip_prefix(beginning)).collect()
    }
}
