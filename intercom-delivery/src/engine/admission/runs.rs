//! Taken slots as runs of seconds: a burst finds its next free second in a few steps, and a million
//! slots fit into 41 MB.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use intercom_core::Timestamp;

use crate::outbox::{Slot, UsedSlot};

/// Why a slot is taken. One number, because there may be a million of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Holder(u32);

impl Holder {
    /// A pending event.
    pub(super) const PENDING: Holder = Holder(u32::MAX);
    /// A dead letter.
    pub(super) const DEAD: Holder = Holder(u32::MAX - 1);

    /// An event that left. Its slot is kept until this Unix second, in the year 2106 at the latest.
    pub(super) fn left(keep_until: Timestamp) -> Holder {
        if keep_until == UsedSlot::WHILE_DEAD {
            return Holder::DEAD;
        }
        let latest = i64::from(Holder::DEAD.0) - 1;
        let second = keep_until.unix_seconds().clamp(0, latest);
        Holder(u32::try_from(second).unwrap_or(0))
    }

    /// Returns the holder that is kept for a second longer.
    pub(super) fn next(self) -> Holder {
        Holder(self.0.saturating_add(1))
    }

    /// Returns until when the slot is kept, if its event left.
    pub(super) fn keep_until(self) -> Option<Timestamp> {
        (self < Holder::DEAD).then(|| Timestamp::from_unix_seconds(self.0.into()))
    }
}

/// A walk over more runs than this is remembered.
const LONG_WALK: usize = 8;

/// Which slots are taken, and by what. Neighbouring seconds of one key and holder are one run.
pub(super) struct Runs {
    /// The runs, by their key and first second. They do not overlap.
    runs: BTreeMap<(u64, i64), Run>,
    /// Slots of earlier holders are free.
    floor: Holder,
    /// Seconds that are all taken, by their key. A burst's slots leave at different times, and each
    /// of its events would walk over as many runs.
    walked: HashMap<u64, Range<i64>>,
}

#[derive(Clone, Copy)]
struct Run {
    seconds: u32,
    holder: Holder,
}

impl Run {
    /// Returns the first second after a run that begins at `first`.
    fn end(self, first: i64) -> i64 {
        first.saturating_add(self.seconds.into())
    }
}

impl Runs {
    pub(super) fn new() -> Self {
        let floor = Holder::left(Timestamp::from_unix_seconds(i64::MIN));
        Runs { runs: BTreeMap::new(), floor, walked: HashMap::new() }
    }

    /// Returns what holds a slot, if it is taken.
    pub(super) fn get(&self, slot: Slot) -> Option<Holder> {
        let (key, second) = parts(slot);
        let holder = self.run_of(key, second)?.1.holder;
        (holder >= self.floor).then_some(holder)
    }

    /// Returns the first second at or after the slot's own that is not taken.
    pub(super) fn next_free(&mut self, slot: Slot) -> Timestamp {
        let (key, wanted) = parts(slot);
        let known = self.walked.get(&key).filter(|walked| walked.contains(&wanted));
        let (from, mut free) = known.map_or((wanted, wanted), |walked| (walked.start, walked.end));
        let mut steps = 0;
        while let Some((first, run)) = self.run_of(key, free)
            && run.holder >= self.floor
        {
            free = run.end(first);
            steps += 1;
        }
        if steps > 0 && (known.is_some() || steps > LONG_WALK) {
            self.walked.insert(key, from..free);
        }
        Timestamp::from_unix_seconds(free)
    }

    /// Frees the slots of all holders before this one. They stay in memory until a sweep.
    pub(super) fn raise_floor(&mut self, floor: Holder) {
        self.floor = self.floor.max(floor);
        self.walked.clear();
    }

    /// Gives the memory of freed slots back.
    pub(super) fn sweep(&mut self) {
        self.runs.retain(|_, run| run.holder >= self.floor);
    }

    /// Frees a slot, if it is taken.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.walked.remove(&slot.key);
        self.cut_out(slot);
    }

    /// Takes a slot for this holder, whatever held it before.
    pub(super) fn set(&mut self, slot: Slot, holder: Holder) {
        let (key, second) = parts(slot);
        if holder < self.floor {
            self.walked.remove(&key);
        }
        let mut around = self.runs.range_mut(..=(key, second.saturating_add(1))).rev();
        let touches = |first: i64, run: &Run| run.end(first) >= second;
        match around.next() {
            // The slot is a run of its own already, as nearly all are.
            Some((&(other, first), run))
                if (other, first, run.seconds) == (key, second, 1)
                    && !around.next().is_some_and(|(&(other, first), before)| {
                        other == key && touches(first, before)
                    }) =>
            {
                run.holder = holder;
            }
            Some((&(other, first), run)) if other == key && touches(first, run) => {
                self.cut_out(slot);
                self.insert_between(key, second, holder);
            }
            _ => {
                self.runs.insert((key, second), Run { seconds: 1, holder });
            }
        }
    }

    fn cut_out(&mut self, slot: Slot) {
        let (key, second) = parts(slot);
        let Some((first, run)) = self.run_of(key, second) else { return };
        let before = u32::try_from(second - first).unwrap_or(u32::MAX);
        match before {
            0 => self.runs.remove(&(key, first)),
            seconds => self.runs.insert((key, first), Run { seconds, ..run }),
        };
        let after = run.seconds - before - 1;
        if after > 0 {
            self.runs.insert((key, second + 1), Run { seconds: after, ..run });
        }
    }

    /// Adds a slot that is free, and joins it to its neighbours of the same holder.
    fn insert_between(&mut self, key: u64, second: i64, holder: Holder) {
        let before = self.runs.range(..(key, second)).next_back();
        let before = before.filter(|((other, first), run)| {
            *other == key && run.end(*first) == second && run.holder == holder
        });
        let (first, mut seconds) = match before {
            Some((&(_, first), run)) if run.seconds < u32::MAX => (first, run.seconds + 1),
            _ => (second, 1),
        };
        if let Some(next) = second.checked_add(1)
            && let Some(after) = self.runs.get(&(key, next))
            && after.holder == holder
            && let Some(joined) = seconds.checked_add(after.seconds)
        {
            self.runs.remove(&(key, next));
            seconds = joined;
        }
        self.runs.insert((key, first), Run { seconds, holder });
    }

    /// Returns the run that has this second, and its first second.
    fn run_of(&self, key: u64, second: i64) -> Option<(i64, Run)> {
        let (&(other, first), run) = self.runs.range(..=(key, second)).next_back()?;
        (other == key && run.end(first) > second).then_some((first, *run))
    }
}

fn parts(slot: Slot) -> (u64, i64) {
    (slot.key, slot.second.unix_seconds())
}
