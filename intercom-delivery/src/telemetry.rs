//! Logs and spans by `tracing`, and the labels of a delivery.
//!
//! The crate's documentation lists the spans. No field holds a contact or a value.

use std::fmt;
use std::time::Duration;

use intercom_core::ErrorKind;
use tracing::Span;

use crate::engine::Doubt;
use crate::ledger::Ledger;
use crate::outbox::{DeadLetter, DeadLetterReason, Epoch, OutboxError, Standby};

/// The labels that distinguish a delivery in metrics, logs and status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels(Vec<(String, String)>);

impl Labels {
    /// Sets a label. A later label of the same name replaces it.
    pub(crate) fn set(&mut self, name: String, value: String) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the span in which a delivery with these labels logs.
    pub(crate) fn span(&self) -> Span {
        match self.is_empty() {
            true => Span::none(),
            false => tracing::error_span!("delivery", labels = %self),
        }
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

/// Logs refused events.
pub(crate) fn refused(reason: &'static str, events: u64) {
    tracing::debug!(reason, events, "events not accepted");
}

/// Logs a step of the system's clock, or a sleep of the machine.
pub(crate) fn clock_stepped(seconds: i64) {
    tracing::warn!(
        seconds,
        "the system's clock was stepped, or the machine slept; waits and ages go by elapsed time, \
         but an event without a time of its own has the second that the clock shows"
    );
}

/// Logs that this process delivers from now on.
pub(crate) fn began(epoch: Epoch) {
    tracing::info!(epoch = epoch.get(), "this process delivers from the outbox");
}

/// Logs that another process delivers.
pub(crate) fn stands_by(standby: &Standby) {
    let Standby { epoch, deliverer, .. } = standby;
    tracing::info!(epoch = epoch.get(), deliverer, "on standby: another process delivers");
}

/// Logs a dead letter.
pub(crate) fn dead(letter: &DeadLetter) {
    let DeadLetter { id, event, reason, failure, attempts, .. } = letter;
    let name = event.event_name().as_str();
    let failure = failure.as_ref().map(|failure| failure.message.as_str());
    let reason = reason.as_str();
    match letter.reason {
        // The engine has logged this at the silencing of the name.
        DeadLetterReason::EventNameLimit => {
            tracing::debug!(
                %id,
                event.name = name,
                reason,
                attempts,
                failure,
                "event is a dead letter"
            );
        }
        _ => {
            tracing::warn!(
                %id,
                event.name = name,
                reason,
                attempts,
                failure,
                "event is a dead letter"
            );
        }
    }
}

/// Logs that an operator buried pending events.
pub(crate) fn buried(events: u64) {
    tracing::warn!(events, "an operator buried pending events; they are dead letters now");
}

/// Logs that a rule dropped an event.
pub(crate) fn event_dropped(rule: &str) {
    tracing::debug!(rule, "event dropped by a rule");
}

/// Logs withheld events: the consent check denied them, or their contacts are erased.
pub(crate) fn withheld(events: u64) {
    if events > 0 {
        tracing::debug!(events, "events withheld");
    }
}

/// Logs that rules derived events.
pub(crate) fn derived(events: u64) {
    if events > 0 {
        tracing::debug!(events, "events derived by rules");
    }
}

/// Logs an erasure.
pub(crate) fn erased(pending: u64, dead_letters: u64, in_flight: usize) {
    tracing::info!(pending, dead_letters, in_flight, "a contact was erased");
}

pub(crate) fn name_silenced(name: &str, message: &str) {
    tracing::error!(
        event.name = name,
        error = message,
        "Intercom takes no events of this name, so they become dead letters; \
         archive event names in Intercom's settings, then redrive them"
    );
}

pub(crate) fn retried(name: &str, attempts: u32, after: Duration, message: &str) {
    tracing::debug!(
        event.name = name,
        attempts,
        ?after,
        error = message,
        "event will be sent again"
    );
}

/// Logs that the engine ignores the reset of the rate limit from now on.
pub(crate) fn reset_doubted(doubt: &Doubt) {
    tracing::warn!(reason = %doubt, "the rate limit's reset is not believed");
}

/// Logs that the engine believes the reset of the rate limit again.
pub(crate) fn reset_believed() {
    tracing::info!("the rate limit's reset is believed again");
}

pub(crate) fn panicked(what: &'static str) {
    tracing::error!("{what} panicked; the panic was contained");
}

pub(crate) fn outage(message: &str) {
    tracing::warn!(error = message, "Intercom cannot be reached; events are kept");
}

pub(crate) fn stopped(message: &str) {
    tracing::error!(error = message, "delivery is stopped until this is fixed; events are kept");
}

pub(crate) fn recovered() {
    tracing::info!("Intercom takes events again");
}

pub(crate) fn paused(wait: Duration) {
    tracing::info!(?wait, "Intercom asks for a pause; events are kept");
}

pub(crate) fn creation_refused(message: &str) {
    tracing::error!(
        error = message,
        "contacts are not created until this is fixed; their events are kept"
    );
}

pub(crate) fn outbox_failed(what: &'static str, error: &OutboxError) {
    tracing::error!(
        error = error as &(dyn std::error::Error + 'static),
        "the outbox cannot {what}; the engine tries again"
    );
}

pub(crate) fn outbox_works(what: &'static str) {
    tracing::info!("the outbox works again: it can {what}");
}

pub(crate) fn ledger(ledger: &Ledger) {
    let Ledger { accepted, derived, refused, delivered, dead, pending, .. } = ledger;
    let Ledger { withheld, dropped, erased, moved, collided, .. } = ledger;
    let refused = refused.total();
    tracing::info!(
        accepted,
        derived,
        refused,
        delivered,
        dead,
        pending,
        withheld,
        dropped,
        erased,
        moved,
        collided,
        "ledger of events"
    );
}

/// Logs a panic of the engine.
pub(crate) fn died() {
    tracing::error!("the delivery engine panicked, most likely in the outbox; delivery has ended");
}

/// Logs the drop of a delivery without a shutdown.
pub(crate) fn dropped(pending: u64) {
    match pending {
        0 => tracing::debug!("delivery was dropped; nothing was pending"),
        _ => {
            tracing::warn!(pending, "delivery was dropped without a shutdown, with events pending")
        }
    }
}

/// The names of all outcomes of an attempt. The last one stands for any other.
#[cfg(feature = "metrics")]
pub(crate) const OUTCOMES: [&str; 17] = [
    "delivered",
    "panicked",
    "invalid",
    "rejected",
    "event_name_limit",
    "unknown_contact",
    "ambiguous_contact",
    "unauthorized",
    "forbidden",
    "rate_limited",
    "unavailable",
    "timeout",
    "connection",
    "certificate",
    "proxy",
    "unexpected_answer",
    "other",
];

/// The name of an outcome.
pub(crate) const fn outcome(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidEvent | ErrorKind::InvalidContact => "invalid",
        ErrorKind::Rejected => "rejected",
        ErrorKind::EventNameLimit => "event_name_limit",
        ErrorKind::UnknownContact => "unknown_contact",
        ErrorKind::AmbiguousContact => "ambiguous_contact",
        ErrorKind::Unauthorized => "unauthorized",
        ErrorKind::Forbidden => "forbidden",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Connection => "connection",
        ErrorKind::Certificate => "certificate",
        ErrorKind::Proxy => "proxy",
        ErrorKind::UnexpectedAnswer => "unexpected_answer",
        _ => "other",
    }
}

/// Spans, from `send` to the settlement of an event. Their level is `debug`; the calls of the
/// outbox have the level `trace`. A disabled span costs no allocation. The names are those of
/// OpenTelemetry's conventions for messaging and for HTTP clients.
pub(crate) mod spans {
    use tracing::Span;
    use tracing::field::Empty;

    use crate::outbox::EventId;

    /// Target of all spans.
    const TARGET: &str = "intercom_delivery::spans";

    const SYSTEM: &str = "intercom";

    /// The destination of all messages, in OpenTelemetry's words.
    const DESTINATION: &str = "events";

    /// Accepts an event.
    pub(crate) fn send(events: usize) -> Span {
        tracing::debug_span!(
            target: TARGET,
            "send",
            otel.name = "send events",
            otel.kind = "producer",
            messaging.system = SYSTEM,
            messaging.operation.name = "send",
            messaging.operation.type = "send",
            messaging.destination.name = DESTINATION,
            messaging.batch.message_count = events,
            error.type = Empty,
        )
    }

    /// Delivers an event: from its lease to its settlement, around an attempt.
    pub(crate) fn process(id: EventId, attempts: u32) -> Span {
        tracing::debug_span!(
            target: TARGET,
            "process",
            otel.name = "process events",
            otel.kind = "consumer",
            messaging.system = SYSTEM,
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.destination.name = DESTINATION,
            messaging.message.id = id.get(),
            intercom.delivery.attempts = attempts,
            intercom.dead_letter.reason = Empty,
            error.type = Empty,
        )
    }

    /// One request for an event.
    pub(crate) fn attempt(process: &Span, attempts: u32) -> Span {
        tracing::debug_span!(
            target: TARGET,
            parent: process,
            "attempt",
            otel.name = "POST",
            otel.kind = "client",
            http.request.method = "POST",
            url.template = "/events",
            // The transport fills this in.
            server.address = Empty,
            server.port = Empty,
            http.response.status_code = Empty,
            http.request.resend_count = attempts,
            error.type = Empty,
        )
    }

    /// A call of `lease`.
    pub(crate) fn receive(limit: usize) -> Span {
        tracing::trace_span!(
            target: TARGET,
            "receive",
            otel.name = "receive events",
            otel.kind = "client",
            messaging.system = SYSTEM,
            messaging.operation.name = "receive",
            messaging.operation.type = "receive",
            messaging.destination.name = DESTINATION,
            messaging.batch.message_count = limit,
        )
    }

    /// A call of `settle`.
    pub(crate) fn settle(events: usize) -> Span {
        tracing::trace_span!(
            target: TARGET,
            "settle",
            otel.name = "settle events",
            otel.kind = "client",
            messaging.system = SYSTEM,
            messaging.operation.name = "settle",
            messaging.operation.type = "settle",
            messaging.destination.name = DESTINATION,
            messaging.batch.message_count = events,
        )
    }
}
