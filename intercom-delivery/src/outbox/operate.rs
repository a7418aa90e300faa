//! What an operator does with pending events, dead letters and contacts, from any process.

use std::sync::Arc;

use intercom_core::{Contact, async_trait};

use super::{DeadLetter, ErasedEvents, EventId, OutboxError, Selection};

/// Buries pending events, reads, redrives and purges dead letters, and erases contacts: for operators,
/// from any process that opens the store.
///
/// The engine never calls it. A [`Delivery`](crate::Delivery) offers the same methods.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an outbox",
    label = "cannot hold events",
    note = "a `Result` with an outbox in it needs `?`, and a builder needs `.open()?`",
    note = "a type becomes an outbox with `#[async_trait] impl Outbox for …` and `#[async_trait] impl Operate for …`"
)]
#[async_trait]
pub trait Operate: Send + Sync {
    /// Reads up to `limit` dead letters in the order of their ids, beginning after `after`.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError>;

    /// Makes dead letters pending again, due at once and with no attempt spent. Returns how many.
    ///
    /// A letter that was buried with a [used slot](super::Verdict::Bury::used) is leased as
    /// [`Stage::Admitted`](super::Stage), any other as `Stage::Redriven`.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then nothing was redriven.
    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError>;

    /// Deletes dead letters for good. Returns how many.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then nothing was purged.
    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError>;

    /// Makes pending events dead letters, with the reason
    /// [`Buried`](super::DeadLetterReason::Buried), and keeps their attempts and last failures.
    /// Returns how many. [`Selection::Reason`] selects none: no pending event has a reason.
    ///
    /// A leased event is buried too. The settlement that ends its lease then comes too late. A
    /// request for it that is in flight may still arrive.
    ///
    /// An event that was leased, or is of [`Stage::Admitted`](super::Stage), counts as buried with a
    /// [used slot](super::Verdict::Bury::used): an attempt may have arrived. Its slot is not kept
    /// besides. A process that cannot see who holds a lease goes by the stage alone.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then nothing was buried.
    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError>;

    /// Erases a contact, in one transaction: deletes all pending events and dead letters that
    /// [share an identifier](super::share_identifier) with it, also those that are leased, and keeps
    /// a [tombstone](super::Tombstone) of each of its identifiers. What is deleted counts as erased,
    /// and its bytes are overwritten or gone.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then nothing was erased.
    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError>;

    /// Removes the tombstones of a contact's identifiers. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then nothing was forgiven.
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
