//! Flush, shutdown and drop: what each waits for, how long, and what stays pending.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use intercom_core::{ErrorKind, Timestamp};
use intercom_delivery::outbox::{Slot, Standing, Turn, UsedSlot, Verdict};
use intercom_delivery::{Delivery, MemoryOutbox, Outbox, Selection, StartError, State};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use tracing_subscriber::filter::LevelFilter;

use crate::scripted::{
    Act, DAY, HOUR, Logs, MINUTE, SECOND, Scripted, UnreliableOutbox, answer, assert_ledger, event,
    guarded, number_of, numbers, send,
};

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_earlier_events_and_not_for_later_ones() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery =
            Arc::new(Delivery::builder(transport.clone()).concurrency(4).start().unwrap());
        for number in 0..40 {
            send(&delivery, event(number)).await;
        }
        // From here on, events arrive faster than they can be sent.
        let endless = tokio::spawn({
            let delivery = delivery.clone();
            async move {
                for number in 40.. {
                    send(&delivery, event(number)).await;
                    sleep(SECOND / 10).await;
                }
            }
        });
        let report = delivery.flush(DAY).await;
        assert!(report.delivered >= 40 && report.pending > 0, "{report}");
        let taken = numbers(&transport.taken());
        assert_eq!(taken[..40], (0..40).collect::<Vec<_>>());
        assert!(transport.elapsed() < 13 * SECOND, "{:?}", transport.elapsed());
        endless.abort();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_of_nothing_returns_at_once() {
    guarded(async {
        let delivery = Delivery::builder(Scripted::taking()).start().unwrap();
        let begun = Instant::now();
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.dead, report.pending), (0, 0, 0));
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_in_an_outage_ends_after_it() {
    guarded(async {
        let transport = Scripted::new(|call| match call.at < HOUR {
            true => Act::fails(ErrorKind::Connection),
            false => Act::taken(),
        });
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..100 {
            send(&delivery, event(number)).await;
        }
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.pending), (100, 0));
        assert!((HOUR..HOUR + 6 * MINUTE).contains(&transport.elapsed()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_flushes_each_wait_for_their_own_events() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = Delivery::builder(transport.clone()).concurrency(1).start().unwrap();
        let mut flushes = Vec::new();
        for number in 0..10 {
            send(&delivery, event(number)).await;
            let mut flush = Box::pin(delivery.flush(DAY));
            let polled = poll_fn(|context| Poll::Ready(flush.as_mut().poll(context))).await;
            assert!(polled.is_pending());
            flushes.push(flush);
        }
        // An abandoned flush does no harm.
        drop(flushes.remove(4));
        let mut last = Duration::ZERO;
        for flush in flushes {
            let _ = flush.await;
            assert!(transport.elapsed() > last);
            last = transport.elapsed();
        }
        assert_eq!(transport.taken().len(), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_everything() {
    guarded(async {
        let transport = Scripted::new(|call| match call.number % 3 {
            0 => Act::Late(SECOND / 3, Err(answer(503))),
            _ => Act::taken_after(SECOND / 2),
        });
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..500 {
            send(&delivery, event(number)).await;
        }
        let report = delivery.shutdown(HOUR).await;
        assert_eq!((report.delivered, report.dead, report.pending), (500, 0, 0));
        assert!(transport.elapsed() < 10 * MINUTE);
        assert_eq!(numbers(&transport.taken()), (0..500).collect::<Vec<_>>());
        assert_ledger(&delivery.ledger().await.unwrap(), 500, 0, 0);
    })
    .await;
}

/// The usual end of a program: one more event, and then a shutdown.
#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_events_accepted_just_before_it() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        assert!(delivery.flush(DAY).await.is_complete());
        send(&delivery, event(2)).await;
        let report = delivery.shutdown(30 * SECOND).await;
        assert_eq!((report.delivered, report.dead, report.pending), (2, 0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_events_redriven_just_before_it() {
    guarded(async {
        let transport = Scripted::queue([Act::status(422)]);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush(DAY).await.dead, 1);
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 1);
        let report = delivery.shutdown(30 * SECOND).await;
        assert_eq!((report.delivered, report.dead, report.pending), (1, 0, 0));
    })
    .await;
}

/// The outbox is slow, and its answer counts.
#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_events_whose_acceptance_has_begun() {
    guarded(async {
        let outbox = UnreliableOutbox::default();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        let tracker = delivery.tracker();
        send(&delivery, event(0)).await;
        assert!(delivery.flush(DAY).await.is_complete());
        outbox.0.accepting_takes(SECOND);
        let accepted = tokio::spawn(tracker.send_prepared(event(1)));
        yield_now().await;
        let report = delivery.shutdown(30 * SECOND).await;
        assert!(accepted.await.unwrap().is_ok());
        assert_eq!((report.delivered, report.pending), (2, 0));
        assert_ledger(&delivery.ledger().await.unwrap(), 2, 0, 0);
    })
    .await;
}

/// The same on many threads, in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_delivers_events_accepted_just_before_it_on_many_threads() {
    let mut lost = 0;
    for _ in 0..200 {
        let delivery = Delivery::builder(Scripted::taking()).start().unwrap();
        for number in 0..4 {
            send(&delivery, event(number)).await;
            let _ = delivery.flush(DAY).await;
        }
        send(&delivery, event(9)).await;
        lost += delivery.shutdown(30 * SECOND).await.pending;
    }
    assert_eq!(lost, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_amid_senders_delivers_all_that_was_accepted() {
    let mut lost = 0;
    for _ in 0..100 {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone())
            .outbox(MemoryOutbox::new().capacity(20))
            .start()
            .unwrap();
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let tracker = delivery.tracker();
                tokio::spawn(async move {
                    let mut accepted = 0_u64;
                    for number in 0..10_000 {
                        match tracker.send_prepared(event(sender * 10_000 + number)).await {
                            Ok(_) => accepted += 1,
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::Closed);
                                break;
                            }
                        }
                    }
                    accepted
                })
            })
            .collect();
        for _ in 0..20 {
            yield_now().await;
        }
        let report = delivery.shutdown(HOUR).await;
        let mut accepted = 0;
        for sender in senders {
            accepted += sender.await.unwrap();
        }
        let ledger = delivery.ledger().await.unwrap();
        assert!(ledger.is_balanced(), "{ledger}");
        assert_eq!(ledger.accepted, accepted);
        lost += report.pending;
        assert_eq!(report.delivered + report.pending, accepted);
    }
    assert_eq!(lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_keeps_its_deadline_when_every_request_hangs() {
    guarded(async {
        let transport = Scripted::new(|_| Act::Hang);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        transport.script(|call| match call.number {
            0 => Act::taken(),
            _ => Act::Hang,
        });
        for number in 0..100 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND).await;
        let begun = Instant::now();
        let report = delivery.shutdown(30 * SECOND).await;
        assert_eq!(begun.elapsed(), 30 * SECOND);
        assert_eq!((report.delivered, report.dead, report.pending), (1, 0, 99));
        assert_ledger(&delivery.ledger().await.unwrap(), 1, 0, 99);
        assert!(matches!(delivery.status().state, State::Ended));
        assert_eq!(delivery.status().in_flight, 0);
        // A deadline of zero works too.
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(0)).await;
        let begun = Instant::now();
        assert_eq!(delivery.shutdown(Duration::ZERO).await.pending, 1);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_returns_early_when_nothing_can_be_done_before_its_deadline() {
    guarded(async {
        // A pause beyond the deadline.
        let limited = || answer(429).with_retry_after(5 * MINUTE);
        let transport = Scripted::new(move |_| Act::End(Err(limited())));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..10 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND).await;
        let begun = Instant::now();
        assert_eq!(delivery.shutdown(MINUTE).await.pending, 10);
        assert_eq!(begun.elapsed(), Duration::ZERO);

        // A stopped breaker, whose next probe is due after more than two seconds.
        let transport = Scripted::new(|_| Act::status(401));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND / 10).await;
        let begun = Instant::now();
        assert_eq!(delivery.shutdown(SECOND).await.pending, 1);
        assert_eq!(begun.elapsed(), Duration::ZERO);

        // A back-off beyond the deadline, after many failures of the event.
        let transport = Scripted::new(|call| match call.number {
            0..9 => Act::status(503),
            _ => Act::Hang,
        });
        let delivery = Delivery::builder(transport.clone()).jitter_seed(4).start().unwrap();
        send(&delivery, event(1)).await;
        while transport.attempts().len() < 9 {
            sleep(SECOND / 10).await;
        }
        let begun = Instant::now();
        assert_eq!(delivery.shutdown(SECOND / 10).await.pending, 1);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_can_be_done_before_its_deadline() {
    guarded(async {
        let transport = Scripted::queue([Act::status(401), Act::status(401)]);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..10 {
            send(&delivery, event(number)).await;
        }
        let report = delivery.shutdown(5 * MINUTE).await;
        assert_eq!((report.delivered, report.pending), (10, 0));
        assert!(transport.elapsed() < MINUTE);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_joins_the_first() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(10 * SECOND));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..3 {
            send(&delivery, event(number)).await;
        }
        let (first, second) =
            tokio::join!(delivery.shutdown(MINUTE), delivery.shutdown(2 * MINUTE));
        assert_eq!(first, second);
        assert_eq!(first.delivered, 3);
        let begun = Instant::now();
        assert_eq!(delivery.shutdown(MINUTE).await, first);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_nobody_waits_for_goes_on() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(10 * SECOND));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..3 {
            send(&delivery, event(number)).await;
        }
        assert!(timeout(SECOND, delivery.shutdown(2 * MINUTE)).await.is_err());
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(delivery.shutdown(MINUTE).await.delivered, 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_every_call_says_so() {
    guarded(async {
        let transport = Scripted::new(|_| Act::Hang);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        let tracker = delivery.tracker();
        send(&delivery, event(1)).await;
        let _ = delivery.shutdown(SECOND).await;
        let begun = Instant::now();
        let error = tracker.send_prepared(event(2)).await.unwrap_err();
        assert_eq!((error.kind(), error.needs_operator()), (ErrorKind::Closed, true));
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.pending), (0, 1));
        delivery.resume();
        assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), 0);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.accepted + ledger.refused.total(), ledger.refused.closed), (2, 1));
        assert_ledger(&ledger, 0, 0, 1);
        assert_eq!(delivery.status().to_string(), "ended");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn leases_end_at_the_deadline_of_a_shutdown() {
    guarded(async {
        let outbox = Arc::new(MemoryOutbox::new());
        let hanging = Scripted::new(|call| match call.number {
            0..100 => Act::status(503),
            _ => Act::Hang,
        });
        let delivery = Delivery::builder(hanging.clone()).outbox(outbox.clone()).start().unwrap();
        for number in 0..50 {
            send(&delivery, event(number)).await;
        }
        sleep(20 * MINUTE).await;
        assert_eq!(delivery.shutdown(10 * SECOND).await.pending, 50);
        let spent: Vec<_> = (0..50).map(|number| hanging.attempts_of(number).len()).collect();

        let transport = Scripted::new(|_| Act::status(422));
        let second = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        // All events are sent at once, except those in their own back-off.
        assert!(timeout(5 * MINUTE, second.flush(DAY)).await.unwrap().is_complete());
        let letters = second.dead_letters(None, 100).await.unwrap();
        assert_eq!(letters.len(), 50);
        for letter in letters {
            let failed = spent[usize::try_from(number_of(&letter.event)).unwrap()];
            // Earlier attempts count, and the one that hung at the deadline does not.
            let attempts = letter.attempts as usize;
            assert!(attempts == failed || attempts == failed + 1, "{letter:?}, {failed}");
        }
        assert_ledger(&second.ledger().await.unwrap(), 0, 50, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_next_engine_sends_a_request_that_hung_at_the_deadline() {
    guarded(async {
        let outbox = Arc::new(MemoryOutbox::new());
        let hanging = Scripted::queue([Act::taken()]);
        let first = Delivery::builder(hanging.clone()).outbox(outbox.clone()).start().unwrap();
        send(&first, event(1000)).await;
        let _ = first.flush(DAY).await;
        hanging.script(|_| Act::Hang);
        for number in 0..50 {
            send(&first, event(number)).await;
        }
        yield_now().await;
        assert_eq!(first.shutdown(SECOND).await.pending, 50);
        let transport = Scripted::taking();
        let second = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        assert_eq!(second.flush(DAY).await.delivered, 51);
        assert_eq!(transport.elapsed(), Duration::ZERO);
        assert_eq!(numbers(&transport.taken()), (0..50).collect::<Vec<_>>());
    })
    .await;
}

/// Intercom has responded, and only the settlement is missing.
#[tokio::test(start_paused = true)]
async fn a_settlement_in_progress_at_the_deadline_completes() {
    guarded(async {
        let outbox = UnreliableOutbox::default();
        let transport = Scripted::taking();
        let told = Arc::new(AtomicUsize::new(0));
        let hook = told.clone();
        let delivery = Delivery::builder(transport.clone())
            .outbox(outbox.clone())
            .on_dead_letter(move |_| {
                hook.fetch_add(1, Ordering::SeqCst);
            })
            .start()
            .unwrap();
        send(&delivery, event(0)).await;
        assert!(delivery.flush(DAY).await.is_complete());
        outbox.0.settling_takes(SECOND / 2);
        transport.script(|call| match number_of(call.event) {
            1 => Act::Late(SECOND - SECOND / 10, Err(answer(422))),
            _ => Act::taken_after(SECOND - SECOND / 10),
        });
        send(&delivery, event(1)).await;
        send(&delivery, event(2)).await;
        yield_now().await;
        let begun = Instant::now();
        let report = delivery.shutdown(SECOND).await;
        assert!(begun.elapsed() <= 2 * SECOND);
        assert_eq!(transport.taken().len(), 2);
        assert_eq!((report.delivered, report.dead, report.pending), (2, 1, 0));
        assert_eq!(told.load(Ordering::SeqCst), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_never_answers_does_not_delay_the_shutdown() {
    guarded(async {
        let outbox = UnreliableOutbox::default();
        outbox.0.settling_takes(300 * HOUR);
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).outbox(outbox).start().unwrap();
        send(&delivery, event(1)).await;
        let begun = Instant::now();
        let report = delivery.shutdown(10 * SECOND).await;
        assert!((10 * SECOND..=12 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(report.pending, 1);
    })
    .await;
}

fn paused_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[test]
fn an_engine_that_dies_with_its_runtime_closes_the_intake() {
    let outbox = Arc::new(MemoryOutbox::new().capacity(10));
    let transport = Scripted::new(|_| Act::Hang);
    let first = paused_runtime();
    let delivery = first.block_on(async {
        let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        for number in 0..10 {
            send(&delivery, event(number)).await;
        }
        sleep(SECOND).await;
        delivery
    });
    let tracker = delivery.tracker();
    let mut waiting = Box::pin(tracker.send_prepared(event(10)));
    let second = paused_runtime();
    second.block_on(guarded(async {
        let polled = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        std::thread::spawn(move || drop(first)).join().unwrap();
        assert_eq!(waiting.await.unwrap_err().kind(), ErrorKind::Closed);
        let error = tracker.send_prepared(event(11)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(matches!(delivery.status().state, State::Ended));
        assert_eq!(delivery.flush(DAY).await.pending, 10);
        assert_eq!(delivery.shutdown(MINUTE).await.pending, 10);
        assert_ledger(&delivery.ledger().await.unwrap(), 0, 0, 10);

        // Unleased events are due at once, and the rest after the end of the leases.
        let taking = Scripted::taking();
        let next = Delivery::builder(taking.clone()).outbox(outbox).start().unwrap();
        assert_eq!(next.flush(DAY).await.delivered, 10);
        assert!(taking.elapsed() < 5 * MINUTE);
    }));
}

/// The runtime ends before the first poll of the engine.
#[test]
fn an_engine_that_never_ran_closes_the_intake() {
    let first = paused_runtime();
    let delivery = first.block_on(async { Delivery::builder(Scripted::taking()).start() }).unwrap();
    drop(first);
    let second = paused_runtime();
    second.block_on(guarded(async {
        let sent = timeout(HOUR, delivery.tracker().send_prepared(event(1))).await;
        let error = sent.expect("the call waits for ever").expect_err("no engine ever sends it");
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(matches!(delivery.status().state, State::Ended));
    }));
}

#[test]
fn start_fails_on_a_setting_that_makes_delivery_impossible() {
    let error = Delivery::builder(Scripted::taking()).start().unwrap_err();
    assert_eq!(error, StartError::NoRuntime);
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().contains("#[tokio::main]"));
    paused_runtime().block_on(async {
        let builder = || Delivery::builder(Scripted::taking());
        let error = builder().concurrency(0).start().unwrap_err();
        assert_eq!(error, StartError::ZeroConcurrency);
        let error = builder().attempt_timeout(Duration::ZERO).start().unwrap_err();
        assert_eq!(error.to_string(), "the attempt timeout must be longer than zero");
        let error = builder().ledger_interval(Duration::ZERO).start().unwrap_err();
        assert_eq!(error, StartError::ZeroDuration { which: "ledger interval" });
    });
}

/// Without timers the engine cannot retry, and the caller of `start` must learn that at once.
#[test]
fn a_runtime_without_timers_is_refused() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        if let Ok(delivery) = Delivery::builder(Scripted::taking()).start() {
            yield_now().await;
            panic!("the delivery started, and its status is: {}", delivery.status());
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_dropped_delivery_logs_how_many_events_are_pending() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::WARN);
        let transport = Scripted::new(|_| Act::Hang);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..7 {
            send(&delivery, event(number)).await;
        }
        yield_now().await;
        let tracker = delivery.tracker();
        drop(delivery);
        let lines = logs.lines("without a shutdown");
        assert_eq!(lines.len(), 1, "{}", logs.text());
        assert!(lines[0].contains("WARN") && lines[0].contains("pending=7"), "{lines:?}");
        let error = tracker.send_prepared(event(8)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        // After a shutdown, a drop logs nothing.
        let delivery = Delivery::builder(transport).start().unwrap();
        send(&delivery, event(1)).await;
        let _ = delivery.shutdown(SECOND).await;
        drop(delivery);
        assert_eq!(logs.lines("without a shutdown").len(), 1);
    })
    .await;
}

#[test]
fn a_delivery_dropped_after_its_runtime_logs_how_many_events_are_pending() {
    let runtime = paused_runtime();
    let delivery = runtime.block_on(async {
        let delivery = Delivery::builder(Scripted::new(|_| Act::Hang)).start().unwrap();
        send(&delivery, event(1)).await;
        yield_now().await;
        delivery
    });
    drop(runtime);
    let (logs, _guard) = Logs::capture(LevelFilter::WARN);
    drop(delivery);
    assert_eq!(logs.lines("pending=1").len(), 1, "{}", logs.text());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_delivery_gives_its_leases_back() {
    guarded(async {
        let outbox = Arc::new(MemoryOutbox::new());
        let hanging = Scripted::queue([Act::taken()]);
        let first = Delivery::builder(hanging.clone()).outbox(outbox.clone()).start().unwrap();
        send(&first, event(100)).await;
        let _ = first.flush(DAY).await;
        hanging.script(|_| Act::Hang);
        for number in 0..40 {
            send(&first, event(number)).await;
        }
        yield_now().await;
        drop(first);
        yield_now().await;
        let transport = Scripted::taking();
        let second = Delivery::builder(transport.clone()).outbox(outbox).start().unwrap();
        assert_eq!(second.flush(DAY).await.delivered, 41);
        assert_eq!(transport.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_works_on_many_threads() {
    guarded(async {
        let transport = Scripted::new(|call| match call.before {
            0 if call.number % 50 == 7 => Act::PanicInPoll,
            _ => Act::taken(),
        });
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..1000 {
            send(&delivery, event(number)).await;
        }
        assert_eq!(delivery.flush(DAY).await.delivered, 1000);
        assert_eq!(delivery.shutdown(MINUTE).await.delivered, 1000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_engine_is_woken_each_time_on_many_threads() {
    guarded(async {
        let delivery = Delivery::builder(Scripted::taking()).start().unwrap();
        for number in 0..5000 {
            send(&delivery, event(number)).await;
            assert_eq!(delivery.flush(DAY).await.delivered, number + 1);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_resumed_twice_in_a_row_goes_on() {
    guarded(async {
        let transport = Scripted::new(|_| Act::status(401));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND).await;
        let before = transport.attempts().len();
        // The second call comes before the engine has seen the first.
        delivery.resume();
        delivery.resume();
        yield_now().await;
        yield_now().await;
        assert!(!matches!(delivery.status().state, State::Ended), "the engine is dead");
        assert!(transport.attempts().len() > before);
        transport.script(|_| Act::taken());
        delivery.resume();
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_deliveries_on_one_outbox_send_each_event_once() {
    guarded(async {
        let outbox = Arc::new(MemoryOutbox::new());
        let transport = Scripted::new(|_| Act::taken_after(SECOND / 10));
        let start =
            || Delivery::builder(transport.clone()).outbox(outbox.clone()).concurrency(3).start();
        let (first, second) = (start().unwrap(), start().unwrap());
        for number in 0..500 {
            send([&first, &second][number as usize % 2], event(number)).await;
        }
        let (first, second) = tokio::join!(first.shutdown(HOUR), second.flush(DAY));
        assert_eq!((first.pending, second.pending), (0, 0));
        assert_eq!(numbers(&transport.taken()), (0..500).collect::<Vec<_>>());
    })
    .await;
}

/// Both accept events, and each must learn of its own events that the other one sends.
#[tokio::test(start_paused = true)]
async fn a_delivery_goes_on_after_another_on_the_same_outbox_has_ended() {
    guarded(async {
        let outbox = Arc::new(MemoryOutbox::new());
        let transport = Scripted::taking();
        let first = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        send(&first, event(1)).await;
        assert!(first.flush(DAY).await.is_complete());
        let second = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        let _ = second.shutdown(MINUTE).await;
        send(&first, event(2)).await;
        let flushed = timeout(HOUR, first.flush(DAY)).await;
        assert!(flushed.is_ok(), "the delivery no longer learns of its own events");
    })
    .await;
}

/// A flush waits for the events of its own process, whichever process delivers them.
#[tokio::test(start_paused = true)]
async fn a_flush_on_standby_sees_within_a_second_what_another_delivers() {
    guarded(async {
        let store = Arc::new(MemoryOutbox::new());
        let many: Vec<_> = (0..10).map(event).collect();
        store.accept(&many).await.unwrap();
        let other = Scripted::new(|_| Act::taken_after(5 * SECOND));
        let _other = Delivery::builder(other.clone()).outbox(store.clone()).start().unwrap();
        sleep(2 * SECOND).await;
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).outbox(store).start().unwrap();
        sleep(SECOND / 3).await;
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.pending), (10, 0));
        let last = other.elapsed();
        assert!(last < 8 * SECOND, "seen after {last:?}");
        assert!(transport.attempts().is_empty());
    })
    .await;
}

/// The end of a process depends only on its own work.
#[tokio::test(start_paused = true)]
async fn a_shutdown_on_standby_does_not_wait_for_what_another_delivers() {
    guarded(async {
        let store = Arc::new(MemoryOutbox::new());
        let many: Vec<_> = (0..10).map(event).collect();
        store.accept(&many).await.unwrap();
        let other = Scripted::new(|_| Act::taken_after(HOUR / 100));
        let _other = Delivery::builder(other.clone()).outbox(store.clone()).start().unwrap();
        yield_now().await;
        let standby = Delivery::builder(Scripted::taking()).outbox(store).start().unwrap();
        yield_now().await;
        let status = standby.status();
        assert!(matches!(&status.state, State::Standby { .. }) && status.turn.is_none());
        assert_eq!(status.to_string(), "on standby: another delivery in this process delivers");
        let begun = Instant::now();
        assert_eq!(standby.shutdown(HOUR).await.pending, 10);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_after_any_end_of_the_deliverer() {
    guarded(async {
        for shut_down in [true, false] {
            let store = Arc::new(MemoryOutbox::new());
            let hanging = Scripted::new(|_| Act::Hang);
            let first = Delivery::builder(hanging).outbox(store.clone()).start().unwrap();
            yield_now().await;
            let transport = Scripted::taking();
            let second = Delivery::builder(transport.clone()).outbox(store).start().unwrap();
            for number in 0..100 {
                send([&first, &second][number as usize % 2], event(number)).await;
            }
            yield_now().await;
            let epoch = first.status().turn.unwrap().epoch;
            match shut_down {
                true => drop(first.shutdown(Duration::ZERO).await),
                false => drop(first),
            }
            assert!(second.flush(DAY).await.is_complete());
            assert_eq!(numbers(&transport.taken()), (0..100).collect::<Vec<_>>());
            assert_eq!(transport.elapsed(), Duration::ZERO);
            assert!(second.status().turn.unwrap().epoch > epoch);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn room_that_another_process_makes_is_seen_within_a_second() {
    guarded(async {
        let store = Arc::new(MemoryOutbox::new().capacity(1));
        // Another process delivers.
        let Turn::Began(tenure) = store.lease(Standing::Unknown, 0).await.unwrap() else {
            panic!("nobody else delivers");
        };
        let delivery = Delivery::builder(Scripted::taking()).outbox(store.clone()).start().unwrap();
        sleep(SECOND).await;
        send(&delivery, event(1)).await;
        let leased = store.lease(Standing::Delivering(tenure.epoch), 1).await.unwrap();
        let Turn::Leased(leased) = leased else { panic!("{leased:?}") };
        let begun = Instant::now();
        let makes_room = async {
            sleep(SECOND / 10).await;
            let lease = &leased.events[0];
            let keep_until = Timestamp::now();
            let used = UsedSlot::new(Slot::of(&lease.event), keep_until);
            let done = [lease.settle(Verdict::Delivered { used })];
            assert!(store.settle(tenure.epoch, &done, keep_until).await.unwrap().is_empty());
        };
        tokio::join!(makes_room, send(&delivery, event(2)));
        assert!(begun.elapsed() < 5 * SECOND / 2, "seen after {:?}", begun.elapsed());
    })
    .await;
}

/// A waiting `send` that is no longer polled delays other callers, but no shutdown.
#[tokio::test(start_paused = true)]
async fn a_sender_that_is_not_polled_does_not_delay_a_shutdown() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = Delivery::builder(transport.clone())
            .outbox(MemoryOutbox::new().capacity(1))
            .start()
            .unwrap();
        let tracker = delivery.tracker();
        send(&delivery, event(1)).await;
        let mut waiting = pin!(tracker.send_prepared(event(2)));
        let polled = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        let begun = Instant::now();
        let report = delivery.shutdown(HOUR).await;
        assert_eq!((report.delivered, report.pending), (1, 0));
        assert!(begun.elapsed() < MINUTE, "{:?}", begun.elapsed());
    })
    .await;
}
