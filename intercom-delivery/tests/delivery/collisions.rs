//! Events that Intercom would take for duplicates.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, ErrorKind, Timestamp};
use intercom_delivery::outbox::Operate as _;
use intercom_delivery::{Collisions, Delivery, MemoryOutbox, Outbox as _, Selection};
use tokio::time::sleep;

use crate::scripted::{
    Act, DAY, MINUTE, SECOND, Scripted, UnreliableOutbox, assert_ledger, guarded, number_of, send,
};

const AT: i64 = 1_700_000_000;

/// The limit of a move, in seconds: a day.
const MAX_MOVE: u32 = 86_400;

/// Makes an event of Ada at this second.
fn ada(name: &str, number: u64, second: i64) -> DataEvent {
    let event = DynamicEvent::new(name).unwrap().with("number", number).unwrap();
    let second = Timestamp::from_unix_seconds(second);
    DataEvent::new(&event, Contact::email("Ada@Example.com"), second).unwrap()
}

/// Returns the numbers and seconds of the accepted events.
fn taken(transport: &Scripted) -> Vec<(u64, i64)> {
    let taken = transport.taken();
    let mut taken: Vec<_> = taken
        .iter()
        .map(|event| (number_of(event), event.created_at().unix_seconds() - AT))
        .collect();
    taken.sort_unstable();
    taken
}

#[tokio::test(start_paused = true)]
async fn two_events_of_one_second_are_two_events() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        let tracker = delivery.tracker().for_contact(Contact::email("ada@example.com"));
        for number in [0, 1] {
            let event = DynamicEvent::new("tested").unwrap().with("number", number).unwrap();
            tracker.send_at(&event, Timestamp::from_unix_seconds(AT)).await.unwrap();
        }
        assert_eq!(delivery.flush(DAY).await.delivered, 2);
        assert_eq!(taken(&transport), [(0, 0), (1, 1)]);
        let body = transport.taken()[1].to_json();
        assert_eq!(body["created_at"], AT + 1);
        assert_eq!(body["metadata"]["number"], 1);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.moved, ledger.collided), (1, 0));
        assert_ledger(&ledger, 2, 0, 0);
    })
    .await;
}

