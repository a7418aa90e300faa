#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `rusqlite`, on by default | `accept_in`, and the re-export of `rusqlite` |
//! | `test-util` | functions for tests, which may change in any version |
//!
//! ## Space
//!
//! A pending event takes the bytes of its request body, and about 150 more. The limits of a file
//! are settings of [`SqliteOutboxBuilder`]. The defaults for a new file:
//!
//! | setting | limit of a new file |
//! |---|---|
//! | `max_bytes` | 1 GiB of request bodies of pending events |
//! | `capacity` | any number of pending events |
//! | `max_dead_letters` | the newest 100,000 dead letters |
//! | `max_dead_letter_age` | dead letters of any age |
//!
//! An idle outbox empties the WAL, and returns free pages beyond 1 MiB to the disk.
//!
//! The file `-reserve` reserves disk space for deliveries: 1 MiB, and as much as the next
//! checkpoint will add to the file. If the disk has no room for this file, the outbox accepts
//! nothing. On a full disk, the outbox frees this space for deliveries, and for a process that
//! starts to deliver. Your own transactions reserve nothing.
//!
//! ## Failures
//!
//! | what happens | `MemoryOutbox` | `SqliteOutbox` |
//! |---|---|---|
//! | the process crashes, or gets `kill -9` | pending events are lost | nothing is lost; the next start delivers it |
//! | the machine crashes, or its power is cut | pending events are lost | nothing is lost, if the disk honours fsync |
//! | the disk is full | not affected | `send` fails with `Storage` until there is room; deliveries use a reserve of at least 1 MiB, also in a process that starts then |
//! | an fsync fails | not affected | every `send` of that commit fails with `Storage`, and the outbox overwrites what the commit left |
//! | Intercom is down for hours | up to 100,000 events wait in memory; then `send` waits, or fails under `Backpressure::Refuse` | up to 1 GiB of events wait in the file; then the same |
//! | many events at once | sent within the rate limit that Intercom reports | the same |
//! | the access token is revoked | nothing is sent and nothing is lost until `HttpTransport::replace_token` | the same, or until a start with another token |
//! | the file is deleted | not affected | `send` fails with `Storage`; pending events are still delivered, but lost if the process ends first |
//! | the `-wal` is deleted, or the file is copied without it | not affected | `send` fails with `Storage`, and a checkpoint saves the accepted events; the copy is refused |
//! | a backup is restored | not affected | its pending events are sent again, and Intercom usually ignores those that it has; the outbox logs an error |
//! | two processes open one file | not affected | both accept, one delivers; the other takes over when the first one ends or crashes |
//! | another version of the crate wrote the file | not affected | an older file is migrated in one transaction; a newer one is refused and unchanged |

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
#[cfg(feature = "rusqlite")]
mod transaction;
mod writer;

pub use builder::SqliteOutboxBuilder;
pub use error::OpenError;
pub use inspect::Inspection;
pub use intercom_delivery::outbox::PendingEvent;
pub use outbox::SqliteOutbox;
#[cfg(feature = "rusqlite")]
pub use rusqlite;
pub use schema::{APPLICATION_ID, SCHEMA_VERSION};
#[cfg(feature = "rusqlite")]
pub use transaction::accept_in;
#[cfg(all(feature = "rusqlite", feature = "test-util"))]
pub use transaction::accept_in_at;
