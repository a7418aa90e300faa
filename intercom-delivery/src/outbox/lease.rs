//! What goes out of an outbox and comes back: leases, and how they are settled.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::DataEvent;

use super::{DeathReason, Failure};

/// The number of an event in its outbox. A later event has a higher one, and it stays the same until the event is
/// gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Tells one lease of an event from the next one of the same event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseToken(pub u64);

/// An event that is handed out to be sent.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Which event it is.
    pub id: EventId,
    /// Which lease of it.
    pub token: LeaseToken,
    /// The event.
    pub event: DataEvent,
    /// How many attempts were spent on it.
    pub attempts: u32,
    /// Why it was put back the last time that a reason was given.
    pub last_failure: Option<Arc<Failure>>,
    /// How long ago it was accepted, or redriven since.
    pub age: Duration,
}

impl Lease {
    /// Ends the lease in this way.
    pub fn settle(&self, verdict: Verdict) -> Settlement {
        Settlement { id: self.id, token: self.token, verdict }
    }
}

/// What a lease gave.
#[derive(Clone, Debug, Default)]
pub struct Leased {
    /// The events, the longest due first.
    pub events: Vec<Lease>,
    /// In how long the next event is due, as far as is known: another one, or one of these, when its lease is over.
    /// `None` stands for: not until the outbox [wakes](super::Wake) the engine.
    pub next_due: Option<Duration>,
}

/// How a lease ends.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which event.
    pub id: EventId,
    /// Which lease of it.
    pub token: LeaseToken,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a leased event.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It was delivered, and is gone.
    Acknowledge,
    /// It is due again later.
    PutBack {
        /// In how long.
        after: Duration,
        /// How many attempts are spent by now.
        attempts: u32,
        /// Why it was not delivered, if it was tried. Where it is not told, the reason that was told before stands.
        failure: Option<Failure>,
    },
    /// It is a dead letter from now on.
    Bury {
        /// Why.
        reason: DeathReason,
        /// How many attempts were spent.
        attempts: u32,
        /// The last answer, if it was tried.
        failure: Option<Failure>,
    },
}
