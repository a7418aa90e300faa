//! The events that the engine has, so that it sends each by one lease at a time.
//!
//! An operator can bury a leased event, and redrive it. Then the outbox leases the event a second time
//! in one turn. It takes a settlement by either lease for one of the second. Two requests at once would
//! have the same bytes, unless the operator's process saw no leases: then the event is
//! [`Stage::Redriven`](crate::outbox::Stage), and would move away from its own second. So an event that
//! the engine has keeps its second, and
//!
//! - if its older lease still waits, the engine drops that one.
//! - if its request is in flight, the newer lease gets the result of that request.
//! - if its verdict is not settled, the newer lease waits for the outbox's answer. The verdict ends the
//!   newer lease too, unless it was late.

use std::collections::{HashMap, HashSet};

use super::prefetch::Job;
use crate::outbox::EventId;

#[derive(Default)]
pub(super) struct Leases {
    /// The events that are leased, in flight, or not settled.
    held: HashSet<EventId>,
    /// Newer leases of events in flight, and of events that are not settled.
    newer: HashMap<EventId, Job>,
}

impl Leases {
    /// Records that the engine has this event. Returns whether that is new.
    pub(super) fn begin(&mut self, id: EventId) -> bool {
        self.held.insert(id)
    }

    /// Keeps a newer lease until the older one has ended.
    pub(super) fn wait(&mut self, job: Job) {
        self.newer.insert(job.lease.id, job);
    }

    /// Returns the newest lease of an event whose request has ended.
    pub(super) fn newest(&mut self, job: Job) -> Job {
        match self.newer.is_empty() {
            true => job,
            false => self.newer.remove(&job.lease.id).unwrap_or(job),
        }
    }

    /// Forgets the newer lease of an event that the outbox no longer leases.
    pub(super) fn drop_newer(&mut self, id: EventId) {
        self.newer.remove(&id);
    }

    /// Records that the engine no longer has this event. Returns its newer lease.
    pub(super) fn end(&mut self, id: EventId) -> Option<Job> {
        self.held.remove(&id);
        match self.newer.is_empty() {
            true => None,
            false => self.newer.remove(&id),
        }
    }
}
