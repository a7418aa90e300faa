//! Rows of events.

use std::sync::Arc;

use intercom_core::DataEvent;
use intercom_delivery::outbox::{EventId, Failure, Lease, PendingEvent, Stage};
use tokio_postgres::Row;

use crate::clock::{Millis, moment, until};

/// The columns of a [`StoredEvent`].
pub(crate) const COLUMNS: &str = "id, due_at, accepted_at, stage, attempts, last_failure, \
                                  last_status, last_request_id, body::text AS body, removed, \
                                  sensitive";

pub(crate) struct StoredEvent {
    pub(crate) id: i64,
    /// `None` for an event that nothing has put back. It is due at once.
    pub(crate) due: Option<Millis>,
    pub(crate) accepted: Millis,
    stage: i16,
    attempts: i64,
    failure: Option<Failure>,
    body: String,
    /// Whether an operator has removed it.
    removed: bool,
    sensitive: Option<Vec<String>>,
    /// The rank in the order of first leases.
    pub(crate) place: u64,
}

impl StoredEvent {
    /// Reads [`COLUMNS`], beginning at a column.
    pub(crate) fn of(row: &Row, column: usize) -> Self {
        StoredEvent {
            id: row.get(column),
            due: row.get(column + 1),
            accepted: row.get(column + 2),
            stage: row.get(column + 3),
            attempts: row.get(column + 4),
            failure: failure(row, column + 5),
            body: row.get(column + 8),
            removed: row.get(column + 9),
            sensitive: row.get(column + 10),
            place: 0,
        }
    }

    /// Returns whether it has not been leased yet.
    pub(crate) fn is_new(&self) -> bool {
        !self.removed && self.due.is_none()
    }

    /// Returns the order of leases: the due time, then the id.
    ///
    /// A new event is due now, even after an operator has set the clock back.
    pub(crate) fn order(&self, now: Millis) -> (Millis, i64) {
        (self.due.unwrap_or(self.accepted.min(now)), self.id)
    }

    /// Returns the lease of the event, or `None` for an unreadable body.
    pub(crate) fn lease(self, now: Millis) -> Option<Lease> {
        let stage = match self.stage {
            1 => Stage::Admitted,
            2 => Stage::Redriven,
            3 => Stage::Derived,
            _ => Stage::New,
        };
        let id = EventId::new(self.id.unsigned_abs());
        let event = readable(id, self.body, self.sensitive)?;
        let lease = Lease::new(id, event, stage)
            .with_attempts(u32::try_from(self.attempts).unwrap_or(u32::MAX))
            .with_last_failure(self.failure.map(Arc::new))
            .with_age(until(self.accepted, now));
        Some(lease)
    }

    /// Returns the event for tools, or `None` for an unreadable body.
    pub(crate) fn pending(self) -> Option<PendingEvent> {
        let id = EventId::new(self.id.unsigned_abs());
        let event = readable(id, self.body, self.sensitive)?;
        let pending = PendingEvent::new(id, event, moment(self.accepted))
            .with_due_at(moment(self.due.unwrap_or(self.accepted)))
            .with_attempts(u32::try_from(self.attempts).unwrap_or(u32::MAX))
            .with_last_failure(self.failure);
        Some(pending)
    }
}

/// Reads three columns, beginning at this one: the message, the status, and the id of the request.
pub(crate) fn failure(row: &Row, column: usize) -> Option<Failure> {
    let message: Option<String> = row.get(column);
    let status: Option<i32> = row.get(column + 1);
    let status = status.and_then(|status| u16::try_from(status).ok());
    let failure = |message| Failure::new(message).with_status(status);
    message
        .map(|message| failure(message).with_request_id(row.get::<_, Option<String>>(column + 2)))
}

/// Reads a body. Logs an unreadable one, which stays in its row and delays no other event.
pub(crate) fn readable(
    id: EventId,
    body: String,
    sensitive: Option<Vec<String>>,
) -> Option<DataEvent> {
    match DataEvent::from_body(body) {
        Ok(event) => Some(event.with_sensitive_keys(sensitive.unwrap_or_default())),
        Err(error) => {
            tracing::error!(
                event.id = id.get(),
                error = %error,
                "the outbox holds an unreadable event"
            );
            None
        }
    }
}

/// Returns a text without NUL, which PostgreSQL cannot store.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
