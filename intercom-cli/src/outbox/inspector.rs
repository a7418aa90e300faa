//! Inspects an outbox of any kind while the application runs. Delivers nothing.

use intercom_core::Contact;
use intercom_delivery::outbox::{
    Counts, DeadLetter, ErasedEvents, EventId, OutboxError, PendingEvent, Selection, Standby,
};
use intercom_postgres::PostgresOutbox;
use intercom_sqlite::SqliteOutbox;
use tokio::task::block_in_place;

use crate::failure::Failure;
use crate::outbox_location::Location;

/// An outbox under inspection. Inspecting creates none, so a misspelt name is an error.
pub(crate) enum Inspector {
    Sqlite(intercom_sqlite::Inspection),
    Postgres(Box<intercom_postgres::Inspection>),
}

/// Calls a method of either kind. SQLite's methods block.
macro_rules! ask {
    ($inspector:expr, $method:ident($($argument:expr),*)) => {
        match $inspector {
            Inspector::Sqlite(sqlite) => block_in_place(|| sqlite.$method($($argument),*)),
            Inspector::Postgres(postgres) => postgres.$method($($argument),*).await,
        }
    };
}

impl Inspector {
    /// Opens the outbox.
    ///
    /// # Errors
    ///
    /// Fails when there is no outbox, and when it cannot be read.
    pub(crate) async fn open(location: &Location) -> Result<Self, Failure> {
        match location {
            Location::Sqlite(path) => {
                Ok(Inspector::Sqlite(block_in_place(|| SqliteOutbox::inspect(path))?))
            }
            Location::Postgres { url, schema } => {
                let inspection = PostgresOutbox::builder(url).schema(schema).inspect().await?;
                Ok(Inspector::Postgres(Box::new(inspection)))
            }
        }
    }

    /// Reads a SQLite file completely, and returns its fault, if any. PostgreSQL checks its own
    /// files.
    pub(crate) async fn check(&self) -> Result<Vec<String>, OutboxError> {
        match self {
            Inspector::Sqlite(sqlite) => block_in_place(|| sqlite.check()),
            Inspector::Postgres(_) => Ok(Vec::new()),
        }
    }

    pub(crate) async fn counts(&self) -> Result<Counts, OutboxError> {
        ask!(self, counts())
    }

    pub(crate) async fn deliverer(&self) -> Result<Option<Standby>, OutboxError> {
        ask!(self, deliverer())
    }

    pub(crate) async fn pending(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<PendingEvent>, OutboxError> {
        ask!(self, pending(after, limit))
    }

    pub(crate) async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        ask!(self, dead_letters(after, limit))
    }

    pub(crate) async fn redrive(&mut self, which: &Selection) -> Result<u64, OutboxError> {
        ask!(self, redrive(which))
    }

    pub(crate) async fn purge(&mut self, which: &Selection) -> Result<u64, OutboxError> {
        ask!(self, purge(which))
    }

    pub(crate) async fn bury(&mut self, which: &Selection) -> Result<u64, OutboxError> {
        ask!(self, bury(which))
    }

    pub(crate) async fn erase(&mut self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        ask!(self, erase(contact))
    }

    pub(crate) async fn forgive(&mut self, contact: &Contact) -> Result<bool, OutboxError> {
        ask!(self, forgive(contact))
    }
}
