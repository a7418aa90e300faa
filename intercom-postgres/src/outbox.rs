//! The outbox, with the interfaces for the engine and the application.

use std::fmt;
use std::sync::Arc;

use intercom_core::{Contact, DataEvent, Timestamp, async_trait};
use intercom_delivery::outbox::{
    AcceptError, Admission, Counts, DeadLetter, Epoch, ErasedEvents, EventId, Operate, Outbox,
    OutboxError, Selection, Settlement, Standing, Turn,
};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::accept::{Acceptors, NewEvents};
use crate::builder::PostgresOutboxBuilder;
use crate::clock::Skew;
use crate::counts::{self, CountsSql, OldestOwn};
use crate::error::ConnectError;
use crate::inspect::Inspection;
use crate::letters::{self, LettersSql};
use crate::link::Link;
use crate::notifier::Notifier;
use crate::turn::Turns;

/// Holds events in PostgreSQL until delivery. Any number of machines accept, and one of them
/// delivers.
///
/// Clones are handles of one outbox: give one to the delivery, and keep another to
/// [`notify`](Self::notify) it.
#[derive(Clone)]
pub struct PostgresOutbox(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) acceptors: Arc<Acceptors>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) reading: Arc<Link>,
    pub(crate) counts: CountsSql,
    pub(crate) oldest_own: Mutex<OldestOwn>,
    pub(crate) letters: LettersSql,
    pub(crate) schema: String,
    pub(crate) skew: Skew,
    pub(crate) notifier: Notifier,
    pub(crate) notifying: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.notifying.abort();
    }
}

impl PostgresOutbox {
    /// Connects to the outbox in the schema `intercom` of this database, with the default settings.
    /// Creates the tables if there are none, and migrates older ones.
    ///
    /// # Errors
    ///
    /// Fails when the URL is invalid, the database is unreachable or unsuitable, or it refuses a
    /// statement. Each reason is a variant of [`ConnectError`], which says what to do.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime: the outbox's own tasks run there.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        PostgresOutbox::builder(url).connect().await
    }

    /// Returns a builder for the outbox in this database. `url` is such as
    /// `postgres://user:password@host:5432/database`.
    pub fn builder(url: &str) -> PostgresOutboxBuilder {
        PostgresOutboxBuilder::new(url)
    }

    /// Connects to inspect the outbox in the schema `intercom` of this database: to read its
    /// events, to redrive, purge and bury them, and to erase contacts.
    ///
    /// # Errors
    ///
    /// Fails when the URL is invalid, the database is unreachable, or it has no outbox of this
    /// version.
    pub async fn inspect(url: &str) -> Result<Inspection, ConnectError> {
        PostgresOutbox::builder(url).inspect().await
    }

    /// Notifies the deliverer of new events. Call it after you commit a transaction that accepted
    /// events. Otherwise the deliverer finds them within the
    /// [poll interval](PostgresOutboxBuilder::poll_interval). Cheap, and never blocks.
    pub fn notify(&self) {
        self.0.notifier.notify();
    }

    /// Returns the schema of the tables.
    pub fn schema(&self) -> &str {
        &self.0.schema
    }

    /// Returns how often this process took over from a process that had written nothing for the
    /// [lease time](PostgresOutboxBuilder::lease_time).
    pub fn takeovers(&self) -> u64 {
        self.0.turns.takeovers()
    }
}

impl fmt::Debug for PostgresOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOutbox").field("schema", &self.0.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl Outbox for PostgresOutbox {
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        self.0.acceptors.accept(NewEvents::of(events)?).await
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        self.0.turns.lease(standing, limit).await
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        self.0.turns.admit(epoch, admissions).await
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        self.0.turns.settle(epoch, settlements, forget_before).await
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        self.0.turns.release(epoch).await
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        let Inner { reading, counts, oldest_own, skew, .. } = &*self.0;
        let mut oldest_own = oldest_own.lock().await;
        let counted = counts::counts(reading, counts, Some(&mut oldest_own), skew).await;
        counted.map_err(|fault| fault.to_error())
    }
}

#[async_trait]
impl Operate for PostgresOutbox {
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        letters::read(&self.0.reading, &self.0.letters, after, limit).await
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let Inner { reading, letters, skew, notifier, .. } = &*self.0;
        let redriven = letters::redrive(reading, letters, which, skew).await?;
        notifier.notify();
        Ok(redriven)
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        letters::purge(&self.0.reading, &self.0.letters, which).await
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.turns.bury(which).await
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        self.0.turns.erase(contact).await
    }

    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        self.0.turns.forgive(contact).await
    }
}
