//! The lock of a program's Intercom events, its checks, and documentation made of them.
//!
//! [`catalogue!`](intercom_core::catalogue!) lists what a program can send. A test keeps that list in a file:
//!
//! ```
//! use intercom_catalogue::Plan;
//! use intercom_core::{IntercomEvent, catalogue};
//!
//! /// A customer paid an invoice.
//! #[derive(IntercomEvent)]
//! #[event(name = "invoice_paid")]
//! struct InvoicePaid<'a> {
//!     #[event(user_id)]
//!     customer: u64,
//!     cents: u64,
//!     plan: Option<&'a str>,
//! }
//!
//! catalogue! { pub static ACME: InvoicePaid<'_> }
//!
//! // In a test:
//! # fn the_events_are_those_of_the_lock() {
//! Plan::of(&ACME).assert_lock("events.lock");
//! Plan::of(&ACME).assert_complete(env!("CARGO_MANIFEST_DIR"));
//! # }
//!
//! // What it keeps:
//! let lock = Plan::of(&ACME).lock().to_string();
//! assert!(lock.ends_with("
//! event invoice_paid user_id \"A customer paid an invoice.\"
//!   key cents number
//!   key plan text optional
//! "));
//! ```
//!
//! # The lock
//!
//! `events.lock` is text, and lies in the repository. Events are sorted by name, and each key has a line, in the order in
//! which it is sent. There are no hashes and no dates, so git merges the file. `UPDATE_EVENTS_LOCK=1 cargo test` writes it;
//! where the environment has `CI`, it is never written. [`Lock`] reads and writes it, and says what its lines are.
//!
//! # Changes
//!
//! What Intercom does with a change decides its [`Class`]:
//!
//!   - *break*: filters and messages in Intercom match nothing any more, or something else. A key or an event is removed or
//!     renamed, a value has another kind, a name comes back.
//!   - *frozen*: a key is added to an event that was sent. Intercom says that the keys of such an event cannot be changed.
//!   - *note*: harmless, and good to know.
//!
//! A test fails on a break and on a frozen change, unless a line in the lock allows it, with a reason:
//!
//! ```text
//! allow KEY_REMOVED invoice_paid.seats "sales asked for it"
//! ```
//!
//! Writing the lock makes an `allowed` line of it, which stays: the reason is part of the same commit. An `allow` line that
//! allows nothing fails the test. [`Rule`] has every rule, with its sentence and its fix.
//!
//! # Exports
//!
//! [`Plan::to_markdown`] makes documentation for people, and [`Plan::assert_markdown`] holds a file to it.
//! [`Plan::to_json_schema`] describes the bodies of requests. Both can be made of a lock too: [`Lock::plan`].

mod changes;
mod json_schema;
mod lock;
mod markdown;
mod plan;
mod review;
mod rule;
#[cfg(feature = "sources")]
mod sources;
mod update;

pub use changes::Finding;
pub use lock::{Allowance, Lock, LockSyntaxError, Retired};
pub use markdown::MarkdownError;
pub use plan::{Plan, PlannedEvent, PlannedKey};
pub use review::Review;
pub use rule::{Class, Rule};
#[cfg(feature = "sources")]
pub use sources::{SourcesError, Unlisted};
pub use update::LockError;
