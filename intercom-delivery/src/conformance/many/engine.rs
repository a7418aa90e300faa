//! What a process that delivers knows, and what is lost when it is killed.

use std::sync::Arc;

use intercom_core::Timestamp;
use tokio::time::Instant;

use crate::engine::admission::SlotAllocator;
use crate::outbox::{Epoch, EventId, Lease, Tenure, Tombstones};
use crate::policy::Collisions;

pub(super) struct ProcessEngine {
    pub(super) tenure: Tenure,
    pub(super) admission: SlotAllocator,
    pub(super) forget_before: Timestamp,
    /// Leased and admitted.
    pub(super) ready: Vec<Lease>,
    pub(super) in_flight: Vec<Lease>,
    pub(super) valid: Valid,
    pub(super) tombstones: Arc<Tombstones>,
}

/// Until when requests may begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Valid {
    /// No lease was answered yet.
    NotYet,
    Until(Instant),
    /// Until the process ends.
    Always,
}

impl Valid {
    pub(super) fn is_over(self, now: Instant) -> bool {
        match self {
            Valid::NotYet => true,
            Valid::Until(time) => time <= now,
            Valid::Always => false,
        }
    }
}

impl ProcessEngine {
    pub(super) fn new(tenure: Tenure) -> Self {
        let mut admission = SlotAllocator::new(Collisions::Move);
        admission.begin(&tenure);
        ProcessEngine {
            tombstones: tenure.tombstones.clone(),
            tenure,
            admission,
            forget_before: Timestamp::from_unix_seconds(0),
            ready: Vec::new(),
            in_flight: Vec::new(),
            valid: Valid::NotYet,
        }
    }

    /// Returns whether it has this event, by an older lease.
    pub(super) fn has(&self, id: EventId) -> bool {
        self.ready.iter().chain(&self.in_flight).any(|lease| lease.id == id)
    }

    /// Takes admitted events. As an engine does, it keeps one lease of each: the newer one, unless a
    /// request by the older one is in flight.
    pub(super) fn take(&mut self, mut events: Vec<Lease>) {
        events.retain(|newer| !self.in_flight.iter().any(|older| older.id == newer.id));
        self.ready.retain(|older| !events.iter().any(|newer| newer.id == older.id));
        self.ready.extend(events);
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.tenure.epoch
    }
}
