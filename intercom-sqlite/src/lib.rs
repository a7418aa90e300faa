#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod clock;
mod error;
mod inspect;
mod open;
mod outbox;
mod reader;
mod schema;
mod shared;
mod store;
mod transaction;
mod writer;

pub use builder::{DEFAULT_POLL_INTERVAL, SqliteOutboxBuilder};
pub use error::OpenError;
pub use inspect::Inspection;
pub use intercom_delivery::outbox::PendingEvent;
pub use open::{DEFAULT_DEAD_LETTERS, DEFAULT_LOCK_TIMEOUT, DEFAULT_MAX_BYTES};
pub use outbox::SqliteOutbox;
pub use rusqlite;
pub use schema::{APPLICATION_ID, SCHEMA_VERSION};
pub use transaction::accept_in;
#[doc(hidden)]
pub use transaction::accept_in_at;
