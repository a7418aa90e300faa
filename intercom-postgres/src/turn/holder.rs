//! The state of the delivering process's turn.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Weak;

use intercom_delivery::outbox::EventId;
use tokio::time::Instant;

use super::event::StoredEvent;
use super::progress::Progress;
use crate::clock::Clock;

/// The deliverer's knowledge of its turn. No table has the leases: leasing is reading on.
pub(super) struct Holder {
    pub(super) epoch: i64,
    /// The beginning of the turn, from the deliverer's row.
    pub(super) since: i64,
    /// The store's history at the start of the turn. In another history, the turn has ended.
    pub(super) history: String,
    /// Ends with the tenure.
    tenure: Weak<()>,
    /// The progress in the last write, plus what this process has read since.
    pub(super) progress: Progress,
    /// The position in the events of earlier turns, until this turn has read all of them again.
    pub(super) replay: Option<i64>,
    /// Events that the last lease found in gaps. The row keeps them as gaps until the next lease,
    /// because it has all of their admissions only then.
    pub(super) late: BTreeSet<i64>,
    /// Leased events that nothing has put back.
    fresh: BTreeSet<i64>,
    /// Leased events after a put-back or a redrive.
    again: BTreeSet<i64>,
    /// Events from dropped calls of `lease`.
    returned: VecDeque<StoredEvent>,
    /// The number of leases so far.
    places: u64,
    /// The beginning of the write that last extended the turn.
    pub(super) extended: Instant,
    /// The extension that the engine last got.
    pub(super) reported_extension: Option<Instant>,
    pub(super) clock: Clock,
    /// The table no longer has slots that expire earlier.
    pub(super) forgotten: i64,
    /// Writes without an answer, all with the next number.
    pub(super) doubts: Vec<Doubt>,
    /// The effects of such writes that the engine does not know yet.
    pub(super) done: HashSet<(Deed, i64)>,
    /// The version of the tombstones at the last read.
    pub(super) erasures: u64,
}

/// A write without an answer.
pub(super) struct Doubt {
    pub(super) token: i64,
    pub(super) deed: Deed,
    pub(super) ids: Vec<i64>,
    /// The events whose leases it ends.
    pub(super) ended: Vec<i64>,
}

/// The effect of a write on events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Deed {
    Nothing,
    Admit,
    Settle,
}

impl Holder {
    pub(super) fn new(
        progress: Progress,
        since: i64,
        history: String,
        extended: Instant,
        tenure: Weak<()>,
        erasures: u64,
    ) -> Self {
        let replay = (progress.low <= progress.cursor).then_some(progress.low - 1);
        Holder {
            epoch: progress.epoch,
            since,
            history,
            tenure,
            replay,
            late: BTreeSet::new(),
            fresh: BTreeSet::new(),
            again: BTreeSet::new(),
            returned: VecDeque::new(),
            places: 0,
            extended,
            reported_extension: None,
            clock: Clock::new(progress.clock),
            forgotten: i64::MIN,
            doubts: Vec::new(),
            done: HashSet::new(),
            erasures,
            progress,
        }
    }

    /// Returns whether the engine has dropped the tenure.
    pub(super) fn is_abandoned(&self) -> bool {
        self.tenure.strong_count() == 0
    }

    pub(super) fn lease(&mut self, stored: &mut StoredEvent) {
        if stored.place == 0 {
            self.places += 1;
            stored.place = self.places;
        }
        if stored.due.is_some() { &mut self.again } else { &mut self.fresh }.insert(stored.id);
    }

    /// Ends the leases from dropped calls.
    pub(super) fn take_back(&mut self, events: Vec<StoredEvent>) {
        for stored in &events {
            self.end(stored.id);
        }
        self.returned.extend(events);
        self.returned.make_contiguous().sort_by_key(|stored| stored.place);
    }

    pub(super) fn has_returned(&self) -> bool {
        !self.returned.is_empty()
    }

    /// Leases the events of dropped calls again.
    pub(super) fn lease_returned(&mut self, limit: usize) -> Vec<StoredEvent> {
        let number = limit.min(self.returned.len());
        let mut events: Vec<_> = self.returned.drain(..number).collect();
        for stored in &mut events {
            self.lease(stored);
        }
        events
    }

    /// Returns the id of a leased event in the table.
    pub(super) fn leased(&self, id: EventId) -> Option<i64> {
        let id = i64::try_from(id.get()).ok()?;
        (self.fresh.contains(&id) || self.again.contains(&id)).then_some(id)
    }

    /// Ends the lease of a settled event.
    pub(super) fn end(&mut self, id: i64) {
        self.fresh.remove(&id);
        self.again.remove(&id);
    }

    /// Returns all leased events.
    pub(super) fn all_leased(&self) -> Vec<i64> {
        self.fresh.iter().chain(&self.again).copied().collect()
    }

    /// Drops events that an operator has buried.
    pub(super) fn buried(&mut self, ids: &[i64]) {
        for id in ids {
            self.end(*id);
        }
        self.returned.retain(|stored| !ids.contains(&stored.id));
    }

    /// Returns the leased events after a put-back, and the events of dropped calls.
    pub(super) fn leased_again(&self) -> Vec<i64> {
        self.again.iter().copied().chain(self.returned.iter().map(|stored| stored.id)).collect()
    }

    /// Returns the progress for the next write: with the next number, and with the last lease's
    /// finds still in their gaps.
    pub(super) fn next(&self) -> Progress {
        let read = self.replay.map(|passed| passed + 1);
        let returned = self.returned.iter().map(|stored| stored.id).min();
        let low = [self.fresh.first().copied(), read, returned].into_iter().flatten().min();
        Progress {
            n: self.progress.n + 1,
            gaps: self.progress.gaps.with(self.late.iter().copied()),
            low: low.unwrap_or(self.progress.cursor + 1),
            clock: self.clock.now(),
            token: fastrand::i64(..),
            ..self.progress.clone()
        }
    }

    /// Counts the last lease's finds in gaps as read, because the row has their admissions now.
    pub(super) fn retire_late(&mut self) {
        self.progress.read += self.late.len() as i64;
        self.late.clear();
    }
}
