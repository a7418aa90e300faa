//! The contents of a file at the next start.

use std::collections::BTreeSet;
use std::path::Path;

use intercom_core::DataEvent;
use intercom_delivery::outbox::Outbox as _;
use intercom_sqlite::SqliteOutbox;
use tokio::runtime::Builder;

use crate::events;

/// The contents of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) pending: BTreeSet<u64>,
    pub(crate) dead: BTreeSet<u64>,
    /// Inconsistencies within the file.
    pub(crate) complaints: Vec<String>,
}

impl Contents {
    /// Opens the file as the next start does, and reads it.
    pub(crate) fn of(path: &Path) -> Contents {
        Contents::read(path).unwrap_or_else(|error| Contents {
            complaints: vec![format!("it cannot be read: {error:?}")],
            ..Contents::default()
        })
    }

    fn read(path: &Path) -> Result<Contents, Box<dyn std::error::Error>> {
        let outbox = SqliteOutbox::open(path)?;
        let runtime = Builder::new_current_thread().build()?;
        let file = SqliteOutbox::inspect(path)?;
        let mut contents = Contents { complaints: file.check()?, ..Contents::default() };
        for event in file.pending(None, usize::MAX)? {
            contents.add(&event.event, |contents| &mut contents.pending);
        }
        for letter in file.dead_letters(None, usize::MAX)? {
            contents.add(&letter.event, |contents| &mut contents.dead);
        }
        let (pending, dead) = (contents.pending.len() as u64, contents.dead.len() as u64);
        let (stored, counts) = (file.counts()?, runtime.block_on(outbox.counts())?);
        let is = [stored.pending, stored.dead_letters, counts.pending, counts.dead_letters];
        if is != [pending, dead, pending, dead] || !stored.is_balanced() {
            let found = format!("{pending} pending and {dead} dead");
            contents.complaints.push(format!("found {found}, but the counts are {stored:?}"));
        }
        Ok(contents)
    }

    fn add(&mut self, event: &DataEvent, of: impl Fn(&mut Self) -> &mut BTreeSet<u64>) {
        match events::number(event) {
            Ok(number) if self.pending.contains(&number) || self.dead.contains(&number) => {
                self.complaints.push(format!("event {number} is stored twice"));
            }
            Ok(number) => {
                of(self).insert(number);
            }
            Err(complaint) => self.complaints.push(complaint),
        }
    }
}
