//! What an operator does with pending events and dead letters, from any process.

use std::sync::Arc;

use intercom_core::async_trait;

use super::{DeadLetter, EventId, OutboxError, Selection};

/// Buries pending events, and reads, redrives and purges dead letters: for operators, from any
/// process that opens the store.
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
}
