//! The counts, in one row that is written with whatever they count.

use intercom_delivery::EventId;
use intercom_delivery::outbox::{AcceptError, Counts};
use rusqlite::Connection;

use crate::clock::Millis;

/// How long an event is remembered after it has left, at the least: two minutes, as by the outbox in memory.
const MEMORY: Millis = 120_000;

/// How many events that have left are remembered, at the least, however quickly they leave.
const REMEMBERED: i64 = 16_384;

/// The one row of `outbox_counts`. Who holds the write lock reads it, changes it, and writes it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) accepted: i64,
    pub(crate) delivered: i64,
    pub(crate) dead: i64,
    pub(crate) pending: i64,
    pub(crate) pending_bytes: i64,
    pub(crate) dead_letters: i64,
    pub(crate) moved: i64,
    pub(crate) collided: i64,
    pub(crate) newest: i64,
    capacity: Option<i64>,
    max_bytes: Option<i64>,
    /// Events that have left are remembered by the era in which they did, and forgotten two eras later.
    pub(crate) era: i64,
    era_began: Millis,
    pub(crate) left_in_era: i64,
    /// The highest id that was given before the era began.
    pub(crate) era_after: i64,
    /// The seconds of events up to this id are filed.
    pub(crate) filed: i64,
}

impl Books {
    pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut select = conn.prepare_cached(
            "SELECT accepted, delivered, dead, pending, pending_bytes, dead_letters, moved, collided, newest, \
             capacity, max_bytes, era, era_began, left_in_era, era_after, filed FROM outbox_counts",
        )?;
        select.query_row([], |row| {
            Ok(Books {
                accepted: row.get(0)?,
                delivered: row.get(1)?,
                dead: row.get(2)?,
                pending: row.get(3)?,
                pending_bytes: row.get(4)?,
                dead_letters: row.get(5)?,
                moved: row.get(6)?,
                collided: row.get(7)?,
                newest: row.get(8)?,
                capacity: row.get(9)?,
                max_bytes: row.get(10)?,
                era: row.get(11)?,
                era_began: row.get(12)?,
                left_in_era: row.get(13)?,
                era_after: row.get(14)?,
                filed: row.get(15)?,
            })
        })
    }

    pub(crate) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut update = conn.prepare_cached(
            "UPDATE outbox_counts SET accepted = ?1, delivered = ?2, dead = ?3, pending = ?4, \
             pending_bytes = ?5, dead_letters = ?6, moved = ?7, collided = ?8, newest = ?9, \
             era = ?10, era_began = ?11, left_in_era = ?12, era_after = ?13, filed = ?14",
        )?;
        update.execute([
            self.accepted,
            self.delivered,
            self.dead,
            self.pending,
            self.pending_bytes,
            self.dead_letters,
            self.moved,
            self.collided,
            self.newest,
            self.era,
            self.era_began,
            self.left_in_era,
            self.era_after,
            self.filed,
        ])?;
        Ok(())
    }

    /// Whether there is room for so many more events, of so many bytes, or ever could be.
    pub(crate) fn admit(&self, events: usize, bytes: usize) -> Result<(), AcceptError> {
        let [events, bytes] = [events, bytes].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let capacity = self.capacity.unwrap_or(i64::MAX);
        let max_bytes = self.max_bytes.unwrap_or(i64::MAX);
        if events > capacity || bytes > max_bytes {
            return Err(AcceptError::TooMuch);
        }
        // More may be pending than fits, because dead letters were redriven.
        match events > capacity.saturating_sub(self.pending)
            || bytes > max_bytes.saturating_sub(self.pending_bytes)
        {
            true => Err(AcceptError::Full),
            false => Ok(()),
        }
    }

    /// Begins another era when its time has come.
    pub(crate) fn turn_over(&mut self, now: Millis) {
        // The clock may have been set back since the file was last open.
        if self.era_began == 0 || self.era_began > now {
            self.era_began = now;
        }
        let lasts = now - self.era_began;
        if lasts < MEMORY && self.left_in_era < REMEMBERED {
            return;
        }
        // Nobody left in the era that nobody saw begin.
        self.era += if lasts < 2 * MEMORY { 1 } else { 2 };
        self.era_began = now;
        self.left_in_era = 0;
        self.era_after = self.newest;
    }

    /// What is remembered of those that have left.
    pub(crate) fn memory(&self, now: Millis) -> Memory {
        Memory { era: self.era, past: (now - MEMORY).div_euclid(1000) }
    }

    /// What was moved and what ended before this is left out: it is counted from when the file was opened, when what
    /// was found in it counts as accepted.
    pub(crate) fn counts_since(&self, base: &Base, oldest_pending: Option<i64>) -> Counts {
        let positive = |number: i64| u64::try_from(number).unwrap_or_default();
        let delivered = positive(self.delivered - base.delivered);
        let dead = positive(self.dead - base.purged);
        let pending = positive(self.pending);
        Counts {
            accepted: delivered + dead + pending,
            delivered,
            dead,
            pending,
            dead_letters: positive(self.dead_letters),
            purged: positive(self.dead - self.dead_letters - base.purged),
            moved: positive(self.moved - base.moved),
            collided: positive(self.collided - base.collided),
            oldest_pending: oldest_pending.map(|id| EventId(positive(id))),
            newest: (self.newest > 0).then(|| EventId(positive(self.newest))),
        }
    }
}

/// What is remembered of those that have left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// The present era.
    pub(crate) era: i64,
    /// The first second that an event may still come for of itself. One that was moved there is remembered until it is
    /// past, however long ago it has left.
    pub(crate) past: i64,
}

impl Memory {
    /// The last era of which nothing is remembered.
    pub(crate) fn forgotten_era(&self) -> i64 {
        self.era - 2
    }
}

/// Where counting begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Base {
    delivered: i64,
    purged: i64,
    moved: i64,
    collided: i64,
}

impl Base {
    /// Now, when the books are these.
    pub(crate) fn at(books: &Books) -> Self {
        Base {
            delivered: books.delivered,
            purged: books.dead - books.dead_letters,
            moved: books.moved,
            collided: books.collided,
        }
    }
}
