//! Delivers Intercom events in the background: accepted at once, delivered surely, every one accounted for.
//!
//! ```no_run
//! use std::time::Duration;
//! use intercom_core::{Contact, DynamicEvent};
//! use intercom_delivery::{Delivery, UnknownContact};
//! use intercom_http::HttpTransport;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let delivery = Delivery::builder(HttpTransport::from_env()?)
//!         .unknown_contact(UnknownContact::Create)
//!         .start()?;
//!     let tracker = delivery.tracker();
//!
//!     let event = DynamicEvent::new("project_created")?.with("project_id", 7)?;
//!     tracker.for_contact(Contact::email("ada@example.com")).send(&event).await?;
//!
//!     let report = delivery.shutdown(Duration::from_secs(30)).await;
//!     println!("{report}");
//!     Ok(())
//! }
//! ```
//!
//! `send` returns in about a microsecond, when the event is accepted. From there the engine sends it to
//! Intercom, through outages, rate limits and unknown contacts. It can say at any moment where every
//! event is.
//!
//! # Where events are held
//!
//! Events wait in an [`Outbox`]. [`MemoryOutbox`], the default, is bounded and gone with the process; a
//! durable outbox survives a crash. When it is full, `send` waits for room or refuses:
//! [`Backpressure`]. No event is dropped in silence. What cannot be delivered becomes a dead letter
//! with its [reason](DeadLetterReason), and can be [redriven](Delivery::redrive).
//!
//! # Many processes, one deliverer
//!
//! Several processes may use one durable outbox. Each accepts, at any time, and **one delivers**: so the
//! pacer, the breaker and the seconds in use are true for all of them. The others stand by, and one
//! takes over when the deliverer ends, however it ends. [`Delivery::status`] says who delivers.
//!
//! # What an answer leads to
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
//! An event is always sent again as the same bytes, with the same second, so that Intercom recognizes
//! the duplicate.
//!
//! # Pacing
//!
//! All requests pass one pacer, which reads Intercom's `X-RateLimit` headers. It spreads what is left of
//! a window as soon as more events wait than are left, or less than a quarter is left. So no request
//! meets a 429 as long as nobody else uses up the same limit. Without headers, a 429 leads to back-off.
//!
//! One event's failure is not an outage. The circuit breaker opens when ten events in a row fail that
//! never failed before: then single events probe, ten a second at first and one a minute in the end. It
//! also opens when Intercom refuses the token or the plan, with back-off up to five minutes. After a fix,
//! [`Delivery::resume`] probes at once. Events that failed before leave three in four requests to others.
//!
//! # Two events that Intercom takes for one
//!
//! Intercom ignores the second of two events with one name, contact and second. The engine admits each
//! event once, before its first attempt, and moves one that would be ignored to the next free second:
//! [`Collisions`]. It knows the seconds of all pending events, of dead letters, and of what left in the
//! last two minutes. An event that was sent before is never moved.
//!
//! # Rules, consent, erasure
//!
//! Before its first attempt an event is asked, in this order: was its contact [erased](Delivery::erase),
//! does it [consent](DeliveryBuilder::consent), and what do the [rules](DeliveryBuilder::rules) say?
//! What this changes is stored before anything is sent. An event that is not sent counts as `withheld`
//! or `dropped`, and its body is gone. What a rule derives counts as `derived`, and is asked about
//! itself, but meets no rule.
//!
//! # How delivery is doing
//!
//! [`Delivery::ledger`] says where every event is, in numbers that always balance. [`Delivery::status`]
//! says whether events are sent, and why not. The ledger is logged every minute in which it changed. No
//! log holds a contact or a value. The feature `metrics` adds:
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `intercom_delivery_accepted_total` | counter | |
//! | `intercom_delivery_refused_total` | counter | `reason` |
//! | `intercom_delivery_delivered_total` | counter | |
//! | `intercom_delivery_dead_total` | counter | `reason` |
//! | `intercom_delivery_dropped_total`, by rules | counter | `rule` |
//! | `intercom_delivery_attempts_total` | counter | `outcome` |
//! | `intercom_delivery_panics_total` | counter | |
//! | `intercom_delivery_pending`, of the process that delivers | gauge | |
//! | `intercom_delivery_attempt_seconds` | histogram | |
//! | `intercom_delivery_delay_seconds`, from acceptance to delivery | histogram | |
//!
//! # Ending
//!
//! [`Delivery::flush`] waits until what this process accepted is delivered. [`Delivery::shutdown`] ends
//! it: over a durable outbox after the requests in flight, over one in memory after all events. Both
//! take a deadline and report what is pending.
//!
//! A process is asked to end by SIGTERM (systemd, Docker, Kubernetes) or by SIGINT (Ctrl-C). Listen for both, let your own
//! requests end, because they send events, and shut the delivery down last:
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
pub mod outbox;
pub mod policy;
mod status;
mod telemetry;
mod time;

pub use builder::{
    DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_CONCURRENCY, DEFAULT_LEDGER_INTERVAL, DeliveryBuilder,
    StartError,
};
pub use delivery::Delivery;
pub use ledger::{Deaths, Ledger, Refused, Report};
pub use memory_tracker::{MemoryContactTracker, MemoryTracker};
pub use outbox::{
    DeadLetter, DeadLetterReason, Epoch, EventId, Failure, MemoryOutbox, Operate, Outbox,
    OutboxError, Selection,
};
pub use policy::{
    Backpressure, Collisions, Consent, Erased, InFlight, RetryPolicy, UnknownContact,
};

/// Rules over event data, for [`DeliveryBuilder::rules`].
#[doc(no_inline)]
pub use intercom_rules::Rules;
pub use status::{DeliveringTurn, State, Status, Trouble};
