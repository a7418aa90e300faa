//! Unknown contacts, and their creation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use intercom_core::{Contact, ContactCreation, ErrorKind, RateLimit, Receipt};
use intercom_delivery::{
    DeadLetterReason, Delivery, DeliveryBuilder, RetryPolicy, Selection, State, UnknownContact,
};
use tokio::time::{Instant, sleep};
use tracing_subscriber::filter::LevelFilter;

use crate::scripted::{
    Act, Attempt, Call, CreateCall, Created, DAY, HOUR, Logs, MINUTE, SECOND, Scripted, Sent,
    UnreliableOutbox, answer, assert_ledger, event, guarded, lock, made, number_of, numbers,
    rate_limit, send,
};

/// The known contacts, each with the time from which it is known.
type Known = Arc<Mutex<HashMap<Contact, Duration>>>;

fn is_known(known: &Known, call: &Call<'_>) -> bool {
    lock(known).get(call.event.contact()).is_some_and(|since| *since <= call.at)
}

/// An Intercom that knows only contacts named by the test. A created contact is known after
/// `race`.
fn forgetful(
    race: Duration,
    create: impl Fn(&CreateCall<'_>) -> Created + Send + Sync + 'static,
) -> (Scripted, Known) {
    let known = Known::default();
    let (sees, learns) = (known.clone(), known.clone());
    let transport = Scripted::new(move |call| answer_if_known(&sees, call));
    let transport = transport.creating(move |call| {
        let act = create(call);
        let takes = match &act {
            Act::End(Ok(ContactCreation::Archived)) => None,
            Act::End(Ok(_)) => Some(Duration::ZERO),
            Act::Late(takes, Ok(_)) => Some(*takes),
            _ => None,
        };
        if let Some(takes) = takes {
            lock(&learns).entry(call.contact.clone()).or_insert(call.at + takes + race);
        }
        act
    });
    (transport, known)
}

fn answer_if_known(known: &Known, call: &Call<'_>) -> Sent {
    match is_known(known, call) {
        true => Act::taken_after(SECOND / 20),
        false => Act::Late(SECOND / 20, Err(answer(404))),
    }
}

fn creating(transport: &Scripted) -> DeliveryBuilder {
    Delivery::builder(transport.clone()).unknown_contact(UnknownContact::Create)
}

/// Sends events of this contact, and returns the reason for which all of them became dead letters.
async fn ends_as(
    create: impl Fn() -> Created + Send + Sync + 'static,
) -> (DeadLetterReason, String) {
    let (transport, _) = forgetful(Duration::ZERO, move |_| create());
    let delivery = creating(&transport).start().unwrap();
    for number in 0..20 {
        send(&delivery, made("tested", Contact::user_id("lost"), number)).await;
    }
    let report = delivery.flush(DAY).await;
    assert_eq!((report.delivered, report.dead, report.pending), (0, 20, 0));
    assert!(transport.elapsed() < MINUTE, "{:?}", transport.elapsed());
    let letters = delivery.dead_letters(None, 100).await.unwrap();
    let reason = letters[0].reason;
    assert!(letters.iter().all(|letter| letter.reason == reason), "{letters:?}");
    assert_eq!(delivery.ledger().await.unwrap().deaths.of(reason), 20);
    let failure = letters[0].failure.as_ref().unwrap();
    (reason, failure.message.clone())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_contact_is_retried_for_the_configured_time() {
    guarded(async {
        let transport = Scripted::new(|_| Act::status(404));
        let delivery = Delivery::builder(transport.clone())
            .unknown_contact(UnknownContact::RetryFor(90 * SECOND))
            .start()
            .unwrap();
        send(&delivery, event(1)).await;
        sleep(20 * SECOND).await;
        // Each event's time begins at its first refusal for the unknown contact.
        send(&delivery, event(2)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 2);
        for (number, first) in [(1, Duration::ZERO), (2, 20 * SECOND)] {
            let at = transport.attempts_of(number);
            assert_eq!(at[0], first);
            let last = *at.last().unwrap();
            assert!((90 * SECOND..91 * SECOND).contains(&(last - first)), "{at:?}");
            assert!((3..40).contains(&at.len()), "{at:?}");
        }
        for letter in delivery.dead_letters(None, 10).await.unwrap() {
            assert_eq!(letter.reason, DeadLetterReason::UnknownContact);
            assert_eq!(letter.failure.unwrap().status, Some(404));
        }
        assert!(transport.creations().is_empty());

        // A redriven event starts again.
        let begun = transport.elapsed();
        delivery.redrive(&Selection::All).await.unwrap();
        assert_eq!(delivery.flush(DAY).await.dead, 2);
        assert!(transport.elapsed() - begun >= 90 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_contact_that_appears_in_time_gets_its_events() {
    guarded(async {
        let (transport, known) = forgetful(Duration::ZERO, |_| Act::fails(ErrorKind::Unsupported));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        lock(&known).insert(Contact::user_id(1), 30 * SECOND);
        lock(&known).insert(Contact::user_id(2), 90 * SECOND);
        send(&delivery, event(1)).await;
        send(&delivery, event(2)).await;
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (1, 1));
        assert_eq!(numbers(&transport.taken()), [1]);
        assert!(transport.attempts().iter().all(|attempt| {
            attempt.event.body() == event(1).body() || attempt.event.body() == event(2).body()
        }));
    })
    .await;
}

/// This policy limits the time, and the retry policy limits the attempts.
#[tokio::test(start_paused = true)]
async fn an_unknown_contact_stays_within_max_attempts() {
    guarded(async {
        let transport = Scripted::new(|_| Act::status(404));
        let delivery = Delivery::builder(transport.clone())
            .unknown_contact(UnknownContact::RetryFor(HOUR))
            .retry(RetryPolicy::new().max_attempts(3))
            .start()
            .unwrap();
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        assert_eq!(transport.attempts().len(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_contact_is_created_once_however_many_events_wait_for_it() {
    guarded(async {
        for takes in [Duration::ZERO, 2 * SECOND] {
            let (transport, _) =
                forgetful(Duration::ZERO, move |_| Act::Late(takes, Ok(ContactCreation::Created)));
            let delivery = creating(&transport).start().unwrap();
            for number in 0..1000 {
                let contact = Contact::email(format!("{}@example.com", number % 3));
                send(&delivery, made("tested", contact, number)).await;
            }
            let report = delivery.flush(DAY).await;
            assert_eq!((report.delivered, report.dead, report.pending), (1000, 0, 0));
            assert_eq!(transport.creations().len(), 3);
            assert_eq!(numbers(&transport.taken()), (0..1000).collect::<Vec<_>>());
            assert!(delivery.status().contact_creation.is_none());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn many_unknown_contacts_are_each_created_once() {
    guarded(async {
        let (transport, _) =
            forgetful(Duration::ZERO, |_| Act::Late(SECOND, Ok(ContactCreation::Created)));
        let delivery = creating(&transport).concurrency(8).start().unwrap();
        for number in 0..1000 {
            send(&delivery, made("tested", Contact::user_id(number % 500), number)).await;
        }
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (1000, 0));
        assert_eq!(transport.creations().len(), 500);
        assert_eq!(transport.taken().len(), 1000);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_contact_may_be_unknown_for_a_moment_after_its_creation() {
    guarded(async {
        for creation in [ContactCreation::Created, ContactCreation::Existed] {
            let (transport, _) = forgetful(2 * SECOND, move |_| Act::End(Ok(creation)));
            let delivery =
                creating(&transport).retry(RetryPolicy::new().max_attempts(1)).start().unwrap();
            for number in 0..100 {
                send(&delivery, made("tested", Contact::user_id(7), number)).await;
            }
            let report = delivery.flush(DAY).await;
            assert_eq!((report.delivered, report.dead), (100, 0));
            assert_eq!(transport.creations().len(), 1);
            assert!(transport.elapsed() < 10 * SECOND, "{:?}", transport.elapsed());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_cannot_be_created_buries_its_events_with_the_reason() {
    guarded(async {
        let (reason, message) = ends_as(|| Act::End(Ok(ContactCreation::Archived))).await;
        assert_eq!(reason, DeadLetterReason::ArchivedContact);
        assert!(message.contains("unarchive it"));
        let (reason, message) = ends_as(|| Act::status(409)).await;
        assert_eq!(reason, DeadLetterReason::AmbiguousContact);
        assert!(message.contains("409"), "{message}");
        let (reason, message) = ends_as(|| Act::status(422)).await;
        assert_eq!(reason, DeadLetterReason::ContactNotCreated);
        assert!(message.contains("422"), "{message}");
        let (reason, _) = ends_as(|| Act::fails(ErrorKind::InvalidContact)).await;
        assert_eq!(reason, DeadLetterReason::ContactNotCreated);
        // This transport cannot create contacts.
        let (reason, _) = ends_as(|| Act::fails(ErrorKind::Unsupported)).await;
        assert_eq!(reason, DeadLetterReason::UnknownContact);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_reason_for_an_archived_contact_reads_well() {
    guarded(async {
        let (_, message) = ends_as(|| Act::End(Ok(ContactCreation::Archived))).await;
        assert!(!message.contains("  "), "{message}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_temporary_failure_of_a_creation_is_retried() {
    guarded(async {
        let fails: [fn() -> Created; 6] = [
            || Act::status(429),
            || Act::status(503),
            || Act::fails(ErrorKind::Timeout),
            || Act::Hang,
            || Act::PanicInPoll,
            || Act::status(408),
        ];
        for fail in fails {
            let (transport, _) = forgetful(Duration::ZERO, move |call| match call.before {
                0 | 1 => fail(),
                _ => Act::created(),
            });
            let delivery = creating(&transport).start().unwrap();
            for number in 0..50 {
                send(&delivery, made("tested", Contact::user_id(7), number)).await;
            }
            let report = delivery.flush(DAY).await;
            assert_eq!((report.delivered, report.dead), (50, 0));
            assert_eq!(transport.creations().len(), 3);
            assert_eq!(transport.taken().len(), 50);
            assert!(transport.elapsed() < 5 * MINUTE, "{:?}", transport.elapsed());
        }
    })
    .await;
}

/// A token may be allowed to send events, but not to create contacts.
fn forbidden_until(mended: Duration) -> (Scripted, Known) {
    let (transport, known) = forgetful(Duration::ZERO, move |call| match call.at < mended {
        true => Act::status(403),
        false => Act::created(),
    });
    lock(&known).insert(Contact::user_id("known"), Duration::ZERO);
    (transport, known)
}

#[tokio::test(start_paused = true)]
async fn forbidden_creations_do_not_stop_other_contacts() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let (transport, _) = forbidden_until(HOUR);
        let delivery = creating(&transport).start().unwrap();
        for number in 0..50 {
            send(&delivery, made("tested", Contact::user_id("unknown"), number)).await;
            send(&delivery, made("tested", Contact::user_id("known"), 100 + number)).await;
        }
        sleep(MINUTE).await;
        assert_eq!(numbers(&transport.taken()), (100..150).collect::<Vec<_>>());
        let status = delivery.status();
        assert!(matches!(status.state, State::Delivering), "{status}");
        let message = status.contact_creation.as_deref().unwrap();
        assert!(message.contains("403") && message.contains("check the workspace's plan"));
        assert!(status.to_string().contains("contacts are not created"), "{status}");

        // The delivery finds out without help.
        let begun = Instant::now();
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (100, 0));
        assert!(begun.elapsed() < HOUR + 6 * MINUTE);
        assert!(delivery.status().contact_creation.is_none());
        assert_eq!(logs.lines("contacts are not created until this is fixed").len(), 1);
        // The delivery asked seldom during the hour.
        assert!(transport.creations().len() < 40, "{}", transport.creations().len());
        assert!(transport.attempts().len() < 3000, "{}", transport.attempts().len());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn contacts_are_created_at_once_when_delivery_is_resumed() {
    guarded(async {
        let (transport, _) = forbidden_until(30 * MINUTE);
        let delivery = creating(&transport).start().unwrap();
        for number in 0..5 {
            send(&delivery, made("tested", Contact::user_id("unknown"), number)).await;
        }
        sleep(30 * MINUTE).await;
        let begun = Instant::now();
        delivery.resume();
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (5, 0));
        assert!(begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
    })
    .await;
}

/// As the documentation of `max_attempts` says.
#[tokio::test(start_paused = true)]
async fn a_creation_that_needs_an_operator_spends_no_attempt() {
    guarded(async {
        for status in [401, 403, 429] {
            let (transport, known) = forgetful(Duration::ZERO, move |call| match call.before {
                0..3 => Act::status(status),
                _ => Act::created(),
            });
            transport.script(move |call| match is_known(&known, call) {
                true if call.before >= 3 => Act::taken(),
                true => Act::status(503),
                false => Act::status(404),
            });
            let delivery =
                creating(&transport).retry(RetryPolicy::new().max_attempts(3)).start().unwrap();
            send(&delivery, event(1)).await;
            let report = delivery.flush(DAY).await;
            let letters = delivery.dead_letters(None, 1).await.unwrap();
            assert_eq!((report.delivered, report.dead), (1, 0), "{status}: {letters:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_status_is_clean_once_creations_work_again() {
    guarded(async {
        let (transport, _) = forgetful(Duration::ZERO, |call| match call.at < MINUTE {
            true => Act::status(403),
            false => Act::End(Ok(ContactCreation::Archived)),
        });
        let delivery = creating(&transport).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND).await;
        assert!(delivery.status().contact_creation.is_some());
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        assert_eq!(delivery.status().contact_creation, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_at_a_creation_stops_delivery() {
    guarded(async {
        let (transport, known) = forgetful(Duration::ZERO, |call| match call.at < 10 * SECOND {
            true => Act::status(401),
            false => Act::created(),
        });
        lock(&known).insert(Contact::user_id("known"), Duration::ZERO);
        let delivery = creating(&transport).start().unwrap();
        send(&delivery, made("tested", Contact::user_id("unknown"), 1)).await;
        sleep(SECOND).await;
        let status = delivery.status();
        let State::Stopped(trouble) = &status.state else { panic!("{status}") };
        assert_eq!(trouble.kind, Some(ErrorKind::Unauthorized));
        assert!(status.contact_creation.is_none(), "{status}");
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_stays_unknown_after_its_creation_buries_its_events() {
    guarded(async {
        let (transport, _) = forgetful(1000 * HOUR, |_| Act::created());
        let delivery = creating(&transport).start().unwrap();
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        assert!((30 * SECOND..MINUTE).contains(&transport.elapsed()));
        assert_eq!(transport.creations().len(), 1);
        let letter = &delivery.dead_letters(None, 1).await.unwrap()[0];
        assert_eq!(letter.reason, DeadLetterReason::UnknownContact);
        assert_eq!(letter.failure.as_ref().unwrap().status, Some(404));
    })
    .await;
}

/// The delivery must not need half a minute and a creation for each event.
#[tokio::test(start_paused = true)]
async fn a_contact_that_stays_unknown_costs_no_creation_for_each_event() {
    guarded(async {
        let (transport, _) = forgetful(1000 * HOUR, |_| Act::created());
        let delivery = creating(&transport).start().unwrap();
        for number in 0..50 {
            send(&delivery, made("tested", Contact::user_id(7), number)).await;
        }
        assert_eq!(delivery.flush(DAY).await.dead, 50);
        let (took, creations) = (transport.elapsed(), transport.creations().len());
        assert!(took < 3 * MINUTE && creations <= 3, "{took:?}, {creations} creations");
    })
    .await;
}

/// A contact that this delivery created, and that was deleted in Intercom since, is unknown again.
#[tokio::test(start_paused = true)]
async fn a_contact_that_was_deleted_since_is_created_again() {
    guarded(async {
        let (transport, known) = forgetful(Duration::ZERO, |_| Act::created());
        let delivery = creating(&transport).start().unwrap();
        send(&delivery, made("tested", Contact::user_id(7), 1)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        sleep(24 * HOUR).await;
        lock(&known).clear();
        send(&delivery, made("tested", Contact::user_id(7), 2)).await;
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (2, 0));
    })
    .await;
}

/// An event that waits for its contact beyond a lease is sent only once.
#[tokio::test(start_paused = true)]
async fn an_event_that_waits_long_for_its_contact_is_sent_once() {
    guarded(async {
        let (transport, known) = forgetful(Duration::ZERO, |_| Act::created());
        lock(&known).insert(Contact::user_id("known"), Duration::ZERO);
        let delivery = creating(&transport).start().unwrap();
        send(&delivery, made("tested", Contact::user_id("known"), 1)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        // One event meets a pause of ten minutes. Then another one finds its contact unknown.
        let paused = answer(429).with_retry_after(10 * MINUTE);
        let paused = Mutex::new(Some(paused));
        transport.script(move |call| {
            if call.event.contact() == &Contact::user_id("limited")
                && let Some(error) = lock(&paused).take()
            {
                return Act::Late(SECOND / 100, Err(error));
            }
            answer_if_known(&known, call)
        });
        send(&delivery, made("tested", Contact::user_id("unknown"), 2)).await;
        send(&delivery, made("tested", Contact::user_id("limited"), 3)).await;
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (3, 0));
        let sent = transport.taken();
        assert_eq!(numbers(&sent), [1, 2, 3]);
        assert!(transport.elapsed() > 10 * MINUTE);
    })
    .await;
}

/// Parked events stay out of the prefetch queue. Repeated leasing and putting back would cost much
/// work over an outbox on a disk.
#[tokio::test(start_paused = true)]
async fn events_parked_for_a_creation_are_not_leased_again() {
    guarded(async {
        let (transport, _) =
            forgetful(Duration::ZERO, |_| Act::Late(50 * SECOND, Ok(ContactCreation::Created)));
        let outbox = UnreliableOutbox::default();
        let delivery = creating(&transport).outbox(outbox.clone()).start().unwrap();
        let many: Vec<_> =
            (0..5000).map(|number| made("tested", Contact::user_id(7), number)).collect();
        delivery.send_all(&many).await.unwrap();
        assert_eq!(delivery.flush(DAY).await.delivered, 5000);
        assert_eq!(transport.creations().len(), 1);
        let leased = outbox.0.leased();
        assert!(leased < 5 * 5000, "5000 events were leased {leased} times");
    })
    .await;
}

/// A creation must not serve as the probe for events.
#[tokio::test(start_paused = true)]
async fn failing_creations_do_not_delay_known_contacts() {
    guarded(async {
        let (transport, known) = forgetful(Duration::ZERO, |_| Act::status(503));
        lock(&known).insert(Contact::user_id("known"), Duration::ZERO);
        let delivery =
            creating(&transport).retry(RetryPolicy::new().max_attempts(3)).start().unwrap();
        let unknown: Vec<_> =
            (0..300).map(|number| made("tested", Contact::user_id(number), number)).collect();
        delivery.send_all(&unknown).await.unwrap();
        for hour in 0..6 {
            for number in 0..100 {
                let number = 1000 + 100 * hour + number;
                send(&delivery, made("tested", Contact::user_id("known"), number)).await;
            }
            sleep(MINUTE).await;
            assert_eq!(
                delivery.ledger().await.unwrap().delivered,
                100 * (hour + 1),
                "{}",
                delivery.status()
            );
            sleep(HOUR - MINUTE).await;
        }
        // Events that wait for a contact count its attempts.
        assert_ledger(&delivery.ledger().await.unwrap(), 600, 300, 0);
        assert_eq!(
            delivery.ledger().await.unwrap().deaths.of(DeadLetterReason::ContactNotCreated),
            300
        );
        assert_eq!(transport.creations().len(), 900);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failing_creations_delay_no_contact_after_an_outage() {
    guarded(async {
        let (transport, known) = forgetful(Duration::ZERO, |_| Act::status(503));
        lock(&known).insert(Contact::user_id("known"), Duration::ZERO);
        transport.script(move |call| match call.at < HOUR {
            true if is_known(&known, call) => Act::status(503),
            _ => answer_if_known(&known, call),
        });
        let delivery = creating(&transport).start().unwrap();
        for number in 0..100 {
            send(&delivery, made("tested", Contact::user_id(number), number)).await;
            send(&delivery, made("tested", Contact::user_id("known"), 1000 + number)).await;
        }
        sleep(HOUR + 10 * MINUTE).await;
        assert_ledger(&delivery.ledger().await.unwrap(), 100, 0, 100);
        assert!(matches!(delivery.status().state, State::Delivering), "{}", delivery.status());
    })
    .await;
}

/// More events wait for the contact than can be sent within their lease.
#[tokio::test(start_paused = true)]
async fn many_events_of_a_new_contact_are_each_delivered_once() {
    guarded(async {
        let (transport, known) =
            forgetful(Duration::ZERO, |_| Act::Late(4 * SECOND / 5, Ok(ContactCreation::Created)));
        transport.script(move |call| match is_known(&known, call) {
            true => Act::taken_after(SECOND / 2),
            false => Act::Late(SECOND / 2, Err(answer(404))),
        });
        let delivery =
            creating(&transport).concurrency(4).attempt_timeout(2 * SECOND).start().unwrap();
        let many: Vec<_> =
            (0..400).map(|number| made("tested", Contact::user_id(7), number)).collect();
        delivery.send_all(&many).await.unwrap();
        assert_eq!(delivery.flush(DAY).await.delivered, 400);
        assert_eq!(numbers(&transport.taken()), (0..400).collect::<Vec<_>>());
        // Once before the creation, and once after it.
        for number in 0..400 {
            let same = |attempt: &&Attempt| number_of(&attempt.event) == number;
            assert!(transport.attempts().iter().filter(same).count() <= 2, "event {number}");
        }
        assert_eq!(transport.creations().len(), 1);
    })
    .await;
}

/// Of several refusals in flight the first one counts. After that, one event probes for all.
#[tokio::test(start_paused = true)]
async fn forbidden_creations_are_probed_by_one_event_with_back_off() {
    guarded(async {
        let (transport, _) =
            forgetful(Duration::ZERO, |_| Act::Late(SECOND / 20, Err(answer(403))));
        let delivery = creating(&transport).start().unwrap();
        for number in 0..500 {
            send(&delivery, event(number)).await;
        }
        sleep(15 * MINUTE).await;
        let mut rounds = Vec::<Duration>::new();
        for (_, at) in transport.creations() {
            match rounds.last() {
                Some(last) if at - *last < SECOND => assert_eq!(rounds.len(), 1, "{rounds:?}"),
                _ => rounds.push(at),
            }
        }
        let waits: Vec<_> = rounds.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn creations_without_rate_limit_headers_count() {
    guarded(async {
        /// Counts the requests in each window of ten seconds.
        type Windows = Arc<Mutex<HashMap<u64, u32>>>;
        fn count(windows: &Windows, at: Duration) -> (bool, RateLimit) {
            let window = at.as_secs() / 10;
            let mut windows = lock(windows);
            let used = windows.entry(window).or_default();
            *used += 1;
            let limit = rate_limit(
                100,
                100_u32.saturating_sub(*used),
                10 * SECOND * (window as u32 + 1) - at,
            );
            (*used <= 100, limit)
        }
        let windows = Windows::default();
        let (sends, creates) = (windows.clone(), windows.clone());
        let (transport, known) =
            forgetful(Duration::ZERO, move |call| match count(&creates, call.at) {
                (true, _) => Act::Late(SECOND / 25, Ok(ContactCreation::Created)),
                (false, _) => Act::Late(SECOND / 25, Err(answer(429))),
            });
        transport.script(move |call| {
            let (allowed, limit) = count(&sends, call.at);
            Act::Late(
                SECOND / 25,
                match (allowed, is_known(&known, call)) {
                    (false, _) => Err(answer(429).with_rate_limit(limit)),
                    (true, false) => Err(answer(404).with_rate_limit(limit)),
                    (true, true) => Ok(Receipt::delivered(202).with_rate_limit(limit)),
                },
            )
        });
        let delivery = creating(&transport).start().unwrap();
        let many: Vec<_> = (0..40).map(event).collect();
        delivery.send_all(&many).await.unwrap();
        assert_eq!(delivery.flush(DAY).await.delivered, 40);
        assert_eq!(transport.creations().len(), 40);
        assert!(lock(&windows).values().all(|used| *used <= 100), "{:?}", lock(&windows));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tracker_creates_contacts_through_the_transport() {
    guarded(async {
        let (transport, _) = forgetful(Duration::ZERO, |_| Act::created());
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        let ada = Contact::email("ada@example.com");
        let creation = delivery.tracker().create_contact(&ada).await.unwrap();
        assert_eq!(creation, ContactCreation::Created);
        assert_eq!(transport.creations().len(), 1);
        send(&delivery, made("tested", ada, 1)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
    })
    .await;
}
