//! The maximum age of events, over an outbox whose clock steps.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use intercom_core::async_trait;
use intercom_delivery::conformance::{Forward, Forwarding};
use intercom_delivery::outbox::{Standing, Turn};
use intercom_delivery::{
    DeadLetterReason, Delivery, MemoryOutbox, Outbox, OutboxError, RetryPolicy,
};
use tokio::time::sleep;

use crate::scripted::{Act, DAY, HOUR, MINUTE, Scripted, event, guarded, lock, numbers, send};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// An outbox that reports too great ages. Clones share all state.
#[derive(Clone, Default)]
struct Skewed {
    inner: Arc<MemoryOutbox>,
    by: Arc<Mutex<Duration>>,
}

impl Skewed {
    fn set(&self, by: Duration) {
        *lock(&self.by) = by;
    }
}

#[async_trait]
impl Forward for Skewed {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.inner
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        let mut turn = self.inner.lease(standing, limit).await?;
        let by = *lock(&self.by);
        if let Turn::Leased(leased) = &mut turn {
            leased.events.iter_mut().for_each(|lease| lease.age += by);
        }
        Ok(turn)
    }
}

fn start(transport: &Scripted, outbox: &Skewed) -> Delivery {
    Delivery::builder(transport.clone())
        .outbox(Forwarding(outbox.clone()))
        .retry(RetryPolicy::new().max_age(DAY).keep_poison())
        .start()
        .unwrap()
}

async fn dead(delivery: &Delivery) -> u64 {
    delivery.ledger().await.unwrap().dead
}

#[tokio::test(start_paused = true)]
async fn a_clock_step_ahead_buries_no_event_early() {
    guarded(async {
        let (transport, outbox) = (Scripted::new(|_| Act::status(503)), Skewed::default());
        let delivery = start(&transport, &outbox);
        sleep(2 * DAY).await;
        send(&delivery, event(1)).await;
        sleep(HOUR).await;
        outbox.set(YEAR);
        send(&delivery, event(2)).await;
        sleep(22 * HOUR).await;
        assert_eq!(dead(&delivery).await, 0);
        // By elapsed time, each event is too old a day after its acceptance.
        sleep(90 * MINUTE).await;
        assert_eq!(dead(&delivery).await, 1);
        sleep(HOUR).await;
        assert_eq!(dead(&delivery).await, 2);
        let letters = delivery.dead_letters(None, 10).await.unwrap();
        assert!(letters.iter().all(|letter| letter.reason == DeadLetterReason::AgeLimit));
    })
    .await;
}

/// Also for an event that another program accepted.
#[tokio::test(start_paused = true)]
async fn an_event_that_was_accepted_by_a_slow_clock_is_not_old() {
    guarded(async {
        let (transport, outbox) = (Scripted::new(|_| Act::taken()), Skewed::default());
        let delivery = start(&transport, &outbox);
        sleep(2 * DAY).await;
        outbox.set(YEAR);
        outbox.inner.accept(&[event(1)]).await.unwrap();
        assert!(delivery.flush(HOUR).await.is_complete());
        assert_eq!((dead(&delivery).await, numbers(&transport.taken())), (0, vec![1]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_step_between_two_processes_buries_nothing() {
    guarded(async {
        let (transport, outbox) = (Scripted::new(|_| Act::status(503)), Skewed::default());
        let first = start(&transport, &outbox);
        for number in 0..40 {
            send(&first, event(number)).await;
        }
        sleep(HOUR).await;
        assert_eq!(first.shutdown(Duration::ZERO).await.pending, 40);
        outbox.set(YEAR);
        let second = start(&transport, &outbox);
        sleep(23 * HOUR).await;
        assert_eq!(dead(&second).await, 0);
        transport.script(|_| Act::taken());
        assert_eq!(second.flush(HOUR).await.delivered, 40);
    })
    .await;
}
