//! A slow outbox, as on a disk or behind a network. Its operations may wait for each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::FutureExt;
use intercom_core::{Timestamp, async_trait};
use intercom_delivery::conformance::{Forward, Forwarding};
use intercom_delivery::outbox::{Settlement, Standing, Turn};
use intercom_delivery::{Delivery, Epoch, EventId, MemoryOutbox, Outbox, OutboxError};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use crate::scripted::{
    Act, HOUR, MINUTE, SECOND, Scripted, assert_ledger, event, guarded, number_of, send,
};

const MILLISECOND: Duration = Duration::from_millis(1);

type SlowOutbox = Forwarding<Slow>;

/// An outbox with delays. Clones share all state.
#[derive(Clone)]
struct Slow(Arc<Inner>);

struct Inner {
    memory: MemoryOutbox,
    /// The delays of a lease: before it takes events, and before it returns.
    leasing: [Duration; 2],
    settling: Duration,
    settled: AtomicU64,
    /// The lock of an outbox that does one operation at a time.
    lock: Option<Mutex<()>>,
}

impl Slow {
    async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match &self.0.lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }

    /// Returns the number of events due for the next engine.
    async fn due(&self) -> u64 {
        let memory = &self.0.memory;
        let Turn::Began(tenure) = memory.lease(Standing::Unknown, 0).await.unwrap() else {
            panic!("somebody else delivers");
        };
        let lease = memory.lease(Standing::Delivering(tenure.epoch), usize::MAX);
        match lease.now_or_never() {
            Some(Ok(Turn::Leased(leased))) => leased.events.len() as u64,
            Some(other) => panic!("{other:?}"),
            None => 0,
        }
    }
}

fn slow(leasing: [Duration; 2], settling: Duration) -> SlowOutbox {
    made(leasing, settling, None)
}

/// Makes an outbox that does one operation at a time.
fn slow_one_at_a_time(leasing: [Duration; 2], settling: Duration) -> SlowOutbox {
    made(leasing, settling, Some(Mutex::default()))
}

fn made(leasing: [Duration; 2], settling: Duration, lock: Option<Mutex<()>>) -> SlowOutbox {
    let memory = MemoryOutbox::new();
    Forwarding(Slow(Arc::new(Inner {
        memory,
        leasing,
        settling,
        settled: AtomicU64::new(0),
        lock,
    })))
}

#[async_trait]
impl Forward for Slow {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.0.memory
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        let _turn = self.turn().await;
        let [before, after] = self.0.leasing;
        sleep(before).await;
        let turn = self.0.memory.lease(standing, limit).await;
        sleep(after).await;
        turn
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let _turn = self.turn().await;
        self.0.settled.fetch_add(1, Relaxed);
        sleep(self.0.settling).await;
        self.0.memory.settle(epoch, settlements, forget_before).await
    }
}

/// The lease has looked already and found nothing. It must not lose the wake of an event that comes
/// meanwhile.
#[tokio::test(start_paused = true)]
async fn an_event_that_comes_during_a_lease_is_sent_without_another_wake() {
    guarded(async {
        for moment in 0..25 {
            let outbox = slow([Duration::ZERO, SECOND], Duration::ZERO);
            let transport = Scripted::taking();
            let delivery = Delivery::builder(transport.clone()).outbox(outbox).start().unwrap();
            sleep(moment * SECOND / 10).await;
            send(&delivery, event(1)).await;
            sleep(3 * SECOND).await;
            assert_ledger(&delivery.ledger().await.unwrap(), 1, 0, 0);
        }
    })
    .await;
}

/// Requests and the delivery end while the outbox leases.
async fn ends_amid_work(outbox: SlowOutbox, moment: Duration) {
    let transport = Scripted::new(|_| Act::taken_after(15 * MILLISECOND));
    let builder = Delivery::builder(transport.clone()).outbox(outbox.clone());
    let delivery = Arc::new(builder.concurrency(4).start().unwrap());
    let sender = tokio::spawn({
        let delivery = delivery.clone();
        async move {
            let mut number = 0;
            while delivery.tracker().send_prepared(event(number)).await.is_ok() {
                number += 1;
                sleep(7 * MILLISECOND).await;
            }
        }
    });
    sleep(moment).await;
    let begun = Instant::now();
    let report = delivery.shutdown(Duration::ZERO).await;
    assert!(begun.elapsed() <= 2 * SECOND, "at {moment:?} it took {:?}", begun.elapsed());
    sender.await.unwrap();
    // All of Intercom's responses are settled, and all other events are due for the next engine.
    assert_eq!(report.delivered, transport.taken().len() as u64, "at {moment:?}: {report}");
    assert!(report.delivered > 0 && report.pending > 0, "{report}");
    assert_eq!(outbox.0.due().await, report.pending, "at {moment:?}: {report}");
    assert_ledger(&delivery.ledger().await.unwrap(), report.delivered, 0, report.pending);
}

/// A shutdown waits for the lease and the settlement together, because either may need the other's
/// lock.
#[tokio::test(start_paused = true)]
async fn a_serial_outbox_loses_nothing_at_a_shutdown() {
    guarded(async {
        let takes = 20 * MILLISECOND;
        for leasing in [[takes, Duration::ZERO], [Duration::ZERO, takes]] {
            for moment in 500..600 {
                let moment = moment * MILLISECOND;
                ends_amid_work(slow_one_at_a_time(leasing, takes), moment).await;
                ends_amid_work(slow(leasing, takes), moment).await;
            }
        }
    })
    .await;
}

