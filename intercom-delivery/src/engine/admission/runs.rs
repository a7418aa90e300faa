//! Slots as runs of seconds, so that a burst finds its next free second in one step.

use std::collections::BTreeMap;

use intercom_core::Timestamp;

use crate::outbox::Slot;

/// A set of slots. Neighbouring seconds of one key are one run.
#[derive(Default)]
pub(super) struct Runs {
    /// The last second of each run, by its key and its first second. Runs of one key do not touch.
    ends: BTreeMap<(u64, i64), i64>,
}

impl Runs {
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.run_of(slot).is_some()
    }

    /// Returns the first second at or after the slot's own that is not in the set.
    pub(super) fn next_free(&self, slot: Slot) -> Option<Timestamp> {
        match self.run_of(slot) {
            Some((_, end)) => end.checked_add(1).map(Timestamp::from_unix_seconds),
            None => Some(slot.second),
        }
    }

    /// Adds a slot. Returns whether it was not in the set.
    pub(super) fn insert(&mut self, slot: Slot) -> bool {
        let (key, second) = parts(slot);
        let before = self.ends.range(..=(key, second)).next_back();
        let before = before.filter(|((run, _), _)| *run == key);
        let before = before.map(|((_, start), end)| (*start, *end));
        if before.is_some_and(|(_, end)| end >= second) {
            return false;
        }
        let touching = before.filter(|(_, end)| end.saturating_add(1) == second);
        let start = touching.map_or(second, |(start, _)| start);
        let after = second.checked_add(1).and_then(|next| self.ends.remove(&(key, next)));
        self.ends.insert((key, start), after.unwrap_or(second));
        true
    }

    /// Removes a slot, if it is in the set.
    pub(super) fn remove(&mut self, slot: Slot) {
        let (key, second) = parts(slot);
        let Some((start, end)) = self.run_of(slot) else { return };
        if start < second {
            self.ends.insert((key, start), second - 1);
        } else {
            self.ends.remove(&(key, start));
        }
        if second < end {
            self.ends.insert((key, second + 1), end);
        }
    }

    /// Returns the first and the last second of the run that holds this slot.
    fn run_of(&self, slot: Slot) -> Option<(i64, i64)> {
        let (key, second) = parts(slot);
        let ((run, start), end) = self.ends.range(..=(key, second)).next_back()?;
        (*run == key && *end >= second).then_some((*start, *end))
    }
}

fn parts(slot: Slot) -> (u64, i64) {
    (slot.key, slot.second.unix_seconds())
}
