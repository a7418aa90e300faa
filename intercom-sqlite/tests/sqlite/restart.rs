//! The state after a reopen.

use std::fs;
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp};
use intercom_delivery::outbox::{
    Admission, Counts, DeadLetterReason, EventId, Failure, Operate, Outbox, Selection, Verdict,
};

use super::logged;
use super::support::{Engine, Place, accept, bury, delivered, event, events, put_back};

/// The event and all later ones would wait until the clock reaches the wrong time again.
#[tokio::test]
async fn a_clock_step_back_delays_only_events_that_were_put_back() {
    let place = Place::new();
    let clock = place.clock.clone();
    let fast = place.builder().clock(move || clock.now() + Duration::from_secs(3_600));
    let outbox = fast.open().unwrap();
    accept(&outbox, &events(2)).await;
    drop(outbox);
    let outbox = place.open();
    accept(&outbox, &[event("signed_up", 0)]).await;
    assert_eq!(Engine::begin(&outbox).await.lease_ids(10).await, [1, 2, 3]);
}

/// A clock that was a year fast would make the event due in a year.
#[tokio::test]
async fn an_event_put_back_under_a_wrong_clock_is_due_within_an_hour() {
    let place = Place::new();
    let clock = place.clock.clone();
    let year = Duration::from_secs(365 * 86_400);
    let engine =
        Engine::begin(&place.builder().clock(move || clock.now() + year).open().unwrap()).await;
    accept(&engine.outbox, &events(2)).await;
    let leases = engine.lease(2).await;
    engine.settle(&leases[..1], put_back(Duration::from_secs(5))).await;
    engine.settle(&leases[1..], put_back(Duration::ZERO)).await;
    drop(engine);
    let engine = place.engine().await;
    place.clock.advance(Duration::from_secs(3_599));
    assert_eq!(engine.lease(10).await.len(), 0);
    place.clock.advance(Duration::from_secs(1));
    assert_eq!(engine.lease_ids(10).await, [1, 2]);
}

/// A backup lacks the later deliveries.
#[tokio::test]
async fn a_restored_backup_begins_a_later_epoch() {
    logged::begin();
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(4)).await;
    let backup = place.crashed();
    engine.deliver(1).await;
    // The stored note is at most a second old.
    place.clock.advance(Duration::from_secs(1));
    engine.deliver(1).await;
    drop(engine);
    for _ in 0..3 {
        drop(place.engine().await);
    }
    assert_eq!(place.engine().await.epoch().get(), 5);
    for name in ["events.db", "events.db-wal"] {
        fs::copy(backup.folder.path().join(name), place.folder.path().join(name)).unwrap();
    }
    assert_eq!(logged::about(&place), [""; 0]);
    let engine = place.engine().await;
    assert_eq!((engine.epoch().get(), engine.lease(10).await.len()), (6, 4));
    drop(engine);
    // The log says so once.
    drop(place.engine().await);
    let [told] = &logged::about(&place)[..] else { panic!("{:?}", logged::about(&place)) };
    assert!(told.contains("restored from a backup"), "{told}");
}

/// A backup may be all that is left of a machine.
#[tokio::test]
async fn a_file_copied_elsewhere_is_reported_as_restored() {
    logged::begin();
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(4)).await;
    let elsewhere = place.crashed();
    drop(elsewhere.open());
    assert!(logged::about(&elsewhere).concat().contains("restored from a backup"));
    drop(engine);
    drop(place.open());
    assert_eq!(logged::about(&place), [""; 0]);
}

