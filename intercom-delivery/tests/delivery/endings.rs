//! Flush, shutdown, and being dropped: what is waited for, for how long, and what is left behind.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use intercom_core::{DataEvent, ErrorKind, OwnedSend, Receipt, SendError, Transport, async_trait};
use intercom_delivery::outbox::{AcceptError, Counts, Leased, Settlement, Verdict, Wake};
use intercom_delivery::{
    Collisions, DeadLetter, Delivery, EventId, LineStatus, MemoryOutbox, Outbox, OutboxError,
    Selection, StartError,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use tracing_subscriber::filter::LevelFilter;

use crate::scripted::{
    Act, HOUR, Logs, MINUTE, SECOND, Scripted, UnreliableOutbox, answer, assert_ledger, event,
    guarded, number_of, numbers, send,
};

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_came_before_and_not_for_what_comes_later() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery =
            Arc::new(Delivery::builder(transport.clone()).concurrency(4).start().unwrap());
        for number in 0..40 {
            send(&delivery, event(number)).await;
        }
        // From now on more comes than can ever be sent.
        let endless = tokio::spawn({
            let delivery = delivery.clone();
            async move {
                for number in 40.. {
                    send(&delivery, event(number)).await;
                    sleep(SECOND / 10).await;
                }
            }
        });
        let report = delivery.flush().await;
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
        let report = delivery.flush().await;
        assert_eq!((report.delivered, report.dead, report.pending), (0, 0, 0));
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush().await.delivered, 1);
        assert_eq!(delivery.flush().await.delivered, 1);
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
        let report = delivery.flush().await;
        assert_eq!((report.delivered, report.pending), (100, 0));
        assert!((HOUR..HOUR + 6 * MINUTE).contains(&transport.elapsed()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_flushes_each_wait_for_their_own() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = Delivery::builder(transport.clone()).concurrency(1).start().unwrap();
        let mut flushes = Vec::new();
        for number in 0..10 {
            send(&delivery, event(number)).await;
            let mut flush = Box::pin(delivery.flush());
            let polled = poll_fn(|context| Poll::Ready(flush.as_mut().poll(context))).await;
            assert!(polled.is_pending());
            flushes.push(flush);
        }
        // One that nobody waits for does no harm.
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
        assert_ledger(&delivery.ledger(), 500, 0, 0);
    })
    .await;
}

