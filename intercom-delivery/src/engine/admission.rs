//! Admission: each event gets its second before its first attempt.
//!
//! Intercom ignores the second of two events of one contact, name and second. So the engine keeps
//! which [slots](Slot) are taken and moves an event whose slot is taken to the next free second. A
//! slot is taken
//!
//! - while an event in it is pending. Over a takeover, events of [`Stage::New`] are admitted again,
//!   in the order of their ids. All others keep their slots.
//! - while an event in it is a dead letter, which may be redriven at any time. A purge is noticed
//!   when the next turn begins.
//! - for [`WINDOW_SECONDS`] after an event left in it, and longer while an event that was never
//!   admitted has that second or an earlier one.

mod runs;

use std::collections::{BTreeMap, HashMap, VecDeque};

use intercom_core::{DataEvent, Timestamp};

use self::runs::Runs;
use crate::outbox::{self, Lease, Slot, Stage, Tenure, UsedSlot};
use crate::policy::Collisions;

/// How long a slot stays taken after an event left in it.
pub(crate) const WINDOW_SECONDS: i64 = 120;

/// How far an event is moved at most: a day. Without a bound, a steady flow of more than one event
/// a second of one contact and name would move further and further into the future.
pub(crate) const MAX_MOVE_SECONDS: i64 = 86_400;

/// How many slots of events that left are kept at most, so that an import of old events cannot fill
/// the memory. At 417 events a second, all that Intercom takes of a workspace, these are 40 minutes.
pub(crate) const MAX_LEFT: usize = 1_000_000;

/// How many slots of dead letters are kept at most. Nobody tells the engine that one was purged.
pub(crate) const MAX_DEAD: usize = 100_000;

/// Decides which second each event is sent with.
pub(crate) struct Admission {
    policy: Collisions,
    /// The slots that are taken, by whichever event.
    taken: Runs,
    /// The taken slots in which an event left, and until when each is kept.
    left: HashMap<Slot, Timestamp>,
    /// The same slots by that time, without those of dead letters. An entry is stale where `left`
    /// has another time.
    expiries: BTreeMap<Timestamp, Vec<Slot>>,
    /// How many slots are in `expiries`.
    expiring: usize,
    /// The slots of dead letters, the oldest first. An entry is stale where `left` says otherwise.
    dead: VecDeque<Slot>,
    /// How many pending events are in a slot, beyond the one that each slot outside `left` has.
    shared: HashMap<Slot, u32>,
    /// The outbox may have forgotten what is kept until before this.
    forgotten: Timestamp,
}

impl Admission {
    pub(crate) fn new(policy: Collisions) -> Self {
        Admission {
            policy,
            taken: Runs::default(),
            left: HashMap::new(),
            expiries: BTreeMap::new(),
            expiring: 0,
            dead: VecDeque::new(),
            shared: HashMap::new(),
            forgotten: Timestamp::from_unix_seconds(i64::MIN),
        }
    }

    /// Begins a turn: forgets everything, then takes the slots that the outbox reports.
    pub(crate) fn begin(&mut self, tenure: &Tenure) {
        *self = Admission::new(self.policy);
        for used in &tenure.used {
            self.taken.insert(used.slot);
            self.keep(*used);
        }
        for slot in &tenure.held {
            self.enter(*slot);
        }
    }

    /// Admits a leased event. Events must come in the order in which they were leased.
    ///
    /// Returns what must be stored before the first attempt. Replaces the event if it moves.
    pub(crate) fn admit(&mut self, lease: &mut Lease, now: Timestamp) -> Option<outbox::Admission> {
        let (id, slot) = (lease.id, Slot::of(&lease.event));
        if lease.stage != Stage::New {
            if !self.take_back(slot) && !self.is_held(slot) {
                self.enter(slot);
            }
            let is_redriven = lease.stage == Stage::Redriven;
            return is_redriven.then_some(outbox::Admission::Kept { id, collides: false });
        }
        self.expire(slot, accepted_at(lease, now));
        let free = self.next_free(slot);
        self.enter(free.unwrap_or(slot));
        match free {
            Some(free) if free == slot => None,
            Some(free) => {
                lease.event = lease.event.moved_to(free.second);
                Some(outbox::Admission::Moved { id, event: lease.event.clone() })
            }
            None => Some(outbox::Admission::Kept { id, collides: true }),
        }
    }

    /// Frees a slot in which an event left more than the window before another was accepted. It may
    /// still be here, because slots are forgotten only when a lease answers.
    fn expire(&mut self, slot: Slot, accepted_at: Timestamp) {
        if self.left.get(&slot).is_some_and(|keep_until| *keep_until < accepted_at) {
            self.let_go(slot);
        }
    }

    /// Frees a slot in which an event left. A pending event in it has it for itself from now on.
    fn let_go(&mut self, slot: Slot) {
        self.left.remove(&slot);
        if !self.unshare(slot) {
            self.taken.remove(slot);
        }
    }

