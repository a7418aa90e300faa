//! Faults of the outbox, and the back-off between calls.

use std::time::Duration;

use tokio::time::Instant;

use crate::outbox::OutboxError;
use crate::policy::backoff;
use crate::telemetry;
use crate::time::later;

/// First and longest wait after the outbox failed.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

/// Failures in a row of one kind of call.
pub(super) struct CallFailures {
    /// The call, in words for the log.
    task: &'static str,
    failures: u32,
    until: Option<Instant>,
    message: Option<String>,
}

impl CallFailures {
    pub(super) fn with(task: &'static str) -> Self {
        CallFailures { task, failures: 0, until: None, message: None }
    }

    /// Returns the end of the back-off.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn is_backing_off(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    pub(super) fn failed(&mut self, error: &OutboxError, now: Instant) {
        if self.failures == 0 {
            telemetry::outbox_failed(self.task, error);
        }
        let (base, cap) = BACKOFF;
        self.until = Some(later(now, backoff(base, cap, self.failures)));
        self.failures = self.failures.saturating_add(1);
        self.message = Some(error.to_string());
    }

    pub(super) fn succeeded(&mut self) {
        if self.message.take().is_some() {
            telemetry::outbox_works(self.task);
            *self = CallFailures::with(self.task);
        }
    }
}
