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
//! `send` is done in about a microsecond, when the event is accepted. From there the engine gets it to Intercom,
//! through outages, rate limits and unknown contacts, and can say at any moment where every event is.
//!
//! # What is held where
//!
//! Events wait in an [`Outbox`]. [`MemoryOutbox`], the default, is bounded and gone with the process; a durable one
//! survives a crash. When it is full, `send` waits for room, or refuses: [`Backpressure`]. Nothing is ever dropped in
//! silence. What cannot be delivered ends in the dead letters, with its [reason](DeathReason), from where it can be
//! [redriven](Delivery::redrive).
//!
//! # What an answer leads to
//!
//! | answer | what is done |
//! |---|---|
//! | taken | delivered |
//! | wrong, refused, ambiguous contact | dead letter |
//! | unknown contact | as [`UnknownContact`] says: dead letter, sent again for a time, or the contact is created |
//! | too many event names | dead letter; events of this name alone are not sent for ten minutes at a time |
//! | rate limit | nothing is sent before the reset; no attempt is spent |
//! | down, timed out, broken connection | sent again with exponential back-off and full jitter: [`retry`] |
//! | token, plan, permission or address wrong | nothing is sent until it is mended; no event is lost for it |
//! | the transport panics | contained and counted; sent again, and a dead letter after the third time |
//!
//! What is sent again are always the same bytes, with the same second, so that Intercom knows a repetition.
//!
//! # Pacing
//!
//! All requests go through one gate, which goes by Intercom's `X-RateLimit` headers. What is left of a window is spread
//! over it as soon as more waits than is left, or less than a quarter is; so there is no 429 as long as nobody else
//! uses the same limit up. Where there are no headers, a 429 leads to back-off.
//!
//! After ten failures in a row, over all events, there is an outage: one event at a time tries, with back-off up to a
//! minute, until Intercom answers again. The same is done where an operator is needed; a transport that was
//! [changed](intercom_core::Transport::changed), and [`Delivery::resume`], make it try at once.
//!
//! # Two events that Intercom takes for one
//!
//! Intercom ignores the second of two events with one name, contact and second. An event that would be such a second
//! one is moved to the next free second when it is accepted, or kept and counted: [`Collisions`]. This sees what the
//! outbox holds, and what left it in the last two minutes, of more than 4,096 events the last ones. What a delivery sends
//! again is never taken for a collision; what a caller sends again is another event.
//!
//! # How it is going
//!
//! [`Delivery::ledger`] says where every event is, in numbers that always balance, and [`Delivery::status`] whether
//! anything is sent, and why not. The ledger is logged every minute in which it changed. The log never holds a contact
//! or a value of an event. With the feature `metrics` there are counters and histograms too:
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `intercom_delivery_accepted_total` | counter | |
//! | `intercom_delivery_refused_total` | counter | `reason` |
//! | `intercom_delivery_delivered_total` | counter | |
//! | `intercom_delivery_dead_total` | counter | `reason` |
//! | `intercom_delivery_attempts_total` | counter | `outcome` |
//! | `intercom_delivery_panics_total` | counter | |
//! | `intercom_delivery_pending` | gauge | |
//! | `intercom_delivery_attempt_seconds` | histogram | |
//! | `intercom_delivery_delay_seconds`, from acceptance to delivery | histogram | |
//!
//! # Ending
//!
//! [`Delivery::flush`] waits for what was accepted so far, [`Delivery::shutdown`] delivers what it can before its
//! deadline. Both say what was delivered, what is dead, and what is pending still.

mod builder;
#[cfg(feature = "conformance")]
pub mod conformance;
mod delivery;
mod engine;
mod intake;
mod ledger;
pub mod outbox;
pub mod retry;
mod shared;
mod status;
mod telemetry;
mod time;

pub use builder::{
    DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_CONCURRENCY, DEFAULT_LEDGER_INTERVAL, DeliveryBuilder,
    StartError,
};
pub use delivery::Delivery;
pub use engine::UnknownContact;
pub use intake::Backpressure;
pub use ledger::{Deaths, Ledger, Refused, Report};
pub use outbox::{
    Collisions, DeadLetter, DeathReason, EventId, Failure, MemoryOutbox, Outbox, OutboxError,
    Selection,
};
pub use retry::RetryPolicy;
pub use status::{LineStatus, Status, Trouble};
