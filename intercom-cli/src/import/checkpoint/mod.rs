//! The checkpoint of an import, stored in the outbox, in the transaction that accepts the events.
//!
//! Two digests identify a file: of its first record, and of all records before the checkpoint. So
//! the import of a copy, or of a file that has grown at its end, resumes at the checkpoint,
//! whatever the name of the file.

mod postgres;
mod sqlite;

use std::hash::Hasher;

use intercom_core::DataEvent;
use intercom_delivery::outbox::AcceptError;
use siphasher::sip::SipHasher13;

use crate::failure::Failure;
use crate::outbox_location::Location;

/// The progress of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// The id of its row.
    pub(super) id: i64,
    /// The digest of the first record.
    pub(super) first: i64,
    /// The number of records so far, accepted or rejected.
    pub(super) records: i64,
    /// The digest of these records.
    pub(super) digest: i64,
    /// The digest of the options that decide which event a record becomes.
    pub(super) plan: i64,
    pub(super) accepted: i64,
    /// The name of the file, for messages.
    pub(super) file: String,
}

/// The digest of the records of a file so far.
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

/// The checkpoints in an outbox.
pub(super) enum CheckpointStore {
    Sqlite(sqlite::SqliteCheckpoints),
    Postgres(postgres::PostgresCheckpoints),
}

/// The result of a step.
pub(super) enum Stored {
    Done,
    /// The outbox has no room for these events now.
    Full,
    /// The outbox never has room for these events at once.
    TooMuch,
}

impl Stored {
    /// Distinguishes a lack of room from other failures.
    fn of(accepted: Result<(), AcceptError>) -> Result<Self, Failure> {
        match accepted {
            Ok(()) => Ok(Stored::Done),
            Err(AcceptError::Full) => Ok(Stored::Full),
            Err(AcceptError::ExceedsCapacity) => Ok(Stored::TooMuch),
            Err(error) => Err(error.into()),
        }
    }
}

impl CheckpointStore {
    /// Opens the checkpoints. The outbox must exist, with its tables.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be reached.
    pub(super) async fn open(location: &Location) -> Result<Self, Failure> {
        Ok(match location {
            Location::Sqlite(path) => {
                CheckpointStore::Sqlite(sqlite::SqliteCheckpoints::open(path)?)
            }
            Location::Postgres { url, schema } => {
                CheckpointStore::Postgres(postgres::PostgresCheckpoints::open(url, schema).await?)
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
            CheckpointStore::Sqlite(store) => store.find(first),
            CheckpointStore::Postgres(store) => store.find(first).await,
        }
    }

    /// Begins a checkpoint before the first record, and deletes the checkpoints in `forgotten`.
    /// `known` is the number of checkpoints that [`find`](Self::find) returned.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot be written, or when another process has begun the same file
    /// meanwhile.
    pub(super) async fn begin(
        &mut self,
        checkpoint: &Checkpoint,
        known: usize,
        forgotten: &[i64],
    ) -> Result<i64, Failure> {
        match self {
            CheckpointStore::Sqlite(store) => store.begin(checkpoint, known, forgotten),
            CheckpointStore::Postgres(store) => store.begin(checkpoint, known, forgotten).await,
        }
    }

    /// Accepts events and moves the checkpoint from `before` on, in one transaction.
    ///
    /// # Errors
    ///
    /// Fails when the transaction does, or when another process has moved the checkpoint.
    pub(super) async fn step(
        &mut self,
        before: i64,
        checkpoint: &Checkpoint,
        events: &[DataEvent],
    ) -> Result<Stored, Failure> {
        match self {
            // The progress bar and the delivery go on meanwhile.
            CheckpointStore::Sqlite(store) => {
                tokio::task::block_in_place(|| store.step(before, checkpoint, events))
            }
            CheckpointStore::Postgres(store) => store.step(before, checkpoint, events).await,
        }
    }
}

fn import_is_running(file: &str) -> Failure {
    Failure::new(
        crate::exit::Exit::Failed,
        "import_running",
        format!("another process imports {file} into this outbox; wait until it ends"),
    )
}
