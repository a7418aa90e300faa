//! The end of a delivery: what a shutdown waits for.
//!
//! Over a durable outbox, and on standby, it waits for requests in flight only. Over an outbox that
//! ends with the process, it delivers all events first, as far as the deadline allows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ledger::DrainReport;

#[derive(Default)]
pub(super) struct Drain {
    deadline: Option<Instant>,
    replies: Vec<oneshot::Sender<DrainReport>>,
    stopped: bool,
    /// The due times of events after a put-back.
    due: BinaryHeap<Reverse<Instant>>,
}

impl Drain {
    /// Begins to end. Of several deadlines the earliest counts.
    pub(super) fn begin(&mut self, deadline: Instant, reply: oneshot::Sender<DrainReport>) {
        self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
        self.replies.push(reply);
    }

    /// Ends now.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.stopped || self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Records the due time of an event after a put-back.
    pub(super) fn put_back(&mut self, due: Instant, now: Instant) {
        while self.due.peek().is_some_and(|Reverse(first)| *first <= now) {
            self.due.pop();
        }
        self.due.push(Reverse(due));
    }

    /// Returns the next due time of an event after a put-back.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<Instant> {
        while self.due.peek().is_some_and(|Reverse(first)| *first <= now) {
            self.due.pop();
        }
        self.due.peek().map(|Reverse(first)| *first)
    }

    pub(super) fn reply(&mut self, report: DrainReport) {
        for reply in self.replies.drain(..) {
            let _ = reply.send(report);
        }
    }
}
