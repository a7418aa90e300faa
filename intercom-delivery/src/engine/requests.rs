//! One request. Catches panics of the transport.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use intercom_core::{Contact, ContactCreation, ErrorKind, Receipt, SendError, Transport};
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span};

use super::breaker::Ticket;
use super::prefetch::Job;
use crate::telemetry::{self, spans};

/// The subject of a request.
pub(super) enum Subject {
    Event(Job),
    Contact(Contact),
}

/// A request that begins.
pub(super) struct Request {
    pub(super) subject: Subject,
    pub(super) ticket: Ticket,
    /// Requests that begin later have higher numbers.
    pub(super) number: u64,
}

/// A request that has ended.
pub(super) struct Ended {
    pub(super) request: Request,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
}

/// How a request ended.
pub(super) enum Outcome {
    Taken(Receipt),
    Contact(ContactCreation),
    Failed(SendError),
    Panicked,
}

/// Sends one request, and waits `limit` for its end.
#[expect(clippy::manual_async_fn, reason = "an async fn holds its arguments twice: 288 bytes more")]
pub(super) fn attempt(
    transport: Arc<dyn Transport>,
    request: Request,
    limit: Duration,
) -> impl Future<Output = Ended> {
    async move {
        let begun = Instant::now();
        let exchange = async {
            match &request.subject {
                Subject::Event(job) => {
                    let span = spans::attempt(&job.span, job.lease.attempts);
                    let sent = transport.send(job.lease.event.clone()).instrument(span.clone());
                    let sent = sent.await;
                    if !span.is_disabled() {
                        note(&span, &sent);
                    }
                    sent.map(Outcome::Taken)
                }
                Subject::Contact(contact) => {
                    transport.create_contact(contact).await.map(Outcome::Contact)
                }
            }
        };
        // A panic can leave only the transport's own state inconsistent.
        let outcome = match timeout(limit, AssertUnwindSafe(exchange).catch_unwind()).await {
            Ok(Ok(Ok(outcome))) => outcome,
            Ok(Ok(Err(error))) => Outcome::Failed(error),
            Ok(Err(_)) => Outcome::Panicked,
            Err(_) => Outcome::Failed(
                SendError::new(ErrorKind::Timeout)
                    .with_detail(format!("the transport did not end within {limit:?}")),
            ),
        };
        Ended { request, outcome, took: begun.elapsed() }
    }
}

/// Records the result in the span of an attempt.
fn note(span: &Span, sent: &Result<Receipt, SendError>) {
    let status = match sent {
        Ok(receipt) => receipt.status(),
        Err(error) => error.status(),
    };
    if let Some(status) = status {
        span.record("http.response.status_code", status);
    }
    if let Err(error) = sent {
        span.record("error.type", telemetry::outcome(error.kind()));
    }
}
