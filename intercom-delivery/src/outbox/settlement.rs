//! Admissions and settlements of leased events.

use std::time::Duration;

use intercom_core::DataEvent;

use super::{DeadLetterReason, EventId, Failure, UsedSlot};

/// The engine's decision before the first attempt of a leased event. An outbox stores all of it or
/// nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Admission {
    /// The event's number.
    pub id: EventId,
    /// What the outbox does with the event.
    pub ruling: Ruling,
    /// The events that rules derive from it. They become pending as
    /// [`Stage::Derived`](super::Stage) with the next ids, even in a full outbox. They count as
    /// derived. For [`oldest_own`](super::Counts::oldest_own), the process that accepted the
    /// original event also accepted them.
    pub derived: Vec<DataEvent>,
}

impl Admission {
    /// Creates an admission that derives nothing.
    pub fn new(id: EventId, ruling: Ruling) -> Self {
        Admission { id, ruling, derived: Vec::new() }
    }

    /// Creates the admission of an event that keeps its bytes.
    pub fn kept(id: EventId, collides: bool) -> Self {
        Admission::new(id, Ruling::Keep { collides })
    }

    /// Creates the admission of an event that moves to another second.
    pub fn moved(id: EventId, event: DataEvent) -> Self {
        Admission::new(id, Ruling::Replace { event, moved: true, collides: false })
    }

    /// Sets the events that rules derive from it. The default is none.
    #[must_use]
    pub fn with_derived(mut self, derived: Vec<DataEvent>) -> Self {
        self.derived = derived;
        self
    }
}

/// What an admission does with an event.
///
/// It is exhaustive on purpose: an outbox must store each ruling.
#[derive(Clone, Debug)]
pub enum Ruling {
    /// The event keeps its bytes, and becomes [`Stage::Admitted`](super::Stage).
    Keep {
        /// Whether another event has its slot, so that Intercom will ignore it. Then the outbox
        /// counts it as [collided](super::Counts::collided).
        collides: bool,
    },
    /// The event gets other bytes, and becomes [`Stage::Admitted`](super::Stage).
    Replace {
        /// The event with its final bytes.
        event: DataEvent,
        /// Whether it moved to another second, because another event has its slot. Then the outbox
        /// counts it as [moved](super::Counts::moved).
        moved: bool,
        /// Whether another event has its slot, so that Intercom will ignore it. Then the outbox
        /// counts it as [collided](super::Counts::collided).
        collides: bool,
    },
    /// The event is due again later at the same stage, and the engine admits it then.
    Defer {
        /// The delay.
        after: Duration,
    },
    /// The outbox deletes the event and counts it as withheld: its contact did not consent, or is
    /// erased.
    Withhold,
    /// The outbox deletes the event and counts it as dropped, because of a rule.
    Drop,
}

/// The end of a lease. [`Lease::settle`](super::Lease::settle) makes it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settlement {
    /// The event's number.
    pub id: EventId,
    /// What the outbox does with the event.
    pub verdict: Verdict,
}

impl Settlement {
    /// Creates the settlement of the event with this number.
    pub fn new(id: EventId, verdict: Verdict) -> Self {
        Settlement { id, verdict }
    }
}

/// What a settlement does with a leased event.
///
/// It is exhaustive on purpose: an outbox must store each verdict.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Intercom has the event. The outbox deletes it.
    Delivered {
        /// The slot in which Intercom has it.
        used: UsedSlot,
    },
    /// The event is due again later, as [`Stage::Admitted`](super::Stage).
    PutBack {
        /// The delay.
        after: Duration,
        /// The number of attempts so far.
        attempts: u32,
        /// The failure of the attempt. `None` keeps the failure before it.
        failure: Option<Failure>,
    },
    /// The event becomes a dead letter.
    Bury {
        /// The reason.
        reason: DeadLetterReason,
        /// The number of attempts.
        attempts: u32,
        /// The last failure, if there was an attempt.
        failure: Option<Failure>,
        /// The slot in which Intercom may have the event. `None` if no attempt can have reached it.
        used: Option<UsedSlot>,
    },
}
