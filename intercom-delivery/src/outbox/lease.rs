//! Leases: events that an outbox hands to the engine.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp};

use super::{Failure, Settlement, Tombstones, Verdict};

/// The number of an event in its outbox. A later event has a higher number, and an event keeps its
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u64);

impl EventId {
    /// Creates an id from its number in the store.
    pub const fn new(number: u64) -> Self {
        EventId(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for EventId {
    fn from(number: u64) -> Self {
        EventId(number)
    }
}

impl From<EventId> for u64 {
    fn from(value: EventId) -> Self {
        value.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// An event that the outbox hands to the engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lease {
    /// The event's number.
    pub id: EventId,
    /// The event.
    pub event: DataEvent,
    /// The progress of its admission.
    pub stage: Stage,
    /// The number of attempts so far.
    pub attempts: u32,
    /// The failure of the last attempt.
    pub last_failure: Option<Arc<Failure>>,
    /// The time since its acceptance or its last redrive, by the outbox's clock.
    pub age: Duration,
}

impl Lease {
    /// Creates the lease of a new event without an attempt.
    pub fn new(id: EventId, event: DataEvent, stage: Stage) -> Self {
        Lease { id, event, stage, attempts: 0, last_failure: None, age: Duration::ZERO }
    }

    /// Sets the number of attempts so far. The default is 0.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the failure of the last attempt. The default is none.
    #[must_use]
    pub fn with_last_failure(mut self, failure: impl Into<Option<Arc<Failure>>>) -> Self {
        self.last_failure = failure.into();
        self
    }

    /// Sets the time since the acceptance, or since the last redrive. The default is zero.
    #[must_use]
    pub fn with_age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Builds the settlement that ends this lease.
    pub fn settle(&self, verdict: Verdict) -> Settlement {
        Settlement::new(self.id, verdict)
    }
}

/// The progress of an event's admission. An outbox stores it with the event.
///
/// It is exhaustive on purpose: an outbox must store each stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The engine has not put the event back. The outbox has stored no admission of it, or only a
    /// [deferral](super::Ruling::Defer).
    New,
    /// As `New`, but the event was a dead letter, and no attempt can have reached Intercom. The
    /// engine moves it only if another event has its second, or used it meanwhile.
    Redriven,
    /// As `New`, but a rule derived the event from another. No rule applies to it.
    Derived,
    /// The bytes are final: the outbox stored the admission, or the engine put the event back, or
    /// an attempt may have reached Intercom.
    Admitted,
}

impl Stage {
    /// Returns whether the engine must still admit the event: any stage but `Admitted`. Until then
    /// the event may move to another slot.
    pub const fn is_new(self) -> bool {
        !matches!(self, Stage::Admitted)
    }
}

/// Leased events. If there are none, `pending` and `earliest_new` may be a moment old.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Leased {
    /// The events, in the order in which they became due.
    pub events: Vec<Lease>,
    /// The number of pending events, these included.
    pub pending: u64,
    /// The earliest second among the pending events that are [new](Stage::is_new). It need not
    /// cover leased events.
    ///
    /// The engine may forget the used slots before this second. So it must also cover events that
    /// an open transaction has accepted, and that no lease shows yet. Such an event may have any
    /// second. While there may be such a transaction, return the earliest possible second. A second
    /// that is too early does no harm, but the engine remembers more slots, up to a million.
    pub earliest_new: Option<Timestamp>,
    /// How long the engine may begin requests, counted from the return of the call. `None` means
    /// as long as this process runs.
    pub valid_for: Option<Duration>,
    /// All tombstones, if they have changed since this engine last got them. They apply to these
    /// events too.
    pub tombstones: Option<Arc<Tombstones>>,
}

impl Leased {
    /// Creates leased events. By default they are valid as long as this process runs, and no
    /// tombstones have changed.
    pub fn new(events: Vec<Lease>, pending: u64, earliest_new: Option<Timestamp>) -> Self {
        Leased { events, pending, earliest_new, valid_for: None, tombstones: None }
    }

    /// Sets how long the engine may begin requests. The default is as long as this process runs.
    #[must_use]
    pub fn with_valid_for(mut self, valid_for: impl Into<Option<Duration>>) -> Self {
        self.valid_for = valid_for.into();
        self
    }

    /// Sets all tombstones, because they have changed. The default is no change.
    #[must_use]
    pub fn with_tombstones(mut self, tombstones: impl Into<Option<Arc<Tombstones>>>) -> Self {
        self.tombstones = tombstones.into();
        self
    }
}
