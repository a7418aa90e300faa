//! How leased events are admitted and settled.

use std::time::Duration;

use intercom_core::DataEvent;

use super::{DeadLetterReason, EventId, Failure, UsedSlot};

/// What admission decided about a leased event. Stored, it makes the event
/// [`Stage::Admitted`](super::Stage).
#[derive(Clone, Debug)]
pub enum Admission {
    /// The event is sent as this, with a later second, because its own is taken.
    Moved {
        /// Which event.
        id: EventId,
        /// What is sent from now on.
        event: DataEvent,
    },
    /// The event is sent as it is.
    Kept {
        /// Which event.
        id: EventId,
        /// Whether its second is taken, so that Intercom will ignore it.
        collides: bool,
    },
}

impl Admission {
    /// Returns which event was admitted.
    pub fn id(&self) -> EventId {
        match self {
            Admission::Moved { id, .. } | Admission::Kept { id, .. } => *id,
        }
    }
}

/// How a lease ends. Made by [`Lease::settle`](super::Lease::settle).
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which event.
    pub id: EventId,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a leased event.
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
