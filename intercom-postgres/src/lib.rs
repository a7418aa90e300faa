#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `rustls`, on by default | `PostgresOutboxBuilder::tls`, and the re-export of `rustls`; TLS works without it, too |
//! | `sqlx-0_8`, `sqlx-0_9` | `sqlx::accept_in` for transactions of that version of sqlx |
//! | `tokio-postgres` | `tokio_postgres::accept_in`, and `PostgresOutboxBuilder::client` |
//! | `test-util` | functions for tests, which may change in any version |

mod accept;
mod builder;
mod clock;
mod counts;
mod error;
#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9", feature = "tokio-postgres"))]
mod in_transaction;
mod inspect;
mod letters;
mod link;
mod notifier;
mod outbox;
mod own;
mod schema;
pub mod sqlstate;
#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
pub mod sqlx;
mod tls;
#[cfg(feature = "tokio-postgres")]
pub mod tokio_postgres;
mod turn;

pub use builder::PostgresOutboxBuilder;
pub use error::ConnectError;
pub use inspect::Inspection;
pub use outbox::PostgresOutbox;
#[cfg(feature = "rustls")]
pub use rustls;
pub use schema::{SCHEMA_VERSION, migrations};
