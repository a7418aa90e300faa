//! What is found when the file is opened again.

use std::time::Duration;

use intercom_core::DataEvent;
use intercom_delivery::Failure;
use intercom_delivery::outbox::{Counts, DeathReason, EventId, Outbox, Selection, Verdict};

use super::support::{Place, accept, bury, event, events, lease, lease_ids, put_back, settle};

/// It would wait for as long as the clock was wrong, and so would all that was accepted after it.
#[tokio::test]
async fn a_clock_that_was_set_back_holds_up_nothing_that_was_never_put_back() {
    let place = Place::new();
    let clock = place.clock.clone();
    let fast = place.builder().clock(move || clock.now() + Duration::from_secs(3_600));
    let outbox = fast.open().unwrap();
    accept(&outbox, &events(2)).await;
    drop(outbox);
    let outbox = place.open();
    accept(&outbox, &[event("signed_up", 0)]).await;
    assert_eq!(lease_ids(&outbox, 10).await, [1, 2, 3]);
}

#[tokio::test]
async fn everything_is_what_it_was() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(5)).await;
    accept(&outbox, &[event("project_created", 0)]).await;
    let leases = lease(&outbox, 3).await;
    let failure = Failure {
        message: "no such name".to_owned(),
        status: Some(422),
        request_id: Some("req-7".to_owned()),
    };
    settle(&outbox, &leases[..1], Verdict::Acknowledge).await;
    settle(&outbox, &leases[1..2], put_back(Duration::from_secs(60))).await;
    let reason = DeathReason::Rejected;
    let verdict = Verdict::Bury { reason, attempts: 7, failure: Some(failure.clone()) };
    settle(&outbox, &leases[2..], verdict).await;
    let died_at = place.clock.now();
    drop(outbox);

    place.clock.advance(Duration::from_secs(1));
    let outbox = place.open();
    let expected = Counts {
        accepted: 5,
        delivered: 0,
        dead: 1,
        pending: 4,
        dead_letters: 1,
        purged: 0,
        moved: 0,
        collided: 0,
        oldest_pending: Some(EventId(2)),
        newest: Some(EventId(6)),
    };
    assert_eq!(outbox.counts(), expected);
    let letters = outbox.dead_letters(None, 10).await.unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.id, letter.reason, letter.attempts), (EventId(3), reason, 7));
    assert_eq!((letter.failure.as_ref(), letter.died_at), (Some(&failure), died_at));
    assert_eq!(letter.event, event("project_created", 2));

    let leased = outbox.lease(10, Duration::from_secs(100)).await.unwrap();
    assert_eq!(leased.next_due, Some(Duration::from_secs(59)));
    let ids: Vec<_> = leased.events.iter().map(|lease| lease.id.0).collect();
    assert_eq!(ids, [4, 5, 6]);
    assert_eq!(leased.events[0].age, Duration::from_secs(1));
    place.clock.advance(Duration::from_secs(59));
    let [lease] = &lease(&outbox, 10).await[..] else { panic!("one is due") };
    assert_eq!((lease.id.0, lease.attempts), (2, 1));
    assert_eq!(lease.last_failure.as_ref().unwrap().message, "it did not answer");
    assert_eq!(lease.event, event("project_created", 1));
}

#[tokio::test]
async fn what_was_leased_is_due_again_at_once() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(3)).await;
    assert_eq!(lease_ids(&outbox, 2).await, [1, 2]);
    drop(outbox);
    assert_eq!(lease_ids(&place.open(), 10).await, [1, 2, 3]);
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_crash_and_no_id_is_given_twice() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(3)).await;
    let leases = lease(&outbox, 3).await;
    settle(&outbox, &leases, Verdict::Acknowledge).await;
    let place = place.crashed();
    let outbox = place.open();
    assert_eq!((outbox.counts().pending, outbox.counts().newest), (0, Some(EventId(3))));
    accept(&outbox, &events(1)).await;
    assert_eq!(lease_ids(&outbox, 1).await, [4]);
}

