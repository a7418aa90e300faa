//! The taken slots, and their holders.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use intercom_core::Timestamp;

use crate::outbox::{Slot, UsedSlot};

/// The holder of a slot. A single number, to save memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotHolder(u32);

impl SlotHolder {
    /// A pending event.
    pub(super) const PENDING: SlotHolder = SlotHolder(u32::MAX);
    /// A dead letter that Intercom does not have.
    pub(super) const DEAD: SlotHolder = SlotHolder(u32::MAX - 1);
    /// A dead letter in a slot of which Intercom may have an event.
    pub(super) const DEAD_AND_SENT: SlotHolder = SlotHolder(u32::MAX - 2);

    /// A sent event. The slot is kept until this Unix second, in the year 2106 at the latest.
    pub(super) fn left(keep_until: Timestamp) -> SlotHolder {
        if keep_until == UsedSlot::WHILE_DEAD {
            return SlotHolder::DEAD_AND_SENT;
        }
        let latest = i64::from(SlotHolder::DEAD_AND_SENT.0) - 1;
        let second = keep_until.unix_seconds().clamp(0, latest);
        SlotHolder(u32::try_from(second).unwrap_or(0))
    }

    /// Returns the holder with a second more.
    pub(super) fn next(self) -> SlotHolder {
        SlotHolder(self.0.saturating_add(1))
    }

    /// Returns the slot's expiry, if its event was sent.
    pub(super) fn keep_until(self) -> Option<Timestamp> {
        (self < SlotHolder::DEAD_AND_SENT).then(|| Timestamp::from_unix_seconds(self.0.into()))
    }

    /// Returns whether it is a dead letter.
    pub(super) fn is_dead(self) -> bool {
        matches!(self, SlotHolder::DEAD | SlotHolder::DEAD_AND_SENT)
    }

    /// Returns the common holder for two events that are not pending.
    pub(super) fn with(self, other: SlotHolder) -> SlotHolder {
        match self.is_dead() || other.is_dead() {
            true if self != other => SlotHolder::DEAD_AND_SENT,
            _ => self.max(other),
        }
    }
}

/// The engine remembers a search over more slots than this.
const LONG_WALK: usize = 8;

/// The taken slots, and their holders.
pub(super) struct Taken {
    holders: HashMap<Slot, SlotHolder>,
    /// Slots of earlier holders are free.
    floor: SlotHolder,
    /// Runs of taken seconds, by their key. Otherwise each event of a burst would search them
    /// again.
    walked: HashMap<u64, Range<i64>>,
}

impl Taken {
    pub(super) fn new() -> Self {
        let floor = SlotHolder::left(Timestamp::from_unix_seconds(i64::MIN));
        Taken { holders: HashMap::new(), floor, walked: HashMap::new() }
    }

    /// Returns the holder of a slot, if any.
    pub(super) fn get(&self, slot: Slot) -> Option<SlotHolder> {
        self.holders.get(&slot).copied().filter(|holder| *holder >= self.floor)
    }

    /// Takes a slot for a pending event if it is free. Otherwise returns its holder.
    pub(super) fn take(&mut self, slot: Slot) -> Result<(), SlotHolder> {
        match self.holders.entry(slot) {
            Entry::Vacant(free) => {
                free.insert(SlotHolder::PENDING);
            }
            Entry::Occupied(taken) if *taken.get() >= self.floor => return Err(*taken.get()),
            Entry::Occupied(mut freed) => {
                freed.insert(SlotHolder::PENDING);
            }
        }
        Ok(())
    }

    /// Takes a slot for this holder, and returns the former holder.
    pub(super) fn set(&mut self, slot: Slot, holder: SlotHolder) -> Option<SlotHolder> {
        if holder < self.floor {
            self.walked.remove(&slot.key);
        }
        let before = self.holders.insert(slot, holder);
        before.filter(|holder| *holder >= self.floor)
    }

    /// Frees a slot, if it is taken.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.walked.remove(&slot.key);
        self.holders.remove(&slot);
    }

    /// Returns the first free second at or after the slot's own.
    pub(super) fn next_free(&mut self, slot: Slot) -> Timestamp {
        let Slot { key, second } = slot;
        let wanted = second.unix_seconds();
        let known = self.walked.get(&key).filter(|walked| walked.contains(&wanted));
        let (from, mut free) = known.map_or((wanted, wanted), |walked| (walked.start, walked.end));
        let at = |second| Slot { key, second: Timestamp::from_unix_seconds(second) };
        let mut steps = 0;
        while free < i64::MAX && self.get(at(free)).is_some() {
            free += 1;
            steps += 1;
        }
        if steps > 0 && (known.is_some() || steps > LONG_WALK) {
            self.walked.insert(key, from..free);
        }
        Timestamp::from_unix_seconds(free)
    }

    /// Frees the slots of all holders before this one. They stay in memory until a sweep.
    pub(super) fn raise_floor(&mut self, floor: SlotHolder) {
        self.floor = self.floor.max(floor);
        self.walked.clear();
    }

    /// Frees the memory of freed slots.
    pub(super) fn sweep(&mut self) {
        self.holders.retain(|_, holder| *holder >= self.floor);
        self.holders.shrink_to(2 * self.holders.len());
    }
}
