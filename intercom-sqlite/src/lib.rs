//! A durable outbox for Intercom events in one SQLite file: `send` returns when the event is on the
//! disk.
//!
//! ```no_run
//! use std::time::Duration;
//! use intercom_core::{Contact, DynamicEvent};
//! use intercom_delivery::Delivery;
//! use intercom_http::HttpTransport;
//! use intercom_sqlite::SqliteOutbox;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let delivery = Delivery::builder(HttpTransport::from_env()?)
//!         .outbox(SqliteOutbox::open("events.db")?)
//!         .start()?;
//!
//!     let event = DynamicEvent::new("project_created")?.with("project_id", 7)?;
//!     let ada = Contact::email("ada@example.com");
//!     delivery.tracker().for_contact(ada).send(&event).await?;
//!
//!     println!("{}", delivery.shutdown(Duration::from_secs(30)).await);
//!     Ok(())
//! }
//! ```
//!
//! # What is safe, and when
//!
//! An event is accepted when its transaction is fsynced: SQLite's WAL with `synchronous=FULL`. After
//! any crash or power cut the next start delivers what was pending. Events in flight in a crash are
//! sent again, as the same bytes with the same second, and Intercom ignores the repetition.
//!
//! An error means that nothing was done. Writes that queue up during one commit share the next one,
//! and fail together. A failed commit is written over before its callers are told, so that no crash
//! brings it back. After a failed checkpoint the WAL is read afresh. That waits until no busy process
//! has the file open, and no process checkpoints before.
//!
//! On a full disk nothing more is accepted. Deliveries are still stored where the file has free pages. A
//! process that starts then delivers as soon as there is room to write down that it does.
//! After the file was deleted or moved, nothing more is accepted, and what is in it is delivered.
//!
//! # Many processes
//!
//! Any number of processes can open the file, and accept. One delivers: the holder of an advisory lock
//! on `events.db-lock`, under an epoch in the file that only grows. The others stand by. They try the
//! lock every 100 ms, and take over when the holder releases it or its process ends.
//!
//! Every admission and settlement compares its epoch with the file's. So a deposed holder changes
//! nothing, also if somebody removed the lock file. A stopped process (SIGSTOP) keeps the lock, and
//! nobody delivers until it goes on or ends. One that is stopped in a commit keeps the others from
//! writing, too.
//!
//! Bounds are the file's: see [`SqliteOutboxBuilder::capacity`]. To look, bury, redrive and purge from a
//! tool, use [`SqliteOutbox::inspect`].
//!
//! # In your own transaction
//!
//! An application with its data in SQLite can keep the outbox in the same file, and accept an event in
//! the transaction that it is about.
//!
//! ```
//! use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
//! use intercom_sqlite::rusqlite::{Connection, TransactionBehavior};
//! use intercom_sqlite::{SqliteOutbox, accept_in};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("shop.db");
//! let mut shop = Connection::open(&path)?;
//! shop.execute_batch("CREATE TABLE orders (customer INTEGER)")?;
//! let outbox = SqliteOutbox::builder(&path).in_application_file().open()?;
//!
//! let ordered = DynamicEvent::new("order_placed")?;
//! let ordered = DataEvent::new(&ordered, Contact::user_id(7), Timestamp::now())?;
//!
//! let transaction = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
//! transaction.execute("INSERT INTO orders VALUES (7)", [])?;
//! accept_in(&transaction, &[ordered])?;
//! transaction.commit()?;
//! outbox.nudge(); // without it the event is noticed within a second
//! # Ok(())
//! # }
//! ```
//!
//! # Looking inside
//!
//! With `sqlite3 events.db` of version 3.38 or later:
//!
//! ```sql
//! SELECT * FROM pending_events; -- what is pending, since when, and why it is not delivered
//! SELECT * FROM dead_letters;   -- what was given up, and why
//! SELECT * FROM outbox_counts;  -- the counts since the file was made, and who delivers
//! ```
//!
//! The tables are described in the file itself (`.schema`). Only [`accept_in`] and [`Inspection`]
//! should write to them. The files have mode 0600, because they hold personal data; the access token
//! is never in them.
//!
//! # Space and copies
//!
//! A pending event takes its body and about 150 bytes. An idle outbox gives free pages back but for 1
//! MiB, and empties the WAL. Copy a file in use with `sqlite3 events.db ".backup copy.db"`, not with
//! `cp`. An engine over a copy sends what is pending in it once more.

mod builder;
mod clock;
mod error;
mod identity;
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
pub use open::{DEFAULT_LOCK_TIMEOUT, DEFAULT_MAX_BYTES};
pub use outbox::SqliteOutbox;
pub use rusqlite;
pub use schema::{APPLICATION_ID, SCHEMA_VERSION};
pub use store::pending::PendingEvent;
pub use transaction::accept_in;
#[doc(hidden)]
pub use transaction::accept_in_at;
