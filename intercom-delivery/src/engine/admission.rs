//! Admission: gives each event its second before its first attempt.
//!
//! Of two events with the same contact, name and second, Intercom ignores the later one. So the
//! engine remembers the taken [slots](Slot), and moves an event with a taken slot to the next free
//! second. A slot is taken
//!
//! - while an event in it is pending. After a takeover, the engine admits [new](Stage::is_new)
//!   events again, in the order of their leases. All others keep their slots.
//! - while an event in it is a dead letter, which may be redriven at any time. After a takeover
//!   this holds for letters that an attempt may have reached. The engine notices a purge when its
//!   next turn begins. It does not know the slot of an event that an operator buries before its
//!   lease.
//! - for [`WINDOW_SECONDS`] after its event was sent, and longer while an event that was never
//!   admitted has that second or an earlier one. A derived event has the second of its cause, and
//!   may come long after the acceptance of the cause. So it never takes a kept slot.
//!
//! **Late commits.** A transaction can accept an event, and commit after an event in the same slot left
//! more than the window ago. If the engine had forgotten that slot, Intercom would ignore the event of
//! the late commit. So [`earliest_new`](crate::outbox::Leased::earliest_new) covers the events of open
//! transactions, and [`SlotAllocator::forget`] forgets no slot that they may need. An event counts from
//! its acceptance, not from its commit.
//!
//! If an event is accepted more than the window after its own second, its slot may be forgotten. The
//! engine does not move it: an imported or backdated event keeps its second.

mod taken;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use intercom_core::{DataEvent, Timestamp};

use self::taken::{SlotHolder, Taken};
use super::review::Reviewed;
use crate::outbox::{self, EventId, Lease, Ruling, Slot, Stage, Tenure, UsedSlot};
use crate::policy::Collisions;

/// How long a slot stays taken after its event was sent.
pub(crate) const WINDOW_SECONDS: i64 = 120;

/// The longest move of an event: a day. Without a bound, a steady flow of more than one event a
/// second of one contact and name would move further and further into the future.
pub(crate) const MAX_MOVE_SECONDS: i64 = 86_400;

/// The limit of slots of sent events, so that an import of old events cannot fill the memory. At
/// 417 events a second, all that Intercom takes of a workspace, these are 40 minutes.
pub(crate) const MAX_LEFT: usize = 1_000_000;

/// The limit of slots of dead letters. Purges do not reach the engine.
pub(crate) const MAX_DEAD: usize = 100_000;

/// The limit of events that operators removed while they were leased. Erased ones never come again.
const MAX_LOST: usize = 10_000;

/// The number of expired slots at which a sweep begins.
const MIN_SWEEP: usize = 1_024;

/// Decides the second of each event.
pub(crate) struct SlotAllocator {
    policy: Collisions,
    /// The taken slots, and their holders.
    taken: Taken,
    /// The number of slots by their expiry.
    kept: BTreeMap<SlotHolder, Kept>,
    kept_slots: usize,
    /// The number of freed slots that are still in memory.
    gone_slots: usize,
    /// The slots of dead letters, the oldest first. An entry is stale if `taken` differs.
    dead: VecDeque<Slot>,
    /// The number of further pending events in each slot, beyond the first one, which
    /// [`SlotHolder::PENDING`] stands for.
    shared: HashMap<Slot, u32>,
    /// The outbox may have deleted slots with an earlier end.
    forgotten: Timestamp,
    /// The earliest second of events that rules derived after the last lease answered: that lease
    /// did not count them.
    earliest_derived: Option<Timestamp>,
    /// Events that an operator removed while they were leased. An attempt may have reached Intercom
    /// all the same.
    lost: HashSet<EventId>,
}

/// The slots with one expiry.
struct Kept {
    slots: usize,
    /// The latest second among them, or a later one.
    latest: Timestamp,
}