#[tokio::test]
async fn a_restart_keeps_every_detail_of_the_outbox() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(5)).await;
    accept(&engine.outbox, &[event("project_created", 0)]).await;
    let leases = engine.lease(3).await;
    let failure = Failure::new("no such name").with_status(422).with_request_id("req-7".to_owned());
    engine.settle(&leases[..1], delivered).await;
    engine.settle(&leases[1..2], put_back(Duration::from_secs(60))).await;
    let reason = DeadLetterReason::Rejected;
    let failed = Some(failure.clone());
    let verdict = Verdict::Bury { reason, attempts: 7, failure: failed, used: None };
    engine.settle(&leases[2..], |_| verdict.clone()).await;
    let died_at = place.clock.now();
    drop(engine);

    place.clock.advance(Duration::from_secs(1));
    let engine = place.engine().await;
    let outbox = &engine.outbox;
    let mut expected = Counts::default();
    (expected.accepted, expected.delivered, expected.pending) = (6, 1, 4);
    (expected.dead, expected.dead_letters) = (1, 1);
    (expected.newest, expected.oldest_own) = (Some(EventId::new(6)), Some(EventId::new(2)));
    expected.oldest_pending = Some(Duration::from_secs(1));
    assert_eq!(outbox.counts().await.unwrap(), expected);
    let letters = outbox.dead_letters(None, 10).await.unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.id, letter.reason, letter.attempts), (EventId::new(3), reason, 7));
    assert_eq!((letter.failure.as_ref(), letter.died_at), (Some(&failure), died_at));
    assert_eq!(letter.event, event("project_created", 2));

    let leases = engine.lease(10).await;
    let ids: Vec<_> = leases.iter().map(|lease| lease.id.get()).collect();
    assert_eq!(ids, [4, 5, 6]);
    assert_eq!(leases[0].age, Duration::from_secs(1));
    place.clock.advance(Duration::from_millis(58_999));
    assert_eq!(engine.lease(10).await.len(), 0);
    place.clock.advance(Duration::from_millis(1));
    let [lease] = &engine.lease(10).await[..] else { panic!("one is due") };
    assert_eq!((lease.id.get(), lease.attempts), (2, 1));
    assert_eq!(lease.last_failure.as_ref().unwrap().message, "it did not answer");
    assert_eq!(lease.event, event("project_created", 1));
}

#[tokio::test]
async fn leased_events_are_due_at_once_after_a_restart() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(3)).await;
    assert_eq!(engine.lease_ids(2).await, [1, 2]);
    drop(engine);
    assert_eq!(place.engine().await.lease_ids(10).await, [1, 2, 3]);
}

#[tokio::test]
async fn accepted_events_survive_a_crash_and_no_id_repeats() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(3)).await;
    engine.deliver(3).await;
    let place = place.crashed();
    let engine = place.engine().await;
    let counts = engine.outbox.counts().await.unwrap();
    assert_eq!((counts.pending, counts.newest), (0, Some(EventId::new(3))));
    accept(&engine.outbox, &events(1)).await;
    assert_eq!(engine.lease_ids(1).await, [4]);
}

#[tokio::test]
async fn every_byte_of_a_body_is_kept() {
    let place = Place::new();
    let bodies = [
        "{ \"metadata\":{ \"a\\u00e4\" : \"\\ud83e\\udd80\\\\ \\\" \\/ \\b\\f\\n\" },\n\"created_at\": 1700000000 ,\
         \"user_id\":\"\u{1F980} ä\u{2028}'; DROP TABLE outbox_events; --\", \
         \"event_name\":\"ünïcode \\u0041\" }\n",
        "\t{\"event_name\":\"numbers\",\"created_at\":1700000001,\"id\":\"c\",\"metadata\":{\"a\":1.0e+2,\"b\":-0.0,\
         \"c\":12345678901234567890,\"d\":0.1000000000000000055}}  \r\n",
        "{\"event_name\":\"null\\u0000byte\",\"created_at\":-5,\"email\":\"a@b.c\"}",
        "{\"event_name\":\"twice\",\"created_at\":1,\"email\":\"a@b.c\",\"event_name\":\"again\"}",
    ];
    let events = bodies.map(|body| DataEvent::from_body(body).unwrap());
    let outbox = place.open();
    accept(&outbox, &events).await;
    drop(outbox);
    let engine = place.engine().await;
    let outbox = &engine.outbox;
    let leases = engine.lease(10).await;
    for (lease, body) in leases.iter().zip(bodies) {
        assert_eq!(lease.event.body(), body);
    }
    engine.settle(&leases, bury(DeadLetterReason::Rejected)).await;
    let letters = outbox.dead_letters(None, 10).await.unwrap();
    assert!(letters.iter().map(|letter| &letter.event).eq(&events));
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 4);
    let leases = engine.lease(10).await;
    assert!(leases.iter().map(|lease| &lease.event).eq(&events));
}

