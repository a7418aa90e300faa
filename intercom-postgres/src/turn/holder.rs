//! What the process that delivers knows of its turn.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Weak;

use intercom_delivery::outbox::EventId;
use tokio::time::Instant;

use super::event::StoredEvent;
use super::progress::Progress;
use crate::clock::Clock;

/// What the process that delivers knows of its turn. Leases are here alone: to lease is to read on.
pub(super) struct Holder {
    pub(super) epoch: i64,
    /// When the turn began, as the deliverer's row has it.
    pub(super) since: i64,
    /// The history of the store in which the turn began. In another, the turn is over.
    pub(super) history: String,
    /// Lives as long as the tenure.
    tenure: Weak<()>,
    /// As it was stored last, or read since.
    pub(super) progress: Progress,
    /// Where the reading of what an earlier turn has read has come, until it is done.
    pub(super) replay: Option<i64>,
    /// Events that the last lease found in gaps. They are stored as gaps until the next lease, when
    /// the admission of all of them is stored.
    pub(super) late: BTreeSet<i64>,
    /// Leased events that were never put back.
    fresh: BTreeSet<i64>,
    /// Leased events that were put back or redriven.
    again: BTreeSet<i64>,
    /// Events that were leased for a call that was dropped.
    returned: VecDeque<StoredEvent>,
    /// How many events were leased.
    places: u64,
    /// When the write was begun by which the turn was extended last.
    pub(super) extended: Instant,
    /// The extension that the engine was told last.
    pub(super) told: Option<Instant>,
    pub(super) clock: Clock,
    /// Slots that were kept until before this are forgotten.
    pub(super) forgotten: i64,
    /// Writes that may have been done, all under the next number.
    pub(super) doubts: Vec<Doubt>,
    /// What such writes did, of which the engine does not know.
    pub(super) done: HashSet<(Deed, i64)>,
    /// The version of the tombstones, as it was read last.
    pub(super) erasures: u64,
}

/// A write whose answer was lost.
pub(super) struct Doubt {
    pub(super) token: i64,
    pub(super) deed: Deed,
    pub(super) ids: Vec<i64>,
    /// The events whose leases it ends.
    pub(super) ended: Vec<i64>,
}

/// What a write does with events.
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
            told: None,
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

    /// Ends the leases of events that no caller has seen.
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

    /// Leases what was given back.
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
        let id = i64::try_from(id.0).ok()?;
        (self.fresh.contains(&id) || self.again.contains(&id)).then_some(id)
    }

    /// Ends the lease of an event that was settled.
    pub(super) fn end(&mut self, id: i64) {
        self.fresh.remove(&id);
        self.again.remove(&id);
    }

    /// Returns all that is leased.
    pub(super) fn all_leased(&self) -> Vec<i64> {
        self.fresh.iter().chain(&self.again).copied().collect()
    }

    /// Forgets events that an operator has buried.
    pub(super) fn buried(&mut self, ids: &[i64]) {
        for id in ids {
            self.end(*id);
        }
        self.returned.retain(|stored| !ids.contains(&stored.id));
    }

    /// Returns what is leased of the events that were put back, or was given back.
    pub(super) fn leased_again(&self) -> Vec<i64> {
        self.again.iter().copied().chain(self.returned.iter().map(|stored| stored.id)).collect()
    }

    /// Returns the progress as it is to be stored: with the next number, and what the last lease found
    /// in gaps still in them.
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

    /// Counts events as read that the last lease found in gaps: their admission is stored by now.
    pub(super) fn retire_late(&mut self) {
        self.progress.read += self.late.len() as i64;
        self.late.clear();
    }
}
