//! How far an import has come, stored in the outbox, in the transaction that accepts the events.
//!
//! A file is known by its records: a digest of all that were taken, and one of the first. So a copy of a file, or one that
//! has grown at its end, goes on where the import ended, whatever its name is.

mod postgres;
mod sqlite;

use std::hash::Hasher;

use intercom_core::DataEvent;
use intercom_delivery::outbox::AcceptError;
use siphasher::sip::SipHasher13;

use crate::failure::Failure;
use crate::outbox_location::Location;

/// How far an import has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// Its row.
    pub(super) id: i64,
    /// The digest of the first record.
    pub(super) first: i64,
    /// How many records were taken: accepted or rejected.
    pub(super) records: i64,
    /// The digest of these records.
    pub(super) digest: i64,
    /// The digest of what decides what a record becomes.
    pub(super) plan: i64,
    pub(super) accepted: i64,
    /// The name of the file, to be shown.
    pub(super) file: String,
}

/// The digest of the records of a file, as far as they were read.
#[derive(Clone, Default)]
pub(super) struct Digest(SipHasher13);

impl Digest {
    pub(super) fn add(&mut self, raw: &[u8]) {
        self.0.write_usize(raw.len());
        self.0.write(raw);
    }

    pub(super) fn value(&self) -> i64 {
        self.0.finish().cast_signed()
    }
}

/// Where checkpoints are stored.
pub(super) enum Store {
    Sqlite(sqlite::Store),
    Postgres(postgres::Store),
}

/// How storing a step ended.
pub(super) enum Stored {
    Done,
    /// The outbox has no room for these events now.
    Full,
    /// The outbox never has room for these events at once.
    TooMuch,
}

impl Stored {
    /// Tells a lack of room from other failures.
    fn of(accepted: Result<(), AcceptError>) -> Result<Self, Failure> {
        match accepted {
            Ok(()) => Ok(Stored::Done),
            Err(AcceptError::Full) => Ok(Stored::Full),
            Err(AcceptError::TooMuch) => Ok(Stored::TooMuch),
            Err(error) => Err(error.into()),
        }
    }
}

impl Store {
    /// Opens the outbox for accepting. It must be there, with its tables.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be reached.
    pub(super) async fn open(location: &Location) -> Result<Self, Failure> {
        Ok(match location {
            Location::Sqlite(path) => Store::Sqlite(sqlite::Store::open(path)?),
            Location::Postgres { url, schema } => {
                Store::Postgres(postgres::Store::open(url, schema).await?)
            }
        })
    }

    /// Returns the checkpoints of files that begin with this record.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be read.
    pub(super) async fn find(&mut self, first: i64) -> Result<Vec<Checkpoint>, Failure> {
        match self {
            Store::Sqlite(store) => store.find(first),
            Store::Postgres(store) => store.find(first).await,
        }
    }

    /// Begins a checkpoint at no record, where so many files with the same first record are known, and forgets some of those.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written, and when another process has begun the same file.
    pub(super) async fn begin(
        &mut self,
        checkpoint: &Checkpoint,
        known: usize,
        forgotten: &[i64],
    ) -> Result<i64, Failure> {
        match self {
            Store::Sqlite(store) => store.begin(checkpoint, known, forgotten),
            Store::Postgres(store) => store.begin(checkpoint, known, forgotten).await,
        }
    }

    /// Accepts events and moves the checkpoint from `before` on, in one transaction.
    ///
    /// # Errors
    ///
    /// Fails when the transaction does, and when another process has moved the checkpoint.
    pub(super) async fn step(
        &mut self,
        before: i64,
        checkpoint: &Checkpoint,
        events: &[DataEvent],
    ) -> Result<Stored, Failure> {
        match self {
            // Other tasks go on: a progress bar, a delivery.
            Store::Sqlite(store) => {
                tokio::task::block_in_place(|| store.step(before, checkpoint, events))
            }
            Store::Postgres(store) => store.step(before, checkpoint, events).await,
        }
    }
}

fn taken_over(file: &str) -> Failure {
    Failure::new(
        crate::exit::Exit::Failed,
        "import_running",
        format!("another process imports {file} into this outbox; let one of them end"),
    )
}
