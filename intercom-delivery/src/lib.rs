#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Guarantees
//!
//! - **Refused early.** What breaks one of Intercom's rules fails to compile, or fails before any I/O.
//! - **Nothing is swallowed.** A redirect, a page and a list of errors never pass for success, whatever
//!   their status. Any other 2xx means that Intercom has the event.
//! - **Every accepted event ends** delivered or in the dead letters, as long as its outbox lives.
//! - **The ledger balances** at every moment. It counts for all processes that use the outbox. Each
//!   process counts what it refused.
//! - **One delivers.** A process that lost its turn changes nothing in the outbox.
//! - **A repetition has the same bytes.** The engine sends an event again after a lost answer, and
//!   after a takeover during a request. It also does so when a process ends, or its disk stays full,
//!   between the answer and the settlement.
//! - **Two events are two.** Calling `send` twice makes two events, each with a second of its own.
//! - **Nothing leaks.** No token, no contact and no value is in any log or error.
//!
//! ## What an answer leads to
//!
//! | answer | consequence |
//! |---|---|
//! | taken | delivered |
//! | wrong, refused, ambiguous contact | dead letter |
//! | unknown contact | by [`UnknownContact`]: dead letter, sent again for a time, or the contact is created |
//! | too many event names | dead letter; events of this name are not sent for ten minutes at a time |
//! | rate limit | nothing is sent before the reset; no attempt is spent |
//! | down, timed out, broken connection | sent again with exponential back-off and full jitter: [`RetryPolicy`] |
//! | fails over and over while others get through | sent again with its own back-off; after 12 failures over an hour a dead letter |
//! | token, plan or permission wrong | nothing is sent until it is fixed; no event is lost for it |
//! | a page or another answer that is not Intercom's | sent again with back-off; if ten events get it that never failed, nothing is sent until it is fixed |
//! | the transport panics | contained and counted; sent again, and a dead letter after the third time |
//!
//! The engine always sends an event again as the same bytes, with the same second, so that Intercom
//! recognizes the duplicate.
//!
//! ## Pacing
//!
//! All requests pass one pacer, which reads Intercom's `X-RateLimit` headers. It spreads the rest
//! of a window as soon as more events wait than fit, or less than a quarter is left. So no request
//! meets a 429 as long as no other program uses the same limit. Without headers, a 429 leads to
//! back-off. Intercom cuts its times to whole seconds, so the pacer waits until a window has
//! certainly ended. It does not believe a reset that no window of 10 seconds can have:
//! [`Status::rate_limit_doubt`] says why.
//!
//! One event's failure is not an outage. The circuit breaker opens when ten events in a row fail
//! that never failed before. Then single events probe, ten a second at first and one a minute in
//! the end. It also opens when Intercom refuses the token or the plan, with back-off up to five
//! minutes. After a fix, [`Delivery::resume`] probes at once. Events that failed before leave three
//! in four requests to others.
//!
//! ## Two events that Intercom takes for one
//!
//! Intercom ignores the second of two events with one name, contact and second. The engine admits
//! each event once, before its first attempt, and moves one that would be ignored to the next free
//! second: [`Collisions`]. It knows the seconds of all pending events, of dead letters, and of what
//! left in the last two minutes. It never moves an event after an attempt.
//!
//! ## Metrics
//!
//! The feature `metrics` adds these, from the start of a delivery, with the recorder at that time.
//! Each has the labels of [`DeliveryBuilder::label`] too:
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
//! | `intercom_delivery_fenced_total`, how often another process took the turn | counter | |
//! | `intercom_delivery_pending`, of the process that delivers | gauge | |
//! | `intercom_delivery_oldest_pending_seconds`, once a ledger interval | gauge | |
//! | `intercom_delivery_breaker_state`, 1 for the present state: `closed`, `half_open`, `outage`, `stopped` | gauge | `state` |
//! | `intercom_delivery_is_deliverer` | gauge | |
//! | `intercom_delivery_attempt_seconds` | histogram | |
//! | `intercom_delivery_delay_seconds`, from acceptance to delivery | histogram | |
//! | `messaging.client.sent.messages`: accepted, and refused with `error.type` | counter | OpenTelemetry's |
//! | `messaging.client.consumed.messages`: leased events | counter | OpenTelemetry's |
//! | `messaging.process.duration`, from a lease to the end of an attempt | histogram | OpenTelemetry's |
//!
//! `cargo run -p otlp` is an example that sends metrics and spans to an OpenTelemetry collector.
//!
//! ## Spans
//!
//! Spans of the target `intercom_delivery::spans` have the names of OpenTelemetry's conventions, as
//! `otel.name` and `otel.kind` tell `tracing-opentelemetry`. At the level `debug`: `send` (a producer),
//! `process` (a consumer: one turn of an event, from its lease to its settlement) and in it `POST` (a
//! client: the request). At the level `trace`: `receive` and `settle`, the calls of the outbox. A disabled span costs no
//! allocation. `process` has no link to its `send`: `tracing` links only
//! spans that are open, and each `send` would stay open until its event is sent.
//!
//! ## Ending
//!
//! systemd, Docker and Kubernetes end a process by SIGTERM, a terminal by SIGINT (Ctrl-C). Listen for
//! both, let your own requests end, because they send events, and shut the delivery down last:
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
/// `Rules::from_toml` needs the feature `toml` of this crate, or a dependency on `intercom-rules`, which has it by
/// default. The types to build rules in code are in `intercom-rules`.
#[doc(no_inline)]
pub use intercom_rules::Rules;
pub use status::{DeliveringTurn, State, Status, Trouble};
