//! The result of each response: delivered, sent again unchanged, or a dead letter with its reason.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use intercom_core::{ErrorKind, SendError};
use intercom_delivery::{DeadLetterReason, Delivery, RetryPolicy, State, UnknownContact};
use tokio::time::{Instant, sleep, timeout};

use crate::scripted::{
    Act, DAY, HOUR, MINUTE, SECOND, Scripted, Sent, answer, assert_ledger, event, guarded,
    name_limit, named, numbers, rate_limit, send,
};

/// Sends one event, which gets this response first, and returns its end.
async fn dead_letter_after(
    first: impl Fn() -> Sent + Send + Sync + 'static,
) -> intercom_delivery::DeadLetter {
    let transport = Scripted::new(move |call| match call.number {
        0 => first(),
        _ => Act::taken(),
    });
    let delivery = Delivery::builder(transport.clone())
        .unknown_contact(UnknownContact::DeadLetter)
        .start()
        .unwrap();
    send(&delivery, event(1)).await;
    send(&delivery, named("other", 2)).await;
    let report = delivery.flush(DAY).await;
    assert_eq!((report.delivered, report.dead, report.pending), (1, 1, 0));
    // The refused event had one attempt, and the other event was delivered.
    assert_eq!(transport.attempts().len(), 2);
    assert_eq!(numbers(&transport.taken()), [2]);
    assert!(matches!(delivery.status().state, State::Delivering), "{}", delivery.status());
    let mut letters = delivery.dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = letters.remove(0);
    assert_eq!(letter.event, event(1));
    assert_eq!(letter.attempts, 1);
    letter
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_is_a_dead_letter_at_once() {
    guarded(async {
        for (status, reason) in [
            (400, DeadLetterReason::Rejected),
            (406, DeadLetterReason::Rejected),
            (413, DeadLetterReason::Rejected),
            (415, DeadLetterReason::Rejected),
            (422, DeadLetterReason::Rejected),
            (409, DeadLetterReason::AmbiguousContact),
            (404, DeadLetterReason::UnknownContact),
        ] {
            let letter = dead_letter_after(move || Act::status(status)).await;
            assert_eq!(letter.reason, reason);
            let failure = letter.failure.unwrap();
            assert_eq!(failure.status, Some(status));
            assert_eq!(failure.request_id.as_deref(), Some("req"));
            assert!(failure.message.contains(&format!("HTTP {status}")), "{failure}");
        }
        let letter = dead_letter_after(|| Act::End(Err(name_limit()))).await;
        assert_eq!(letter.reason, DeadLetterReason::EventNameLimit);
        assert_eq!(letter.failure.unwrap().status, Some(422));
        // Some conflicts have status 400.
        let conflict = || SendError::new(ErrorKind::AmbiguousContact).with_status(400);
        let letter = dead_letter_after(move || Act::End(Err(conflict()))).await;
        assert_eq!(letter.reason, DeadLetterReason::AmbiguousContact);
        let letter = dead_letter_after(|| Act::fails(ErrorKind::InvalidEvent)).await;
        assert_eq!(letter.reason, DeadLetterReason::Rejected);
        assert_eq!(letter.failure.unwrap().status, None);
        let letter = dead_letter_after(|| Act::fails(ErrorKind::InvalidContact)).await;
        assert_eq!(letter.reason, DeadLetterReason::ContactNotCreated);
    })
    .await;
}

/// Sends one event, which gets this response `times` times, and returns the times of its attempts.
async fn passes(times: usize, act: impl Fn() -> Sent + Send + Sync + 'static) -> Vec<Duration> {
    let transport = Scripted::new(move |call| match call.number {
        number if number < times => act(),
        _ => Act::taken(),
    });
    let delivery = Delivery::builder(transport.clone()).start().unwrap();
    send(&delivery, event(1)).await;
    let report = delivery.flush(DAY).await;
    assert_eq!((report.delivered, report.dead, report.pending), (1, 0, 0));
    let attempts = transport.attempts();
    assert_eq!(attempts.len(), times + 1);
    for attempt in &attempts {
        assert_eq!(attempt.event.body(), event(1).body());
        assert_eq!(attempt.event.created_at(), event(1).created_at());
    }
    attempts.iter().map(|attempt| attempt.at).collect()
}

#[tokio::test(start_paused = true)]
async fn a_retryable_failure_is_sent_again_with_the_same_bytes() {
    guarded(async {
        for status in [408, 425, 500, 502, 503, 504] {
            passes(9, move || Act::status(status)).await;
        }
        passes(9, || Act::fails(ErrorKind::Timeout)).await;
        passes(9, || Act::fails(ErrorKind::Connection)).await;
        passes(9, || Act::fails(ErrorKind::Full)).await;
        passes(2, || Act::PanicAtCall).await;
        passes(2, || Act::PanicInPoll).await;
        // An outage is no different.
        passes(40, || Act::status(503)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_an_operator() {
    guarded(async {
        for status in [401, 402, 403] {
            let at = passes(5, move || Act::status(status)).await;
            assert!(at[5] > 30 * SECOND, "{at:?}");
        }
        passes(3, || Act::fails(ErrorKind::UnexpectedAnswer)).await;
        passes(3, || Act::fails(ErrorKind::Unsupported)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_the_rate_limit() {
    guarded(async {
        let limited = || answer(429).with_retry_after(7 * SECOND);
        let at = passes(1, move || Act::End(Err(limited()))).await;
        assert!((7 * SECOND..9 * SECOND).contains(&at[1]), "{at:?}");
        let limited = || answer(429).with_rate_limit(rate_limit(100, 0, 4 * SECOND));
        let at = passes(1, move || Act::End(Err(limited()))).await;
        assert!((4 * SECOND..6 * SECOND).contains(&at[1]), "{at:?}");
        let at = passes(1, || Act::status(429)).await;
        assert!((10 * SECOND..12 * SECOND).contains(&at[1]), "{at:?}");
        // The delivery must not wait for years.
        let limited = || answer(429).with_retry_after(Duration::MAX);
        let at = passes(1, move || Act::End(Err(limited()))).await;
        assert!((HOUR..HOUR + 2 * SECOND).contains(&at[1]), "{at:?}");
        let limited = || answer(503).with_retry_after(20 * SECOND);
        let at = passes(1, move || Act::End(Err(limited()))).await;
        assert!((20 * SECOND..22 * SECOND).contains(&at[1]), "{at:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_is_buried_after_max_attempts() {
    guarded(async {
        let transport = Scripted::new(|_| Act::status(503));
        let delivery = Delivery::builder(transport.clone())
            .retry(RetryPolicy::new().max_attempts(4))
            .start()
            .unwrap();
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        assert_eq!(transport.attempts().len(), 4);
        let letter = &delivery.dead_letters(None, 10).await.unwrap()[0];
        assert_eq!((letter.reason, letter.attempts), (DeadLetterReason::AttemptLimit, 4));
        assert_eq!(letter.failure.as_ref().unwrap().status, Some(503));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rate_limits_and_operator_faults_count_no_attempt() {
    guarded(async {
        let mut acts: Vec<Sent> = Vec::new();
        for _ in 0..5 {
            acts.extend([Act::status(429), Act::status(401), Act::status(403)]);
        }
        acts.push(Act::status(503));
        acts.extend([Act::status(429), Act::status(429)]);
        let transport = Scripted::queue(acts);
        let delivery = Delivery::builder(transport.clone())
            .retry(RetryPolicy::new().max_attempts(2))
            .start()
            .unwrap();
        send(&delivery, event(1)).await;
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead), (1, 0));
        assert_eq!(transport.attempts().len(), 19);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_is_buried_beyond_its_maximum_age() {
    guarded(async {
        let transport = Scripted::new(|_| Act::status(503));
        let delivery = Delivery::builder(transport.clone())
            .retry(RetryPolicy::new().max_age(10 * MINUTE))
            .start()
            .unwrap();
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        let letter = &delivery.dead_letters(None, 10).await.unwrap()[0];
        assert_eq!(letter.reason, DeadLetterReason::AgeLimit);
        assert!(letter.failure.is_some());
        assert!((10 * MINUTE..16 * MINUTE).contains(&transport.elapsed()));
        assert_eq!(delivery.ledger().await.unwrap().deaths.of(DeadLetterReason::AgeLimit), 1);
        // An event without an attempt ends too.
        transport.script(|_| Act::status(401));
        send(&delivery, event(2)).await;
        send(&delivery, event(3)).await;
        sleep(HOUR).await;
        transport.script(|_| Act::taken());
        delivery.resume();
        assert_eq!(delivery.flush(DAY).await.dead, 3);
        assert!(transport.taken().is_empty());
    })
    .await;
}

/// A dead letter keeps the last response, if there was one.
#[tokio::test(start_paused = true)]
async fn an_event_that_became_too_old_keeps_the_last_answer() {
    guarded(async {
        for seed in 0..5 {
            let transport = Scripted::new(|_| Act::status(503));
            let delivery = Delivery::builder(transport.clone())
                .retry(RetryPolicy::new().max_age(10 * MINUTE))
                .jitter_seed(seed)
                .start()
                .unwrap();
            send(&delivery, event(1)).await;
            assert_eq!(delivery.flush(DAY).await.dead, 1);
            let letter = &delivery.dead_letters(None, 10).await.unwrap()[0];
            assert_eq!(letter.reason, DeadLetterReason::AgeLimit);
            assert!(letter.attempts > 1);
            assert_eq!(letter.failure.as_ref().unwrap().status, Some(503), "{letter:?}");
        }
    })
    .await;
}

/// The reason `panic` needs repeated panics, and here there was one.
#[tokio::test(start_paused = true)]
async fn one_panic_after_other_failures_is_not_the_third_panic() {
    guarded(async {
        let transport = Scripted::queue([Act::status(503), Act::status(503), Act::PanicInPoll]);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        let report = delivery.flush(DAY).await;
        let letters = delivery.dead_letters(None, 1).await.unwrap();
        assert_eq!((report.delivered, report.dead), (1, 0), "{letters:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_send_that_hangs_is_repeated_after_its_timeout() {
    guarded(async {
        let transport = Scripted::queue([Act::Hang, Act::taken_after(29 * SECOND)]);
        let delivery =
            Delivery::builder(transport.clone()).attempt_timeout(30 * SECOND).start().unwrap();
        send(&delivery, event(1)).await;
        assert!(delivery.flush(DAY).await.is_complete());
        let at = transport.attempts_of(1);
        assert_eq!(at.len(), 2);
        assert!((30 * SECOND..32 * SECOND).contains(&at[1]), "{at:?}");
        assert_eq!(transport.taken().len(), 1);
    })
    .await;
}

/// Sends events one after the other, the first of which hangs for an hour. Returns how long the
/// others took.
async fn others_beside_one_that_hangs(warm: bool) -> Duration {
    let transport = Scripted::new(|call| match call.event.contact().as_user_id() {
        Some("0") => Act::taken_after(HOUR),
        _ => Act::taken_after(SECOND / 100),
    });
    let delivery = Delivery::builder(transport.clone()).attempt_timeout(2 * HOUR).start().unwrap();
    if warm {
        send(&delivery, event(5000)).await;
        assert!(delivery.flush(DAY).await.is_complete());
    }
    let before = delivery.ledger().await.unwrap().delivered;
    send(&delivery, event(0)).await;
    let begun = Instant::now();
    for number in 1..=1000 {
        send(&delivery, event(number)).await;
    }
    while delivery.ledger().await.unwrap().delivered < before + 1000 {
        sleep(SECOND / 10).await;
    }
    let took = begun.elapsed();
    assert!(delivery.flush(DAY).await.is_complete());
    took
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_delays_no_other() {
    guarded(async {
        let took = others_beside_one_that_hangs(true).await;
        assert!(took < 2 * SECOND, "{took:?}");
    })
    .await;
}

/// The same if the very first request hangs.
#[tokio::test(start_paused = true)]
async fn a_slow_first_request_delays_no_other() {
    guarded(async {
        let took = others_beside_one_that_hangs(false).await;
        assert!(took < MINUTE, "{took:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_reach_the_concurrency_and_never_exceed_it() {
    guarded(async {
        for concurrency in [1, 2, 7, 32, 100] {
            let transport = Scripted::new(|call| match call.number % 5 {
                4 => Act::Late(SECOND / 7, Err(answer(503))),
                _ => Act::taken_after(SECOND / 10),
            });
            let delivery =
                Delivery::builder(transport.clone()).concurrency(concurrency).start().unwrap();
            for number in 0..1000 {
                send(&delivery, event(number)).await;
            }
            sleep(2 * SECOND).await;
            assert!(delivery.status().in_flight <= concurrency);
            let report = delivery.flush(DAY).await;
            assert_eq!((report.delivered, report.dead), (1000, 0));
            assert_eq!(transport.most_running(), concurrency);
            assert_eq!(delivery.status().in_flight, 0);
            let different: HashSet<_> = numbers(&transport.taken()).into_iter().collect();
            assert_eq!((different.len(), transport.taken().len()), (1000, 1000));
        }
    })
    .await;
}

/// Some users want no limit at all.
#[tokio::test(start_paused = true)]
async fn the_attempt_timeout_may_be_the_longest_possible() {
    guarded(async {
        let transport = Scripted::queue([Act::status(503)]);
        let delivery =
            Delivery::builder(transport.clone()).attempt_timeout(Duration::MAX).start().unwrap();
        send(&delivery, event(1)).await;
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.pending), (1, 0), "{}", delivery.status());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_concurrency_may_be_the_highest_possible() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery =
            Delivery::builder(transport.clone()).concurrency(usize::MAX).start().unwrap();
        for number in 0..1000 {
            send(&delivery, event(number)).await;
        }
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.pending), (1000, 0), "{}", delivery.status());
        // All events but the first, which discovers it.
        assert_eq!(transport.most_running(), 999);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_ledger_interval_may_be_the_longest_possible() {
    guarded(async {
        let delivery =
            Delivery::builder(Scripted::taking()).ledger_interval(Duration::MAX).start().unwrap();
        tokio::task::yield_now().await;
        let sent = delivery.tracker().send_prepared(event(1)).await;
        assert!(sent.is_ok(), "{sent:?} {}", delivery.status());
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_extremes_delivers_too() {
    guarded(async {
        for policy in [
            RetryPolicy::new().base(Duration::ZERO),
            RetryPolicy::new().cap(Duration::ZERO),
            RetryPolicy::new().cap(Duration::MAX),
            RetryPolicy::new().base(Duration::MAX).cap(SECOND),
            RetryPolicy::new().max_age(Duration::MAX).max_attempts(u32::MAX),
        ] {
            let transport = Scripted::queue((0..5).map(|_| Act::status(503)));
            let delivery = Delivery::builder(transport.clone()).retry(policy).start().unwrap();
            send(&delivery, event(1)).await;
            assert_eq!(delivery.flush(DAY).await.delivered, 1);
        }
        for seed in 0..8 {
            let policy = RetryPolicy::new().base(Duration::MAX).cap(Duration::MAX);
            let transport = Scripted::queue([Act::status(503)]);
            let builder = Delivery::builder(transport).retry(policy).jitter_seed(seed);
            let delivery = builder.start().unwrap();
            send(&delivery, event(1)).await;
            // The engine waits for a very long time, but it lives.
            let _ = timeout(HOUR, delivery.flush(DAY)).await;
            assert!(!matches!(delivery.status().state, State::Ended));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn panics_are_contained_and_counted_and_the_third_is_the_last() {
    guarded(async {
        for act in [|| Act::PanicAtCall, || Act::PanicInPoll] {
            let transport = Scripted::new(move |call| match call.event.contact().as_user_id() {
                Some("0") => act(),
                _ => Act::taken(),
            });
            let told = Arc::new(AtomicBool::new(false));
            let hook = told.clone();
            let delivery = Delivery::builder(transport.clone())
                .on_dead_letter(move |_| {
                    hook.store(true, Ordering::SeqCst);
                    panic!("as the script says");
                })
                .start()
                .unwrap();
            for number in 0..100 {
                send(&delivery, event(number)).await;
            }
            let report = delivery.flush(DAY).await;
            assert_eq!((report.delivered, report.dead, report.pending), (99, 1, 0));
            let letter = &delivery.dead_letters(None, 10).await.unwrap()[0];
            assert_eq!((letter.reason, letter.attempts), (DeadLetterReason::Panic, 3));
            assert_eq!(transport.attempts_of(0).len(), 3);
            assert!(told.load(Ordering::SeqCst));
            // Three panics in the transport, and one in the hook.
            assert_eq!(delivery.ledger().await.unwrap().panics, 4);
            assert_eq!(delivery.ledger().await.unwrap().deaths.of(DeadLetterReason::Panic), 1);
            send(&delivery, event(1000)).await;
            assert_ledger(&delivery.ledger().await.unwrap(), 99, 1, 1);
            assert_eq!(delivery.flush(DAY).await.delivered, 100);
        }
    })
    .await;
}
