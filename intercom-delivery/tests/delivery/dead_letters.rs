//! Dead letters: reported once, readable, and redriven or purged on demand.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use intercom_core::Contact;
use intercom_delivery::{
    DeadLetter, DeadLetterReason, Delivery, DeliveryBuilder, EventId, MemoryOutbox, MemoryTracker,
    Outbox, Selection,
};
use tokio::time::sleep;

use crate::scripted::{
    Act, DAY, MINUTE, SECOND, Scripted, UnreliableOutbox, assert_ledger, guarded, lock, named,
    numbers, send,
};

type Told = Arc<Mutex<Vec<DeadLetter>>>;

/// Records the calls of the hook, and asserts that the outbox has each letter by then.
fn hooked(builder: DeliveryBuilder, outbox: &Arc<MemoryOutbox>) -> (Delivery, Told) {
    let told = Told::default();
    let (keeps, sees) = (told.clone(), outbox.clone());
    let delivery = builder
        .outbox(outbox.clone())
        .on_dead_letter(move |letter| {
            let counts = sees.counts().now_or_never().unwrap().unwrap();
            assert!(counts.is_balanced() && counts.dead_letters > 0);
            assert!(counts.oldest_own != Some(letter.id));
            lock(&keeps).push(letter.clone());
        })
        .start()
        .unwrap();
    (delivery, told)
}

/// An Intercom that refuses names beginning with `bad`, knows no contact with an odd number, and
/// panics above 50.
fn picky() -> Scripted {
    Scripted::new(|call| {
        let number: u64 = call.event.contact().as_user_id().unwrap().parse().unwrap();
        match number {
            50 => Act::PanicInPoll,
            _ if call.event.event_name().starts_with("bad") => Act::status(422),
            _ if number % 2 == 1 => Act::status(404),
            _ => Act::taken(),
        }
    })
}

async fn forty(delivery: &Delivery) {
    for number in 0..40 {
        let name = if number < 10 { "bad_one" } else { "good" };
        send(delivery, named(name, number)).await;
    }
    send(delivery, named("good", 50)).await;
}

