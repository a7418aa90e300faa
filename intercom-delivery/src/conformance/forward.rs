//! A test double of an outbox: it overrides some methods, and forwards the others.

use intercom_core::{Contact, DataEvent, Timestamp, async_trait};

use crate::outbox::{
    AcceptError, Admission, Counts, DeadLetter, Epoch, ErasedEvents, EventId, Operate, Outbox,
    OutboxError, Selection, Settlement, Standing, Turn,
};

/// Forwards each method to another outbox. A test double overrides the methods that it changes.
///
/// [`Forwarding`] makes the double an outbox.
///
/// ```
/// use intercom_core::{DataEvent, async_trait};
/// use intercom_delivery::conformance::{Forward, Forwarding};
/// use intercom_delivery::outbox::AcceptError;
/// use intercom_delivery::{MemoryOutbox, Outbox, OutboxError};
///
/// /// Accepts nothing.
/// struct DiskFull(MemoryOutbox);
///
/// #[async_trait]
/// impl Forward for DiskFull {
///     type Inner = MemoryOutbox;
///
///     fn inner(&self) -> &MemoryOutbox {
///         &self.0
///     }
///
///     async fn accept(&self, _: &[DataEvent]) -> Result<(), AcceptError> {
///         Err(OutboxError::new("the disk is full").into())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let outbox = Forwarding(DiskFull(MemoryOutbox::new()));
/// assert!(outbox.accept(&[]).await.is_err());
/// assert_eq!(outbox.counts().await?.accepted, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait Forward: Send + Sync {
    /// The outbox behind it.
    type Inner: Outbox + Operate;

    /// Returns the outbox behind it.
    fn inner(&self) -> &Self::Inner;

    /// Forwards [`Outbox::accept`].
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        self.inner().accept(events).await
    }

    /// Forwards [`Outbox::lease`].
    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        self.inner().lease(standing, limit).await
    }

    /// Forwards [`Outbox::admit`].
    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        self.inner().admit(epoch, admissions).await
    }

    /// Forwards [`Outbox::settle`].
    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        self.inner().settle(epoch, settlements, forget_before).await
    }

    /// Forwards [`Outbox::release`].
    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        self.inner().release(epoch).await
    }

    /// Forwards [`Outbox::counts`].
    async fn counts(&self) -> Result<Counts, OutboxError> {
        self.inner().counts().await
    }

    /// Forwards [`Operate::dead_letters`].
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.inner().dead_letters(after, limit).await
    }

    /// Forwards [`Operate::redrive`].
    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.inner().redrive(which).await
    }

    /// Forwards [`Operate::purge`].
    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.inner().purge(which).await
    }

    /// Forwards [`Operate::bury`].
    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.inner().bury(which).await
    }

    /// Forwards [`Operate::erase`].
    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        self.inner().erase(contact).await
    }

    /// Forwards [`Operate::forgive`].
    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        self.inner().forgive(contact).await
    }
}

/// Implements [`Outbox`] and [`Operate`] by the methods of a [`Forward`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Forwarding<T>(pub T);

#[async_trait]
impl<T: Forward> Outbox for Forwarding<T> {
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        self.0.accept(events).await
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        self.0.lease(standing, limit).await
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        self.0.admit(epoch, admissions).await
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        self.0.settle(epoch, settlements, forget_before).await
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        self.0.release(epoch).await
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        self.0.counts().await
    }
}

#[async_trait]
impl<T: Forward> Operate for Forwarding<T> {
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.0.dead_letters(after, limit).await
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.redrive(which).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.purge(which).await
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.bury(which).await
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        self.0.erase(contact).await
    }

    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        self.0.forgive(contact).await
    }
}
