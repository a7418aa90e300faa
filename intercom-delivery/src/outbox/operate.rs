//! What an operator does with dead letters, from any process.

use std::sync::Arc;

use intercom_core::async_trait;

use super::{DeadLetter, EventId, OutboxError, Selection};

/// Reads, redrives and purges dead letters: for operators, from any process that opens the store.
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
}