/// Opening does not recount, so the stored counts must be right.
#[tokio::test]
async fn the_counts_match_a_scan_after_any_operations() {
    let place = Place::new();
    let mut engine = place.engine().await;
    let mut random = 42_u64;
    let mut roll = move |sides: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % sides
    };
    for round in 0..300 {
        let outbox = &engine.outbox;
        match roll(7) {
            0 | 1 => {
                let second = i64::try_from(roll(3)).unwrap();
                accept(outbox, &[event("signed_up", second), event("project_created", round)])
                    .await;
            }
            2 | 3 => {
                let leases = engine.lease(usize::try_from(roll(5)).unwrap()).await;
                let mut moved = Vec::new();
                for lease in leases.iter().take(usize::try_from(roll(3)).unwrap()) {
                    let second = 10_i64.pow(u32::try_from(roll(11)).unwrap());
                    let event = lease.event.moved_to(Timestamp::from_unix_seconds(second));
                    moved.push(Admission::moved(lease.id, event));
                }
                assert_eq!(outbox.admit(engine.epoch(), &moved).await.unwrap(), []);
                match roll(4) {
                    0 => engine.settle(&leases, put_back(Duration::from_secs(roll(30)))).await,
                    1 => {
                        let reason = DeadLetterReason::ALL[usize::try_from(roll(3)).unwrap()];
                        engine.settle(&leases, bury(reason)).await;
                    }
                    _ => engine.settle(&leases, delivered).await,
                }
            }
            4 => place.clock.advance(Duration::from_secs(roll(100))),
            5 => {
                let which =
                    Selection::Reason(DeadLetterReason::ALL[usize::try_from(roll(3)).unwrap()]);
                match roll(3) {
                    0 => outbox.redrive(&which).await.unwrap(),
                    1 => outbox.bury(&Selection::One(EventId::new(roll(200)))).await.unwrap(),
                    _ => outbox.purge(&which).await.unwrap(),
                };
            }
            _ => {
                outbox.maintain().await;
                if roll(4) == 0 {
                    drop(engine);
                    engine = place.engine().await;
                }
            }
        }
        let row: Vec<i64> = place
            .sqlite()
            .query_row(
                "SELECT pending, (SELECT count(*) FROM outbox_events), \
                 pending_bytes, (SELECT coalesce(sum(octet_length(body)), 0) FROM outbox_events), \
                 dead_letters, (SELECT count(*) FROM outbox_dead_letters), \
                 accepted, delivered + dead + pending, \
                 newest, max(newest, (SELECT coalesce(max(id), 0) FROM outbox_events), \
                             (SELECT coalesce(max(id), 0) FROM outbox_dead_letters)) \
                 FROM outbox_counts",
                [],
                |row| {
                    (0..10)
                        .map(|column| {
                            row.get::<_, Option<i64>>(column).map(Option::unwrap_or_default)
                        })
                        .collect()
                },
            )
            .unwrap();
        for pair in row.chunks(2) {
            assert_eq!(pair[0], pair[1], "in round {round}: {row:?}");
        }
        let counts = engine.outbox.counts().await.unwrap();
        assert!(counts.is_balanced());
        assert_eq!(counts.pending, u64::try_from(row[0]).unwrap());
    }
}
