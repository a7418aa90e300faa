//! What a worker tells while it works, over a pipe that no fault reaches: a line is what had happened before.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Write as _;
use std::ops::Range;

macro_rules! words {
    ($($(#[doc = $doc:literal])* $word:ident),*) => {
        /// What happened to an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Word {
            $($(#[doc = $doc])* $word),*
        }

        impl Word {
            fn of(text: &str) -> Option<Word> {
                match text {
                    $(stringify!($word) => Some(Word::$word),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// It is about to be offered to the outbox.
    Offered,
    /// The outbox has it.
    Accepted,
    /// The outbox does not have it.
    Refused,
    /// Its destination has it.
    Delivered,
    /// Its destination does not want it.
    Rejected,
    /// It came to its destination as something else.
    Changed,
    /// That it was delivered is safe.
    Settled,
    /// That it is a dead letter is safe.
    Buried,
    /// It was to be settled, and that failed.
    Kept,
    /// It is about to be redriven.
    Redriven
}

/// Tells what happened to these events.
pub(crate) fn say(word: Word, events: Range<u64>) {
    line(&format!("{word:?} {} {}", events.start, events.end));
}

/// Tells something in words.
pub(crate) fn note(text: &str) {
    line(&format!("Note {}", text.replace('\n', " ")));
}

/// What is said of what failed.
pub(crate) const FAILED: &str = "failed: ";

/// Tells an error, with what caused it.
pub(crate) fn failed(error: &dyn Error) {
    note(&format!("{FAILED}{}", in_words(error)));
}

/// An error with what caused it.
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
    // In one piece, so that a kill leaves no half of it.
    std::io::stdout().lock().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// What the workers have told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) offered: BTreeSet<u64>,
    pub(crate) accepted: BTreeSet<u64>,
    pub(crate) refused: BTreeSet<u64>,
    /// How often each was delivered.
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
    /// Reads one more line. A last line that broke off tells nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        if first == "Note" {
            return self.notes.push(rest.to_owned());
        }
        let range = rest
            .split_once(' ')
            .and_then(|(start, end)| Some(start.parse::<u64>().ok()?..end.parse::<u64>().ok()?));
        let (Some(word), Some(range)) = (Word::of(first), range) else { return };
        let set = match word {
            Word::Offered => &mut self.offered,
            Word::Accepted => &mut self.accepted,
            Word::Refused => &mut self.refused,
            Word::Rejected => &mut self.rejected,
            Word::Changed => &mut self.changed,
            Word::Settled => &mut self.settled,
            Word::Buried => &mut self.buried,
            Word::Kept => &mut self.kept,
            Word::Redriven => &mut self.redriven,
            Word::Delivered => {
                range.for_each(|number| *self.delivered.entry(number).or_default() += 1);
                return;
            }
        };
        set.extend(range);
    }

    /// Whether a line says what the outbox answered.
    pub(crate) fn is_answer(line: &str) -> bool {
        let word = line.split_once(' ').and_then(|(word, _)| Word::of(word));
        matches!(word, Some(Word::Accepted | Word::Refused))
    }

    pub(crate) fn noted(&self, beginning: &str) -> Vec<&str> {
        self.notes.iter().filter_map(|note| note.strip_prefix(beginning)).collect()
    }
}
