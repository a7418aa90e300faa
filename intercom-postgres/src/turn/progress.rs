//! The progress of delivery. Each write of the deliverer stores it.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::gaps::Gaps;
use crate::clock::Millis;
use crate::link::Param;

/// The columns of [`Progress::of`].
pub(super) const COLUMNS: &str = "n, epoch, cursor, gap_from, gap_to, low, read, delivered, buried, \
                                  redriven, purged, derived, withheld, dropped, erased, \
                                  erased_letters, moved, collided, clock, token";

/// A row of the table `progress`.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) n: i64,
    pub(super) epoch: i64,
    /// The deliverer has read all visible events up to this id, except those in the gaps.
    pub(super) cursor: i64,
    pub(super) gaps: Gaps,
    /// No read event that was never put back has a lower id.
    pub(super) low: i64,
    /// The number of events read.
    pub(super) read: i64,
    pub(super) delivered: i64,
    pub(super) buried: i64,
    pub(super) redriven: i64,
    pub(super) purged: i64,
    pub(super) derived: i64,
    pub(super) withheld: i64,
    pub(super) dropped: i64,
    pub(super) erased: i64,
    pub(super) erased_letters: i64,
    pub(super) moved: i64,
    pub(super) collided: i64,
    pub(super) clock: Millis,
    /// Identifies a write without an answer.
    pub(super) token: i64,
}

impl Progress {
    pub(super) fn of(row: &Row) -> Self {
        let (from, to): (Vec<i64>, Vec<i64>) = (row.get(3), row.get(4));
        Progress {
            n: row.get(0),
            epoch: row.get(1),
            cursor: row.get(2),
            gaps: Gaps::load(&from, &to),
            low: row.get(5),
            read: row.get(6),
            delivered: row.get(7),
            buried: row.get(8),
            redriven: row.get(9),
            purged: row.get(10),
            derived: row.get(11),
            withheld: row.get(12),
            dropped: row.get(13),
            erased: row.get(14),
            erased_letters: row.get(15),
            moved: row.get(16),
            collided: row.get(17),
            clock: row.get(18),
            token: row.get(19),
        }
    }

    /// Returns the number of read pending events, without operators' changes since the takeover.
    pub(super) fn pending(&self) -> i64 {
        let erased = self.erased - self.erased_letters;
        let ended = self.delivered + self.withheld + self.dropped + erased;
        self.read - ended - self.buried + self.redriven
    }
}

/// A row as the first twenty parameters of a statement.
pub(super) struct Stored {
    progress: Progress,
    from: Vec<i64>,
    to: Vec<i64>,
}

impl Stored {
    pub(super) fn new(progress: Progress) -> Self {
        let (from, to) = progress.gaps.bounds();
        Stored { progress, from, to }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn params(&self) -> Vec<Param<'_>> {
        let p = &self.progress;
        let before = [&p.n, &p.epoch, &p.cursor].map(|number| (number as _, Type::INT8));
        let gaps = [&self.from, &self.to].map(|bounds| (bounds as _, Type::INT8_ARRAY));
        let after = [
            &p.low,
            &p.read,
            &p.delivered,
            &p.buried,
            &p.redriven,
            &p.purged,
            &p.derived,
            &p.withheld,
            &p.dropped,
            &p.erased,
            &p.erased_letters,
            &p.moved,
            &p.collided,
            &p.clock,
            &p.token,
        ];
        let after = after.map(|number| (number as _, Type::INT8));
        before.into_iter().chain(gaps).chain(after).collect()
    }
}
