use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use intercom_core::{Contact, DataEvent, DynamicEvent};
use proptest::prelude::*;

use super::*;
use crate::outbox::{Epoch, EventId, Ruling};

const NOON: i64 = 1_700_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(NOON + second)
}

fn event(second: i64) -> DataEvent {
    let event = DynamicEvent::new("project_created").unwrap();
    DataEvent::new(&event, Contact::user_id(42), at(second)).unwrap()
}

fn slot(second: i64) -> Slot {
    Slot::of(&event(second))
}

fn lease(stage: Stage, second: i64) -> Lease {
    Lease {
        id: EventId::new(7),
        event: event(second),
        stage,
        attempts: 0,
        last_failure: None,
        age: Duration::ZERO,
    }
}

fn tenure(held: &[i64], used: &[(i64, i64)]) -> Tenure {
    let key = slot(0).key;
    let slot = |second| Slot { key, second: at(second) };
    let used = used.iter();
    Tenure {
        epoch: Epoch::new(1),
        since: SystemTime::UNIX_EPOCH,
        durable: true,
        held: held.iter().map(|second| slot(*second)).collect(),
        used: used.map(|(s, until)| UsedSlot { slot: slot(*s), keep_until: at(*until) }).collect(),
        tombstones: Arc::default(),
        guard: Box::new(()),
    }
}

/// Admits an event. Returns its second, and the stored admission.
fn admit(admission: &mut SlotAllocator, stage: Stage, second: i64) -> (i64, &'static str) {
    let mut lease = lease(stage, second);
    let (slot, stored) = admission.admit(&mut lease, at(0));
    assert_eq!(slot, Slot::of(&lease.event));
    let stored = match stored {
        None => "not stored",
        Some(outbox::Admission { ruling: Ruling::Replace { event, .. }, .. }) => {
            assert_eq!(event, lease.event);
            "moved"
        }
        Some(outbox::Admission { ruling: Ruling::Keep { collides: true }, .. }) => "collides",
        Some(outbox::Admission { ruling: Ruling::Keep { collides: false }, .. }) => "kept",
        Some(admission) => panic!("{admission:?}"),
    };
    (lease.event.created_at().unix_seconds() - NOON, stored)
}

fn moving() -> SlotAllocator {
    SlotAllocator::new(Collisions::Move)
}

#[test]
fn each_stage_is_admitted_in_its_way() {
    let mut admission = moving();
    assert_eq!(admit(&mut admission, Stage::New, 0), (0, "not stored"));
    assert_eq!(admit(&mut admission, Stage::New, 0), (1, "moved"));
    assert_eq!(admit(&mut admission, Stage::New, 1), (2, "moved"));
    assert_eq!(admit(&mut admission, Stage::Redriven, 5), (5, "kept"));
    assert_eq!(admit(&mut admission, Stage::Admitted, 5), (5, "not stored"));
    assert_eq!(admit(&mut admission, Stage::Admitted, 3), (3, "not stored"));
    assert_eq!(admit(&mut admission, Stage::New, 1), (4, "moved"));
    assert_eq!(admit(&mut admission, Stage::New, 1), (6, "moved"));
}

#[test]
fn events_are_kept_where_they_collide_if_that_is_the_policy() {
    let mut admission = SlotAllocator::new(Collisions::Keep);
    assert_eq!(admit(&mut admission, Stage::New, 0), (0, "not stored"));
    assert_eq!(admit(&mut admission, Stage::New, 0), (0, "collides"));
    assert_eq!(admit(&mut admission, Stage::New, 0), (0, "collides"));
    assert_eq!(admit(&mut admission, Stage::Redriven, 0), (0, "collides"));
}

#[test]
fn an_event_moves_by_a_day_and_no_further() {
    let mut admission = moving();
    let held: Vec<_> = (0..MAX_MOVE_SECONDS).collect();
    admission.begin(&tenure(&held, &[]));
    assert_eq!(admit(&mut admission, Stage::New, 0), (MAX_MOVE_SECONDS, "moved"));
    assert_eq!(admit(&mut admission, Stage::New, 0), (0, "collides"));
    assert_eq!(admit(&mut admission, Stage::New, 1), (MAX_MOVE_SECONDS + 1, "moved"));
}

#[test]
fn a_turn_begins_with_what_the_outbox_reports() {
    let mut admission = moving();
    admit(&mut admission, Stage::New, 9);
    admission.begin(&tenure(&[0, 2], &[(1, 130)]));
    assert_eq!(admit(&mut admission, Stage::New, 0), (3, "moved"));
    assert_eq!(admit(&mut admission, Stage::New, 9), (9, "not stored"));
}

