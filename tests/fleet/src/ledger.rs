//! The file in which each process records accepted and refused events. A process writes a line
//! after the event.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// The outcome of an `accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Accepted,
    /// The outbox does not know whether it accepted the event.
    InDoubt,
    /// The outbox refused the event.
    Refused,
}

impl Word {
    const ALL: [(Word, &'static str); 3] =
        [(Word::Accepted, "accepted"), (Word::InDoubt, "in-doubt"), (Word::Refused, "refused")];

    fn text(self) -> &'static str {
        Word::ALL.iter().find(|(word, _)| *word == self).unwrap().1
    }

    fn of(text: &str) -> Option<Word> {
        Word::ALL.iter().find(|(_, name)| *name == text).map(|(word, _)| *word)
    }
}

/// The file, open for one process. A kill does not undo a finished write.
pub(crate) struct Pen(File);

impl Pen {
    pub(crate) fn open(path: &Path) -> Self {
        Pen(OpenOptions::new().append(true).create(true).open(path).unwrap())
    }

    pub(crate) fn write(&self, word: Word, number: u64) {
        // One write a line, so that a kill leaves no half line.
        (&self.0).write_all(format!("{} {number}\n", word.text()).as_bytes()).unwrap();
    }
}

/// The records of all processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) accepted: BTreeSet<u64>,
    pub(crate) in_doubt: BTreeSet<u64>,
    pub(crate) refused: BTreeSet<u64>,
}

impl Ledger {
    pub(crate) fn read(path: &Path) -> Self {
        let mut ledger = Ledger::default();
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            let Some((word, number)) = line.split_once(' ') else { continue };
            let (word, number) = (Word::of(word).unwrap(), number.parse().unwrap());
            let set = match word {
                Word::Accepted => &mut ledger.accepted,
                Word::InDoubt => &mut ledger.in_doubt,
                Word::Refused => &mut ledger.refused,
            };
            set.insert(number);
        }
        ledger
    }
}
