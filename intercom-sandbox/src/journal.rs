//! The last requests, within a limit of memory, and the wait for further ones.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Mutex;

use tokio::sync::Notify;

use crate::received::{Draft, Outcome, ReceivedEvent, ReceivedRequest};
use crate::sync::lock;

/// Counts of requests since the start or the last clear, by outcome.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) requests: usize,
    /// The accepted events.
    pub(crate) events: usize,
    pub(crate) duplicates: usize,
    pub(crate) refused: usize,
    pub(crate) faulted: usize,
    /// The number of clears. Followers compare it to detect that the numbers restart.
    pub(crate) clearings: usize,
}

/// How far a follower has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct JournalPosition {
    pub(crate) clearings: usize,
    /// The number of the last request.
    pub(crate) number: usize,
}

pub(crate) struct Journal {
    capacity: Capacity,
    accepted_capacity: Capacity,
    kept: Mutex<Retained>,
    /// Costs next to nothing without waiters.
    changed: Notify,
}

#[derive(Default)]
struct Retained {
    counts: Counts,
    requests: Ring,
    /// Requests with an accepted event.
    accepted: Ring,
}

impl Journal {
    pub(crate) fn new(capacity: Capacity, accepted_capacity: Capacity) -> Self {
        Self { capacity, accepted_capacity, kept: Mutex::default(), changed: Notify::new() }
    }

    /// Records a request, with its event. Order and counts are those at the time of this call,
    /// which precedes the client's answer.
    pub(crate) fn record(&self, draft: Draft) {
        // Drops evicted requests after it has released the lock.
        let (_oldest_request, _oldest_accepted) = lock(&self.kept).record(draft, self);
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

    /// Returns the kept events that match, in order of arrival.
    pub(crate) fn events_where(
        &self,
        matches: impl Fn(&ReceivedEvent) -> bool,
    ) -> Vec<ReceivedEvent> {
        let kept = lock(&self.kept);
        kept.accepted.iter().filter_map(ReceivedRequest::event).filter(matches).collect()
    }

    pub(crate) async fn wait_until(&self, mut enough: impl FnMut(&Counts) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on the caller misses no change.
            changed.as_mut().enable();
            if enough(&self.counts()) {
                return;
            }
            changed.await;
        }
    }

    /// Returns the kept requests with a higher number.
    pub(crate) fn requests_after(&self, number: usize) -> Vec<ReceivedRequest> {
        let kept = lock(&self.kept);
        kept.requests.after(number).cloned().collect()
    }

    /// Waits for requests after a position, returns the kept ones, and moves the position past
    /// them.
    pub(crate) async fn follow(&self, position: &mut JournalPosition) -> Vec<ReceivedRequest> {
        loop {
            self.wait_until(|counts| position.is_behind(counts)).await;
            let kept = lock(&self.kept);
            if position.is_behind(&kept.counts) {
                let number =
                    if position.clearings == kept.counts.clearings { position.number } else { 0 };
                let requests = kept.requests.after(number).cloned().collect();
                *position = JournalPosition {
                    clearings: kept.counts.clearings,
                    number: kept.counts.requests,
                };
                return requests;
            }
        }
    }

    /// Waits until there is another request or a clear after this position.
    pub(crate) async fn changed_since(&self, position: JournalPosition) {
        self.wait_until(|counts| position != JournalPosition::end_of(counts)).await;
    }

    /// Returns the counts, and the first few kept requests after a number that depends on the
    /// counts.
    pub(crate) fn snapshot(
        &self,
        after: impl FnOnce(&Counts) -> usize,
        limit: usize,
    ) -> (Counts, Vec<ReceivedRequest>) {
        let kept = lock(&self.kept);
        let after = after(&kept.counts);
        (kept.counts, kept.requests.after(after).take(limit).cloned().collect())
    }

    /// Returns the first few kept events whose requests have a higher number.
    pub(crate) fn events_after(&self, number: usize, limit: usize) -> Vec<ReceivedEvent> {
        let kept = lock(&self.kept);
        kept.accepted.after(number).take(limit).filter_map(ReceivedRequest::event).collect()
    }

    pub(crate) fn clear(&self) {
        let mut kept = lock(&self.kept);
        let counts = Counts { clearings: kept.counts.clearings + 1, ..Counts::default() };
        let _forgotten = std::mem::replace(&mut *kept, Retained { counts, ..Retained::default() });
        drop(kept);
        self.changed.notify_waiters();
    }
}

impl JournalPosition {
    /// Returns the position after the last request.
    pub(crate) fn end_of(counts: &Counts) -> Self {
        Self { clearings: counts.clearings, number: counts.requests }
    }

    fn is_behind(&self, counts: &Counts) -> bool {
        counts.requests > if self.clearings == counts.clearings { self.number } else { 0 }
    }
}

impl Retained {
    /// Numbers and counts a request under one lock, so that numbers and order agree. Returns the
    /// evicted requests.
    fn record(
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
            self.accepted.push(request.clone(), journal.accepted_capacity)
        } else {
            None
        };
        (self.requests.push(request, journal.capacity), oldest_accepted)
    }
}

/// The capacity of a ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
}

/// Requests in order of arrival, bounded in number and in bytes. Evicts the oldest first.
#[derive(Default)]
struct Ring {
    requests: VecDeque<ReceivedRequest>,
    bytes: usize,
}

impl Ring {
    /// Adds a request, and returns the oldest one if it evicts that, so that the caller drops it
    /// outside the lock. If a large request evicts several, drops the others here.
    fn push(&mut self, request: ReceivedRequest, capacity: Capacity) -> Option<ReceivedRequest> {
        self.bytes += request.size();
        self.requests.push_back(request);
        let mut oldest = None;
        while self.requests.len() > capacity.requests || self.bytes > capacity.bytes {
            let Some(evicted) = self.requests.pop_front() else { break };
            self.bytes -= evicted.size();
            oldest.get_or_insert(evicted);
        }
        oldest
    }

    fn iter(&self) -> impl Iterator<Item = &ReceivedRequest> {
        self.requests.iter()
    }

    /// Returns the requests with a higher number.
    fn after(&self, number: usize) -> impl Iterator<Item = &ReceivedRequest> {
        let from = self.requests.partition_point(|request| request.number() <= number);
        self.requests.range(from..)
    }
}
