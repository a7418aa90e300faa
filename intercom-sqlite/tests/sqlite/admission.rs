//! Admission: the engine's decisions, and their state after a crash.

use std::time::Duration;

use intercom_core::Timestamp;
use intercom_delivery::outbox::{
    Admission, DeadLetterReason, EventId, Operate, Outbox, Selection, Slot, Stage, UsedSlot,
    Verdict,
};

use super::support::{NOON, Place, accept, bury, delivered, event, events, put_back, used};

#[tokio::test]
async fn a_moved_event_keeps_its_new_bytes_and_second_over_a_crash() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &[event("signed_up", 9), event("signed_up", 9)]).await;
    let leases = engine.lease(2).await;
    assert!(leases.iter().all(|lease| lease.stage == Stage::New));
    // A body of another length.
    let moved = leases[1].event.moved_to(Timestamp::from_unix_seconds(12_345_678_901));
    let admissions = [
        Admission::moved(EventId::new(2), moved.clone()),
        Admission::kept(EventId::new(1), true),
        Admission::kept(EventId::new(7), true),
    ];
    let late = engine.outbox.admit(engine.epoch(), &admissions).await.unwrap();
    assert_eq!(late, [EventId::new(7)]);
    let bytes = "SELECT pending_bytes - (SELECT sum(octet_length(body)) FROM outbox_events) \
                 FROM outbox_counts";
    assert_eq!(place.number(bytes), 0);

    let crashed = place.crashed();
    let engine = crashed.engine().await;
    let counts = engine.outbox.counts().await.unwrap();
    assert_eq!((counts.moved, counts.collided, counts.pending), (1, 1, 2));
    assert_eq!(engine.tenure.held, [Slot::of(&event("signed_up", 9)), Slot::of(&moved)]);
    let leases = engine.lease(2).await;
    assert!(leases.iter().all(|lease| lease.stage == Stage::Admitted));
    assert_eq!([&leases[0].event, &leases[1].event], [&event("signed_up", 9), &moved]);
    engine.settle(&leases, delivered).await;
    assert_eq!(crashed.number("SELECT pending_bytes FROM outbox_counts"), 0);
}

/// A crash before or after the commit of an admission stores all of it, or nothing.
#[tokio::test]
async fn an_admission_is_stored_as_a_whole_before_it_is_answered() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(2)).await;
    let leases = engine.lease(2).await;
    let admissions: Vec<_> = leases
        .iter()
        .map(|lease| {
            let event = lease.event.moved_to(Timestamp::from_unix_seconds(NOON + 90));
            Admission::moved(lease.id, event)
        })
        .collect();
    let before = place.crashed();
    assert_eq!(engine.outbox.admit(engine.epoch(), &admissions).await.unwrap(), []);
    let after = place.crashed();
    for (place, stage, moved) in [(before, Stage::New, 0), (after, Stage::Admitted, 2)] {
        let engine = place.engine().await;
        assert_eq!(engine.tenure.held.len(), moved);
        assert_eq!(engine.outbox.counts().await.unwrap().moved, moved as u64);
        let leases = engine.lease(10).await;
        assert!(leases.len() == 2 && leases.iter().all(|lease| lease.stage == stage));
    }
    // A failed admission stores no part.
    place
        .sqlite()
        .execute_batch(
            "CREATE TRIGGER stop BEFORE UPDATE ON outbox_events WHEN new.id = 2 \
                                  BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();
    let again = leases.iter().map(|lease| Admission::kept(lease.id, true));
    let again: Vec<_> = again.collect();
    engine.outbox.admit(engine.epoch(), &again).await.unwrap_err();
    assert_eq!(engine.outbox.counts().await.unwrap().collided, 0);
}