#[tokio::test]
async fn every_byte_is_what_it_was() {
    let place = Place::new();
    let bodies = [
        "{ \"metadata\":{ \"a\\u00e4\" : \"\\ud83e\\udd80\\\\ \\\" \\/ \\b\\f\\n\" },\n\"created_at\": 1700000000 ,\
         \"user_id\":\"\u{1F980} ä\u{2028}'; DROP TABLE outbox_events; --\", \"event_name\":\"ünïcode \\u0041\" }\n",
        "\t{\"event_name\":\"numbers\",\"created_at\":1700000001,\"id\":\"c\",\"metadata\":{\"a\":1.0e+2,\"b\":-0.0,\
         \"c\":12345678901234567890,\"d\":0.1000000000000000055}}  \r\n",
        "{\"event_name\":\"null\\u0000byte\",\"created_at\":-5,\"email\":\"a@b.c\"}",
        "{\"event_name\":\"twice\",\"created_at\":1,\"email\":\"a@b.c\",\"event_name\":\"again\"}",
    ];
    let events = bodies.map(|body| DataEvent::from_body(body).unwrap());
    let outbox = place.open();
    accept(&outbox, &events).await;
    drop(outbox);
    let outbox = place.open();
    let leases = lease(&outbox, 10).await;
    for (lease, body) in leases.iter().zip(bodies) {
        assert_eq!(lease.event.body(), body);
    }
    settle(&outbox, &leases, bury(DeathReason::Rejected)).await;
    let letters = outbox.dead_letters(None, 10).await.unwrap();
    assert!(letters.iter().map(|letter| &letter.event).eq(&events));
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 4);
    let leases = lease(&outbox, 10).await;
    assert!(leases.iter().map(|lease| &lease.event).eq(&events));
}

/// Nothing is counted anew when the file is opened, so it has to be right.
#[tokio::test]
async fn the_counts_are_those_of_a_scan_after_whatever_was_done() {
    let place = Place::new();
    let mut outbox = place.open();
    let mut random = 42_u64;
    let mut roll = move |sides: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % sides
    };
    for round in 0..300 {
        match roll(7) {
            0 | 1 => {
                let second = i64::try_from(roll(3)).unwrap();
                accept(&outbox, &[event("signed_up", second), event("project_created", round)])
                    .await;
            }
            2 | 3 => {
                let leases = lease(&outbox, usize::try_from(roll(5)).unwrap()).await;
                let verdict = match roll(4) {
                    0 => put_back(Duration::from_secs(roll(30))),
                    1 => bury(DeathReason::ALL[usize::try_from(roll(3)).unwrap()]),
                    _ => Verdict::Acknowledge,
                };
                settle(&outbox, &leases, verdict).await;
            }
            4 => place.clock.advance(Duration::from_secs(roll(100))),
            5 => {
                let which = Selection::Reason(DeathReason::ALL[usize::try_from(roll(3)).unwrap()]);
                match roll(2) {
                    0 => outbox.redrive(&which).await.unwrap(),
                    _ => outbox.purge(&which).await.unwrap(),
                };
            }
            _ => {
                outbox.tidy().await;
                if roll(4) == 0 {
                    drop(outbox);
                    outbox = place.open();
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
                             (SELECT coalesce(max(id), 0) FROM outbox_dead_letters)), \
                 (SELECT coalesce(sum(held), 0) FROM outbox_seconds) \
                 + (SELECT count(*) FROM outbox_new_seconds WHERE id IN (SELECT id FROM outbox_events) \
                                                               OR id IN (SELECT id FROM outbox_dead_letters)), \
                 pending + dead_letters \
                 FROM outbox_counts",
                [],
                |row| {
                    (0..12)
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
        let counts = outbox.counts();
        assert!(counts.is_balanced());
        assert_eq!(counts.pending, u64::try_from(row[0]).unwrap());
    }
}