    /// Notes that Intercom has the event. Its slot stays taken for the window.
    pub(crate) fn leave(&mut self, event: &DataEvent, now: Timestamp) -> UsedSlot {
        let used = self.used(event, now);
        self.depart(used);
        used
    }

    /// Notes that the event is a dead letter. Its slot stays taken.
    ///
    /// Returns what the outbox must keep if an attempt may have arrived: the dead letter could be
    /// purged.
    pub(crate) fn bury(&mut self, event: &DataEvent, now: Timestamp) -> UsedSlot {
        let used = self.used(event, now);
        self.depart(UsedSlot { keep_until: UsedSlot::WHILE_DEAD, ..used });
        used
    }

    /// Forgets slots in which events left long ago. Returns the time before which the outbox may
    /// forget them too.
    ///
    /// Call it only after a lease answered and its events were admitted. `earliest_new` is what that
    /// lease said.
    pub(crate) fn forget(&mut self, now: Timestamp, earliest_new: Option<Timestamp>) -> Timestamp {
        let is_needed = |keep_until: Timestamp, slot: Slot| {
            keep_until >= now || earliest_new.is_some_and(|earliest| slot.second >= earliest)
        };
        while let Some(mut first) = self.expiries.first_entry() {
            let keep_until = *first.key();
            let Some(slot) = first.get().last().copied() else {
                first.remove();
                continue;
            };
            let is_stale = self.left.get(&slot) != Some(&keep_until);
            if !is_stale && is_needed(keep_until, slot) && self.expiring <= MAX_LEFT {
                break;
            }
            first.get_mut().pop();
            self.expiring -= 1;
            if !is_stale {
                self.let_go(slot);
            }
        }
        let kept = self.expiries.keys().next().copied();
        // What leaves later may have to be kept for less long than the first is now.
        self.forgotten = self.forgotten.max(kept.map_or(now, |kept| kept.min(now)));
        self.forgotten
    }

    /// Returns the first free second at or after the slot's own, if the event may move there.
    fn next_free(&self, slot: Slot) -> Option<Slot> {
        let second = self.taken.next_free(slot)?;
        let may_move = self.policy == Collisions::Move
            && second.unix_seconds().saturating_sub(slot.second.unix_seconds()) <= MAX_MOVE_SECONDS;
        (second == slot.second || may_move).then_some(Slot { second, ..slot })
    }

    fn is_held(&self, slot: Slot) -> bool {
        self.shared.contains_key(&slot)
            || (self.taken.contains(slot) && !self.left.contains_key(&slot))
    }

    /// Notes one more pending event in this slot.
    fn enter(&mut self, slot: Slot) {
        if !self.taken.insert(slot) {
            *self.shared.entry(slot).or_default() += 1;
        }
    }

    /// Notes one pending event less in a slot that has more than its own. Returns whether it had.
    fn unshare(&mut self, slot: Slot) -> bool {
        let Some(more) = self.shared.get_mut(&slot) else { return false };
        *more -= 1;
        if *more == 0 {
            self.shared.remove(&slot);
        }
        true
    }

    /// Gives the slot of a dead letter back to the event. Returns whether it was one.
    fn take_back(&mut self, slot: Slot) -> bool {
        let was_dead = self.left.get(&slot) == Some(&UsedSlot::WHILE_DEAD) && !self.is_held(slot);
        if was_dead {
            self.left.remove(&slot);
        }
        was_dead
    }

    fn used(&self, event: &DataEvent, now: Timestamp) -> UsedSlot {
        let slot = Slot::of(event);
        // A clock that was set back must not make the outbox forget a slot that was just used.
        let from = now.max(slot.second).max(self.forgotten).unix_seconds();
        let keep_until = Timestamp::from_unix_seconds(from.saturating_add(WINDOW_SECONDS));
        UsedSlot { slot, keep_until }
    }

    /// Notes one pending event less in this slot, which is kept.
    fn depart(&mut self, used: UsedSlot) {
        if self.left.contains_key(&used.slot) {
            self.unshare(used.slot);
        }
        self.taken.insert(used.slot);
        self.keep(used);
    }

    fn keep(&mut self, UsedSlot { slot, keep_until }: UsedSlot) {
        let until = self.left.entry(slot).or_insert(keep_until);
        *until = keep_until.max(*until);
        if *until != UsedSlot::WHILE_DEAD {
            self.expiries.entry(*until).or_default().push(slot);
            self.expiring += 1;
            return;
        }
        self.dead.push_back(slot);
        if self.dead.len() > MAX_DEAD
            && let Some(oldest) = self.dead.pop_front()
            && self.left.get(&oldest) == Some(&UsedSlot::WHILE_DEAD)
        {
            self.let_go(oldest);
        }
    }
}

/// Returns when the leased event was accepted, by the engine's clock.
fn accepted_at(lease: &Lease, now: Timestamp) -> Timestamp {
    let age = i64::try_from(lease.age.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(age))
}

#[cfg(test)]
mod tests;
