//! The orders for a worker process.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::events::Contacts;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The number of the process, which each of its requests carries.
    pub(crate) number: u64,
    /// The URL of the database.
    pub(crate) database: String,
    /// Whether the outbox listens for notifications.
    pub(crate) listen: bool,
    /// The URL of the sandbox.
    pub(crate) url: String,
    pub(crate) token: String,
    /// The file of its ledger.
    pub(crate) ledger: PathBuf,
    /// The number of tasks that accept events.
    pub(crate) producers: u64,
    /// The pause of each after an event, in milliseconds.
    pub(crate) pace: u64,
    pub(crate) contacts: Contacts,
}

/// The limit of requests in flight of a process.
pub(crate) const CONCURRENCY: usize = 8;
