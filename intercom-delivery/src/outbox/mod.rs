//! The seam that holds events until they are delivered.

mod collision;
mod dead_letter;
mod error;
mod holding;
mod lease;
mod memory;
mod wake;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::{DataEvent, async_trait};

pub use collision::{CollisionGuard, CollisionKey, Collisions, MAX_AHEAD, Placement, hash_folded};
pub use dead_letter::{DeadLetter, DeathReason, Failure, Selection, UnknownDeathReason};
pub use error::{AcceptError, OutboxError, Unaccepted};
pub use lease::{EventId, Lease, LeaseToken, Leased, Settlement, Verdict};
pub use memory::{DEFAULT_CAPACITY, DEFAULT_DEAD_LETTERS, DEFAULT_MAX_BYTES, MemoryOutbox};
pub use wake::Wake;

/// Holds events until they are delivered.
///
/// A new durability is a new `Outbox`; the engine stays as it is. This one seam fits a queue in memory, a file, and a
/// store that many machines lease from:
///
/// - **Accepting is done when it is safe**, in whatever sense the outbox promises. An error means that nothing was
///   accepted.
/// - **A lease ends by itself.** An event that is leased and never settled, because the engine's process died, is
///   due again when the lease has run out. Who settles too late is told so, and changes nothing.
/// - **All durations are relative**, so that no two clocks need agree. Each outbox goes by a clock of its own.
/// - **The bytes never change**, but for an event that collides with another when it is accepted, see
///   [`Collisions`]. What is leased the tenth time is what was leased the first.
///
/// It works for one engine at a time. When delivery ends it is waited for, for seconds and not for longer: what it has not
/// settled by then is leased until the lease runs out.
///
/// [`MemoryOutbox`] is the kind in memory. Whether another keeps these promises is tested by `conformance`, behind
/// the feature of that name.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Accepts events: all of them or none. Done when they are safe.
    ///
    /// Where the future is dropped before its end, the events may have been accepted or not; the
    /// [counts](Self::counts) tell.
    ///
    /// # Errors
    ///
    /// Fails when there is no room or the events cannot be kept safe. Nothing was accepted then.
    async fn accept(&self, events: &[DataEvent], collisions: Collisions)
    -> Result<(), AcceptError>;

    /// Accepts one event without waiting. It must not block: `send` tries it first, in the task that polls it.
    ///
    /// An outbox that has to wait until an event is safe, as for a disk or a network, cannot do this. It always gives
    /// [`AcceptError::Unsupported`], which is the default, and `send` goes on with [`accept`](Self::accept).
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept). The event is given back.
    fn try_accept(&self, event: DataEvent, collisions: Collisions) -> Result<(), Box<Unaccepted>> {
        let _ = collisions;
        Err(Box::new(Unaccepted { event, error: AcceptError::Unsupported }))
    }

    /// Hands out events that are due, the longest due first, and at most so many. Nobody else is given them until
    /// `term` is over.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read or written. Nothing was leased then.
    async fn lease(&self, most: usize, term: Duration) -> Result<Leased, OutboxError>;

    /// Settles leased events, and gives those whose lease had ended before: for them nothing was done. Settling
    /// again what has been settled is such a case, and so harmless.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written. Nothing was settled then, and it can be tried again.
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<EventId>, OutboxError>;

    /// Reads dead letters, in the order of their ids, beginning after this one.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError>;

    /// Makes dead letters pending again, due at once and with no attempt spent, and says how many. Their bytes stay
    /// what they were.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written.
    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError>;

    /// Forgets dead letters for good, and says how many.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be written.
    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError>;

    /// How many events are where: a snapshot of one moment, kept and not counted anew.
    fn counts(&self) -> Counts;

    /// Gives the outbox the means to wake the engine. It does so whenever an event has become due that was not
    /// known before: accepted, redriven, put there by another program. Replaces what was given before.
    fn attach(&self, wake: Wake);
}

/// How many events are where, in one moment. Always `accepted == delivered + dead + pending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that were accepted. A durable outbox counts what it found when it was opened as accepted.
    pub accepted: u64,
    /// Events that were acknowledged.
    pub delivered: u64,
    /// Events that ended in the dead letters, less those that were redriven. Purging does not change it.
    pub dead: u64,
    /// Events that wait, or are leased.
    pub pending: u64,
    /// Dead letters that can still be read.
    pub dead_letters: u64,
    /// Dead letters that were forgotten: when told to, or because there were more than are kept.
    pub purged: u64,
    /// Events that were moved to another second when accepted, because they collided.
    pub moved: u64,
    /// Events that collided and were kept as they were: Intercom will ignore them.
    pub collided: u64,
    /// The lowest id that is pending.
    pub oldest_pending: Option<EventId>,
    /// The highest id given so far.
    pub newest: Option<EventId>,
}

impl Counts {
    /// Whether the books are balanced.
    pub fn is_balanced(&self) -> bool {
        self.accepted == self.delivered + self.dead + self.pending
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { accepted, delivered, dead, pending, .. } = self;
        write!(f, "{accepted} accepted = {delivered} delivered + {dead} dead + {pending} pending")
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<O: Outbox + ?Sized> Outbox for $pointer {
            async fn accept(
                &self,
                events: &[DataEvent],
                collisions: Collisions,
            ) -> Result<(), AcceptError> {
                O::accept(self, events, collisions).await
            }

            fn try_accept(
                &self,
                event: DataEvent,
                collisions: Collisions,
            ) -> Result<(), Box<Unaccepted>> {
                O::try_accept(self, event, collisions)
            }

            async fn lease(&self, most: usize, term: Duration) -> Result<Leased, OutboxError> {
                O::lease(self, most, term).await
            }

            async fn settle(
                &self,
                settlements: &[Settlement],
            ) -> Result<Vec<EventId>, OutboxError> {
                O::settle(self, settlements).await
            }

            async fn dead_letters(
                &self,
                after: Option<EventId>,
                most: usize,
            ) -> Result<Vec<DeadLetter>, OutboxError> {
                O::dead_letters(self, after, most).await
            }

            async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
                O::redrive(self, which).await
            }

            async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
                O::purge(self, which).await
            }

            fn counts(&self) -> Counts {
                O::counts(self)
            }

            fn attach(&self, wake: Wake) {
                O::attach(self, wake);
            }
        }
    )*};
}
forward!(Box<O>, Arc<O>);
