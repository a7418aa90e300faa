//! Turns: one engine at a time delivers.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Leased, Slot, Tombstones, UsedSlot};

/// The number of a turn to deliver. Each turn has a higher number than the turn before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// Creates an epoch from its number in the store.
    pub const fn new(number: u64) -> Self {
        Epoch(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Epoch {
    fn from(number: u64) -> Self {
        Epoch(number)
    }
}

impl From<Epoch> for u64 {
    fn from(value: Epoch) -> Self {
        value.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What [`Outbox::lease`](super::Outbox::lease) last returned to an engine.
///
/// It is exhaustive on purpose: an outbox must answer in each standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The engine has not called it yet.
    Unknown,
    /// Another engine delivers, under this epoch.
    Standby(Epoch),
    /// This engine delivers, under this epoch.
    Delivering(Epoch),
}

/// The result of [`Outbox::lease`](super::Outbox::lease).
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
/// The engine keeps it while it delivers. Dropping it ends the turn, even if the engine did not
/// [release](super::Outbox::release) it.
#[non_exhaustive]
pub struct Tenure {
    /// The epoch of the turn.
    pub epoch: Epoch,
    /// The beginning of the turn.
    pub since: SystemTime,
    /// Whether the events survive the end of this process.
    pub durable: bool,
    /// The slots of the pending events that are not [new](super::Stage::is_new), one for each
    /// event.
    pub held: Vec<Slot>,
    /// The slots of sent events that the outbox still keeps. Also, until [`UsedSlot::WHILE_DEAD`],
    /// the slot of each dead letter that becomes [`Stage::Admitted`](super::Stage) when it is
    /// redriven.
    pub used: Vec<UsedSlot>,
    /// All tombstones.
    pub tombstones: Arc<Tombstones>,
    /// A value that ends the turn when it is dropped, such as a file lock, or the handle of a task
    /// that renews a row.
    pub guard: Box<dyn Any + Send + Sync>,
}

impl Tenure {
    /// Creates a turn over an empty outbox in memory. Dropping `guard` must end the turn.
    ///
    /// If the store has slots, set all of them by the other methods. Otherwise two events may take
    /// one slot.
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

    /// Sets whether the events survive the end of this process. The default is no.
    #[must_use]
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets the slots of the pending events that are not [new](super::Stage::is_new). The default
    /// is none.
    #[must_use]
    pub fn with_held(mut self, held: Vec<Slot>) -> Self {
        self.held = held;
        self
    }

    /// Sets the [used slots](Self::used), those of dead letters included. The default is none.
    #[must_use]
    pub fn with_used(mut self, used: Vec<UsedSlot>) -> Self {
        self.used = used;
        self
    }

    /// Sets all tombstones. The default is none.
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
    /// The process that delivers, as a text for people.
    pub deliverer: String,
    /// The beginning of its turn, by its own clock.
    pub since: SystemTime,
}

impl Standby {
    /// Creates another engine's turn.
    pub fn new(epoch: Epoch, deliverer: impl Into<String>, since: SystemTime) -> Self {
        Standby { epoch, deliverer: deliverer.into(), since }
    }
}