impl SlotAllocator {
    pub(crate) fn new(policy: Collisions) -> Self {
        SlotAllocator {
            policy,
            taken: Taken::new(),
            kept: BTreeMap::new(),
            kept_slots: 0,
            gone_slots: 0,
            dead: VecDeque::new(),
            shared: HashMap::new(),
            forgotten: Timestamp::from_unix_seconds(i64::MIN),
            earliest_derived: None,
            lost: HashSet::new(),
        }
    }

    /// Begins a turn: forgets everything, then takes the slots that the outbox reports.
    pub(crate) fn begin(&mut self, tenure: &Tenure) {
        *self = SlotAllocator::new(self.policy);
        for used in &tenure.used {
            self.keep(used.slot, SlotHolder::left(used.keep_until));
        }
        for slot in &tenure.held {
            self.enter(*slot);
        }
    }

    /// Admits a leased event. Events must come in the order of their leases.
    ///
    /// Returns the event's slot, and what must be stored before the first attempt. Replaces the
    /// event if it moves.
    pub(crate) fn admit(
        &mut self,
        lease: &mut Lease,
        now: Timestamp,
    ) -> (Slot, Option<outbox::Admission>) {
        let (id, slot) = (lease.id, Slot::of(&lease.event));
        if !lease.stage.is_new() {
            self.retake(slot);
            return (slot, None);
        }
        let is_redriven = lease.stage == Stage::Redriven;
        if is_redriven && self.lost.remove(&id) {
            self.retake(slot);
            return SlotAllocator::admit_again(lease);
        }
        let kept = is_redriven.then_some(outbox::Admission::kept(id, false));
        if is_redriven && self.take_back(slot, &[SlotHolder::DEAD]) {
            return (slot, kept);
        }
        let Err(holder) = self.taken.take(slot) else { return (slot, kept) };
        // The slot's event was sent longer than the window before the acceptance of this one. The
        // engine drops slots only after the answer of a lease.
        let is_later = |keep_until| keep_until < accepted_at(lease, now);
        if lease.stage != Stage::Derived && holder.keep_until().is_some_and(is_later) {
            self.let_go(slot, holder);
        }
        let Some(free) = self.next_free(slot) else {
            self.enter(slot);
            return (slot, Some(outbox::Admission::kept(id, true)));
        };
        self.taken.set(free, SlotHolder::PENDING);
        if free == slot {
            return (slot, kept);
        }
        lease.event = lease.event.moved_to(free.second);
        (free, Some(outbox::Admission::moved(id, lease.event.clone())))
    }

    /// Admits an event that the engine has already, by an older lease. It keeps its slot.
    ///
    /// Returns the same as [`admit`](Self::admit).
    pub(crate) fn admit_again(lease: &Lease) -> (Slot, Option<outbox::Admission>) {
        // A takeover does not repeat the order in which operators redrive events.
        let is_redriven = lease.stage == Stage::Redriven;
        let kept = is_redriven.then(|| outbox::Admission::kept(lease.id, false));
        (Slot::of(&lease.event), kept)
    }

    /// Gives a slot back to an event that Intercom may have, whatever holds it.
    pub(crate) fn retake(&mut self, slot: Slot) {
        let was_dead = self.take_back(slot, &[SlotHolder::DEAD, SlotHolder::DEAD_AND_SENT]);
        if !was_dead && !self.is_held(slot) {
            self.enter(slot);
        }
    }

    /// Notes that an operator removed an event while it was leased. If it is redriven in this turn, it
    /// keeps its slot: an attempt by the older lease may have reached Intercom.
    pub(crate) fn lose(&mut self, id: EventId) {
        if self.lost.len() >= MAX_LOST {
            self.lost.clear();
        }
        self.lost.insert(id);
    }