/// Intercom may take the two names for one, and would then ignore one of the events.
#[tokio::test(start_paused = true)]
async fn an_accented_letter_of_a_name_may_be_one_character_or_two() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, ada("caf\u{e9}_visited", 0, AT)).await;
        send(&delivery, ada("Cafe\u{301}_visited", 1, AT)).await;
        send(&delivery, ada("cafe_visited", 2, AT)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 3);
        assert_eq!(taken(&transport), [(0, 0), (1, 1), (2, 0)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn many_events_of_one_second_each_get_their_own() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        // One event has the second to which the first ones would move.
        send(&delivery, ada("tested", 100, AT + 2)).await;
        for number in 0..20 {
            // Names and email addresses match in any case.
            let name = ["tested", "Tested"][number as usize % 2];
            send(&delivery, ada(name, number, AT)).await;
        }
        let many: Vec<_> = (20..30).map(|number| ada("tested", number, AT)).collect();
        delivery.send_all(&many).await.unwrap();
        assert_eq!(delivery.flush(DAY).await.delivered, 31);
        let mut seconds: Vec<_> = taken(&transport).iter().map(|(_, second)| *second).collect();
        seconds.sort_unstable();
        assert_eq!(seconds, (0..31).collect::<Vec<_>>());
        assert_eq!(delivery.ledger().await.unwrap().moved, 29);
        // Other names and contacts do not collide with them.
        send(&delivery, ada("other", 40, AT)).await;
        let event = DynamicEvent::new("tested").unwrap().with("number", 41).unwrap();
        let at = Timestamp::from_unix_seconds(AT);
        let bob = Contact::email("bob@example.com");
        send(&delivery, DataEvent::new(&event, bob, at).unwrap()).await;
        let _ = delivery.flush(DAY).await;
        assert_eq!(delivery.ledger().await.unwrap().moved, 29);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn kept_collisions_are_counted() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery =
            Delivery::builder(transport.clone()).collisions(Collisions::Keep).start().unwrap();
        for number in 0..5 {
            send(&delivery, ada("tested", number, AT)).await;
        }
        assert_eq!(delivery.flush(DAY).await.delivered, 5);
        assert!(taken(&transport).iter().all(|(_, second)| *second == 0));
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.moved, ledger.collided), (0, 4));
        send(&delivery, ada("tested", 6, AT)).await;
        let _ = delivery.flush(DAY).await;
        assert_eq!(delivery.ledger().await.unwrap().collided, 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_sent_again_is_never_moved() {
    guarded(async {
        let transport = Scripted::new(|call| match call.before {
            0..5 => Act::status(503),
            _ => Act::taken(),
        });
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, ada("tested", 0, AT)).await;
        send(&delivery, ada("tested", 1, AT)).await;
        let report = delivery.flush(DAY).await;
        assert_eq!(report.delivered, 2);
        let attempts = transport.attempts();
        assert_eq!(attempts.len(), 12);
        for attempt in attempts {
            let number = i64::try_from(number_of(&attempt.event)).unwrap();
            assert_eq!(attempt.event.created_at().unix_seconds(), AT + number);
        }
        assert_eq!(delivery.ledger().await.unwrap().moved, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_redriven_event_is_never_moved_and_its_second_stays_its_own() {
    guarded(async {
        let transport = Scripted::queue([Act::status(422)]);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, ada("tested", 0, AT)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        // However long it is a dead letter.
        sleep(30 * MINUTE).await;
        send(&delivery, ada("tested", 1, AT)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        sleep(30 * MINUTE).await;
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 1);
        assert_eq!(delivery.flush(DAY).await.delivered, 2);
        assert_eq!(taken(&transport), [(0, 0), (1, 1)]);
        assert_eq!(delivery.ledger().await.unwrap().moved, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_delivered_event_is_remembered_for_two_minutes() {
    guarded(async {
        // At any time since the last clean-up of used slots.
        for offset in [0, 1, 60, 119, 120, 121, 200, 500] {
            let transport = Scripted::taking();
            let delivery = Delivery::builder(transport.clone()).start().unwrap();
            send(&delivery, ada("other", 0, AT)).await;
            let _ = delivery.flush(DAY).await;
            sleep(Duration::from_secs(offset)).await;
            send(&delivery, ada("tested", 0, AT)).await;
            let _ = delivery.flush(DAY).await;
            for number in 0..23 {
                sleep(5 * SECOND).await;
                send(&delivery, ada("another", number, AT + 1000 * number as i64)).await;
                let _ = delivery.flush(DAY).await;
            }
            sleep(4 * SECOND).await;
            // 119 seconds have passed.
            send(&delivery, ada("tested", 1, AT)).await;
            let _ = delivery.flush(DAY).await;
            assert_eq!(delivery.ledger().await.unwrap().moved, 1, "after {offset} s");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_delivered_event_is_not_remembered_for_ever() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..3 {
            send(&delivery, ada("tested", number, AT)).await;
            let _ = delivery.flush(DAY).await;
            sleep(5 * MINUTE).await;
        }
        assert!(taken(&transport).iter().all(|(_, second)| *second == 0));
        assert_eq!(delivery.ledger().await.unwrap().moved, 0);
    })
    .await;
}

/// After a crash, no engine would know the second with which it was sent.
#[tokio::test(start_paused = true)]
async fn an_event_is_not_sent_before_its_move_is_stored() {
    guarded(async {
        let (transport, outbox) = (Scripted::taking(), UnreliableOutbox::default());
        let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        send(&delivery, ada("tested", 0, AT)).await;
        let _ = delivery.flush(DAY).await;
        outbox.0.admitting_fails(true);
        send(&delivery, ada("tested", 1, AT)).await;
        sleep(MINUTE).await;
        assert_eq!(taken(&transport), [(0, 0)]);
        let status = delivery.status().to_string();
        assert_eq!(status, "delivering; the outbox fails: the disk is full");
        outbox.0.admitting_fails(false);
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(taken(&transport), [(0, 0), (1, 1)]);
        assert!(delivery.status().outbox.is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_takes_no_second() {
    guarded(async {
        let transport = Scripted::taking();
        let outbox = intercom_delivery::MemoryOutbox::new().capacity(1);
        let delivery = Delivery::builder(transport.clone())
            .outbox(outbox)
            .backpressure(intercom_delivery::Backpressure::Refuse)
            .start()
            .unwrap();
        send(&delivery, ada("other", 0, AT)).await;
        let refused = delivery.tracker().send_prepared(ada("tested", 1, AT)).await;
        assert!(refused.is_err());
        let _ = delivery.flush(DAY).await;
        send(&delivery, ada("tested", 1, AT)).await;
        let _ = delivery.flush(DAY).await;
        assert_eq!(taken(&transport), [(0, 0), (1, 0)]);
        assert_eq!(delivery.ledger().await.unwrap().moved, 0);
    })
    .await;
}

/// Counts the events with the second of an earlier event.
fn duplicates(transport: &Scripted) -> usize {
    let taken = transport.taken();
    let mut seconds = HashSet::new();
    taken.iter().filter(|event| !seconds.insert(event.created_at())).count()
}

/// Returns the present second. A second is past by the wall clock, and virtual time does not move
/// that clock.
fn now() -> i64 {
    Timestamp::now().unix_seconds()
}

/// An event with such a second may still come, long after the delivery of the moved event.
#[tokio::test(start_paused = true)]
async fn a_moved_event_keeps_its_second_until_it_is_past() {
    guarded(async {
        let begun = now();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..1000 {
            send(&delivery, ada("tested", number, begun)).await;
        }
        let _ = delivery.flush(DAY).await;
        for number in 1..=150 {
            sleep(10 * SECOND).await;
            send(&delivery, ada("tested", 1000 + number, begun + 10 * number as i64)).await;
        }
        assert_eq!(delivery.flush(DAY).await.delivered, 1150);
        assert_eq!((duplicates(&transport), delivery.ledger().await.unwrap().collided), (0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lasting_rate_above_one_a_second_moves_or_counts_events() {
    guarded(async {
        let begun = now();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for second in 0..3600 {
            for number in 0..3 {
                send(&delivery, ada("tested", 3 * second + number, begun + second as i64)).await;
            }
            sleep(SECOND).await;
        }
        assert_eq!(delivery.flush(DAY).await.delivered, 3 * 3600);
        assert_eq!(duplicates(&transport) as u64, delivery.ledger().await.unwrap().collided);
        let moved: Vec<_> = transport
            .taken()
            .iter()
            .map(|event| event.created_at().unix_seconds() - begun - number_of(event) as i64 / 3)
            .collect();
        assert!(moved.iter().all(|moved| (0..=i64::from(MAX_MOVE)).contains(moved)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_is_moved_by_at_most_a_day() {
    guarded(async {
        let begun = now();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        let many = vec![ada("tested", 0, begun); MAX_MOVE as usize + 10];
        delivery.send_all(&many).await.unwrap();
        assert!(delivery.flush(DAY).await.is_complete());
        let ledger = delivery.ledger().await.unwrap();
        // The first one stays, and so do those without a free second.
        assert_eq!((ledger.moved, ledger.collided), (MAX_MOVE.into(), 9));
        let taken = transport.taken();
        let mut seconds: Vec<_> =
            taken.iter().map(|event| event.created_at().unix_seconds() - begun).collect();
        seconds.sort_unstable();
        assert_eq!(seconds.last().copied(), Some(i64::from(MAX_MOVE)));
        assert_eq!(seconds.iter().filter(|second| **second == 0).count(), 10);
        seconds.dedup();
        assert_eq!(seconds.len(), MAX_MOVE as usize + 1);
    })
    .await;
}

/// An event buried before its lease has no slot in the engine.
#[tokio::test(start_paused = true)]
async fn an_event_buried_before_its_lease_moves_if_its_second_is_used() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = Delivery::builder(transport.clone()).concurrency(1).start().unwrap();
        for number in 0..3 {
            send(&delivery, ada("earlier", number, AT + number as i64)).await;
        }
        sleep(SECOND / 2).await;
        send(&delivery, ada("tested", 3, AT)).await;
        assert_eq!(delivery.bury(&Selection::Name("tested".into())).await.unwrap(), 1);
        send(&delivery, ada("tested", 4, AT)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 4);

        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 1);
        assert_eq!(delivery.flush(DAY).await.delivered, 5);
        assert_eq!(taken(&transport), [(0, 0), (1, 1), (2, 2), (3, 1), (4, 0)]);
        assert_eq!(delivery.ledger().await.unwrap().moved, 1);
    })
    .await;
}

/// In one turn and after a takeover: an operator redrives one event while another is pending.
#[tokio::test(start_paused = true)]
async fn a_redriven_event_moves_if_a_pending_one_has_its_second() {
    for takes_over in [false, true] {
        guarded(async move {
            let outbox = Arc::new(MemoryOutbox::new());
            let is_down = Arc::new(AtomicBool::new(true));
            let down = is_down.clone();
            let transport = Scripted::new(move |_| match down.load(Ordering::SeqCst) {
                true => Act::fails(ErrorKind::Unavailable),
                false => Act::taken(),
            });
            let start = || {
                let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone());
                delivery.start().unwrap()
            };
            outbox.accept(&[ada("tested", 0, AT)]).await.unwrap();
            assert_eq!(outbox.bury(&Selection::All).await.unwrap(), 1);
            let mut delivery = start();
            send(&delivery, ada("tested", 1, AT)).await;
            while transport.attempts().is_empty() {
                sleep(SECOND).await;
            }
            assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 1);
            if takes_over {
                drop(delivery);
                delivery = start();
            }
            is_down.store(false, Ordering::SeqCst);
            assert_eq!(delivery.flush(DAY).await.pending, 0);
            assert_eq!(taken(&transport), [(0, 1), (1, 0)]);
        })
        .await;
    }
}