#[test]
fn a_slot_is_kept_for_the_window() {
    for (second, now, keep_until) in [(0, 0, 120), (-50, 0, 120), (0, 7, 127), (300, 0, 420)] {
        let mut admission = moving();
        admit(&mut admission, Stage::New, second);
        let used = admission.leave(slot(second), at(now));
        assert_eq!(used, UsedSlot { slot: slot(second), keep_until: at(keep_until) });

        assert!(admission.forget(at(keep_until), None) <= at(keep_until));
        assert!(admission.taken.get(slot(second)).is_some());
        assert_eq!(admission.forget(at(keep_until + 1), None), at(keep_until + 1));
        assert!(admission.taken.get(slot(second)).is_none());
    }
}

#[test]
fn a_slot_is_kept_while_an_event_may_still_come_that_wants_it() {
    for (earliest_new, is_kept) in [(-1, true), (0, true), (1, false)] {
        let mut admission = moving();
        admission.leave(slot(0), at(0));
        let forgotten = admission.forget(at(1_000), Some(at(earliest_new)));
        assert_eq!(forgotten, if is_kept { at(120) } else { at(1_000) });
        assert_eq!(admit(&mut admission, Stage::New, 0).0, i64::from(is_kept));
    }
}

#[test]
fn the_outbox_forgets_nothing_that_leaves_later() {
    let mut admission = moving();
    admission.leave(slot(50_000), at(0));
    assert_eq!(admission.forget(at(10), None), at(10));
    // The clock steps back by an hour.
    let used = admission.leave(slot(-3_600), at(-3_600));
    assert!(used.keep_until >= at(10));
    assert_eq!(admission.forget(at(-3_590), None), at(10));
}

#[test]
fn only_so_many_slots_are_kept() {
    let used: Vec<_> = (0..=MAX_LEFT as i64).map(|second| (second, second / 2)).collect();
    let mut admission = moving();
    admission.begin(&tenure(&[], &used));
    assert_eq!(admission.forget(at(-9), Some(at(-9))), at(-9));
    // Slots with one expiry are dropped together.
    assert_eq!(admission.kept_slots, MAX_LEFT - 1);
    assert!(admission.taken.get(slot(1)).is_none());
    assert!(admission.taken.get(slot(2)).is_some());
}

#[test]
fn a_pending_event_keeps_its_slot_when_an_older_one_is_forgotten() {
    let retaken: [fn(&mut SlotAllocator); 3] = [
        |admission| admission.begin(&tenure(&[0], &[(0, 120)])),
        |admission| {
            admission.leave(slot(0), at(0));
            // A redriven dead letter, whose first attempt may have arrived, is attempted twice.
            admit(admission, Stage::Admitted, 0);
            admit(admission, Stage::Admitted, 0);
        },
        |admission| {
            admission.policy = Collisions::Keep;
            admit(admission, Stage::New, 0);
            admit(admission, Stage::New, 0);
            admission.leave(slot(0), at(0));
        },
    ];
    for retake in retaken {
        let mut admission = moving();
        retake(&mut admission);
        admission.forget(at(1_000), None);
        assert!(admission.taken.get(slot(0)).is_some());
        admission.leave(slot(0), at(1_000));
        admission.forget(at(1_121), None);
        assert!(admission.taken.get(slot(0)).is_none() && admission.shared.is_empty());
    }
}

#[test]
fn a_dead_letter_keeps_its_slot_and_finds_it_again() {
    for (stage, stored, arrived) in
        [(Stage::Redriven, "kept", false), (Stage::Admitted, "not stored", true)]
    {
        for takes_over in [false, true] {
            let mut admission = moving();
            admit(&mut admission, Stage::New, 0);
            let used = admission.bury(slot(0), arrived, at(0));
            assert_eq!(used.map(|used| used.keep_until), arrived.then_some(at(120)));
            if takes_over && arrived {
                let dead = UsedSlot::WHILE_DEAD.unix_seconds() - NOON;
                admission.begin(&tenure(&[], &[(0, 120), (0, dead)]));
            }
            assert_eq!(admission.forget(at(1_000), None), at(1_000));
            assert_eq!(admit(&mut admission, Stage::New, 0), (1, "moved"));
            assert_eq!(admit(&mut admission, stage, 0), (0, stored));
            assert_eq!(admit(&mut admission, Stage::New, 0), (2, "moved"));

            admission.leave(slot(0), at(1_000));
            admission.forget(at(1_121), None);
            assert_eq!(admit(&mut admission, Stage::New, 0), (0, "not stored"));
        }
    }
}

/// Two dead letters can have one second if an operator buried one of them before its lease.
#[test]
fn a_redriven_event_moves_where_a_dead_letter_may_have_arrived() {
    for takes_over in [false, true] {
        let mut admission = moving();
        admit(&mut admission, Stage::New, 0);
        admission.bury(slot(0), true, at(0));
        if takes_over {
            let dead = UsedSlot::WHILE_DEAD.unix_seconds() - NOON;
            admission.begin(&tenure(&[], &[(0, dead)]));
        }
        assert_eq!(admit(&mut admission, Stage::Redriven, 0), (1, "moved"));
        assert_eq!(admit(&mut admission, Stage::Admitted, 0), (0, "not stored"));
    }
}