/// Each step of the shutdown takes nearly its limit.
#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_all_leases_back_to_a_slow_outbox() {
    guarded(async {
        let takes = 900 * MILLISECOND;
        for leasing in [[takes, Duration::ZERO], [Duration::ZERO, takes]] {
            for moment in 10..50 {
                let transport = Scripted::new(|call| match number_of(call.event) {
                    0 => Act::taken_after(SECOND / 10),
                    _ => Act::Hang,
                });
                let outbox = slow(leasing, takes);
                let builder = Delivery::builder(transport.clone()).outbox(outbox.clone());
                let delivery = builder.start().unwrap();
                for number in 0..3 {
                    send(&delivery, event(number)).await;
                }
                sleep(moment * SECOND / 10).await;
                // The event may be in flight, or just leased.
                send(&delivery, event(3)).await;
                sleep(SECOND / 100).await;
                let report = delivery.shutdown(Duration::ZERO).await;
                assert_eq!(report.delivered, transport.taken().len() as u64, "{moment}: {report}");
                assert_eq!(outbox.0.due().await, report.pending, "{moment}: {report}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_outbox_delivers_everything_before_the_deadline() {
    guarded(async {
        for outbox in [slow, slow_one_at_a_time] {
            let outbox = outbox([SECOND / 2; 2], SECOND);
            let transport = Scripted::new(|_| Act::taken_after(SECOND / 10));
            let delivery =
                Delivery::builder(transport.clone()).outbox(outbox).concurrency(4).start().unwrap();
            for number in 0..20 {
                send(&delivery, event(number)).await;
            }
            let report = delivery.shutdown(MINUTE).await;
            assert_eq!((report.delivered, report.pending), (20, 0));
            assert_eq!(transport.taken().len(), 20);
        }
    })
    .await;
}

/// The engine prefetches many events while requests are quick. Then each request takes nearly its
/// limit, and the prefetched events wait for hours. A lease lasts as long as its epoch, so each
/// event is still sent only once.
#[tokio::test(start_paused = true)]
async fn a_prefetched_event_is_sent_once_however_long_it_waits() {
    guarded(async {
        let began = Instant::now();
        let is_slow = move || began.elapsed() > 2 * SECOND;
        let transport = Scripted::new(move |_| match is_slow() {
            true => Act::taken_after(50 * SECOND),
            false => Act::taken_after(MILLISECOND),
        });
        let outbox = slow([20 * MILLISECOND; 2], 5 * MILLISECOND);
        let builder = Delivery::builder(transport.clone()).outbox(outbox.clone());
        for number in 0..2_000 {
            let accepted = outbox.accept(&[event(number)]).await;
            accepted.unwrap();
        }
        let delivery = builder.concurrency(4).start().unwrap();
        sleep(2 * SECOND).await;
        // Without prefetching beyond the concurrency it would be half as many.
        let quick = delivery.ledger().await.unwrap().delivered;
        assert!(quick > 700, "{quick}");
        sleep(HOUR).await;
        // All sent events were settled.
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!(ledger.delivered, transport.taken().len() as u64, "{ledger}");
        assert!(ledger.delivered > quick + 250, "{ledger}");
    })
    .await;
}

/// Requests end one by one, and a settlement takes 5 ms. So each call settles the events of 10 ms.
#[tokio::test(start_paused = true)]
async fn a_slow_outbox_gets_larger_settlements() {
    guarded(async {
        let transport = Scripted::new(|call| {
            let spread = number_of(call.event) % 32;
            Act::taken_after((20 + u32::try_from(spread).unwrap()) * MILLISECOND)
        });
        let outbox = slow([Duration::ZERO; 2], 5 * MILLISECOND);
        for number in 0..2_000 {
            outbox.accept(&[event(number)]).await.unwrap();
        }
        let builder = Delivery::builder(transport).outbox(outbox.clone()).concurrency(32);
        let delivery = builder.start().unwrap();
        sleep(2 * SECOND).await;
        let (delivered, settled) =
            (delivery.ledger().await.unwrap().delivered, outbox.0.0.settled.load(Relaxed));
        assert!(delivered > 1_000, "{delivered}");
        assert!((100..250).contains(&settled), "{settled}");
        // The last settlements wait for no others.
        assert_eq!(delivery.shutdown(HOUR).await.delivered, 2_000);
    })
    .await;
}

/// Unsettled events are sent again after a crash. Their number stays bounded, however many were
/// prefetched.
#[tokio::test(start_paused = true)]
async fn few_events_are_sent_while_settling_fails() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(MILLISECOND));
        let outbox = slow([20 * MILLISECOND; 2], HOUR);
        for number in 0..1_000 {
            outbox.accept(&[event(number)]).await.unwrap();
        }
        let builder = Delivery::builder(transport.clone()).outbox(outbox).concurrency(8);
        let _delivery = builder.start().unwrap();
        sleep(MINUTE).await;
        let taken = transport.taken().len();
        assert!((9 * 8..=10 * 8).contains(&taken), "{taken}");
    })
    .await;
}
