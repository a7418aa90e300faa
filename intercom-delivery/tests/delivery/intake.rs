//! Accepting events: at once, with a refusal, or after a wait for room.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, ErrorKind, IntercomEvent, async_trait};
use intercom_delivery::conformance::{Forward, Forwarding};
use intercom_delivery::outbox::AcceptError;
use intercom_delivery::{
    Backpressure, Delivery, DeliveryBuilder, MemoryOutbox, Outbox, RetryPolicy,
};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::scripted::{
    Act, DAY, HOUR, MINUTE, SECOND, Scripted, assert_ledger, event, guarded, number_of, numbers,
    send,
};

/// Builds a delivery with room for `capacity` events.
fn bounded(transport: &Scripted, capacity: usize) -> DeliveryBuilder {
    Delivery::builder(transport.clone()).outbox(MemoryOutbox::new().capacity(capacity))
}

/// Builds a delivery that delivers nothing for an hour.
fn stuck(capacity: usize) -> (Scripted, DeliveryBuilder) {
    let transport = Scripted::new(|_| Act::taken_after(HOUR));
    let builder = bounded(&transport, capacity).attempt_timeout(2 * HOUR);
    (transport, builder)
}

#[tokio::test(start_paused = true)]
async fn the_receipt_says_that_the_event_was_accepted() {
    guarded(async {
        let transport = Scripted::taking();
        let outbox = MemoryOutbox::new();
        let (delivery, tracker) =
            Delivery::builder(transport.clone()).start_in_memory(outbox).unwrap();
        let ada = tracker.for_contact(Contact::email("ada@example.com"));
        let tested = DynamicEvent::new("tested").unwrap();
        for receipt in [ada.send(&tested).await.unwrap(), ada.try_send(&tested).unwrap()] {
            assert!(receipt.is_accepted() && !receipt.is_delivered());
        }
        assert!(transport.attempts().is_empty());
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(transport.taken().len(), 2);
    })
    .await;
}

#[derive(IntercomEvent)]
#[event(name = "cause", also = effect)]
struct Cause;

#[derive(IntercomEvent)]
#[event(name = "effect")]
struct Effect;

fn effect(_: &Cause) -> Option<Effect> {
    Some(Effect)
}

