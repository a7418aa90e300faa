//! Events that an outbox hands out to be sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp};

use super::{Failure, Settlement, Tombstones, Verdict};

/// The number of an event in its outbox. A later event has a higher one. It stays the same until
/// the event is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// An event that is handed out to be sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lease {
    /// Which event it is.
    pub id: EventId,
    /// The event.
    pub event: DataEvent,
    /// How far its admission has come.
    pub stage: Stage,
    /// How many attempts were spent on it.
    pub attempts: u32,
    /// The failure with which it was last put back.
    pub last_failure: Option<Arc<Failure>>,
    /// How long ago it was accepted, or redriven since.
    pub age: Duration,
}

impl Lease {
    /// Creates the lease of an event at this stage, accepted just now and never attempted.
    pub fn new(id: EventId, event: DataEvent, stage: Stage) -> Self {
        Lease { id, event, stage, attempts: 0, last_failure: None, age: Duration::ZERO }
    }

    /// Sets how many attempts were spent on the event. By default none.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the failure with which the event was last put back. By default there is none.
    #[must_use]
    pub fn with_last_failure(mut self, failure: impl Into<Option<Arc<Failure>>>) -> Self {
        self.last_failure = failure.into();
        self
    }

    /// Sets how long ago the event was accepted, or redriven since. By default zero.
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

/// How far the admission of an event has come. An outbox keeps it with the event.
///
/// It is exhaustive on purpose: an outbox must store each stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was never admitted, or was deferred, or nothing about its admission had to be stored and it
    /// was not put back since.
    New,
    /// It was a dead letter that Intercom refused, and is to be admitted once more. It keeps its
    /// second.
    Redriven,
    /// As `New`, but a rule derived it from another event. It meets no rule itself.
    Derived,
    /// Its bytes are final: admission stored it, or it was put back, or an attempt may have arrived.
    Admitted,
}

impl Stage {
    /// Returns whether the event has no slot yet: it was never admitted.
    pub const fn is_new(self) -> bool {
        matches!(self, Stage::New | Stage::Derived)
    }
}

/// What a lease gave. Without events, the numbers are those of a moment ago.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Leased {
    /// The events, the longest due first.
    pub events: Vec<Lease>,
    /// How many events are pending in all, these included.
    pub pending: u64,
    /// The earliest second among the pending events of [`Stage::New`] and [`Stage::Derived`]. Those
    /// that are leased may be left out. An earlier second than the truth does no harm.
    pub earliest_new: Option<Timestamp>,
    /// For how long requests may begin, counted from when the call returned. `None` means: until
    /// the epoch ends with this process.
    pub valid_for: Option<Duration>,
    /// All tombstones, if they have changed since this engine was told last. They hold for these
    /// events already.
    pub tombstones: Option<Arc<Tombstones>>,
}

impl Leased {
    /// Creates what a lease gave, in the order of the fields. It is valid until the epoch ends with
    /// this process, and no tombstones have changed.
    pub fn new(events: Vec<Lease>, pending: u64, earliest_new: Option<Timestamp>) -> Self {
        Leased { events, pending, earliest_new, valid_for: None, tombstones: None }
    }

    /// Sets for how long requests may begin. By default until the epoch ends with this process.
    #[must_use]
    pub fn with_valid_for(mut self, valid_for: impl Into<Option<Duration>>) -> Self {
        self.valid_for = valid_for.into();
        self
    }

    /// Sets all tombstones, because they have changed. By default they have not.
    #[must_use]
    pub fn with_tombstones(mut self, tombstones: impl Into<Option<Arc<Tombstones>>>) -> Self {
        self.tombstones = tombstones.into();
        self
    }
}