#[tokio::test]
async fn slots_of_sent_events_survive_a_crash_until_they_are_dropped() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(5)).await;
    let leases = engine.lease(5).await;
    let keep = |second: i64, lease: usize| {
        UsedSlot::new(Slot::of(&leases[lease].event), Timestamp::from_unix_seconds(second))
    };
    let maybe = Some(keep(NOON + 9, 1));
    let reason = DeadLetterReason::AttemptLimit;
    let settlements = [
        leases[0].settle(Verdict::Delivered { used: keep(NOON + 5, 0) }),
        leases[1].settle(Verdict::Bury { reason, attempts: 3, failure: None, used: maybe }),
        leases[2].settle(bury(DeadLetterReason::Rejected)(&leases[2])),
        leases[3].settle(put_back(Duration::from_secs(60))(&leases[3])),
    ];
    assert_eq!(engine.try_settle(&settlements).await.unwrap(), []);

    let crashed = place.crashed().engine().await;
    // The slot of a dead letter that may have arrived lasts as long as the letter.
    let dead = |lease: usize| UsedSlot::new(keep(0, lease).slot, UsedSlot::WHILE_DEAD);
    let used = [keep(NOON + 5, 0), keep(NOON + 9, 1), dead(1)];
    assert_eq!(crashed.tenure.used, used);
    assert_eq!(crashed.tenure.held, [Slot::of(&event("project_created", 3))]);

    // Slots with this time stay, and so do slots settled in the same call.
    let settlement = leases[4].settle(Verdict::Delivered { used: keep(NOON + 9, 4) });
    let forget_before = Timestamp::from_unix_seconds(NOON + 9);
    let late = engine.outbox.settle(engine.epoch(), &[settlement], forget_before).await.unwrap();
    assert_eq!(late, []);
    let mut found = place.crashed().engine().await.tenure.used;
    found.retain(|used| used.keep_until != UsedSlot::WHILE_DEAD);
    found.sort_by_key(|used| used.slot.second);
    assert_eq!(found, [keep(NOON + 9, 1), keep(NOON + 9, 4)]);

    // An ended epoch deletes no slots.
    let late = Timestamp::from_unix_seconds(i64::MAX);
    let over = intercom_delivery::Epoch::new(77);
    engine.outbox.settle(over, &[], late).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM outbox_used_slots"), 2);
}

#[tokio::test]
async fn a_redriven_letter_is_admitted_if_an_attempt_may_have_arrived() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(2)).await;
    let leases = engine.lease(2).await;
    engine.settle(&leases[..1], bury(DeadLetterReason::Rejected)).await;
    let maybe = |lease: &intercom_delivery::outbox::Lease| Verdict::Bury {
        reason: DeadLetterReason::AgeLimit,
        attempts: 4,
        failure: None,
        used: Some(used(&lease.event)),
    };
    engine.settle(&leases[1..], maybe).await;
    place.clock.advance(Duration::from_secs(5));
    assert_eq!(engine.outbox.redrive(&Selection::All).await.unwrap(), 2);
    let leases = engine.lease(2).await;
    let stages: Vec<_> = leases.iter().map(|lease| (lease.id.get(), lease.stage)).collect();
    assert_eq!(stages, [(1, Stage::Redriven), (2, Stage::Admitted)]);
    for lease in &leases {
        assert_eq!((lease.attempts, lease.age), (0, Duration::ZERO));
        assert!(lease.last_failure.is_none());
    }
    assert_eq!(engine.outbox.counts().await.unwrap().dead, 0);
}

#[tokio::test]
async fn the_earliest_second_of_unadmitted_events_is_never_too_late() {
    let place = Place::new();
    let engine = place.engine().await;
    let at = |second| Some(Timestamp::from_unix_seconds(NOON + second));
    let seconds = [500, 7, 300, 400];
    let events: Vec<_> = seconds.map(|second| event("signed_up", second)).into();
    accept(&engine.outbox, &events).await;
    // Seconds 7 and 300 wait behind the first one.
    let first = engine.leased(1).await;
    assert!(first.earliest_new <= at(7));
    let second = engine.leased(1).await;
    assert!(second.earliest_new <= at(300));
    engine.settle(&first.events, put_back(Duration::ZERO)).await;
    engine.settle(&second.events, delivered).await;
    let rest = engine.leased(1).await;
    assert!(rest.earliest_new <= at(300));
    engine.deliver(10).await;
    // The value does not stay behind for ever.
    accept(&engine.outbox, &[event("signed_up", 900), event("signed_up", 901)]).await;
    place.clock.advance(Duration::from_secs(60));
    engine.settle(&rest.events, delivered).await;
    let last = engine.leased(1).await;
    assert!((at(900)..=at(901)).contains(&last.earliest_new), "{:?}", last.earliest_new);
}
