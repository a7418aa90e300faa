#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Guarantees
//!
//! - **Refused early.** What breaks one of Intercom's rules fails to compile, or fails before any
//!   I/O.
//! - **No failure passes for success.** A redirect, HTML or a list of errors is never a success,
//!   whatever its status. With `HttpTransport`, an event counts as delivered after a 200, 201, 202
//!   or 204 without such a body.
//! - **No accepted event is lost**, as long as its outbox exists. It ends delivered or as a dead
//!   letter, unless a rule drops it, the engine withholds it, or you erase its contact. An outbox
//!   may limit its dead letters: then it deletes the oldest, and counts them as purged.
//! - **The ledger balances** at every moment. It covers all processes that use the outbox. Four of
//!   its numbers are of one process: `refused`, `waiting`, `panics` and `deaths`.
//! - **One process delivers.** After a takeover, the former process settles nothing more.
//! - **A retry sends the same bytes.** The engine sends an event again if the response is lost, or
//!   if another process takes over during the request. It also does so if the outbox could not
//!   store the result, because the process ended or the disk was full.
//! - **Two calls of `send` make two events.** [`Collisions::Move`], the default, gives each its own
//!   second.
//! - **Logs and errors show no secrets**: no token, no contact and no value. One exception: an
//!   error may have up to three characters of a value, if Intercom's own message repeats them.
//!
//! ## Words
//!
//! | word | meaning |
//! |---|---|
//! | engine | the task that sends events |
//! | attempt | one request for an event |
//! | turn | the time during which one process delivers |
//! | lease | the engine's claim on an event that it is about to send, in its turn |
//! | admission | the result of erasures, consent, rules and [`Collisions`], before the first attempt |
//! | settlement | the result of an attempt, as the outbox stores it |
//! | epoch | the number of a turn, which only grows |
//! | standby | a process that accepts events while another process has the turn |
//! | second | the `created_at` of an event, which Intercom keeps in whole seconds |
//! | slot | a contact, an event name and a second: Intercom keeps one event of each |
//! | used slot | the slot of an event that may have reached Intercom |
//! | derived event | an event that a rule makes from another |
//! | withheld event | an event that the engine deleted unsent: no consent, or an erased contact |
//! | tombstone | the keyed hash of an erased contact's identifier, by which the engine knows its later events |
//! | poison | an event that fails by itself, while others succeed |
//! | probe | a single event that tests whether an outage or a refusal is over |
//!
//! ## Policies
//!
//! | policy | what it decides |
//! |---|---|
//! | [`Backpressure`] | what `send` does when the outbox is full |
//! | [`RetryPolicy`] | the back-off between attempts, and when an event becomes a dead letter |
//! | [`UnknownContact`] | what happens to an event whose contact Intercom does not know |
//! | [`Collisions`] | what happens to two events that Intercom takes for one |
//! | [`Consent`] | whether to send an event at all |
//!
//! ## Pacing
//!
//! The engine limits the rate of all its requests by Intercom's `X-RateLimit` headers. Intercom
//! counts requests in windows of 10 seconds. In two cases the engine spreads the remaining requests
//! of a window over its remaining time. Either there are more events than remaining requests, or
//! less than a quarter of the limit remains. So no request gets a 429, unless another program uses
//! the same limit. Without headers, a 429 leads to back-off. The headers give the end of a window
//! in whole seconds, so the engine waits until the window has certainly ended. If that end cannot
//! be right for a window of 10 seconds, the engine ignores it, and [`Status::rate_limit_doubt`]
//! says why.
//!
//! ## Outages
//!
//! A circuit breaker opens in an outage, and stops almost all sending. It opens after at least ten
//! failures in a row, of events that never failed before. One event that fails again and again
//! does not open it. If many events are poison, the breaker needs more failures in a row. While it
//! is open, single events probe: about ten a second at first, and one a minute in a long outage.
//!
//! The breaker also opens when Intercom refuses the token or the plan. Then the wait between probes
//! grows up to five minutes. After a fix, [`Delivery::resume`] probes at once. While the breaker is
//! closed, events that failed before get at most one in four requests if others wait.
//!
//! ## Two events that Intercom takes for one
//!
//! Intercom ignores an event that has the contact, name and second of an earlier one. The engine
//! looks for such an earlier event among pending events, dead letters, and events that it sent in
//! the last two minutes. It moves an event to another second only while no attempt can have reached
//! Intercom. [`Collisions::Keep`] moves none.
//!
//! ## Metrics
//!
//! The feature `metrics` adds these. Install your recorder before [`DeliveryBuilder::start`]. Each
//! metric also has the labels of [`DeliveryBuilder::label`]:
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `intercom_delivery_accepted_total` | counter | |
//! | `intercom_delivery_refused_total` | counter | `reason` |
//! | `intercom_delivery_delivered_total` | counter | |
//! | `intercom_delivery_dead_total` | counter | `reason` |
//! | `intercom_delivery_dropped_total`, by rules | counter | `rule` |
//! | `intercom_delivery_derived_total`, by rules | counter | |
//! | `intercom_delivery_withheld_total`, without consent, or of an erased contact | counter | |
//! | `intercom_delivery_attempts_total` | counter | `outcome` |
//! | `intercom_delivery_panics_total` | counter | |
//! | `intercom_delivery_takeovers_total`, how often this process began to deliver | counter | |
//! | `intercom_delivery_fenced_total`, how often another process took over from this one | counter | |
//! | `intercom_delivery_pending`, only from the process that delivers | gauge | |
//! | `intercom_delivery_oldest_pending_seconds`, set once in each [ledger interval](DeliveryBuilder::ledger_interval) | gauge | |
//! | `intercom_delivery_breaker_state`, 1 for the present state: `closed`, `half_open`, `outage`, `stopped` | gauge | `state` |
//! | `intercom_delivery_is_deliverer`, 1 while this process delivers, else 0 | gauge | |
//! | `intercom_delivery_attempt_seconds` | histogram | |
//! | `intercom_delivery_delay_seconds`, from acceptance to delivery | histogram | |
//! | `messaging.client.sent.messages`: accepted events, and refused ones with `error.type` | counter | OpenTelemetry's |
//! | `messaging.client.consumed.messages`: leased events | counter | OpenTelemetry's |
//! | `messaging.process.duration`, from a lease to the end of an attempt | histogram | OpenTelemetry's |
//!
//! OpenTelemetry's labels are `messaging.system`, `messaging.operation.name` and `error.type`.
//! `messaging.process.duration` is in seconds. The values of the other labels:
//!
//! - `reason` of a dead letter: see [`DeadLetterReason::as_str`].
//! - `reason` of a refused event: the name of a field of [`Refused`].
//! - `outcome`: `delivered`, `panicked`, `invalid`, `rejected`, `event_name_limit`,
//!   `unknown_contact`, `ambiguous_contact`, `unauthorized`, `forbidden`, `rate_limited`,
//!   `unavailable`, `timeout`, `connection`, `certificate`, `proxy`, `unexpected_answer` or
//!   `other`.
//! - `rule`: the name of the rule.
//! - `error.type`: the `reason` of a refused event, or the `outcome` of an attempt.
//!
//! `cargo run -p otlp` is an example that sends metrics and spans to an OpenTelemetry collector.
//!
//! ## Spans
//!
//! The target of all spans is `intercom_delivery::spans`. Their fields `otel.name` and `otel.kind`
//! set the name and kind that `tracing-opentelemetry` exports, by OpenTelemetry's conventions:
//!
//! | span | level | `otel.name` | `otel.kind` | what it covers |
//! |---|---|---|---|---|
//! | `send` | `debug` | `send events` | `producer` | the acceptance of events |
//! | `process` | `debug` | `process events` | `consumer` | an event, from its lease to its settlement |
//! | `attempt`, in `process` | `debug` | `POST` | `client` | the request |
//! | `receive` | `trace` | `receive events` | `client` | the outbox's `lease` |
//! | `settle` | `trace` | `settle events` | `client` | the outbox's `settle` |
//!
//! A disabled span costs no allocation. The span `process` has no link to the `send` of its event.
//! `tracing` links only open spans, so each `send` would have to stay open until its event is sent.
//!
//! ## Ending on a signal
//!
//! systemd, Docker and Kubernetes end a process by SIGTERM, a terminal by SIGINT (Ctrl-C). Listen
//! for both. First let your server finish its requests, because they may still send events. Then
//! shut the delivery down:
//!
//! ```no_run
//! # #[cfg(unix)]
//! # async fn end(delivery: intercom_delivery::Delivery) -> std::io::Result<()> {
//! use std::time::Duration;
//! use tokio::signal::unix::{SignalKind, signal};
//!
//! let mut terminated = signal(SignalKind::terminate())?;
//! let mut interrupted = signal(SignalKind::interrupt())?;
//! tokio::select! {
//!     _ = terminated.recv() => {}
//!     _ = interrupted.recv() => {}
//! }
//! println!("{}", delivery.shutdown(Duration::from_secs(15)).await);
//! # Ok(())
//! # }
//! ```

mod builder;
#[cfg(feature = "conformance")]
pub mod conformance;
mod delivery;
mod engine;
mod intake;
mod ledger;
mod memory_tracker;
mod metrics;
pub mod outbox;
mod policy;
mod status;
mod telemetry;
mod time;

pub use builder::{DeliveryBuilder, StartError};
pub use delivery::Delivery;
pub use ledger::{Deaths, DrainReport, Ledger, Refused};
pub use memory_tracker::{MemoryContactTracker, MemoryTracker};
pub use outbox::{
    DeadLetter, DeadLetterReason, Epoch, EventId, Failure, MemoryOutbox, Operate, Outbox,
    OutboxError, Selection,
};
pub use policy::{
    Backpressure, Collisions, Consent, Erased, InFlight, RetryPolicy, UnknownContact,
};

/// Rules over event data, for [`DeliveryBuilder::rules`].
///
/// `Rules::from_toml` needs the feature `toml` of this crate, or a dependency on `intercom-rules`,
/// which has it by default. The types to build rules in code are in `intercom-rules`.
#[doc(no_inline)]
pub use intercom_rules::Rules;
pub use status::{DeliveringTurn, State, Status, Trouble};
