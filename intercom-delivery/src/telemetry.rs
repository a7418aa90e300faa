//! Logs by `tracing`, and metrics behind the feature `metrics`.
//!
//! The crate's documentation lists the metrics. No label and no field holds a contact or a value.

use std::time::Duration;

use intercom_core::ErrorKind;

use crate::engine::Doubt;
use crate::ledger::Ledger;
use crate::outbox::{DeadLetter, DeadLetterReason, Epoch, OutboxError, Standby};

pub(crate) fn accepted(events: u64) {
    #[cfg(feature = "metrics")]
    metrics::counter!("intercom_delivery_accepted_total").increment(events);
    let _ = events;
}

pub(crate) fn refused(reason: &'static str, events: u64) {
    tracing::debug!(reason, events, "events not accepted");
    #[cfg(feature = "metrics")]
    metrics::counter!("intercom_delivery_refused_total", "reason" => reason).increment(events);
}

/// A request for an event has ended.
pub(crate) fn attempt(outcome: &'static str, took: Duration) {
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("intercom_delivery_attempts_total", "outcome" => outcome).increment(1);
        metrics::histogram!("intercom_delivery_attempt_seconds").record(took);
    }
    let _ = (outcome, took);
}

/// An event was delivered, this long after it was accepted.
pub(crate) fn delivered(delay: Duration) {
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("intercom_delivery_delivered_total").increment(1);
        metrics::histogram!("intercom_delivery_delay_seconds").record(delay);
    }
    let _ = delay;
}

/// The number of pending events has changed.
pub(crate) fn pending(events: u64) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("intercom_delivery_pending").set(events as f64);
    let _ = events;
}

/// This process delivers from now on.
pub(crate) fn began(epoch: Epoch) {
    tracing::info!(epoch = epoch.0, "this process delivers from the outbox");
}

/// Another process delivers.
pub(crate) fn stands_by(standby: &Standby) {
    let Standby { epoch, deliverer, .. } = standby;
    tracing::info!(epoch = epoch.0, deliverer, "on standby: another process delivers");
}

/// An event is a dead letter now.
pub(crate) fn dead(letter: &DeadLetter) {
    let DeadLetter { id, event, reason, failure, attempts, .. } = letter;
    let name = event.name();
    let failure = failure.as_ref().map(|failure| failure.message.as_str());
    let reason = reason.as_str();
    match letter.reason {
        // It was said when the name was silenced.
        DeadLetterReason::EventNameLimit => {
            tracing::debug!(%id, event.name = name, reason, attempts, failure, "event is a dead letter");
        }
        _ => {
            tracing::warn!(%id, event.name = name, reason, attempts, failure, "event is a dead letter");
        }
    }
    #[cfg(feature = "metrics")]
    metrics::counter!("intercom_delivery_dead_total", "reason" => reason).increment(1);
}

/// An operator buried pending events.
pub(crate) fn buried(events: u64) {
    tracing::warn!(events, "an operator buried pending events; they are dead letters now");
    #[cfg(feature = "metrics")]
    {
        let reason = DeadLetterReason::Buried.as_str();
        metrics::counter!("intercom_delivery_dead_total", "reason" => reason).increment(events);
    }
}

/// A rule dropped an event.
pub(crate) fn event_dropped(rule: &str) {
    tracing::debug!(rule, "event dropped by a rule");
    #[cfg(feature = "metrics")]
    metrics::counter!("intercom_delivery_dropped_total", "rule" => rule.to_owned()).increment(1);
}

/// The consent hook denied events, or their contacts were erased.
pub(crate) fn withheld(events: u64) {
    if events > 0 {
        tracing::debug!(events, "events withheld");
        #[cfg(feature = "metrics")]
        metrics::counter!("intercom_delivery_withheld_total").increment(events);
    }
}

/// Rules derived events.
pub(crate) fn derived(events: u64) {
    if events > 0 {
        tracing::debug!(events, "events derived by rules");
        #[cfg(feature = "metrics")]
        metrics::counter!("intercom_delivery_derived_total").increment(events);
    }
}

/// A contact was erased.
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

/// The reset of the rate limit is not gone by any more.
pub(crate) fn reset_doubted(doubt: &Doubt) {
    tracing::warn!(reason = %doubt, "the rate limit's reset is not believed");
}

/// The reset of the rate limit is gone by again.
pub(crate) fn reset_believed() {
    tracing::info!("the rate limit's reset is believed again");
}

pub(crate) fn panicked(what: &'static str) {
    tracing::error!("{what} panicked; the panic was contained");
    #[cfg(feature = "metrics")]
    metrics::counter!("intercom_delivery_panics_total").increment(1);
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

/// The engine panicked.
pub(crate) fn died() {
    tracing::error!("the delivery engine panicked, most likely in the outbox; delivery has ended");
}

/// The delivery was dropped without a shutdown.
pub(crate) fn dropped(pending: u64) {
    match pending {
        0 => tracing::debug!("delivery was dropped; nothing was pending"),
        _ => {
            tracing::warn!(pending, "delivery was dropped without a shutdown, with events pending")
        }
    }
}

/// The name of an outcome, for metrics.
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
