//! The status for operators, and a failing outbox.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use intercom_core::{ErrorKind, Receipt, SendError};
use intercom_delivery::{Delivery, Epoch, RetryPolicy, State, Trouble};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tracing_subscriber::filter::LevelFilter;

use crate::scripted::{
    Act, DAY, HOUR, Logs, MINUTE, SECOND, Scripted, UnreliableOutbox, answer, assert_ledger, event,
    guarded, lock, numbers, rate_limit, send,
};

#[track_caller]
fn outage(delivery: &Delivery) -> Trouble {
    match delivery.status().state {
        State::Outage(trouble) => trouble,
        other => panic!("no outage, but {other}"),
    }
}

#[track_caller]
fn stopped(delivery: &Delivery) -> Trouble {
    match delivery.status().state {
        State::Stopped(trouble) => trouble,
        other => panic!("not stopped, but {other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn status_says_delivering_then_ended() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = Delivery::builder(transport).concurrency(3).start().unwrap();
        // The engine does not know yet whether it has the turn.
        assert!(matches!(delivery.status().state, State::Starting));
        yield_now().await;
        let status = delivery.status();
        assert!(matches!(status.state, State::Delivering));
        assert_eq!((status.to_string().as_str(), status.in_flight), ("delivering", 0));
        assert_eq!(status.turn.unwrap().epoch, Epoch::new(1));
        assert!(status.rate_limit.is_none() && status.outbox.is_none());
        for number in 0..10 {
            send(&delivery, event(number)).await;
        }
        sleep(3 * SECOND / 2).await;
        assert_eq!(delivery.status().in_flight, 3);
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(delivery.status().in_flight, 0);
        let _ = delivery.shutdown(MINUTE).await;
        assert!(matches!(delivery.status().state, State::Ended));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_says_how_long_it_lasts() {
    guarded(async {
        let limit = rate_limit(100, 0, 8 * SECOND);
        let transport = Scripted::queue([Act::End(Err(answer(429).with_rate_limit(limit)))]);
        let delivery = Delivery::builder(transport).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND).await;
        let status = delivery.status();
        let State::Paused { resumes_in } = status.state else { panic!("{status}") };
        // The reset is rounded up, with a jitter of up to a second.
        assert!((8 * SECOND..=9 * SECOND).contains(&resumes_in), "{resumes_in:?}");
        assert_eq!(status.rate_limit, Some(limit));
        assert!(status.to_string().starts_with("paused at Intercom's request; resumes in"));
        assert!(delivery.flush(DAY).await.is_complete());
        assert!(matches!(delivery.status().state, State::Delivering), "{}", delivery.status());
    })
    .await;
}

/// The window is used up without a refusal, and no request goes.
#[tokio::test(start_paused = true)]
async fn a_used_up_window_is_a_pause() {
    guarded(async {
        let transport = Scripted::new(|_| {
            let receipt = Receipt::delivered(202);
            Act::End(Ok(receipt.with_rate_limit(rate_limit(100, 0, 9 * SECOND))))
        });
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..3 {
            send(&delivery, event(number)).await;
        }
        sleep(4 * SECOND).await;
        assert_eq!(transport.attempts().len(), 1);
        let status = delivery.status();
        let State::Paused { resumes_in } = status.state else { panic!("{status}") };
        // The reset is rounded up.
        assert_eq!(resumes_in, 6 * SECOND);
        assert_eq!(delivery.flush(DAY).await.delivered, 3);
        // The pause ends by itself, also without further events.
        sleep(MINUTE).await;
        assert!(matches!(delivery.status().state, State::Delivering), "{}", delivery.status());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_not_for_the_rate_limit_does_not_say_that_it_is() {
    guarded(async {
        let transport = Scripted::queue([Act::End(Err(answer(429).with_retry_after(MINUTE)))]);
        let delivery = Delivery::builder(transport).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND).await;
        let status = delivery.status();
        assert!(matches!(status.state, State::Paused { .. }), "{status}");
        assert!(!status.to_string().contains("rate limit"), "{status}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_reports_its_cause_its_length_and_the_next_probe() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let transport = Scripted::new(|_| Act::fails(ErrorKind::Connection));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..1000 {
            send(&delivery, event(number)).await;
        }
        sleep(30 * MINUTE).await;
        let trouble = outage(&delivery);
        assert_eq!(trouble.kind, Some(ErrorKind::Connection));
        assert!(trouble.message.contains("the connection failed"));
        assert!((29 * MINUTE..=30 * MINUTE).contains(&trouble.lasts), "{trouble:?}");
        assert!((750..950).contains(&trouble.probes), "{trouble:?}");
        // The reported time of the next probe is correct.
        for _ in 0..5 {
            let trouble = outage(&delivery);
            assert!(trouble.next_probe_in <= MINUTE);
            let before = transport.attempts().len();
            sleep(trouble.next_probe_in.saturating_sub(SECOND / 10)).await;
            assert_eq!(transport.attempts().len(), before);
            sleep(SECOND / 5).await;
            assert_eq!(transport.attempts().len(), before + 1);
        }
        let shown = delivery.status().to_string();
        assert!(shown.starts_with("outage: the connection failed (for "), "{shown}");
        assert_eq!(logs.lines("Intercom cannot be reached").len(), 1);

        transport.script(|_| Act::taken());
        let before = transport.attempts().len();
        delivery.resume();
        sleep(SECOND / 10).await;
        assert!(transport.attempts().len() > before);
        assert!(matches!(delivery.status().state, State::Delivering));
        assert_eq!(logs.lines("Intercom takes events again").len(), 1);
        assert_eq!(delivery.flush(DAY).await.delivered, 1000);
    })
    .await;
}

/// The same with one event, whose own back-off is longer than the breaker's.
#[tokio::test(start_paused = true)]
async fn in_an_outage_a_single_event_is_tried_when_the_status_says() {
    guarded(async {
        let transport = Scripted::new(|_| Act::fails(ErrorKind::Connection));
        let delivery = Delivery::builder(transport.clone()).jitter_seed(1).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(HOUR).await;
        for _ in 0..10 {
            let trouble = outage(&delivery);
            let before = transport.attempts().len();
            sleep(trouble.next_probe_in + SECOND).await;
            assert!(transport.attempts().len() > before, "no attempt after {trouble:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_a_single_event_is_tried_at_once_when_delivery_is_resumed() {
    guarded(async {
        for seed in 0..5 {
            let transport = Scripted::new(|_| Act::fails(ErrorKind::Connection));
            let builder = Delivery::builder(transport.clone()).jitter_seed(seed);
            let delivery = builder.start().unwrap();
            send(&delivery, event(1)).await;
            sleep(HOUR).await;
            transport.script(|_| Act::taken());
            delivery.resume();
            let begun = Instant::now();
            assert_eq!(delivery.flush(DAY).await.delivered, 1);
            assert!(begun.elapsed() < 2 * SECOND, "{:?}", begun.elapsed());
        }
    })
    .await;
}

/// The cause behind an error shows whose fault it is, and operators see only these texts.
#[tokio::test(start_paused = true)]
async fn the_cause_behind_a_failure_is_in_status_log_and_dead_letter() {
    guarded(async {
        const CAUSE: &str = "invalid peer certificate: UnknownIssuer";
        for kind in [ErrorKind::Certificate, ErrorKind::Proxy, ErrorKind::Connection] {
            let (logs, _guard) = Logs::capture(LevelFilter::INFO);
            let fails = move || SendError::new(kind).with_source(std::io::Error::other(CAUSE));
            let transport = Scripted::new(move |_| Act::End(Err(fails())));
            let retry = RetryPolicy::new().max_attempts(12);
            let delivery = Delivery::builder(transport).retry(retry).start().unwrap();
            for number in 0..20 {
                send(&delivery, event(number)).await;
            }
            sleep(SECOND).await;
            let trouble = match kind {
                ErrorKind::Connection => {
                    sleep(DAY).await;
                    let letters = delivery.dead_letters(None, 1).await.unwrap();
                    assert!(letters[0].failure.as_ref().unwrap().message.contains(CAUSE));
                    assert!(letters[0].to_string().contains(CAUSE), "{}", letters[0]);
                    None
                }
                _ => Some(stopped(&delivery)),
            };
            assert!(trouble.is_none_or(|trouble| trouble.message.contains(CAUSE)));
            assert!(!logs.lines(CAUSE).is_empty(), "{}", logs.text());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn status_says_what_an_operator_must_do() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        for (status, advice) in [
            (401, "check the access token, and that it belongs to this region"),
            (403, "check the workspace's plan and what the access token may do"),
        ] {
            let transport = Scripted::new(move |_| Act::status(status));
            let delivery = Delivery::builder(transport.clone()).start().unwrap();
            for number in 0..100 {
                send(&delivery, event(number)).await;
            }
            sleep(SECOND).await;
            let trouble = stopped(&delivery);
            assert!(trouble.message.contains(advice), "{trouble}");
            assert!(trouble.next_probe_in <= 5 * SECOND && !trouble.next_probe_in.is_zero());
            sleep(HOUR).await;
            let trouble = stopped(&delivery);
            assert!(trouble.next_probe_in <= 5 * MINUTE);
            assert!((HOUR - SECOND..=HOUR + SECOND).contains(&trouble.lasts), "{trouble:?}");
            assert!((12..40).contains(&transport.attempts().len()));
            assert!(delivery.status().to_string().starts_with("stopped: "));
            assert_ledger(&delivery.ledger().await.unwrap(), 0, 0, 100);

            transport.script(|_| Act::taken());
            let begun = Instant::now();
            delivery.resume();
            assert_eq!(delivery.flush(DAY).await.delivered, 100);
            assert!(begun.elapsed() < SECOND);
            assert!(matches!(delivery.status().state, State::Delivering));
        }
        assert_eq!(logs.lines("delivery is stopped until this is fixed").len(), 2);
        let transport = Scripted::new(|_| Act::fails(ErrorKind::UnexpectedAnswer));
        let delivery = Delivery::builder(transport).jitter_seed(1).start().unwrap();
        for number in 0..5 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND / 10).await;
        // A firewall may have blocked a single body.
        assert!(matches!(delivery.status().state, State::Delivering), "{}", delivery.status());
        for number in 5..10 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND / 10).await;
        assert!(stopped(&delivery).message.contains("check the base URL and any proxy"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_panics_has_no_kind() {
    guarded(async {
        let transport = Scripted::new(|_| Act::PanicInPoll);
        let delivery = Delivery::builder(transport).start().unwrap();
        for number in 0..50 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND).await;
        let trouble = outage(&delivery);
        assert_eq!(trouble.kind, None);
        assert!(trouble.message.contains("panicked"), "{trouble}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_cannot_accept_refuses_and_is_counted() {
    guarded(async {
        let outbox = UnreliableOutbox::default();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport).outbox(outbox.clone()).start().unwrap();
        outbox.0.accepting_fails(true);
        let error = delivery.tracker().send_prepared(event(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("disk is full"));
        outbox.0.accepting_fails(false);
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.accepted + ledger.refused.total(), ledger.refused.storage), (2, 1));
        assert_ledger(&ledger, 1, 0, 0);
    })
    .await;
}

/// The status names the outbox's fault while the store cannot be written.
#[tokio::test(start_paused = true)]
async fn an_outbox_that_cannot_accept_is_in_the_status() {
    guarded(async {
        let outbox = UnreliableOutbox::default();
        let delivery =
            Delivery::builder(Scripted::taking()).outbox(outbox.clone()).start().unwrap();
        outbox.0.accepting_fails(true);
        for number in 0..100 {
            let refused = delivery.tracker().send_prepared(event(number)).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Storage);
        }
        sleep(SECOND).await;
        assert_eq!(delivery.status().outbox.as_deref(), Some("the disk is full"));
        outbox.0.accepting_fails(false);
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        assert!(delivery.status().outbox.is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_cannot_lease_is_tried_again_until_it_can() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::INFO);
        let outbox = UnreliableOutbox::default();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        outbox.0.leasing_fails(true);
        for number in 0..100 {
            send(&delivery, event(number)).await;
        }
        sleep(10 * MINUTE).await;
        let status = delivery.status();
        assert_eq!(status.outbox.as_deref(), Some("the disk is full"));
        assert_eq!(status.to_string(), "starting; the outbox fails: the disk is full");
        assert_ledger(&delivery.ledger().await.unwrap(), 0, 0, 100);
        let errors = logs.lines("the outbox cannot lease events");
        assert_eq!(errors.len(), 1, "{}", logs.text());
        assert!(errors[0].contains("disk is full"));
        outbox.0.leasing_fails(false);
        let begun = Instant::now();
        assert_eq!(delivery.flush(DAY).await.delivered, 100);
        assert!(begun.elapsed() <= 2 * SECOND);
        assert!(delivery.status().outbox.is_none());
        assert_eq!(logs.lines("the outbox works again").len(), 1);
        assert_eq!(transport.taken().len(), 100);
    })
    .await;
}

/// Sends a thousand events, and every tenth is refused. Settling fails for this time.
async fn settling_fails_for(time: Duration) {
    let outbox = UnreliableOutbox::default();
    let transport = Scripted::new(|call| {
        let number: u64 = call.event.contact().as_user_id().unwrap().parse().unwrap();
        match number % 10 {
            0 => Act::status(422),
            1 if call.before == 0 => Act::status(503),
            _ => Act::taken_after(SECOND / 10),
        }
    });
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = told.clone();
    let delivery = Delivery::builder(transport.clone())
        .outbox(outbox.clone())
        .on_dead_letter(move |letter| lock(&hook).push(letter.id))
        .start()
        .unwrap();
    let many: Vec<_> = (0..1000).map(event).collect();
    delivery.send_all(&many).await.unwrap();
    sleep(SECOND).await;
    outbox.0.settling_fails(true);
    let before = transport.attempts().len();
    let told_before = lock(&told).len();
    sleep(time).await;
    // The hook gets no unsettled dead letter, and the engine stops sending while it cannot settle.
    assert_eq!(lock(&told).len(), told_before);
    assert!(transport.attempts().len() - before < 200);
    let status = delivery.status();
    assert_eq!(status.outbox.as_deref(), Some("the disk is full"), "{status}");
    let ledger = delivery.ledger().await.unwrap();
    assert!(ledger.is_balanced() && ledger.pending > 500);
    outbox.0.settling_fails(false);
    let report = delivery.flush(DAY).await;
    assert_eq!((report.delivered, report.dead, report.pending), (900, 100, 0));
    assert!(delivery.status().outbox.is_none());
    let mut dead = lock(&told).clone();
    dead.sort_unstable();
    dead.dedup();
    assert_eq!((dead.len(), lock(&told).len()), (100, 100));
    let mut taken = numbers(&transport.taken());
    let repeated = taken.len() - 900;
    taken.dedup();
    assert_eq!(taken.len(), 900);
    if time < MINUTE {
        assert_eq!(repeated, 0);
    }
    assert_eq!(
        delivery.ledger().await.unwrap().deaths.iter().map(|(_, number)| number).sum::<u64>(),
        100
    );
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_cannot_settle_for_a_moment_loses_nothing_and_repeats_nothing() {
    guarded(settling_fails_for(10 * SECOND)).await;
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_cannot_settle_for_longer_than_a_lease_loses_nothing() {
    guarded(settling_fails_for(20 * MINUTE)).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_keeps_its_deadline_while_the_outbox_fails() {
    guarded(async {
        let outbox = UnreliableOutbox::default();
        let delivery =
            Delivery::builder(Scripted::taking()).outbox(outbox.clone()).start().unwrap();
        outbox.0.settling_fails(true);
        for number in 0..10 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND).await;
        let begun = Instant::now();
        let report = delivery.shutdown(10 * SECOND).await;
        assert_eq!(begun.elapsed(), 10 * SECOND);
        assert_eq!((report.delivered, report.pending), (0, 10));

        // Delivery continues as soon as the outbox works.
        let outbox = UnreliableOutbox::default();
        let delivery =
            Delivery::builder(Scripted::taking()).outbox(outbox.clone()).start().unwrap();
        outbox.0.settling_fails(true);
        for number in 0..10 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND).await;
        outbox.0.settling_fails(false);
        let report = delivery.shutdown(MINUTE).await;
        assert_eq!((report.delivered, report.pending), (10, 0));
    })
    .await;
}

/// A successful lease does not show that settling works.
#[tokio::test(start_paused = true)]
async fn an_outbox_that_leases_but_cannot_settle_is_retried_with_back_off() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::ERROR);
        let outbox = UnreliableOutbox::default();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        outbox.0.settling_fails(true);
        outbox.0.settling_takes(SECOND / 200);
        for number in 0..100 {
            send(&delivery, event(number)).await;
            sleep(SECOND).await;
        }
        assert!(outbox.0.leased() > 90 && transport.taken().len() > 90);
        // After 0 and 1 seconds, and then every two seconds.
        assert_eq!(outbox.0.settles(), 51);
        assert_eq!(logs.lines("ERROR").len(), 1, "{}", logs.text());
        assert!(delivery.status().outbox.is_some());
        outbox.0.settling_fails(false);
        assert_eq!(delivery.flush(DAY).await.delivered, 100);
        assert!(delivery.status().outbox.is_none());
    })
    .await;
}