/// The most common end of a program: something was sent before, one more is sent, and that was it.
#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_what_was_accepted_just_before_it() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        assert!(delivery.flush().await.is_complete());
        send(&delivery, event(2)).await;
        let report = delivery.shutdown(30 * SECOND).await;
        assert_eq!((report.delivered, report.dead, report.pending), (2, 0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_what_was_redriven_just_before_it() {
    guarded(async {
        let transport = Scripted::queue([Act::status(422)]);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush().await.dead, 1);
        assert_eq!(delivery.redrive(Selection::All).await.unwrap(), 1);
        let report = delivery.shutdown(30 * SECOND).await;
        assert_eq!((report.delivered, report.dead, report.pending), (1, 0, 0));
    })
    .await;
}

/// The outbox takes its time, and its word counts.
#[tokio::test(start_paused = true)]
async fn a_shutdown_delivers_what_is_being_accepted_when_it_begins() {
    guarded(async {
        let outbox = UnreliableOutbox::new();
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        let tracker = delivery.tracker();
        send(&delivery, event(0)).await;
        assert!(delivery.flush().await.is_complete());
        outbox.accepting_takes(SECOND);
        let accepted = tokio::spawn(tracker.send_prepared(event(1)));
        yield_now().await;
        let report = delivery.shutdown(30 * SECOND).await;
        assert!(accepted.await.unwrap().is_ok());
        assert_eq!((report.delivered, report.pending), (2, 0));
        assert_ledger(&delivery.ledger(), 2, 0, 0);
    })
    .await;
}

/// The same on many threads, where anything may come first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_delivers_what_was_accepted_just_before_it_on_many_threads() {
    let mut lost = 0;
    for _ in 0..200 {
        let delivery = Delivery::builder(Scripted::taking()).start().unwrap();
        for number in 0..4 {
            send(&delivery, event(number)).await;
            let _ = delivery.flush().await;
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
        let ledger = delivery.ledger();
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
        assert_ledger(&delivery.ledger(), 1, 0, 99);
        assert!(matches!(delivery.status().line, LineStatus::Ended));
        assert_eq!(delivery.status().in_flight, 0);
        // A deadline of nothing is one too.
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
        // A pause beyond it.
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

        // A stopped line, which is tried again after more than two seconds.
        let transport = Scripted::new(|_| Act::status(401));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND / 10).await;
        let begun = Instant::now();
        assert_eq!(delivery.shutdown(SECOND).await.pending, 1);
        assert_eq!(begun.elapsed(), Duration::ZERO);

        // A back-off beyond it: the event that failed so often is due in a while.
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
        assert!(delivery.flush().await.is_complete());
        assert_eq!(delivery.shutdown(MINUTE).await.delivered, 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_everything_says_so() {
    guarded(async {
        let transport = Scripted::new(|_| Act::Hang);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        let tracker = delivery.tracker();
        send(&delivery, event(1)).await;
        let _ = delivery.shutdown(SECOND).await;
        let begun = Instant::now();
        let error = tracker.send_prepared(event(2)).await.unwrap_err();
        assert_eq!((error.kind(), error.needs_operator()), (ErrorKind::Closed, true));
        let report = delivery.flush().await;
        assert_eq!((report.delivered, report.pending), (0, 1));
        delivery.resume();
        assert_eq!(delivery.redrive(Selection::All).await.unwrap(), 0);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let ledger = delivery.ledger();
        assert_eq!((ledger.offered, ledger.refused.closed), (2, 1));
        assert_ledger(&ledger, 0, 0, 1);
        assert_eq!(delivery.status().to_string(), "ended");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_leased_is_given_back_at_the_deadline() {
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
        // All but those whose own back-off is not over are sent at once.
        assert!(timeout(5 * MINUTE, second.flush()).await.unwrap().is_complete());
        let letters = second.dead_letters(None, 100).await.unwrap();
        assert_eq!(letters.len(), 50);
        for letter in letters {
            let failed = spent[usize::try_from(number_of(&letter.event)).unwrap()];
            // The one that hung at the deadline is not counted, and all before are.
            let attempts = letter.attempts as usize;
            assert!(attempts == failed || attempts == failed + 1, "{letter:?}, {failed}");
        }
        assert_ledger(&second.ledger(), 0, 50, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_hangs_at_the_deadline_is_sent_at_once_by_the_next_engine() {
    guarded(async {
        let outbox = Arc::new(MemoryOutbox::new());
        let hanging = Scripted::queue([Act::taken()]);
        let first = Delivery::builder(hanging.clone()).outbox(outbox.clone()).start().unwrap();
        send(&first, event(1000)).await;
        let _ = first.flush().await;
        hanging.script(|_| Act::Hang);
        for number in 0..50 {
            send(&first, event(number)).await;
        }
        yield_now().await;
        assert_eq!(first.shutdown(SECOND).await.pending, 50);
        let transport = Scripted::taking();
        let second = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        assert_eq!(second.flush().await.delivered, 51);
        assert_eq!(transport.elapsed(), Duration::ZERO);
        assert_eq!(numbers(&transport.taken()), (0..50).collect::<Vec<_>>());
    })
    .await;
}

/// Intercom has answered; only the outbox has not written that down yet.
#[tokio::test(start_paused = true)]
async fn what_is_being_settled_at_the_deadline_is_settled() {
    guarded(async {
        let outbox = UnreliableOutbox::new();
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
        assert!(delivery.flush().await.is_complete());
        outbox.settling_takes(SECOND / 2);
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
async fn an_outbox_that_never_answers_does_not_hold_up_the_end() {
    guarded(async {
        let outbox = UnreliableOutbox::new();
        outbox.settling_takes(300 * HOUR);
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
fn an_engine_that_dies_with_its_runtime_closes_the_way_in() {
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
        assert!(matches!(delivery.status().line, LineStatus::Ended));
        assert_eq!(delivery.flush().await.pending, 10);
        assert_eq!(delivery.shutdown(MINUTE).await.pending, 10);
        assert_ledger(&delivery.ledger(), 0, 0, 10);

        // What was never leased is due at once, and the rest when the leases are over.
        let taking = Scripted::taking();
        let next = Delivery::builder(taking.clone()).outbox(outbox).start().unwrap();
        assert_eq!(next.flush().await.delivered, 10);
        assert!(taking.elapsed() < 5 * MINUTE);
    }));
}

/// The runtime ends before the engine had its first turn.
#[test]
fn an_engine_that_never_ran_closes_the_way_in() {
    let first = paused_runtime();
    let delivery = first.block_on(async { Delivery::builder(Scripted::taking()).start() }).unwrap();
    drop(first);
    let second = paused_runtime();
    second.block_on(guarded(async {
        let sent = timeout(HOUR, delivery.tracker().send_prepared(event(1))).await;
        let error = sent.expect("it waits for ever").expect_err("nobody will ever send it");
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(matches!(delivery.status().line, LineStatus::Ended));
    }));
}

#[test]
fn what_makes_delivery_impossible_is_said_at_the_start() {
    let error = Delivery::builder(Scripted::taking()).start().unwrap_err();
    assert_eq!(error, StartError::NoRuntime);
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().contains("#[tokio::main]"));
    paused_runtime().block_on(async {
        let builder = || Delivery::builder(Scripted::taking());
        let error = builder().concurrency(0).start().unwrap_err();
        assert_eq!(error, StartError::ZeroConcurrency);
        let error = builder().attempt_timeout(Duration::ZERO).start().unwrap_err();
        assert_eq!(error.to_string(), "the attempt timeout is zero; it must last for some time");
        let error = builder().ledger_interval(Duration::ZERO).start().unwrap_err();
        assert_eq!(error, StartError::ZeroDuration { which: "ledger interval" });
    });
}

/// Without timers nothing can be retried; whoever starts it should learn that then.
#[test]
fn a_runtime_without_timers_is_refused() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        if let Ok(delivery) = Delivery::builder(Scripted::taking()).start() {
            yield_now().await;
            panic!("it started, and its status is: {}", delivery.status());
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_dropped_says_how_many_are_pending() {
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
        // After a shutdown it is silent.
        let delivery = Delivery::builder(transport).start().unwrap();
        send(&delivery, event(1)).await;
        let _ = delivery.shutdown(SECOND).await;
        drop(delivery);
        assert_eq!(logs.lines("without a shutdown").len(), 1);
    })
    .await;
}

#[test]
fn a_delivery_that_is_dropped_after_its_runtime_says_how_many_are_pending() {
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
        let _ = first.flush().await;
        hanging.script(|_| Act::Hang);
        for number in 0..40 {
            send(&first, event(number)).await;
        }
        yield_now().await;
        drop(first);
        yield_now().await;
        let transport = Scripted::taking();
        let second = Delivery::builder(transport.clone()).outbox(outbox).start().unwrap();
        assert_eq!(second.flush().await.delivered, 41);
        assert_eq!(transport.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_works_on_many_threads() {
    guarded(async {
        let transport = Scripted::new(|call| match call.before {
            0 if call.number % 50 == 7 => Act::PanicInPoll,
            _ => Act::taken(),
        });
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..1000 {
            send(&delivery, event(number)).await;
        }
        assert_eq!(delivery.flush().await.delivered, 1000);
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
            assert_eq!(delivery.flush().await.delivered, number + 1);
        }
    })
    .await;
}

/// Says that it was changed as a transport does whose token is replaced, and panics where told.
struct Changing {
    inner: Scripted,
    panics: AtomicBool,
}

#[async_trait]
impl Transport for Changing {
    async fn send(&self, event: DataEvent) -> Result<Receipt, SendError> {
        self.inner.send(event).await
    }

    fn send_owned(self: Arc<Self>, event: DataEvent) -> OwnedSend {
        Arc::new(self.inner.clone()).send_owned(event)
    }

    async fn changed(&self) {
        self.inner.changed().await;
        assert!(!self.panics.load(Ordering::SeqCst), "as the script says");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_is_changed_twice_in_a_row_is_no_end() {
    guarded(async {
        let transport = Scripted::new(|_| Act::status(401));
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND).await;
        let before = transport.attempts().len();
        // The second comes before the engine has seen the first.
        transport.change();
        transport.change();
        yield_now().await;
        yield_now().await;
        assert!(!matches!(delivery.status().line, LineStatus::Ended), "the engine is dead");
        assert!(transport.attempts().len() > before);
        transport.script(|_| Act::taken());
        transport.change();
        assert_eq!(delivery.flush().await.delivered, 1);
    })
    .await;
}

/// A token may be replaced before delivery starts.
#[tokio::test(start_paused = true)]
async fn a_transport_that_was_changed_before_the_start_is_no_end() {
    guarded(async {
        let transport = Scripted::taking();
        transport.change();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        yield_now().await;
        assert!(!matches!(delivery.status().line, LineStatus::Ended), "the engine is dead");
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush().await.delivered, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_change_is_waited_for_is_contained() {
    guarded(async {
        let transport = Scripted::taking();
        let changing = Changing { inner: transport.clone(), panics: AtomicBool::new(true) };
        let delivery = Delivery::builder(changing).start().unwrap();
        send(&delivery, event(1)).await;
        assert_eq!(delivery.flush().await.delivered, 1);
        transport.change();
        yield_now().await;
        let sent = delivery.tracker().send_prepared(event(2)).await;
        assert!(sent.is_ok(), "{sent:?}");
        assert_eq!(delivery.flush().await.delivered, 2);
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
        let (first, second) = tokio::join!(first.shutdown(HOUR), second.flush());
        assert_eq!((first.pending, second.pending), (0, 0));
        assert_eq!(numbers(&transport.taken()), (0..500).collect::<Vec<_>>());
    })
    .await;
}

/// Both take from it, and each is to be told of what the other does not send any more.
#[tokio::test(start_paused = true)]
async fn a_delivery_goes_on_after_another_on_the_same_outbox_has_ended() {
    guarded(async {
        let outbox = Arc::new(MemoryOutbox::new());
        let transport = Scripted::taking();
        let first = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        send(&first, event(1)).await;
        assert!(first.flush().await.is_complete());
        let second = Delivery::builder(transport.clone()).outbox(outbox.clone()).start().unwrap();
        let _ = second.shutdown(MINUTE).await;
        send(&first, event(2)).await;
        let flushed = timeout(HOUR, first.flush()).await;
        assert!(flushed.is_ok(), "it is not told of its own events any more");
    })
    .await;
}

/// What one of several machines has of a store that they share: it wakes only itself, and here not even that.
struct OtherMachine(Arc<MemoryOutbox>);

#[async_trait]
impl Outbox for OtherMachine {
    async fn accept(
        &self,
        events: &[DataEvent],
        collisions: Collisions,
    ) -> Result<(), AcceptError> {
        self.0.accept(events, collisions).await
    }

    async fn lease(&self, most: usize, term: Duration) -> Result<Leased, OutboxError> {
        self.0.lease(most, term).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<EventId>, OutboxError> {
        self.0.settle(settlements).await
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.0.dead_letters(after, most).await
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.redrive(which).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.purge(which).await
    }

    fn counts(&self) -> Counts {
        self.0.counts()
    }

    fn attach(&self, _: Wake) {}
}

#[tokio::test(start_paused = true)]
async fn what_another_machine_delivers_is_seen_within_a_second() {
    guarded(async {
        for shut_down in [false, true] {
            let store = Arc::new(MemoryOutbox::new());
            let many: Vec<_> = (0..10).map(event).collect();
            store.accept(&many, Collisions::Move).await.unwrap();
            // The other one has all of them at once, and each takes it five seconds.
            let other = Scripted::new(|_| Act::taken_after(5 * SECOND));
            let builder = Delivery::builder(other.clone()).outbox(OtherMachine(store.clone()));
            let _other = builder.start().unwrap();
            sleep(2 * SECOND).await;
            let transport = Scripted::taking();
            let delivery =
                Delivery::builder(transport.clone()).outbox(store.clone()).start().unwrap();
            sleep(SECOND / 3).await;
            let report = match shut_down {
                false => delivery.flush().await,
                true => delivery.shutdown(HOUR).await,
            };
            assert_eq!((report.delivered, report.pending), (10, 0));
            let last = other.elapsed();
            assert!(last < 8 * SECOND, "seen after {last:?}");
            assert!(transport.attempts().is_empty());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn room_that_another_machine_makes_is_seen_within_a_second() {
    guarded(async {
        let store = Arc::new(MemoryOutbox::new().capacity(1));
        let delivery = Delivery::builder(Scripted::taking())
            .outbox(OtherMachine(store.clone()))
            .start()
            .unwrap();
        sleep(SECOND).await;
        send(&delivery, event(1)).await;
        let leased = store.lease(1, HOUR).await.unwrap();
        let begun = Instant::now();
        let makes_room = async {
            sleep(SECOND / 10).await;
            let done = leased.events[0].settle(Verdict::Acknowledge);
            assert!(store.settle(&[done]).await.unwrap().is_empty());
        };
        tokio::join!(makes_room, send(&delivery, event(2)));
        assert!(begun.elapsed() < 5 * SECOND / 2, "seen after {:?}", begun.elapsed());
    })
    .await;
}

/// A waiting `send` that nobody polls any more holds up others, but no shutdown.
#[tokio::test(start_paused = true)]
async fn a_sender_that_is_not_polled_does_not_hold_up_a_shutdown() {
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
