//! How leased events are admitted and settled.

use std::time::Duration;

use intercom_core::DataEvent;

use super::{DeadLetterReason, EventId, Failure, UsedSlot};

/// What admission decided about a leased event. An outbox stores all of it or nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Admission {
    /// Which event.
    pub id: EventId,
    /// What becomes of it.
    pub ruling: Ruling,
    /// The events that rules derive from it. They become pending as
    /// [`Stage::Derived`](super::Stage), with the next ids, also where there is no room. They count
    /// as derived, and for [`oldest_own`](super::Counts::oldest_own) as their cause does.
    pub derived: Vec<DataEvent>,
}

impl Admission {
    /// Makes an admission that derives nothing.
    pub fn new(id: EventId, ruling: Ruling) -> Self {
        Admission { id, ruling, derived: Vec::new() }
    }

    /// Makes the admission of an event that is sent as it is.
    pub fn kept(id: EventId, collides: bool) -> Self {
        Admission::new(id, Ruling::Keep { collides })
    }

    /// Makes the admission of an event that is sent as this, at another second.
    pub fn moved(id: EventId, event: DataEvent) -> Self {
        Admission::new(id, Ruling::Replace { event, moved: true, collides: false })
    }

    /// Sets the events that rules derive from it. By default none.
    #[must_use]
    pub fn with_derived(mut self, derived: Vec<DataEvent>) -> Self {
        self.derived = derived;
        self
    }
}

/// What becomes of an event that is admitted.
///
/// It is exhaustive on purpose: an outbox must store each ruling.
#[derive(Clone, Debug)]
pub enum Ruling {
    /// It is sent as it is, and is [`Stage::Admitted`](super::Stage) from now on.
    Keep {
        /// Whether its second is taken, so that Intercom will ignore it.
        collides: bool,
    },
    /// It is sent as this, and is [`Stage::Admitted`](super::Stage) from now on.
    Replace {
        /// What is sent from now on.
        event: DataEvent,
        /// Whether it was moved to another second, because its own is taken.
        moved: bool,
        /// Whether its second is taken, so that Intercom will ignore it.
        collides: bool,
    },
    /// It is due again later, as what it was, and is admitted then.
    Defer {
        /// In how long.
        after: Duration,
    },
    /// It is deleted and counted as withheld: its contact did not consent, or was erased.
    Withhold,
    /// It is deleted and counted as dropped: a rule says so.
    Drop,
}

/// How a lease ends. Made by [`Lease::settle`](super::Lease::settle).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settlement {
    /// Which event.
    pub id: EventId,
    /// What becomes of it.
    pub verdict: Verdict,
}

impl Settlement {
    /// Creates the settlement of the event with this id. [`Lease::settle`](super::Lease::settle) is
    /// shorter where the lease is at hand.
    pub fn new(id: EventId, verdict: Verdict) -> Self {
        Settlement { id, verdict }
    }
}

/// What becomes of a leased event.
///
/// It is exhaustive on purpose: an outbox must store each verdict.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It was delivered, and is gone.
    Delivered {
        /// The slot in which Intercom has it.
        used: UsedSlot,
    },
    /// It is due again later, as [`Stage::Admitted`](super::Stage).
    PutBack {
        /// In how long.
        after: Duration,
        /// How many attempts are spent by now.
        attempts: u32,
        /// Why it was not delivered, if it was tried. Without one the last failure stays.
        failure: Option<Failure>,
    },
    /// It is a dead letter from now on.
    Bury {
        /// Why.
        reason: DeadLetterReason,
        /// How many attempts were spent.
        attempts: u32,
        /// The last failure, if it was tried.
        failure: Option<Failure>,
        /// The slot in which Intercom may have it. `None` when no attempt can have arrived.
        used: Option<UsedSlot>,
    },
}