#[tokio::test(start_paused = true)]
async fn derived_events_are_accepted_with_their_cause_all_or_none() {
    guarded(async {
        let ada = Contact::email("ada@example.com");
        for room in [6, 5] {
            let (_stuck, builder) = stuck(room);
            let outbox = MemoryOutbox::new().capacity(room);
            let (delivery, tracker) =
                builder.backpressure(Backpressure::Refuse).start_in_memory(outbox).unwrap();
            let prepared = tracker.for_contact(ada.clone()).prepare(&Cause).unwrap();
            delivery.send_all(&[prepared]).await.unwrap();
            tracker.for_contact(ada.clone()).try_send(&Cause).unwrap();
            assert_ledger(&delivery.ledger().await.unwrap(), 0, 0, 4);

            let sent = tracker.for_contact(ada.clone()).send(&Cause).await;
            let accepted = if room == 6 { 6 } else { 4 };
            assert_eq!(sent.is_ok(), accepted == 6);
            let tried = tracker.for_contact(ada.clone()).try_send(&Cause);
            assert_eq!(tried.unwrap_err().kind(), ErrorKind::Full);
            assert_ledger(&delivery.ledger().await.unwrap(), 0, 0, accepted);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn derived_events_are_delivered_after_their_cause() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).concurrency(1).start().unwrap();
        delivery.for_contact(Contact::user_id(1)).send(&Cause).await.unwrap();
        assert!(delivery.flush(DAY).await.is_complete());
        let taken = transport.taken();
        assert_eq!(
            taken.iter().map(DataEvent::event_name).collect::<Vec<_>>(),
            ["cause", "effect"]
        );
        assert!(taken.iter().all(|event| event.derived().is_empty()), "each event is sent alone");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn senders_wait_for_room_in_fifo_order_and_all_events_arrive() {
    guarded(async {
        // The transport takes one event a second, in the order of acceptance.
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = bounded(&transport, 1).concurrency(1).start().unwrap();
        let tracker = delivery.tracker();
        let mut senders = Vec::new();
        for number in 0..50 {
            senders.push(tokio::spawn(tracker.send_prepared(event(number))));
            yield_now().await;
        }
        sleep(SECOND / 2).await;
        assert_eq!(delivery.ledger().await.unwrap().waiting, 49);
        assert_ledger(&delivery.ledger().await.unwrap(), 0, 0, 1);
        assert_eq!(delivery.ledger().await.unwrap().refused.total(), 0);
        // Callers that come later do not overtake them.
        let late = tokio::spawn({
            let tracker = tracker.clone();
            async move {
                for number in 50..60 {
                    tracker.send_prepared(event(number)).await.unwrap();
                }
            }
        });
        for sender in senders {
            assert!(sender.await.unwrap().unwrap().is_accepted());
        }
        late.await.unwrap();
        assert!(delivery.flush(DAY).await.is_complete());
        let order: Vec<_> = transport.taken().iter().map(number_of).collect();
        assert_eq!(order, (0..60).collect::<Vec<_>>());
        assert_eq!(delivery.ledger().await.unwrap().waiting, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn refuse_fails_with_full_and_drops_nothing() {
    guarded(async {
        let (transport, builder) = stuck(10);
        let delivery = builder.backpressure(Backpressure::Refuse).start().unwrap();
        let tracker = delivery.tracker();
        let mut full = 0;
        for number in 0..25 {
            match tracker.send_prepared(event(number)).await {
                Ok(receipt) => assert!(receipt.is_accepted()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Full);
                    assert_eq!(error.event_name().unwrap(), "tested");
                    assert!(error.is_retryable());
                    full += 1;
                }
            }
        }
        assert_eq!(full, 15);
        let three: Vec<_> = (100..103).map(event).collect();
        assert_eq!(delivery.send_all(&three).await.unwrap_err().kind(), ErrorKind::Full);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!(
            (ledger.accepted + ledger.refused.total(), ledger.accepted, ledger.refused.full),
            (28, 10, 18)
        );
        assert_eq!(ledger.waiting, 0);
        assert!(ledger.is_balanced());
        assert_eq!(delivery.flush(DAY).await.delivered, 10);
        assert_eq!(numbers(&transport.taken()), (0..10).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn try_send_accepts_what_fits_and_does_not_overtake_waiting_callers() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let outbox = MemoryOutbox::new().capacity(2);
        let (delivery, tracker) =
            Delivery::builder(transport.clone()).start_in_memory(outbox).unwrap();
        let ada = tracker.for_contact(Contact::user_id(7));
        let tested = DynamicEvent::new("tested").unwrap();
        assert!(ada.try_send(&tested).unwrap().is_accepted());
        assert!(ada.try_send(&tested).unwrap().is_accepted());
        assert_eq!(ada.try_send(&tested).unwrap_err().kind(), ErrorKind::Full);
        let waiting = tokio::spawn(ada.send(&tested));
        yield_now().await;
        assert_eq!(delivery.ledger().await.unwrap().waiting, 1);
        assert_eq!(ada.try_send(&tested).unwrap_err().kind(), ErrorKind::Full);
        waiting.await.unwrap().unwrap();
        assert!(delivery.flush(DAY).await.is_complete());
        assert!(ada.try_send(&tested).unwrap().is_accepted());
        assert!(delivery.flush(DAY).await.is_complete());
        let _ = delivery.shutdown(MINUTE).await;
        assert_eq!(ada.try_send(&tested).unwrap_err().kind(), ErrorKind::Closed);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.refused.full, ledger.refused.closed), (2, 1));
        assert_ledger(&ledger, 4, 0, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn try_send_is_full_while_others_wait_even_if_there_is_room() {
    guarded(async {
        let (_, builder) = stuck(3);
        let outbox = MemoryOutbox::new().capacity(3);
        let (delivery, tracker) = builder.start_in_memory(outbox).unwrap();
        send(&delivery, event(0)).await;
        send(&delivery, event(1)).await;
        // There is room for one event, and this call waits for two.
        let two = [event(2), event(3)];
        let mut waiting = pin!(delivery.send_all(&two));
        assert!(poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await.is_pending());
        let ada = tracker.for_contact(Contact::user_id(7));
        let error = ada.try_send(&DynamicEvent::new("tested").unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_stops_waiting_is_counted_and_the_next_one_gets_the_room() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = bounded(&transport, 1).concurrency(1).start().unwrap();
        let tracker = delivery.tracker();
        send(&delivery, event(0)).await;
        let first = tokio::spawn(timeout(SECOND / 2, tracker.send_prepared(event(1))));
        yield_now().await;
        let second = tokio::spawn(tracker.send_prepared(event(2)));
        yield_now().await;
        let third = tokio::spawn(timeout(SECOND / 2, tracker.send_prepared(event(3))));
        yield_now().await;
        let fourth = tokio::spawn(tracker.send_prepared(event(4)));
        assert!(first.await.unwrap().is_err());
        assert!(third.await.unwrap().is_err());
        let begun = Instant::now();
        second.await.unwrap().unwrap();
        // The release of room woke the caller, and no poll did.
        assert!(begun.elapsed() <= SECOND / 2 + Duration::from_millis(5), "{:?}", begun.elapsed());
        fourth.await.unwrap().unwrap();
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(numbers(&transport.taken()), [0, 2, 4]);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!(
            (ledger.accepted + ledger.refused.total(), ledger.refused.abandoned, ledger.waiting),
            (5, 2, 0)
        );
        assert_ledger(&ledger, 3, 0, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_caller_gets_closed_at_a_shutdown() {
    guarded(async {
        let (_, builder) = stuck(1);
        let delivery = builder.start().unwrap();
        let tracker = delivery.tracker();
        send(&delivery, event(0)).await;
        let waiting: Vec<_> =
            (1..20).map(|number| tokio::spawn(tracker.send_prepared(event(number)))).collect();
        yield_now().await;
        assert_eq!(delivery.ledger().await.unwrap().waiting, 19);
        let begun = Instant::now();
        let (report, ()) = tokio::join!(delivery.shutdown(MINUTE), async {
            for waiting in waiting {
                assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
            }
            assert_eq!(begun.elapsed(), Duration::ZERO);
        });
        assert_eq!(report.pending, 1);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.accepted + ledger.refused.total(), ledger.refused.closed), (20, 19));
        assert_ledger(&ledger, 0, 0, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_caller_gets_closed_when_the_delivery_is_dropped() {
    guarded(async {
        let (_, builder) = stuck(1);
        let delivery = builder.start().unwrap();
        let tracker = delivery.tracker();
        send(&delivery, event(0)).await;
        let waiting: Vec<_> =
            (1..5).map(|number| tokio::spawn(tracker.send_prepared(event(number)))).collect();
        yield_now().await;
        drop(delivery);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
        }
        let error = tracker.send_prepared(event(9)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_accepted_as_a_whole_or_not_at_all() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = bounded(&transport, 10).start().unwrap();
        let many: Vec<_> = (0..8).map(event).collect();
        assert!(delivery.send_all(&many).await.unwrap().is_accepted());
        assert_eq!(delivery.ledger().await.unwrap().accepted, 8);
        let more: Vec<_> = (8..16).map(event).collect();
        let mut waiting = pin!(delivery.send_all(&more));
        assert!(poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await.is_pending());
        assert_eq!(delivery.ledger().await.unwrap().accepted, 8);
        waiting.await.unwrap();
        assert_eq!(delivery.ledger().await.unwrap().accepted, 16);
        assert!(delivery.send_all(&[]).await.unwrap().is_accepted());
        assert!(delivery.flush(DAY).await.is_complete());
        assert_eq!(numbers(&transport.taken()), (0..16).collect::<Vec<_>>());
        let _ = delivery.shutdown(MINUTE).await;
        assert_eq!(delivery.send_all(&many).await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(delivery.ledger().await.unwrap().refused.closed, 8);
    })
    .await;
}

/// By its documentation, `send_all` fails if the outbox could never hold all events.
#[tokio::test(start_paused = true)]
async fn a_batch_beyond_the_capacity_is_refused_at_once() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = bounded(&transport, 10).start().unwrap();
        let many: Vec<_> = (0..11).map(event).collect();
        let accepted = timeout(HOUR, delivery.send_all(&many)).await;
        let error = accepted.expect("the call waits for ever, and later callers wait behind it");
        // The refusal must not look temporary.
        assert!(!error.unwrap_err().is_retryable());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_larger_than_the_outbox_is_refused_and_delays_no_caller() {
    guarded(async {
        let transport = Scripted::taking();
        let outbox = MemoryOutbox::new().max_bytes(150);
        let delivery = Delivery::builder(transport.clone()).outbox(outbox).start().unwrap();
        let tracker = delivery.tracker();
        let large = DynamicEvent::new("tested").unwrap().with("text", "x".repeat(200)).unwrap();
        let large = tokio::spawn(tracker.for_contact(Contact::user_id(1)).send(&large));
        yield_now().await;
        let other = timeout(HOUR, tracker.send_prepared(event(1))).await;
        other.expect("the call waits behind an event that will never fit").unwrap();
        assert!(!large.await.unwrap().unwrap_err().is_retryable());
    })
    .await;
}

/// A caller that trusts `is_retryable` would try for ever.
#[tokio::test(start_paused = true)]
async fn the_refusal_of_an_event_larger_than_the_outbox_is_permanent() {
    guarded(async {
        let outbox = MemoryOutbox::new().max_bytes(150);
        let (_delivery, tracker) = Delivery::builder(Scripted::taking())
            .backpressure(Backpressure::Refuse)
            .start_in_memory(outbox)
            .unwrap();
        let large = DynamicEvent::new("tested").unwrap().with("text", "x".repeat(200)).unwrap();
        let ada = tracker.for_contact(Contact::user_id(1));
        for refused in [ada.send(&large).await, ada.try_send(&large)] {
            let error = refused.unwrap_err();
            assert!(!error.is_retryable(), "{error}");
        }
    })
    .await;
}

/// Checks the ledger at each poll until `stop`, and returns how often it did.
async fn observe(delivery: Arc<Delivery>, stop: Arc<AtomicBool>) -> u64 {
    let mut looks = 0;
    while !stop.load(Ordering::SeqCst) {
        let ledger = delivery.ledger().await.unwrap();
        assert!(ledger.is_balanced(), "{ledger}");
        looks += 1;
        yield_now().await;
    }
    looks
}

async fn many_tasks_and_an_observer() {
    let transport = Scripted::new(|call| match call.number % 7 {
        3 => Act::status(422),
        5 => Act::PanicInPoll,
        _ => Act::taken(),
    });
    // A short back-off, because this test runs in real time.
    let retry = RetryPolicy::new().base(Duration::from_millis(1));
    let delivery = Arc::new(bounded(&transport, 50).retry(retry).start().unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let observer = tokio::spawn(observe(delivery.clone(), stop.clone()));
    let senders: Vec<_> = (0..300)
        .map(|sender| {
            let tracker = delivery.tracker();
            tokio::spawn(async move {
                for number in 0..10 {
                    let sending = tracker.send_prepared(event(sender * 10 + number));
                    if number == 4 && sender % 3 == 0 {
                        // Some senders give up at once if there is no room.
                        let mut sending = pin!(sending);
                        let _ =
                            poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await;
                    } else {
                        sending.await.unwrap();
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let _ = delivery.flush(DAY).await;
    stop.store(true, Ordering::SeqCst);
    assert!(observer.await.unwrap() > 100);
    let ledger = delivery.ledger().await.unwrap();
    assert_eq!(
        (ledger.accepted + ledger.refused.total(), ledger.pending, ledger.waiting),
        (3000, 0, 0)
    );
    assert!(ledger.is_balanced());
    assert_eq!(ledger.delivered, transport.taken().len() as u64);
}

#[tokio::test(start_paused = true)]
async fn the_ledger_is_balanced_at_every_moment() {
    // The observer is always ready, so virtual time stands still, and no step may need a timer.
    let transport = Scripted::taking();
    let delivery = Arc::new(bounded(&transport, 50).start().unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let observer = tokio::spawn(observe(delivery.clone(), stop.clone()));
    let senders: Vec<_> = (0..300)
        .map(|sender| {
            let tracker = delivery.tracker();
            tokio::spawn(async move {
                for number in 0..10 {
                    tracker.send_prepared(event(sender * 10 + number)).await.unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    assert_eq!(delivery.flush(DAY).await.delivered, 3000);
    stop.store(true, Ordering::SeqCst);
    assert!(observer.await.unwrap() > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_ledger_is_balanced_at_every_moment_on_many_threads() {
    guarded(many_tasks_and_an_observer()).await;
}

async fn burst(number: u64, capacity: usize) -> Duration {
    let transport = Scripted::taking();
    let delivery = bounded(&transport, capacity).start().unwrap();
    let senders: Vec<_> = (0..10)
        .map(|sender| {
            let tracker = delivery.tracker();
            tokio::spawn(async move {
                for event_number in (sender..number).step_by(10) {
                    tracker.send_prepared(event(event_number)).await.unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let report = delivery.flush(DAY).await;
    assert_eq!((report.delivered, report.dead, report.pending), (number, 0, 0));
    let taken = transport.taken();
    assert_eq!(taken.len() as u64, number);
    let different: HashSet<_> = taken.iter().map(|event| event.body()).collect();
    assert_eq!(different.len() as u64, number);
    assert_eq!(delivery.ledger().await.unwrap().moved, 0);
    transport.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_burst_far_beyond_the_capacity_arrives_exactly_once() {
    // Each release of room woke a waiting caller, and none had to poll.
    assert_eq!(guarded(burst(100_000, 100)).await, Duration::ZERO);
    assert_eq!(guarded(burst(1_000, 1)).await, Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_burst_on_many_threads_arrives_exactly_once() {
    let took = guarded(burst(20_000, 100)).await;
    assert!(took < MINUTE, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_sends_that_never_waits_does_not_starve_the_engine() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        let tracker = delivery.tracker();
        for number in 0..10_000 {
            tracker.send_prepared(event(number)).await.unwrap();
        }
        // There was room for all of them, and still the engine ran.
        assert!(transport.taken().len() > 5_000, "{}", transport.taken().len());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_batches_that_never_waits_does_not_starve_the_engine() {
    guarded(async {
        let transport = Scripted::taking();
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        for number in 0..10_000 {
            delivery.send_all(&[event(number)]).await.unwrap();
        }
        assert!(transport.taken().len() > 5_000, "{}", transport.taken().len());
    })
    .await;
}

/// A tracker works on any thread, also on one without a Tokio runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_outside_of_tokio_can_wait_for_room() {
    let transport = Scripted::new(|_| Act::taken_after(Duration::from_millis(20)));
    let delivery = bounded(&transport, 1).start().unwrap();
    let tracker = delivery.tracker();
    let foreign = tokio::task::spawn_blocking(move || {
        std::thread::spawn(move || {
            for number in 0..5 {
                let mut sending = pin!(tracker.send_prepared(event(number)));
                let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
                let mut context = std::task::Context::from_waker(&waker);
                while sending.as_mut().poll(&mut context).map(Result::unwrap).is_pending() {
                    std::thread::park();
                }
            }
        })
        .join()
    });
    assert!(foreign.await.unwrap().is_ok(), "it panicked");
    assert_eq!(delivery.shutdown(MINUTE).await.delivered, 5);
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The outbox accepts the event before the caller drops the call, and the caller does not learn
/// that.
#[tokio::test(start_paused = true)]
async fn an_abandoned_call_whose_event_was_accepted_is_not_refused() {
    guarded(async {
        let outbox = Forwarding(AcceptsThenWaits(MemoryOutbox::new().capacity(1)));
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = Delivery::builder(transport).outbox(outbox).start().unwrap();
        send(&delivery, event(1)).await;
        // The call finds no room, waits, and is dropped between the acceptance and the outbox's
        // answer.
        let second = delivery.tracker().send_prepared(event(2));
        assert!(timeout(10 * SECOND, second).await.is_err());
        assert_eq!(delivery.flush(DAY).await.delivered, 2);
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.accepted, ledger.refused.total()), (2, 0), "{ledger}");
        // A call dropped before the outbox gets it counts as refused.
        send(&delivery, event(3)).await;
        assert!(timeout(SECOND / 10, delivery.tracker().send_prepared(event(4))).await.is_err());
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.accepted, ledger.refused.abandoned), (3, 1), "{ledger}");
    })
    .await;
}

/// An outbox that answers for the second event a minute after accepting it.
struct AcceptsThenWaits(MemoryOutbox);

#[async_trait]
impl Forward for AcceptsThenWaits {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.0
    }

    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        Outbox::accept(&self.0, events).await?;
        if number_of(&events[0]) == 2 {
            sleep(MINUTE).await;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_beyond_the_capacity_is_no_storage_fault() {
    guarded(async {
        let outbox = MemoryOutbox::new().capacity(2);
        let delivery = Delivery::builder(Scripted::taking()).outbox(outbox).start().unwrap();
        let events: Vec<_> = (0..3).map(event).collect();
        let error = delivery.send_all(&events).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let refused = delivery.ledger().await.unwrap().refused;
        assert_eq!((refused.unsupported, refused.storage, refused.total()), (3, 0, 3));
    })
    .await;
}
