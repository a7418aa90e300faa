//! A durable outbox for Intercom events in one SQLite file: `send` is done when the event is on the disk.
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
//! Who is told that an event was accepted is told so after its transaction was synced to the disk: SQLite's log (WAL)
//! with `synchronous=FULL`, which is read back when the file is opened. Whatever is done to the process or the machine
//! then, the next start delivers what was pending. An event that was on its way in a crash is sent again, as the same
//! bytes with the same second, and Intercom ignores the repetition.
//!
//! An error means that nothing of what was asked was done. What rides in one transaction fails together; the connection
//! is then opened anew, and things go on when the disk does. What a sync that failed may have left behind is written over
//! before its callers are told, so that no crash brings it back; only a disk that does not take that either, until the
//! process ends, can leave an event in the file whose caller was told that it is not.
//!
//! After a sync that failed, Linux goes on to show what was written and is not on the disk, and lets the next sync
//! succeed. So nothing is built on what no sync has vouched for: a start brings what it finds in the log into the file,
//! synced, before it adds to it; and when bringing the log into the file has failed, all of it is brought in once more. A
//! program that has the same file open puts that off, and one that does it itself, as SQLite does unless told otherwise,
//! does not look whether it failed: in a file of your application, set `wal_autocheckpoint` to 0 in its connections.
//!
//! When the disk is full, what there is no room for is not accepted. What is delivered can be written down all the same,
//! where the log has a place on the disk already and the file has pages that are free; otherwise delivery waits for room.
//! If the process ends before there is any, the next start sends again what was delivered and could not be written down:
//! ten times as many events as requests may be under way, at the most.
//!
//! When somebody deletes the file or moves it away, nothing more is accepted, because no start would find it; what is in
//! it is delivered as long as the process lives.
//!
//! # Who writes
//!
//! One thread owns the connection that writes. Whatever queues up while one commit is on its way to the disk rides in
//! the next one: acceptances, acknowledgements, put-backs and dead letters alike. There is no timer; who is alone is
//! written at once. Dead letters are read through a connection of their own. Nothing here blocks a thread of an
//! asynchronous runtime, but for opening, and dropping the last handle.
//!
//! Accepting an event takes waiting for the disk, and `try_send`, which never waits, gives `Unsupported`. In code that is
//! not `async` block on `send`: [how](intercom_delivery::Delivery::tracker).
//!
//! # One owner
//!
//! A file has one owner that delivers from it, which is made sure by a lock on `events.db-lock` beside it. Leases are
//! kept in the owner's memory: nobody else need know of them, and after a crash all that is pending is due at once. So
//! to lease is to read. Other processes may look, and redrive and purge dead letters: [`SqliteOutbox::inspect`]. The
//! owner notices within a second.
//!
//! # In your own transaction
//!
//! An application with its data in SQLite can have the outbox in the same file, and accept an event in the transaction
//! that it is about: it exists exactly if the change does.
//!
//! ```
//! use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
//! use intercom_delivery::Collisions;
//! use intercom_sqlite::rusqlite::{Connection, TransactionBehavior};
//! use intercom_sqlite::{SqliteOutbox, accept_in};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
//! accept_in(&transaction, &[ordered], Collisions::Move)?;
//! transaction.commit()?;
//! outbox.nudge(); // or it is noticed within a second
//! # Ok(())
//! # }
//! ```
//!
//! # Looking inside
//!
//! The file is made to be read, with `sqlite3 events.db` of version 3.38 or later:
//!
//! ```sql
//! SELECT * FROM pending_events; -- what is pending, since when, how often it was tried, and why it is not delivered
//! SELECT * FROM dead_letters;   -- what was given up, and why
//! SELECT * FROM outbox_counts;  -- the books since the file was made
//! ```
//!
//! | table | a row is | columns |
//! |---|---|---|
//! | `outbox_events` | a pending event | `id`, `created_at` (Unix seconds), `accepted_at` and `due_at` (Unix milliseconds; none, if it was never put back), `attempts`, `last_failure`, `last_status`, `last_request_id`, `fingerprint`, `body` (what is sent, byte for byte) |
//! | `outbox_dead_letters` | a dead letter | the same, with `reason` and `died_at` instead of `due_at` |
//! | `outbox_seconds` | a second that is taken for a contact and a name | `second`, `fingerprint` (64 bits of SipHash-1-3 of both), `next_second`, `held`, `era`, `moved_here` |
//! | `outbox_new_seconds` | the same of an event that was accepted not long ago | `id`, `second`, `fingerprint`, `era` |
//! | `outbox_counts` | the only one | the counts, the bounds that the owner set, the era, and up to which id seconds are filed |
//! | `outbox_schema` | a version that the tables had | `version` |
//!
//! Writing to them is for [`accept_in`] and [`Inspection`]; the counts are kept and never scanned. `application_id` is
//! [`APPLICATION_ID`] and `user_version` is [`SCHEMA_VERSION`], unless the file is your application's own. An older file
//! is brought to the present version when it is opened, in one transaction.
//!
//! The file, its log and its lock are for their owner alone (mode 0600): they hold personal data. The access token is
//! never in them.
//!
//! # What is refused
//!
//! A file that is not fit is refused when it is opened, and left as it is: see [`OpenError`]. Up to 8 MiB it is checked
//! from end to end; a larger one is opened as quickly, and [`Inspection::check`] reads all of it. An event for which there
//! is no room is refused, and none is ever dropped to make room: see [`SqliteOutboxBuilder::max_bytes`].
//!
//! # Space
//!
//! A pending event takes its body and about 150 bytes. When nobody asks for anything for a second, free pages are given
//! back to the file system (`auto_vacuum=INCREMENTAL`), but for 1 MiB, and the log is emptied. In a file that something
//! else made, `auto_vacuum` is what it was; there free pages are used again, and not given back.
//!
//! # Copies
//!
//! To copy a file that is in use, `sqlite3 events.db ".backup copy.db"` does it; `cp` does not, because a part of it is in
//! its log. Whoever delivers from a copy sends what is pending in it once more. To change over to another file, or to
//! another outbox, let [`shutdown`](intercom_delivery::Delivery::shutdown) deliver all of the old one first.
//!
//! # Two events that Intercom takes for one
//!
//! What is known of taken seconds stands in the file and survives a crash. It sees what is pending, what is a dead
//! letter, what left in the last two minutes, as far as these are not more than 16,384 events, and what was moved into the
//! future, until that is past.
//!
//! # Counts
//!
//! [`Outbox::counts`](intercom_delivery::Outbox::counts) begin when the file is opened: what is found in it counts as accepted. The counts
//! since the file was made are in it: [`Inspection::counts`].

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

pub use builder::{
    DEFAULT_LOCK_TIMEOUT, DEFAULT_MAX_BYTES, DEFAULT_POLL_INTERVAL, SqliteOutboxBuilder,
};
pub use error::OpenError;
pub use inspect::Inspection;
pub use outbox::SqliteOutbox;
pub use rusqlite;
pub use schema::{APPLICATION_ID, SCHEMA_VERSION};
pub use store::pending::PendingEvent;
pub use transaction::accept_in;
#[doc(hidden)]
pub use transaction::accept_in_at;
