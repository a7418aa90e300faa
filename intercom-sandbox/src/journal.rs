//! What was received, bounded in memory, and the wait for more of it.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Mutex;

use tokio::sync::Notify;

use crate::received::{Draft, Outcome, ReceivedEvent, ReceivedRequest};
use crate::sync::lock;

/// How many requests there were since the start or the last clearing, and what became of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) requests: usize,
    /// The accepted ones.
    pub(crate) events: usize,
    pub(crate) duplicates: usize,
    pub(crate) refused: usize,
    pub(crate) faulted: usize,
    /// How many clearings there were, by which who follows the numbers knows that they begin anew.
    pub(crate) clearings: usize,
}

/// How far somebody who follows the requests has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) clearings: usize,
    /// The number of the last request.
    pub(crate) number: usize,
}

pub(crate) struct Journal {
    room: Room,
    room_of_accepted: Room,
    kept: Mutex<Kept>,
    /// Costs next to nothing while nobody waits.
    changed: Notify,
}

#[derive(Default)]
struct Kept {
    counts: Counts,
    requests: Ring,
    /// Those that brought an event that was accepted.
    accepted: Ring,
}

impl Journal {
    pub(crate) fn new(room: Room, room_of_accepted: Room) -> Self {
        Self { room, room_of_accepted, kept: Mutex::default(), changed: Notify::new() }
    }

    /// Takes a request in, and with it the event it may have brought. Order and counts are those of
    /// the moment of this call, which is before the client has its answer.
    pub(crate) fn record(&self, draft: Draft) {
        // What makes room for it is dropped after the lock.
        let (_oldest_request, _oldest_accepted) = lock(&self.kept).take_in(draft, self);
        self.changed.notify_waiters();
    }

    pub(crate) fn counts(&self) -> Counts {
        lock(&self.kept).counts
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.kept).requests.iter().cloned().collect()
    }

    pub(crate) fn events(&self) -> Vec<ReceivedEvent> {
        lock(&self.kept).accepted.iter().filter_map(ReceivedRequest::event).collect()
    }

    /// The kept events of which this is true, in order of arrival.
    pub(crate) fn events_where(
        &self,
        wanted: impl Fn(&ReceivedEvent) -> bool,
    ) -> Vec<ReceivedEvent> {
        let kept = lock(&self.kept);
        kept.accepted.iter().filter_map(ReceivedRequest::event).filter(wanted).collect()
    }

    pub(crate) async fn wait_until(&self, mut enough: impl FnMut(&Counts) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if enough(&self.counts()) {
                return;
            }
            changed.await;
        }
    }

    /// The kept requests of a higher number than this.
    pub(crate) fn requests_after(&self, number: usize) -> Vec<ReceivedRequest> {
        let kept = lock(&self.kept);
        kept.requests.after(number).cloned().collect()
    }

    /// Waits for requests beyond a place, gives those that are kept, and moves the place behind them.
    pub(crate) async fn follow(&self, place: &mut Place) -> Vec<ReceivedRequest> {
        loop {
            self.wait_until(|counts| place.is_behind(counts)).await;
            let kept = lock(&self.kept);
            if place.is_behind(&kept.counts) {
                let number =
                    if place.clearings == kept.counts.clearings { place.number } else { 0 };
                let requests = kept.requests.after(number).cloned().collect();
                *place = Place { clearings: kept.counts.clearings, number: kept.counts.requests };
                return requests;
            }
        }
    }

    /// Waits until there is something that is not at this place: another request, or a clearing.
    pub(crate) async fn moved_from(&self, place: Place) {
        self.wait_until(|counts| place != Place::end_of(counts)).await;
    }

    /// The counts, and of the kept requests beyond a number, which those decide on, the first few.
    pub(crate) fn glance(
        &self,
        after: impl FnOnce(&Counts) -> usize,
        limit: usize,
    ) -> (Counts, Vec<ReceivedRequest>) {
        let kept = lock(&self.kept);
        let after = after(&kept.counts);
        (kept.counts, kept.requests.after(after).take(limit).cloned().collect())
    }

    /// The first few of the kept events whose requests are of a higher number than this.
    pub(crate) fn events_after(&self, number: usize, limit: usize) -> Vec<ReceivedEvent> {
        let kept = lock(&self.kept);
        kept.accepted.after(number).take(limit).filter_map(ReceivedRequest::event).collect()
    }

    pub(crate) fn clear(&self) {
        let mut kept = lock(&self.kept);
        let counts = Counts { clearings: kept.counts.clearings + 1, ..Counts::default() };
        let _forgotten = std::mem::replace(&mut *kept, Kept { counts, ..Kept::default() });
        drop(kept);
        self.changed.notify_waiters();
    }
}

impl Place {
    /// Behind the last request.
    pub(crate) fn end_of(counts: &Counts) -> Self {
        Self { clearings: counts.clearings, number: counts.requests }
    }

    fn is_behind(&self, counts: &Counts) -> bool {
        counts.requests > if self.clearings == counts.clearings { self.number } else { 0 }
    }
}

impl Kept {
    /// Numbers and counts a request under one lock, so that numbers and order agree, and gives back
    /// what there is no room for any more.
    fn take_in(
        &mut self,
        draft: Draft,
        journal: &Journal,
    ) -> (Option<ReceivedRequest>, Option<ReceivedRequest>) {
        let counts = &mut self.counts;
        counts.requests += 1;
        let outcome = draft.outcome();
        let request = draft.numbered(counts.requests);
        match outcome {
            Outcome::Accepted => counts.events += 1,
            Outcome::Duplicate => counts.duplicates += 1,
            Outcome::Refused => counts.refused += 1,
            Outcome::Faulted => counts.faulted += 1,
            Outcome::Served => {}
        }
        let oldest_accepted = if outcome == Outcome::Accepted {
            self.accepted.push(request.clone(), journal.room_of_accepted)
        } else {
            None
        };
        (self.requests.push(request, journal.room), oldest_accepted)
    }
}

/// How much a ring holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
}

/// Requests in the order they came, bounded in number and in bytes: the oldest leave.
#[derive(Default)]
struct Ring {
    requests: VecDeque<ReceivedRequest>,
    bytes: usize,
}

impl Ring {
    /// Takes a request in, and gives the oldest one where that has to leave, for the caller to drop
    /// where it holds nobody up. Where a large request makes many leave, they end here.
    fn push(&mut self, request: ReceivedRequest, room: Room) -> Option<ReceivedRequest> {
        self.bytes += request.size();
        self.requests.push_back(request);
        let mut oldest = None;
        while self.requests.len() > room.requests || self.bytes > room.bytes {
            let Some(leaving) = self.requests.pop_front() else { break };
            self.bytes -= leaving.size();
            oldest.get_or_insert(leaving);
        }
        oldest
    }

    fn iter(&self) -> impl Iterator<Item = &ReceivedRequest> {
        self.requests.iter()
    }

    /// Those of a higher number than this.
    fn after(&self, number: usize) -> impl Iterator<Item = &ReceivedRequest> {
        let from = self.requests.partition_point(|request| request.number() <= number);
        self.requests.range(from..)
    }
}