#[tokio::test(start_paused = true)]
async fn each_dead_letter_is_reported_once_after_its_commit() {
    guarded(async {
        let outbox = Arc::new(MemoryOutbox::new());
        let builder = Delivery::builder(picky())
            .unknown_contact(intercom_delivery::UnknownContact::RetryFor(10 * SECOND));
        let (delivery, told) = hooked(builder, &outbox);
        forty(&delivery).await;
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (15, 26));
        let letters = delivery.dead_letters(None, 100).await.unwrap();
        let mut ids: Vec<_> = lock(&told).iter().map(|letter| letter.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, letters.iter().map(|letter| letter.id).collect::<Vec<_>>());
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!(ledger.deaths.of(DeadLetterReason::Rejected), 10);
        assert_eq!(ledger.deaths.of(DeadLetterReason::UnknownContact), 15);
        assert_eq!(ledger.deaths.of(DeadLetterReason::Panic), 1);
        assert_eq!(ledger.deaths.iter().map(|(_, number)| number).sum::<u64>(), 26);
        // The hook did not panic.
        assert_eq!(ledger.panics, 3);
        for letter in lock(&told).iter() {
            let shown = format!("{letter:?} {letter}");
            assert!(!shown.contains("number"), "{shown}");
            let (id, reason) = (letter.id, letter.reason);
            assert!(shown.contains(&format!(
                "dead letter {id} `{}`: {reason} (attempts: ",
                letter.event.event_name()
            )));
            let same = letters.iter().find(|other| other.id == letter.id).unwrap();
            assert_eq!(same.event, letter.event);
            assert_eq!((same.reason, same.attempts), (letter.reason, letter.attempts));
            assert_eq!(same.failure, letter.failure);
        }
        // Each burial of an event counts.
        assert_eq!(delivery.redrive(&Selection::One(letters[0].id)).await.unwrap(), 1);
        assert_eq!(delivery.flush(DAY).await.dead, 26);
        assert_eq!(lock(&told).len(), 27);
        assert_eq!(delivery.ledger().await.unwrap().deaths.of(DeadLetterReason::Rejected), 11);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_read_in_pages() {
    guarded(async {
        let delivery = Delivery::builder(Scripted::new(|_| Act::status(422))).start().unwrap();
        for number in 0..25 {
            send(&delivery, named("bad", number)).await;
        }
        let _ = delivery.flush(DAY).await;
        let mut read = Vec::new();
        let mut after = None;
        loop {
            let page = delivery.dead_letters(after, 10).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 10);
            after = Some(last.id);
            read.extend(page);
        }
        let ids: Vec<_> = read.iter().map(|letter| letter.id).collect();
        assert_eq!(ids, (0..25).map(EventId::new).collect::<Vec<_>>());
        assert!(delivery.dead_letters(None, 0).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_redriven_by_id_name_reason_or_all() {
    guarded(async {
        let transport = picky();
        let builder = Delivery::builder(transport.clone())
            .unknown_contact(intercom_delivery::UnknownContact::DeadLetter);
        let outbox = Arc::new(MemoryOutbox::new());
        let (delivery, _) = hooked(builder, &outbox);
        forty(&delivery).await;
        assert_eq!(delivery.flush(DAY).await.dead, 26);
        assert_ledger(&delivery.ledger().await.unwrap(), 15, 26, 0);
        transport.script(|_| Act::taken_after(SECOND));

        assert_eq!(delivery.redrive(&Selection::One(EventId::new(3))).await.unwrap(), 1);
        assert_ledger(&delivery.ledger().await.unwrap(), 15, 25, 1);
        assert_eq!(delivery.flush(DAY).await.delivered, 16);
        assert_eq!(delivery.redrive(&Selection::One(EventId::new(3))).await.unwrap(), 0);
        // A delivered event is no dead letter.
        assert_eq!(delivery.redrive(&Selection::One(EventId::new(10))).await.unwrap(), 0);

        assert_eq!(delivery.redrive(&Selection::Name("BAD_one".into())).await.unwrap(), 9);
        assert_eq!(delivery.flush(DAY).await.delivered, 25);
        let unknown = Selection::Reason(DeadLetterReason::UnknownContact);
        assert_eq!(delivery.redrive(&unknown).await.unwrap(), 15);
        assert_eq!(delivery.flush(DAY).await.delivered, 40);
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 1);
        assert_eq!(delivery.flush(DAY).await.delivered, 41);
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 0);
        assert_ledger(&delivery.ledger().await.unwrap(), 41, 0, 0);
        let mut all = numbers(&transport.taken());
        all.dedup();
        assert_eq!((all.len(), transport.taken().len()), (41, 41));
        // A redrive does not undo the count of burials.
        assert_eq!(
            delivery.ledger().await.unwrap().deaths.iter().map(|(_, number)| number).sum::<u64>(),
            26
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_redriven_event_starts_again() {
    guarded(async {
        let transport = Scripted::new(|_| Act::status(503));
        let delivery = Delivery::builder(transport.clone())
            .retry(intercom_delivery::RetryPolicy::new().max_attempts(2).max_age(MINUTE))
            .start()
            .unwrap();
        send(&delivery, named("tested", 1)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        sleep(10 * MINUTE).await;
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 1);
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        let letter = &delivery.dead_letters(None, 1).await.unwrap()[0];
        assert_eq!((letter.reason, letter.attempts), (DeadLetterReason::AttemptLimit, 2));
        assert_eq!(transport.attempts().len(), 4);
        let bodies: Vec<_> =
            transport.attempts().iter().map(|attempt| attempt.event.body().clone()).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_events_redriven_before() {
    guarded(async {
        let transport = Scripted::queue([Act::status(422)]);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..3 {
            send(&delivery, named("tested", number)).await;
        }
        let _ = delivery.flush(DAY).await;
        transport.script(|_| Act::taken_after(SECOND));
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 1);
        assert_eq!(delivery.flush(DAY).await.delivered, 3);
    })
    .await;
}

/// An accented letter is one character, or a letter and a combining accent.
#[tokio::test(start_paused = true)]
async fn a_name_selects_events_in_any_spelling_of_accents() {
    guarded(async {
        let transport = Scripted::new(|_| Act::status(422));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, named("menü_geöffnet", 1)).await;
        send(&delivery, named("Menu\u{308}_Geo\u{308}ffnet", 2)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 2);
        let selection = Selection::Name("MENÜ_GEO\u{308}FFNET".into());
        assert_eq!(delivery.redrive(&selection).await.unwrap(), 2);
        assert_eq!(delivery.bury(&selection).await.unwrap(), 2);
        assert_eq!(delivery.purge(&selection).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn purged_dead_letters_stay_in_the_ledger() {
    guarded(async {
        let transport = picky();
        let builder = Delivery::builder(transport.clone())
            .unknown_contact(intercom_delivery::UnknownContact::DeadLetter);
        let delivery = builder.start().unwrap();
        forty(&delivery).await;
        assert_eq!(delivery.flush(DAY).await.dead, 26);
        assert_eq!(delivery.purge(&Selection::One(EventId::new(3))).await.unwrap(), 1);
        assert_eq!(delivery.purge(&Selection::Name("Bad_One".into())).await.unwrap(), 9);
        let panic = Selection::Reason(DeadLetterReason::Panic);
        assert_eq!(delivery.purge(&panic).await.unwrap(), 1);
        assert_ledger(&delivery.ledger().await.unwrap(), 15, 26, 0);
        assert_eq!(delivery.dead_letters(None, 100).await.unwrap().len(), 15);
        assert_eq!(delivery.purge(&Selection::All).await.unwrap(), 15);
        assert_eq!(delivery.purge(&Selection::All).await.unwrap(), 0);
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 0);
        assert!(delivery.dead_letters(None, 100).await.unwrap().is_empty());
        assert_ledger(&delivery.ledger().await.unwrap(), 15, 26, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pending_events_are_buried_on_demand_and_can_be_redriven() {
    guarded(async {
        let transport = Scripted::new(|call| match call.event.event_name().as_str() {
            "hopeless" => Act::status(500),
            _ => Act::taken(),
        });
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..3 {
            send(&delivery, named("hopeless", number)).await;
        }
        sleep(10 * SECOND).await;
        assert_eq!(delivery.bury(&Selection::Name("tested".into())).await.unwrap(), 0);
        let reason = Selection::Reason(DeadLetterReason::Buried);
        assert_eq!(delivery.bury(&reason).await.unwrap(), 0);
        let flush = delivery.flush(DAY);
        let bury = async {
            assert_eq!(delivery.bury(&Selection::One(EventId::new(1))).await.unwrap(), 1);
            assert_eq!(delivery.bury(&Selection::Name("Hopeless".into())).await.unwrap(), 2);
        };
        // A flush has no event left to wait for.
        let (report, ()) = tokio::join!(flush, bury);
        assert!(report.is_complete(), "{report}");
        let ledger = delivery.ledger().await.unwrap();
        assert_ledger(&ledger, 0, 3, 0);
        assert_eq!(ledger.deaths.of(DeadLetterReason::Buried), 3);
        for letter in delivery.dead_letters(None, 10).await.unwrap() {
            assert_eq!(letter.reason, DeadLetterReason::Buried);
            assert!(letter.attempts > 1, "{letter}");
            assert_eq!(letter.failure.unwrap().status, Some(500));
        }
        transport.script(|_| Act::taken());
        assert_eq!(delivery.redrive(&reason).await.unwrap(), 3);
        assert_eq!(delivery.flush(DAY).await.delivered, 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_buried_in_flight_is_a_dead_letter_and_makes_room() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = Delivery::builder(transport.clone())
            .outbox(MemoryOutbox::new().capacity(1))
            .start()
            .unwrap();
        send(&delivery, named("tested", 1)).await;
        sleep(SECOND / 2).await;
        let waiting = tokio::spawn(delivery.tracker().send_prepared(named("tested", 2)));
        sleep(SECOND / 10).await;
        assert_eq!(delivery.bury(&Selection::All).await.unwrap(), 1);
        sleep(SECOND / 10).await;
        assert!(waiting.is_finished(), "no room was made");
        // The late result of the first event changes nothing.
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        let ledger = delivery.ledger().await.unwrap();
        assert_ledger(&ledger, 1, 1, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_the_oldest_letter_is_purged_after_its_report() {
    guarded(async {
        for bound in [0, 1, 5] {
            let outbox = MemoryOutbox::new().max_dead_letters(bound);
            let told = Arc::new(Mutex::new(0));
            let hook = told.clone();
            let delivery = Delivery::builder(Scripted::new(|_| Act::status(422)))
                .outbox(outbox)
                .on_dead_letter(move |_| *lock(&hook) += 1)
                .start()
                .unwrap();
            for number in 0..20 {
                send(&delivery, named("bad", number)).await;
            }
            assert_eq!(delivery.flush(DAY).await.dead, 20);
            let left = delivery.dead_letters(None, 100).await.unwrap();
            let ids: Vec<_> = left.iter().map(|letter| letter.id.get()).collect();
            assert_eq!(ids, (20 - bound as u64..20).collect::<Vec<_>>());
            assert_eq!(*lock(&told), 20);
            assert_ledger(&delivery.ledger().await.unwrap(), 0, 20, 0);
        }
    })
    .await;
}

/// An operator has not seen the latest dead letters yet, however old their events are.
#[tokio::test(start_paused = true)]
async fn beyond_the_bound_the_first_buried_is_purged_and_not_the_first_accepted() {
    guarded(async {
        let transport = Scripted::new(|call| match call.number {
            0 => Act::status(503),
            _ => Act::status(422),
        });
        let deaths = Arc::new(Mutex::new(Vec::new()));
        let hook = deaths.clone();
        let delivery = Delivery::builder(transport.clone())
            .concurrency(1)
            .outbox(MemoryOutbox::new().max_dead_letters(3))
            .on_dead_letter(move |letter| lock(&hook).push(letter.id))
            .start()
            .unwrap();
        let kept = async || {
            let letters = delivery.dead_letters(None, 100).await.unwrap();
            letters.iter().map(|letter| letter.id.get()).collect::<Vec<_>>()
        };
        for number in 0..10 {
            send(&delivery, named("bad", number)).await;
        }
        assert_eq!(delivery.flush(DAY).await.dead, 10);
        assert_eq!(lock(&deaths).last(), Some(&EventId::new(0)));
        assert_eq!(kept().await, [0, 8, 9]);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.dead_letters, ledger.purged), (3, 7));

        // Each burial of an event makes a new dead letter.
        assert_eq!(delivery.redrive(&Selection::One(EventId::new(8))).await.unwrap(), 1);
        assert_eq!(delivery.flush(DAY).await.dead, 10);
        for number in 10..12 {
            send(&delivery, named("bad", number)).await;
        }
        assert_eq!(delivery.flush(DAY).await.dead, 12);
        assert_eq!(kept().await, [8, 10, 11]);
        assert_eq!(delivery.purge(&Selection::All).await.unwrap(), 3);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.dead_letters, ledger.purged), (0, 12));
    })
    .await;
}

/// However late its settlement succeeds, the event is sent once and buried once.
#[tokio::test(start_paused = true)]
async fn a_late_burial_is_reported_once() {
    guarded(async {
        let outbox = UnreliableOutbox::default();
        let transport = Scripted::new(|_| Act::status(422));
        let told = Arc::new(Mutex::new(0));
        let hook = told.clone();
        let delivery = Delivery::builder(transport.clone())
            .outbox(outbox.clone())
            .attempt_timeout(2 * SECOND)
            .on_dead_letter(move |_| *lock(&hook) += 1)
            .start()
            .unwrap();
        outbox.0.settling_fails(true);
        send(&delivery, named("bad", 1)).await;
        sleep(10 * MINUTE).await;
        assert_eq!(*lock(&told), 0);
        outbox.0.settling_fails(false);
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        assert_eq!(transport.attempts().len(), 1);
        assert_eq!(*lock(&told), 1);
        assert_eq!(delivery.ledger().await.unwrap().deaths.of(DeadLetterReason::Rejected), 1);
    })
    .await;
}

/// A common hook sends another event.
#[tokio::test(start_paused = true)]
async fn the_hook_may_use_the_delivery() {
    guarded(async {
        let transport = Scripted::new(|call| match call.event.event_name().as_str() {
            "died" => Act::taken(),
            _ => Act::status(422),
        });
        let slot = Arc::new(Mutex::new(None::<MemoryTracker>));
        let sees = slot.clone();
        let (delivery, tracker) = Delivery::builder(transport.clone())
            .on_dead_letter(move |_| {
                let died = intercom_core::DynamicEvent::new("died").unwrap();
                let tracker = lock(&sees).clone().unwrap();
                tracker.for_contact(Contact::user_id("operator")).try_send(&died).unwrap();
            })
            .start_in_memory(MemoryOutbox::new())
            .unwrap();
        *lock(&slot) = Some(tracker);
        for number in 0..10 {
            send(&delivery, named("bad", number)).await;
        }
        let _ = delivery.flush(DAY).await;
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (10, 10));
        assert_eq!(delivery.ledger().await.unwrap().panics, 0);
    })
    .await;
}
