//! An operator's actions on pending events, dead letters and contacts, from any process.

use std::sync::Arc;

use intercom_core::{Contact, async_trait};

use super::{DeadLetter, ErasedEvents, EventId, OutboxError, Selection};

/// An operator's actions, from any process that opens the store: on pending events, dead letters
/// and contacts.
///
/// The engine never calls these methods. A [`Delivery`](crate::Delivery) has the same ones.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an outbox",
    label = "cannot hold events",
    note = "a `Result` with an outbox in it needs `?`, and a builder needs `.open()?`",
    note = "a type becomes an outbox with `#[async_trait] impl Outbox for …` \
        and `#[async_trait] impl Operate for …`"
)]
#[async_trait]
pub trait Operate: Send + Sync {
    /// Reads up to `limit` dead letters with an id above `after`, in the order of their ids. `None`
    /// begins with the first.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError>;

    /// Makes dead letters pending again, due at once and with no attempt. Returns their number.
    ///
    /// A dead letter with a [used slot](super::Verdict::Bury::used) becomes
    /// [`Stage::Admitted`](super::Stage), any other `Stage::Redriven`.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then it redrove nothing, unless the connection to a
    /// remote store broke: then it may have.
    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError>;

    /// Deletes dead letters for good. Returns their number.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then it purged nothing, unless the connection to a
    /// remote store broke: then it may have.
    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError>;

    /// Makes pending events dead letters, with the reason
    /// [`Buried`](super::DeadLetterReason::Buried), and keeps their attempts and last failures.
    /// Returns their number. [`Selection::Reason`] selects none: no pending event has a reason.
    ///
    /// It also buries leased events. Their later settlements change nothing, and a request in
    /// flight may still reach Intercom.
    ///
    /// Treat a leased event, and one of [`Stage::Admitted`](super::Stage), as if the engine had
    /// buried it with a [used slot](super::Verdict::Bury::used): an attempt may have reached
    /// Intercom. The outbox need not store that slot. A process that does not see leases decides by
    /// the stage alone.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then it buried nothing, unless the connection to a
    /// remote store broke: then it may have.
    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError>;

    /// Erases a contact, in one transaction.
    ///
    /// Deletes all pending events, leased ones included, and all dead letters that [share an
    /// identifier](super::share_identifier) with it. Counts them as erased. Keeps a
    /// [tombstone](super::Tombstone) of each identifier. Some stores overwrite the deleted bytes
    /// only later: their documentation says when.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then it erased nothing, unless the connection to a
    /// remote store broke: then it may have.
    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError>;

    /// Removes the tombstones of a contact's identifiers. Returns whether it found one.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then it forgave nothing, unless the connection to a
    /// remote store broke: then it may have.
    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError>;
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl<O: Operate + ?Sized> Operate for Arc<O> {
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        O::dead_letters(self, after, limit).await
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        O::redrive(self, which).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        O::purge(self, which).await
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        O::bury(self, which).await
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        O::erase(self, contact).await
    }

    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        O::forgive(self, contact).await
    }
}