#[test]
fn an_event_that_was_buried_unread_moves_where_another_has_its_slot() {
    for leaves in [false, true] {
        for (stage, admitted) in
            [(Stage::Redriven, (1, "moved")), (Stage::Admitted, (0, "not stored"))]
        {
            let mut admission = moving();
            admit(&mut admission, Stage::New, 0);
            if leaves {
                admission.leave(slot(0), at(0));
            }
            assert_eq!(admit(&mut admission, stage, 0), admitted);
        }
    }
}

#[test]
fn a_dead_letter_that_collided_leaves_the_slot_to_the_pending_event() {
    let mut admission = SlotAllocator::new(Collisions::Keep);
    admit(&mut admission, Stage::New, 0);
    admit(&mut admission, Stage::New, 0);
    admission.bury(slot(0), true, at(0));
    admission.leave(slot(0), at(0));
    admission.begin(&tenure(&[], &[(0, 120)]));
    assert_eq!(admit(&mut admission, Stage::Redriven, 0), (0, "collides"));
    admission.forget(at(1_000), None);
    assert!(admission.is_held(slot(0)) && admission.shared.is_empty());
}

#[test]
fn a_remembered_walk_goes_on_where_it_ended() {
    let slot = |second| Slot { key: 1, second: at(second) };
    let mut taken = Taken::new();
    for second in 0..20 {
        taken.set(slot(second), SlotHolder::left(at(second)));
    }
    assert_eq!(taken.next_free(slot(0)), at(20));
    taken.set(slot(20), SlotHolder::left(at(19)));
    assert_eq!(taken.next_free(slot(5)), at(21));
    taken.remove(slot(7));
    assert_eq!(taken.next_free(slot(5)), at(7));
}

proptest! {
    /// A model: a map of slots, in which slots below the floor are free.
    #[test]
    fn taken_slots_are_a_map(steps in prop::collection::vec((0..8_u8, 0..2_u64, 0..30_i64), 1..150)) {
        let holders = [0, 1, 2].map(|until| SlotHolder::left(at(until)));
        let holders = [holders[0], holders[1], holders[2], SlotHolder::DEAD, SlotHolder::PENDING];
        let (mut taken, mut map, mut floor) = (Taken::new(), BTreeMap::new(), holders[0]);
        for (step, key, second) in steps {
            let slot = Slot { key, second: at(second) };
            match (step, holders.get(usize::from(step))) {
                (_, Some(holder)) => {
                    let before = map.insert(slot, *holder).filter(|before| *before >= floor);
                    prop_assert_eq!(taken.set(slot, *holder), before);
                }
                (7, None) => {
                    let held = map.get(&slot).copied().filter(|held| *held >= floor);
                    prop_assert_eq!(taken.take(slot).err(), held);
                    map.insert(slot, held.unwrap_or(SlotHolder::PENDING));
                }
                (5, None) => {
                    taken.remove(slot);
                    map.remove(&slot);
                }
                (_, None) => {
                    floor = holders[1];
                    taken.raise_floor(floor);
                    if second % 2 == 0 {
                        taken.sweep();
                    }
                    taken.raise_floor(holders[0]);
                }
            }
            for slot in (0..31).map(|second| Slot { key, second: at(second) }) {
                let holder = |slot| map.get(&slot).copied().filter(|holder| *holder >= floor);
                prop_assert_eq!(taken.get(slot), holder(slot));
                let is_free = |s: &i64| holder(Slot { key, second: at(*s) }).is_none();
                let free = (slot.second.unix_seconds() - NOON..).find(is_free).map(at);
                prop_assert_eq!(Some(taken.next_free(slot)), free);
            }
        }
    }
}

/// The lease of a cause does not count the events that rules derive from it.
#[test]
fn the_second_of_what_is_derived_is_kept_until_it_is_admitted() {
    let mut admission = SlotAllocator::new(Collisions::Move);
    assert_eq!(admit(&mut admission, Stage::New, 0).0, 0);
    admission.leave(slot(0), at(0));
    let (mut cause, later) = (lease(Stage::New, 1), at(10 * WINDOW_SECONDS));
    let reviewed = Reviewed { derived: vec![event(0)], ..Reviewed::default() };
    let (_, stored) = admission.admit_reviewed(&mut cause, reviewed, later);
    assert_eq!(stored.map(|stored| stored.derived.len()), Some(1));
    assert!(admission.forget(later, None) <= at(WINDOW_SECONDS));
    let mut derived = lease(Stage::Derived, 0);
    assert_eq!(admission.admit(&mut derived, later).0, slot(2));
    // The event is admitted, so the slot is dropped.
    assert_eq!(admission.forget(later, None), later);
    assert_eq!(admit(&mut admission, Stage::New, 0).0, 0);
}