    /// Admits an event after its review. Returns its slot, unless it is not sent now, and what must
    /// be stored before the first attempt.
    pub(crate) fn admit_reviewed(
        &mut self,
        lease: &mut Lease,
        reviewed: Reviewed,
        now: Timestamp,
    ) -> (Option<Slot>, Option<outbox::Admission>) {
        let Reviewed { ruling, renamed, derived, .. } = reviewed;
        let seconds = derived.iter().map(DataEvent::created_at);
        self.earliest_derived = seconds.chain(self.earliest_derived).min();
        if let Some(ruling) = ruling {
            return (None, Some(outbox::Admission { id: lease.id, ruling, derived }));
        }
        let is_renamed = renamed.is_some();
        if let Some(renamed) = renamed {
            lease.event = renamed;
        }
        let (slot, admission) = self.admit(lease, now);
        let mut admission = match admission {
            None if !is_renamed && derived.is_empty() => return (Some(slot), None),
            None => outbox::Admission::kept(lease.id, false),
            Some(admission) => admission,
        };
        if let (true, Ruling::Keep { collides }) = (is_renamed, &admission.ruling) {
            let (event, collides) = (lease.event.clone(), *collides);
            admission.ruling = Ruling::Replace { event, moved: false, collides };
        }
        admission.derived = derived;
        (Some(slot), Some(admission))
    }

    /// Records that Intercom has the event of this slot. The slot stays taken for the window.
    pub(crate) fn leave(&mut self, slot: Slot, now: Timestamp) -> UsedSlot {
        let used = self.used(slot, now);
        self.keep(slot, SlotHolder::left(used.keep_until));
        used
    }

    /// Records that the event of this slot is a dead letter. The slot stays taken.
    ///
    /// Returns what the outbox must keep if an attempt may have arrived: the dead letter could be
    /// purged.
    pub(crate) fn bury(&mut self, slot: Slot, arrived: bool, now: Timestamp) -> Option<UsedSlot> {
        let used = arrived.then(|| self.used(slot, now));
        self.keep(slot, if arrived { SlotHolder::DEAD_AND_SENT } else { SlotHolder::DEAD });
        used
    }

    /// Drops expired slots. Returns the time before which the outbox may drop them too.
    ///
    /// Call it only after the answer of a lease, with its events admitted. `earliest_new` is from
    /// that lease.
    pub(crate) fn forget(&mut self, now: Timestamp, earliest_new: Option<Timestamp>) -> Timestamp {
        let earliest_new = earliest_new.into_iter().chain(self.earliest_derived.take()).min();
        let mut floor = None;
        while let Some(first) = self.kept.first_entry() {
            let is_needed = *first.key() >= SlotHolder::left(now)
                || earliest_new.is_some_and(|earliest| first.get().latest >= earliest);
            if is_needed && self.kept_slots <= MAX_LEFT {
                break;
            }
            let (until, kept) = first.remove_entry();
            self.kept_slots -= kept.slots;
            self.gone_slots += kept.slots;
            floor = Some(until.next());
        }
        if let Some(floor) = floor {
            self.free_before(floor);
        }
        let kept = self.kept.keys().next().and_then(|until| until.keep_until());
        // A later event may need its slot for a shorter time than the first one.
        self.forgotten = self.forgotten.max(kept.map_or(now, |kept| kept.min(now)));
        self.forgotten
    }

    /// Frees the slots of earlier holders. Pending events in them become their only holders.
    fn free_before(&mut self, floor: SlotHolder) {
        let is_freed = |slot: &&Slot| self.taken.get(**slot).is_some_and(|holder| holder < floor);
        let freed: Vec<_> = self.shared.keys().filter(is_freed).copied().collect();
        for slot in freed {
            self.unshare(slot);
            self.taken.set(slot, SlotHolder::PENDING);
        }
        self.taken.raise_floor(floor);
        if self.gone_slots > self.kept_slots.max(MIN_SWEEP) {
            self.taken.sweep();
            self.gone_slots = 0;
        }
    }

