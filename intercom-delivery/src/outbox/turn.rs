//! Whose turn it is to deliver.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Leased, Slot, Tombstones, UsedSlot};

/// The number of a turn to deliver. Each turn has a higher one than the turn before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What an engine was told last by [`Outbox::lease`](super::Outbox::lease).
///
/// It is exhaustive on purpose: an outbox must answer in each standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet.
    Unknown,
    /// That another engine delivers, under this epoch.
    Standby(Epoch),
    /// That it delivers itself, under this epoch.
    Delivering(Epoch),
}

/// What [`Outbox::lease`](super::Outbox::lease) gives.
///
/// It is exhaustive on purpose: an engine must act on each turn.
#[derive(Debug)]
pub enum Turn {
    /// The caller delivers from now on.
    Began(Tenure),
    /// The caller delivers, and these events are due.
    Leased(Leased),
    /// Another engine delivers.
    Standby(Standby),
}

/// The turn of the engine that delivers.
///
/// The engine keeps it until it stops delivering. Dropping it ends the turn, also where the engine
/// had no time to [release](super::Outbox::release) it.
#[non_exhaustive]
pub struct Tenure {
    /// The epoch of the turn.
    pub epoch: Epoch,
    /// When it began.
    pub since: SystemTime,
    /// Whether what the outbox holds survives the end of this process.
    pub durable: bool,
    /// The slots of pending events that are not [new](super::Stage::is_new), one for each event.
    pub held: Vec<Slot>,
    /// The slots in which events left, as far as they are not forgotten, and the slot of every dead
    /// letter, until [`UsedSlot::WHILE_DEAD`].
    pub used: Vec<UsedSlot>,
    /// All tombstones.
    pub tombstones: Arc<Tombstones>,
    /// What ends the turn when it is dropped: a lock, a guard, a task that renews a row.
    pub guard: Box<dyn Any + Send + Sync>,
}

impl Tenure {
    /// Creates a turn over an outbox in memory that holds nothing yet.
    ///
    /// The turn ends when `guard` is dropped. Set all that the store holds, or two events could
    /// take one slot.
    pub fn new(epoch: Epoch, since: SystemTime, guard: impl Any + Send + Sync) -> Self {
        Tenure {
            epoch,
            since,
            durable: false,
            held: Vec::new(),
            used: Vec::new(),
            tombstones: Arc::default(),
            guard: Box::new(guard),
        }
    }

    /// Sets whether what the outbox holds survives the end of this process. By default it does
    /// not.
    #[must_use]
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets the slots of pending events that are not [new](super::Stage::is_new). By default none.
    #[must_use]
    pub fn with_held(mut self, held: Vec<Slot>) -> Self {
        self.held = held;
        self
    }

    /// Sets the [used slots](Self::used), those of dead letters included. By default none.
    #[must_use]
    pub fn with_used(mut self, used: Vec<UsedSlot>) -> Self {
        self.used = used;
        self
    }

    /// Sets all tombstones. By default none.
    #[must_use]
    pub fn with_tombstones(mut self, tombstones: Arc<Tombstones>) -> Self {
        self.tombstones = tombstones;
        self
    }
}

impl fmt::Debug for Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenure")
            .field("epoch", &self.epoch)
            .field("durable", &self.durable)
            .field("held", &self.held.len())
            .field("used", &self.used.len())
            .field("tombstones", &self.tombstones)
            .finish_non_exhaustive()
    }
}

/// Another engine's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standby {
    /// The epoch of that turn.
    pub epoch: Epoch,
    /// Which process delivers, in words for a person.
    pub deliverer: String,
    /// When its turn began, by its own clock.
    pub since: SystemTime,
}

impl Standby {
    /// Creates another engine's turn, in the order of the fields.
    pub fn new(epoch: Epoch, deliverer: impl Into<String>, since: SystemTime) -> Self {
        Standby { epoch, deliverer: deliverer.into(), since }
    }
}
