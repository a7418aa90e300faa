//! The seam that holds events until they are delivered.

mod dead_letter;
mod error;
mod lease;
mod memory;
mod operate;
mod pending_event;
mod settlement;
mod slot;
mod tombstone;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp, async_trait};

pub use crate::policy::MAX_WAIT;
pub use dead_letter::{DeadLetter, DeadLetterReason, Failure, Selection, UnknownDeadLetterReason};
pub use error::{AcceptError, OutboxError};
pub use lease::{EventId, Lease, Leased, Stage};
pub use memory::MemoryOutbox;
pub use operate::Operate;
pub use pending_event::PendingEvent;
pub use settlement::{Admission, Ruling, Settlement, Verdict};
pub use slot::{Slot, UsedSlot};
pub use tombstone::{ErasedEvents, Tombstone, Tombstones, share_identifier};
pub use turn::{Epoch, Standby, Standing, Tenure, Turn};

/// Holds events until they are delivered.
///
/// A new durability is a new `Outbox`; the engine stays as it is. One seam fits a queue in memory,
/// a file that several processes open, and a store that many machines share:
///
/// - **Anyone accepts.** Accepting is a plain insert, from any process, at any time. It is done
///   when the events are safe, in whatever sense the outbox promises.
/// - **One engine delivers**, under an [`Epoch`] that only grows. [`lease`](Self::lease) says whose
///   turn it is. [`admit`](Self::admit), [`settle`](Self::settle) and [`release`](Self::release)
///   carry the epoch: under any other than the present one they change nothing.
/// - **A lease lasts as long as its epoch.** It ends when the event is settled. When an epoch ends,
///   however it does, all that is pending is due again.
/// - **The bytes of an event change at most once**: by `admit`, before its first attempt.
/// - **Durations are relative**, so that no two clocks need agree. Each outbox has its own clock.
///
/// An outbox holds no logic about what may be sent: the engine decides that when it admits events.
/// Nothing here is defaulted, so a wrapper cannot change a meaning by forgetting a method.
///
/// [`MemoryOutbox`] is the kind in memory. The suite in `conformance`, behind the feature of that
/// name, tests whether another outbox keeps these promises.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an outbox",
    label = "cannot hold events",
    note = "a `Result` with an outbox in it needs `?`, and a builder needs `.open()?`",
    note = "a type becomes an outbox with `#[async_trait] impl Outbox for …` and `#[async_trait] impl Operate for …`"
)]
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Accepts events, all of them or none. Done when they are safe.
    ///
    /// When the future is dropped before its end, the events may have been accepted or not.
    ///
    /// # Errors
    ///
    /// Fails when there is no room, or when the events cannot be kept safe. Then nothing was
    /// accepted, unless the error is [`AcceptError::InDoubt`].
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError>;

    /// Waits until the caller has something to do, and says what: see [`Turn`].
    ///
    /// `standing` is what the caller was told last. The call returns
    ///
    /// - [`Turn::Began`] when the caller becomes the one that delivers. This comes first, before
    ///   any event is leased.
    /// - [`Turn::Leased`] when the caller delivers and an event is due: up to `limit` events, the
    ///   longest due first. Events that were never put back are due since they were accepted, in
    ///   the order of their ids. It may come with no events, to extend
    ///   [`valid_for`](Leased::valid_for).
    /// - [`Turn::Standby`] when another engine delivers, once for each epoch of another. A caller
    ///   that was deposed learns it here.
    ///
    /// It also returns, with or without events, when contacts were erased or forgiven since the caller
    /// was told last, and tells the [tombstones](Leased::tombstones). An event that was accepted after
    /// an erasure is never leased before the caller was told of it.
    ///
    /// With a `limit` of 0, no event is leased.
    ///
    /// Dropping the future loses nothing: what it had leased is due again.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read or written. Then nothing was leased.
    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError>;

    /// Stores what admission decided about leased events, in one transaction. Returns the events
    /// that are not leased under this epoch: for them nothing was done.
    ///
    /// The engine calls this before the first attempt, and only for events about which there is
    /// something to store. What a late admission derives is not stored either.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then nothing was stored.
    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError>;

    /// Settles leased events, in one transaction. Returns the events that are not leased under this
    /// epoch: for them nothing was done. Settling twice is such a case, and harmless.
    ///
    /// The same transaction keeps the [used slots](UsedSlot) of the settled events, and forgets
    /// those whose `keep_until` is before `forget_before`.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then nothing was settled, and the caller can try
    /// again.
    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError>;

    /// Ends the epoch: another engine may deliver at once, and all that was leased is due for it.
    /// Under another epoch it does nothing.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. The epoch then ends as if the process had died.
    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError>;

    /// Counts where events are, in one snapshot of the store.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn counts(&self) -> Result<Counts, OutboxError>;
}

/// How many events are where, in one moment and over all processes that use the store.
///
/// Always `accepted + derived == delivered + dead + pending + withheld + dropped + erased`. A durable
/// outbox counts since it was made. It begins with `Counts::default()` and sets the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Events that were accepted.
    pub accepted: u64,
    /// Events that rules derived from others.
    pub derived: u64,
    /// Events that were delivered.
    pub delivered: u64,
    /// Events that became dead letters, less those that were redriven. Purging does not change it.
    pub dead: u64,
    /// Events that wait or are leased.
    pub pending: u64,
    /// Events that admission deleted because their contacts did not consent, or were erased.
    pub withheld: u64,
    /// Events that admission deleted because a rule says so.
    pub dropped: u64,
    /// Pending events and dead letters that were deleted because their contacts were erased.
    pub erased: u64,
    /// Dead letters that can still be read.
    pub dead_letters: u64,
    /// Dead letters that were purged: by an operator, or because the outbox keeps no more.
    pub purged: u64,
    /// Events that admission moved to a later second.
    pub moved: u64,
    /// Events that admission let keep a second that is taken.
    pub collided: u64,
    /// The highest id given so far. No event that is accepted later has a lower one, unless its
    /// transaction had begun before.
    pub newest: Option<EventId>,
    /// The lowest id among the pending events that this process accepted.
    pub oldest_own: Option<EventId>,
    /// How long ago the pending event with the lowest id was accepted. `None` where none is pending, or
    /// the outbox does not know.
    pub oldest_pending: Option<Duration>,
}

impl Counts {
    /// Returns whether every accepted event is accounted for.
    pub fn is_balanced(&self) -> bool {
        let Counts { accepted, derived, delivered, dead, pending, .. } = self;
        let ended = [self.withheld, self.dropped, self.erased].iter().sum::<u64>();
        accepted + derived == delivered + dead + pending + ended
    }
}

/// The terms of the balance. Those of features that were not used are left out.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { accepted, delivered, dead, pending, .. } = self;
        write!(f, "{accepted} accepted")?;
        if self.derived > 0 {
            write!(f, " + {} derived", self.derived)?;
        }
        write!(f, " = {delivered} delivered + {dead} dead + {pending} pending")?;
        let ended =
            [(self.withheld, "withheld"), (self.dropped, "dropped"), (self.erased, "erased")];
        for (number, term) in ended.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, " + {number} {term}")?;
        }
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl<O: Outbox + ?Sized> Outbox for Arc<O> {
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        O::accept(self, events).await
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        O::lease(self, standing, limit).await
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        O::admit(self, epoch, admissions).await
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        O::settle(self, epoch, settlements, forget_before).await
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        O::release(self, epoch).await
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        O::counts(self).await
    }
}
