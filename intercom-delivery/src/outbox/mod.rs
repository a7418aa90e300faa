//! The outbox: what holds events until delivery.

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

/// Holds events until delivery.
///
/// One trait fits a queue in memory, a file of several processes, and a store of many machines:
///
/// - **Any process accepts**, at any time, by a plain insert. [`accept`](Self::accept) returns when
///   the events are as safe as the outbox promises.
/// - **One engine delivers**, under an [`Epoch`] that only grows. [`lease`](Self::lease) says whose
///   turn it is. [`admit`](Self::admit), [`settle`](Self::settle) and [`release`](Self::release)
///   carry the epoch, and change nothing under an earlier one.
/// - **A lease lasts as long as its epoch**, unless a settlement ends it before. When an epoch
///   ends, every leased event is due again.
/// - **The bytes of an event change at most once**: by `admit`, before its first attempt. An event
///   of [`Stage::Redriven`] begins anew.
/// - **Times are durations from now**, so no two clocks need agree. Each outbox has its own clock.
///
/// An outbox decides nothing about sending: the engine does, when it admits events. No method has a
/// default. So a wrapper that lacks a method does not compile.
///
/// [`MemoryOutbox`] keeps events in memory. The suite in `conformance`, behind the feature of that
/// name, tests an outbox of your own. The example `own_outbox` is a complete outbox in its own
/// crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an outbox",
    label = "cannot hold events",
    note = "a `Result` with an outbox in it needs `?`, and a builder needs `.open()?`",
    note = "a type becomes an outbox with `#[async_trait] impl Outbox for …` \
        and `#[async_trait] impl Operate for …`"
)]
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Accepts events, all of them or none. Returns when they are safe.
    ///
    /// If the future is dropped early, the events may be accepted or not.
    ///
    /// # Errors
    ///
    /// Fails when the outbox is full, or when the store fails. Then it has none of the events,
    /// unless the error is [`AcceptError::InDoubt`].
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError>;

    /// Waits until the caller has something to do, and says what: see [`Turn`].
    ///
    /// `standing` is what the caller's last call returned. The result is one of these:
    ///
    /// - [`Turn::Began`] when the caller's turn begins. It comes before the first lease.
    /// - [`Turn::Leased`] when the caller delivers and an event is due. It has up to `limit`
    ///   events, in the order in which they became due. An event that was never put back became due
    ///   at its acceptance. Such events come in the order of their ids. The result may have no
    ///   events, to extend [`valid_for`](Leased::valid_for).
    /// - [`Turn::Standby`] when another engine delivers, once for each of its epochs. By this
    ///   result a caller also learns that another engine took over from it.
    ///
    /// When an operator has erased or forgiven contacts, the call also returns the
    /// [tombstones](Leased::tombstones), with or without events. They come before, or with, each
    /// event that was accepted after the erasure.
    ///
    /// With a `limit` of 0, it leases no event.
    ///
    /// Dropping the future loses nothing: events that it had leased are due again.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read or written. Then it leased nothing.
    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError>;

    /// Stores admissions of leased events, in one transaction. Returns the ids of events that are
    /// not leased under this epoch. For these it stores nothing: no admission, and no derived
    /// event.
    ///
    /// The engine calls this before the first attempt, and only for an admission that changes
    /// something.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then it stored nothing.
    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError>;

    /// Settles leased events, in one transaction. Returns the ids of events that are not leased
    /// under this epoch, such as an event that is settled a second time. For these it changes
    /// nothing.
    ///
    /// The same transaction keeps the [used slots](UsedSlot) of the settled events, and deletes
    /// those whose `keep_until` is before `forget_before`.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then it settled nothing, and the caller can try
    /// again.
    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError>;

    /// Ends the epoch: another engine may deliver at once, and every leased event is due again.
    /// Does nothing under another epoch.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Then the epoch ends as after a crash of the process.
    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError>;

    /// Counts where events are, in one snapshot of the store.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn counts(&self) -> Result<Counts, OutboxError>;
}

/// The numbers of events by state, at one moment and over all processes of the store.
///
/// Always `accepted + derived == delivered + dead + pending + withheld + dropped + erased`. A
/// durable outbox counts from the creation of its store. Begin with `Counts::default()`, and set
/// the fields.
///
/// With the feature `serde` it is `Serialize`: the numbers of events, without ids and durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Counts {
    /// Accepted events.
    pub accepted: u64,
    /// Events that rules derived from others.
    pub derived: u64,
    /// Delivered events.
    pub delivered: u64,
    /// Events that became dead letters, minus the redriven and the erased ones. Purging does not
    /// change it.
    pub dead: u64,
    /// Events that wait, and leased events.
    pub pending: u64,
    /// Events that admission deleted because their contacts did not consent, or are erased.
    pub withheld: u64,
    /// Events that admission deleted because a rule says so.
    pub dropped: u64,
    /// Pending events and dead letters that erasures deleted.
    pub erased: u64,
    /// Dead letters that the outbox still has.
    pub dead_letters: u64,
    /// Dead letters that an operator purged, or the outbox because of its limits.
    pub purged: u64,
    /// Events that admission moved to a later second.
    pub moved: u64,
    /// Events that admission left at a second that another event has.
    pub collided: u64,
    /// The highest id so far. Every later event has a higher one, unless a transaction accepted it
    /// before this moment and commits later.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub newest: Option<EventId>,
    /// The lowest id among the pending events that this process accepted.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub oldest_own: Option<EventId>,
    /// The time since the acceptance of the pending event with the lowest id, or since its redrive.
    /// `None` if none is pending.
    #[cfg_attr(feature = "serde", serde(skip))]
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

/// The terms of the balance, without zeros of optional features.
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
