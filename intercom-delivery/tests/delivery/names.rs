//! Event names beyond Intercom's limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use intercom_core::Contact;
use intercom_delivery::{DeadLetterReason, Delivery, MemoryOutbox, Selection, State};
use tokio::time::sleep;
use tracing_subscriber::filter::LevelFilter;

use crate::scripted::{
    Act, DAY, Logs, MINUTE, SECOND, Scripted, assert_ledger, guarded, name_limit, named, number_of,
    numbers, send,
};

/// An Intercom that refuses names beginning with `new`, until names are archived.
fn full_of_names() -> (Scripted, Arc<AtomicBool>) {
    let archived = Arc::new(AtomicBool::new(false));
    let sees = archived.clone();
    let transport = Scripted::new(move |call| {
        let is_new = call.event.event_name().to_lowercase().starts_with("new");
        match is_new && !sees.load(Ordering::SeqCst) {
            true => Act::End(Err(name_limit())),
            false => Act::taken(),
        }
    });
    (transport, archived)
}

/// Returns the times of requests whose event name begins with `name`.
fn asked(transport: &Scripted, name: &str) -> Vec<Duration> {
    let attempts = transport.attempts();
    let of = attempts
        .iter()
        .filter(|attempt| attempt.event.event_name().to_lowercase().starts_with(name));
    of.map(|attempt| attempt.at).collect()
}

#[tokio::test(start_paused = true)]
async fn a_name_beyond_the_limit_silences_that_name_alone() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let (transport, _) = full_of_names();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, named("new_one", 0)).await;
        let _ = delivery.flush(DAY).await;
        for number in 1..100 {
            let name = ["new_one", "New_One", "old"][number as usize % 3];
            send(&delivery, named(name, number)).await;
        }
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (33, 67));
        // One request tried the name, in any case.
        assert_eq!(asked(&transport, "new").len(), 1);
        assert_eq!(asked(&transport, "old").len(), 33);
        assert!(matches!(delivery.status().state, State::Delivering));
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!(ledger.deaths.of(DeadLetterReason::EventNameLimit), 67);
        assert_ledger(&ledger, 33, 67, 0);
        let letters = delivery.dead_letters(None, 100).await.unwrap();
        assert_eq!((letters[0].attempts, letters[1].attempts), (1, 0));
        assert_eq!(letters[0].failure.as_ref().unwrap().status, Some(422));
        assert!(letters[1].failure.as_ref().unwrap().message.contains("not sent"));

        send(&delivery, named("new_two", 200)).await;
        let _ = delivery.flush(DAY).await;
        let errors = logs.lines("ERROR");
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].contains("new_one") && errors[0].contains("archive event names"));
        assert!(errors[1].contains("new_two"));
        // The unsent events log no lines of their own.
        assert!(logs.lines("WARN").is_empty(), "{}", logs.text());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_silenced_name_is_tried_again_after_ten_minutes() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let (transport, archived) = full_of_names();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..120 {
            send(&delivery, named("new_one", number)).await;
            sleep(15 * SECOND).await;
        }
        // Three probes in half an hour.
        let at = asked(&transport, "new");
        assert_eq!(at, [Duration::ZERO, 10 * MINUTE, 20 * MINUTE]);
        assert_eq!(logs.lines("ERROR").len(), 1, "{}", logs.text());
        archived.store(true, Ordering::SeqCst);
        for number in 200..210 {
            send(&delivery, named("new_one", number)).await;
        }
        assert_eq!(delivery.flush(DAY).await.delivered, 10);
        assert_eq!(delivery.redrive(&Selection::Name("NEW_ONE".into())).await.unwrap(), 120);
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (130, 0));
    })
    .await;
}

/// One event probes for all of them.
#[tokio::test(start_paused = true)]
async fn after_ten_minutes_a_single_event_probes_the_name() {
    guarded(async {
        let (transport, _) = full_of_names();
        let slow = transport.clone();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, named("new_one", 0)).await;
        let _ = delivery.flush(DAY).await;
        slow.script(|_| Act::Late(SECOND / 10, Err(name_limit())));
        sleep(11 * MINUTE).await;
        for number in 1..100 {
            send(&delivery, named("new_one", number)).await;
        }
        assert_eq!(delivery.flush(DAY).await.dead, 100);
        assert_eq!(asked(&transport, "new").len(), 2);
    })
    .await;
}

/// The log says: archive event names, then redrive. The redrive must not wait for ten minutes.
#[tokio::test(start_paused = true)]
async fn a_redrive_right_after_names_were_archived_delivers() {
    guarded(async {
        let (transport, archived) = full_of_names();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..10 {
            send(&delivery, named("new_one", number)).await;
        }
        assert_eq!(delivery.flush(DAY).await.dead, 10);
        sleep(MINUTE).await;
        archived.store(true, Ordering::SeqCst);
        delivery.resume();
        assert_eq!(delivery.redrive(&Selection::Name("new_one".into())).await.unwrap(), 10);
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (10, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_redrive_by_name_leaves_other_names_in_the_dead_letters() {
    guarded(async {
        let (transport, archived) = full_of_names();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..10 {
            send(&delivery, named(["new_one", "new_two"][number as usize % 2], number)).await;
        }
        assert_eq!(delivery.flush(DAY).await.dead, 10);
        archived.store(true, Ordering::SeqCst);
        sleep(11 * MINUTE).await;
        assert_eq!(delivery.redrive(&Selection::Name("New_Two".into())).await.unwrap(), 5);
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (5, 5));
        assert_eq!(numbers(&transport.taken()), [1, 3, 5, 7, 9]);
        let left = delivery.dead_letters(None, 10).await.unwrap();
        assert!(left.iter().all(|letter| letter.event.event_name() == "new_one"));
        assert_eq!(left.iter().map(|letter| number_of(&letter.event)).sum::<u64>(), 20);
        assert!(left.iter().all(|letter| letter.event.contact() != &Contact::user_id(1)));
    })
    .await;
}

/// The engine still serves calls while many events of a silenced name arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn endless_events_of_a_silenced_name_delay_no_flush() {
    guarded(async {
        let (transport, _) = full_of_names();
        // A flush waits for earlier events, so their number must be bounded.
        let outbox = MemoryOutbox::new().capacity(1_000);
        let builder = Delivery::builder(transport.clone()).outbox(outbox);
        let delivery = Arc::new(builder.start().unwrap());
        send(&delivery, named("new_one", 0)).await;
        let _ = delivery.flush(DAY).await;
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..3)
            .map(|sender| {
                let (delivery, stop) = (delivery.clone(), stop.clone());
                tokio::spawn(async move {
                    // No two of these events collide.
                    for number in (1000 + sender..).step_by(3) {
                        if stop.load(Ordering::SeqCst) {
                            break;
                        }
                        send(&delivery, named("new_one", number)).await;
                    }
                })
            })
            .collect();
        let begun = std::time::Instant::now();
        for _ in 0..20 {
            send(&delivery, named("old", 5)).await;
            let _ = delivery.flush(DAY).await;
        }
        let took = begun.elapsed();
        stop.store(true, Ordering::SeqCst);
        for sender in senders {
            sender.await.unwrap();
        }
        assert!(took < 30 * SECOND, "{took:?}");
    })
    .await;
}
