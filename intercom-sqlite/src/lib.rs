#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
//!
//! ## Space
//!
//! A pending event takes its body and about 150 bytes, up to the bounds in the file (`capacity`, `max_bytes`). The newest
//! 100,000 dead letters are kept (`max_dead_letters`, `max_dead_letter_age`). An idle outbox gives free pages back but for
//! 1 MiB, and empties the WAL.
//!
//! `-reserve` takes 1 MiB and what the WAL will add to the file. Where a disk has no room for that, nothing more is
//! accepted. On a full disk it is given up, for deliveries and for a process that begins to deliver. A transaction of your
//! own sets nothing aside.
//!
//! ## What happens when
//!
//! | what happens | `MemoryOutbox` | `SqliteOutbox` |
//! |---|---|---|
//! | the process crashes, or gets `kill -9` | what was pending is lost | nothing is lost; the next start delivers it |
//! | the machine crashes, or its power is cut | what was pending is lost | nothing is lost, if the disk keeps what it says it has synced |
//! | the disk is full | not concerned | `send` fails with `Storage`; deliveries are stored in a reserve of 1 MiB and more that the outbox keeps for them, also by a process that starts then; `send` goes on when there is room |
//! | the disk fails to sync | not concerned | every `send` that waited for it fails with `Storage`, and what it may have left behind is written over |
//! | Intercom is down for hours | up to 100,000 events wait in memory; then `send` waits, or refuses | up to 1 GiB of events wait in the file; then the same |
//! | the rate limit | paced, no 429 | paced, no 429 |
//! | the access token is revoked | nothing is sent and nothing is lost until `replace_token` | the same, or until a start with another token |
//! | somebody deletes the file | not concerned | `send` fails with `Storage`; what was in it is still delivered, and lost if the process ends before |
//! | somebody deletes its `-wal`, or copies the file without it | not concerned | `send` fails with `Storage`, and what was accepted is brought into the file; the copy is refused |
//! | a backup is put back | not concerned | what is pending in it is sent once more, which Intercom ignores; an error is logged |
//! | two processes open one file | not concerned | both accept, one delivers; the other stands by, and takes over when the deliverer ends or dies |
//! | another version of the crate wrote the file | not concerned | an older one is brought up to date in one transaction, a newer one is refused and left as it is |

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

pub use builder::SqliteOutboxBuilder;
pub use error::OpenError;
pub use inspect::Inspection;
pub use intercom_delivery::outbox::PendingEvent;
pub use outbox::SqliteOutbox;
pub use rusqlite;
pub use schema::{APPLICATION_ID, SCHEMA_VERSION};
pub use transaction::accept_in;
#[doc(hidden)]
pub use transaction::accept_in_at;