    /// Frees the slot of a sent event. A pending event in it becomes its only holder.
    fn let_go(&mut self, slot: Slot, holder: SlotHolder) {
        self.uncount(holder);
        match self.unshare(slot) {
            true => _ = self.taken.set(slot, SlotHolder::PENDING),
            false => self.taken.remove(slot),
        }
    }

    /// Returns the first free second at or after the slot's own, if the event may move there.
    fn next_free(&mut self, slot: Slot) -> Option<Slot> {
        let second = self.taken.next_free(slot);
        let may_move = self.policy == Collisions::Move
            && second.unix_seconds().saturating_sub(slot.second.unix_seconds()) <= MAX_MOVE_SECONDS;
        (second == slot.second || may_move).then_some(Slot { second, ..slot })
    }

    fn is_held(&self, slot: Slot) -> bool {
        self.shared.contains_key(&slot) || self.taken.get(slot) == Some(SlotHolder::PENDING)
    }

    /// Adds a pending event to this slot.
    fn enter(&mut self, slot: Slot) {
        if self.taken.take(slot).is_err() {
            *self.shared.entry(slot).or_default() += 1;
        }
    }

    /// Removes a further pending event from a slot. Returns whether there was one.
    fn unshare(&mut self, slot: Slot) -> bool {
        let Some(more) = self.shared.get_mut(&slot) else { return false };
        *more -= 1;
        if *more == 0 {
            self.shared.remove(&slot);
        }
        true
    }

    /// Returns the slot of a dead letter to its event. Returns whether one of these letters held
    /// it.
    fn take_back(&mut self, slot: Slot, holders: &[SlotHolder]) -> bool {
        let is_one = |holder| holders.contains(&holder);
        let was_dead = self.taken.get(slot).is_some_and(is_one) && !self.shared.contains_key(&slot);
        if was_dead {
            self.taken.set(slot, SlotHolder::PENDING);
        }
        was_dead
    }

    fn used(&self, slot: Slot, now: Timestamp) -> UsedSlot {
        // After a step back of the clock, the outbox must still keep a recently used slot.
        let from = now.max(slot.second).max(self.forgotten).unix_seconds();
        let keep_until = Timestamp::from_unix_seconds(from.saturating_add(WINDOW_SECONDS));
        UsedSlot { slot, keep_until }
    }

    /// Removes a pending event from this slot. Keeps the slot at least until then.
    fn keep(&mut self, slot: Slot, mut until: SlotHolder) {
        if let Some(held) = self.taken.set(slot, until).filter(|held| *held != SlotHolder::PENDING)
        {
            self.unshare(slot);
            let both = held.with(until);
            self.taken.set(slot, both);
            if both == held || held.is_dead() {
                return;
            }
            self.uncount(held);
            until = both;
        }
        if !until.is_dead() {
            let kept = self.kept.entry(until).or_insert(Kept { slots: 0, latest: slot.second });
            kept.slots += 1;
            kept.latest = kept.latest.max(slot.second);
            self.kept_slots += 1;
            return;
        }
        self.dead.push_back(slot);
        if self.dead.len() > MAX_DEAD
            && let Some(oldest) = self.dead.pop_front()
            && let Some(holder) = self.taken.get(oldest).filter(|holder| holder.is_dead())
        {
            self.let_go(oldest, holder);
        }
    }

    /// Removes a slot with this expiry.
    fn uncount(&mut self, until: SlotHolder) {
        let Some(kept) = self.kept.get_mut(&until) else { return };
        kept.slots -= 1;
        self.kept_slots -= 1;
        if kept.slots == 0 {
            self.kept.remove(&until);
        }
    }
}

/// Returns the time of the leased event's acceptance, by the engine's clock.
fn accepted_at(lease: &Lease, now: Timestamp) -> Timestamp {
    let age = i64::try_from(lease.age.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(age))
}

#[cfg(test)]
mod tests;
