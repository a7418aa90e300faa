//! Pending events, as tools show them.

use std::fmt;
use std::time::SystemTime;

use intercom_core::DataEvent;

use super::{EventId, Failure};

/// A pending event, for a tool that reads a store.
///
/// `Display` is a line for a log. Neither it nor `Debug` shows the contact or a value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PendingEvent {
    /// Its number in the outbox.
    pub id: EventId,
    /// The event.
    pub event: DataEvent,
    /// The time of its acceptance, or of its last redrive.
    pub accepted_at: SystemTime,
    /// When it is due. Only the process that delivers knows whether it is leased.
    pub due_at: SystemTime,
    /// The number of attempts so far.
    pub attempts: u32,
    /// The failure of the last attempt.
    pub last_failure: Option<Failure>,
}

impl PendingEvent {
    /// Creates a pending event without an attempt, due since its acceptance.
    pub fn new(id: EventId, event: DataEvent, accepted_at: SystemTime) -> Self {
        let due_at = accepted_at;
        PendingEvent { id, event, accepted_at, due_at, attempts: 0, last_failure: None }
    }

    /// Sets when it is due. The default is the time of its acceptance.
    #[must_use]
    pub fn with_due_at(mut self, due_at: SystemTime) -> Self {
        self.due_at = due_at;
        self
    }

    /// Sets the number of attempts so far. The default is 0.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the failure of the last attempt. The default is none.
    #[must_use]
    pub fn with_last_failure(mut self, failure: impl Into<Option<Failure>>) -> Self {
        self.last_failure = failure.into();
        self
    }
}

impl fmt::Display for PendingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PendingEvent { id, event, attempts, last_failure, .. } = self;
        let name = event.event_name().escape_debug();
        write!(f, "pending event {id} `{name}` (attempts: {attempts})")?;
        last_failure.as_ref().map_or(Ok(()), |failure| write!(f, ": {failure}"))
    }
}
