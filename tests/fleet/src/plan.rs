//! What a process is told to do.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::events::Contacts;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The number of the process. It is in each of its requests.
    pub(crate) number: u64,
    /// Where the database is.
    pub(crate) database: String,
    /// Whether the outbox listens for notifications.
    pub(crate) listen: bool,
    /// Where the sandbox is.
    pub(crate) url: String,
    pub(crate) token: String,
    /// Where it writes what was accepted.
    pub(crate) ledger: PathBuf,
    /// How many tasks accept events.
    pub(crate) producers: u64,
    /// How many milliseconds each waits after an event.
    pub(crate) pace: u64,
    pub(crate) contacts: Contacts,
}

/// How many requests each process may have in flight.
pub(crate) const CONCURRENCY: usize = 8;
