//! An operator buries and redrives an event that the engine has. Then the outbox leases it a second time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp, async_trait};
use intercom_delivery::conformance::{Forward, Forwarding};
use intercom_delivery::outbox::{Admission, Operate, Settlement, Stage, Standing, Turn};
use intercom_delivery::{
    Consent, Delivery, DeliveryBuilder, Epoch, EventId, MemoryOutbox, Outbox, OutboxError,
    RetryPolicy, Selection, UnknownContact,
};
use tokio::time::sleep;

use crate::scripted::{
    Act, DAY, HOUR, SECOND, Scripted, assert_ledger, event, guarded, lock, numbers, send,
};

/// An outbox on which the operator works from another process. That process sees no leases, so it
/// decides by the stored stage alone whether an attempt may have arrived.
#[derive(Clone, Default)]
struct Elsewhere(Arc<Inner>);

#[derive(Default)]
struct Inner {
    memory: MemoryOutbox,
    sees_leases: bool,
    /// Buried events whose admission is not stored.
    unadmitted: Mutex<HashSet<EventId>>,
    /// How long a settlement takes to reach the store, and its answer to come back.
    settling: (Duration, Duration),
}

#[async_trait]
impl Forward for Elsewhere {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.0.memory
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        let mut turn = self.inner().lease(standing, limit).await?;
        if let Turn::Leased(leased) = &mut turn {
            let unadmitted = lock(&self.0.unadmitted);
            for lease in &mut leased.events {
                if unadmitted.contains(&lease.id) {
                    lease.stage = Stage::Redriven;
                }
            }
        }
        Ok(turn)
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        let late = self.inner().admit(epoch, admissions).await?;
        lock(&self.0.unadmitted).clear();
        Ok(late)
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let (there, back) = self.0.settling;
        sleep(there).await;
        let late = self.inner().settle(epoch, settlements, forget_before).await?;
        sleep(back).await;
        Ok(late)
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        let buried = self.inner().bury(which).await?;
        if !self.0.sees_leases {
            let letters = self.inner().dead_letters(None, usize::MAX).await?;
            let unsent = letters.iter().filter(|letter| letter.attempts == 0);
            lock(&self.0.unadmitted).extend(unsent.map(|letter| letter.id));
        }
        Ok(buried)
    }
}

/// Runs a test with an operator in the engine's process, and with one elsewhere.
async fn for_both<F: Future<Output = ()>>(
    settling: (Duration, Duration),
    test: impl Fn(Forwarding<Elsewhere>) -> F,
) {
    for sees_leases in [true, false] {
        let inner = Inner { sees_leases, settling, ..Inner::default() };
        guarded(test(Forwarding(Elsewhere(Arc::new(inner))))).await;
    }
}

fn start(transport: &Scripted, outbox: Forwarding<Elsewhere>) -> DeliveryBuilder {
    Delivery::builder(transport.clone()).outbox(outbox)
}

async fn bury(delivery: &Delivery, events: u64) {
    assert_eq!(delivery.bury(&Selection::All).await.unwrap(), events);
}

async fn redrive(delivery: &Delivery, events: u64) {
    assert_eq!(delivery.redrive(&Selection::All).await.unwrap(), events);
}

/// The numbers of the attempted events, and how many different bytes were sent.
fn attempts(transport: &Scripted) -> (Vec<u64>, usize) {
    let attempts: Vec<DataEvent> =
        transport.attempts().into_iter().map(|attempt| attempt.event).collect();
    let bodies: HashSet<_> = attempts.iter().map(|event| event.body().clone()).collect();
    (numbers(&attempts), bodies.len())
}

const AT_ONCE: (Duration, Duration) = (Duration::ZERO, Duration::ZERO);

#[tokio::test(start_paused = true)]
async fn an_event_in_flight_is_sent_once() {
    for_both(AT_ONCE, async |outbox| {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let delivery = start(&transport, outbox).start().unwrap();
        // The engine sends several at once when it has had an answer.
        send(&delivery, event(1)).await;
        let _ = delivery.flush(DAY).await;
        send(&delivery, event(2)).await;
        sleep(SECOND / 2).await;
        bury(&delivery, 1).await;
        redrive(&delivery, 1).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 2);
        assert_eq!(attempts(&transport), (vec![1, 2], 2));
        assert_ledger(&delivery.ledger().await.unwrap(), 2, 0, 0);
    })
    .await;
}

/// A quarter of the requests may be for events that failed before, so three events wait here.
#[tokio::test(start_paused = true)]
async fn an_event_that_waits_for_its_request_is_sent_once() {
    for_both(AT_ONCE, async |outbox| {
        let transport = Scripted::new(|call| match call.before {
            0 => Act::status(404),
            _ => Act::taken_after(10 * SECOND),
        });
        let delivery = start(&transport, outbox)
            .concurrency(4)
            .unknown_contact(UnknownContact::RetryFor(HOUR))
            .start()
            .unwrap();
        for number in 1..=4 {
            send(&delivery, event(number)).await;
        }
        sleep(5 * SECOND).await;
        assert_eq!(transport.attempts().len(), 4 + 1);
        bury(&delivery, 4).await;
        redrive(&delivery, 4).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 4);
        assert_eq!(attempts(&transport), (vec![1, 1, 2, 2, 3, 3, 4, 4], 4));
        assert_ledger(&delivery.ledger().await.unwrap(), 4, 0, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waits_for_its_contact_is_sent_once_after_that() {
    for_both(AT_ONCE, async |outbox| {
        let transport = Scripted::new(|call| match call.before {
            0 => Act::status(404),
            _ => Act::taken(),
        });
        let created = || Act::Late(SECOND, Ok(intercom_core::ContactCreation::Created));
        let transport = transport.creating(move |_| created());
        let delivery =
            start(&transport, outbox).unknown_contact(UnknownContact::Create).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND / 2).await;
        bury(&delivery, 1).await;
        redrive(&delivery, 1).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        assert_eq!(attempts(&transport), (vec![1, 1], 1));
    })
    .await;
}

/// The settlement of the first lease reaches the store after the second lease, and ends it.
#[tokio::test(start_paused = true)]
async fn an_event_that_was_delivered_by_its_first_lease_is_not_sent_by_its_second() {
    for_both((SECOND, Duration::ZERO), async |outbox| {
        let transport = Scripted::taking();
        let delivery = start(&transport, outbox).start().unwrap();
        send(&delivery, event(1)).await;
        sleep(SECOND / 2).await;
        bury(&delivery, 1).await;
        redrive(&delivery, 1).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        assert_eq!(attempts(&transport), (vec![1], 1));
        assert_ledger(&delivery.ledger().await.unwrap(), 1, 0, 0);
    })
    .await;
}

/// The settlement of the first lease reaches the store while the event is a dead letter. The engine
/// learns that before the second lease, or after it.
#[tokio::test(start_paused = true)]
async fn an_event_whose_first_settlement_was_late_is_sent_again_with_the_same_bytes() {
    for back in [Duration::ZERO, SECOND] {
        for_both((SECOND, back), async |outbox| {
            let transport = Scripted::taking();
            let delivery = start(&transport, outbox).start().unwrap();
            send(&delivery, event(1)).await;
            sleep(SECOND / 2).await;
            bury(&delivery, 1).await;
            sleep(SECOND).await;
            redrive(&delivery, 1).await;
            assert_eq!(delivery.flush(DAY).await.delivered, 1);
            assert_eq!(attempts(&transport), (vec![1, 1], 1));
            assert_eq!(delivery.ledger().await.unwrap().moved, 0);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_redriven_event_has_all_its_attempts() {
    for_both(AT_ONCE, async |outbox| {
        let transport = Scripted::new(|call| match call.number {
            0 | 1 => Act::Late(SECOND, Err(crate::scripted::answer(503))),
            _ => Act::taken(),
        });
        let retry = RetryPolicy::new().max_attempts(2);
        let delivery = start(&transport, outbox).retry(retry).start().unwrap();
        send(&delivery, event(1)).await;
        while transport.attempts().len() < 2 {
            sleep(SECOND / 10).await;
        }
        bury(&delivery, 1).await;
        redrive(&delivery, 1).await;
        assert_eq!(delivery.flush(DAY).await.delivered, 1);
        assert_eq!(attempts(&transport), (vec![1, 1, 1], 1));
    })
    .await;
}

/// The consent hook is asked again about a redriven event, unless an attempt may have arrived.
#[tokio::test(start_paused = true)]
async fn an_event_in_flight_can_be_withheld_by_its_second_lease() {
    guarded(async {
        let transport = Scripted::new(|_| Act::taken_after(SECOND));
        let is_denied = Arc::new(AtomicBool::new(false));
        let denied = is_denied.clone();
        let delivery = start(&transport, Forwarding::default())
            .consent(move |_, _| match denied.load(Ordering::SeqCst) {
                true => Consent::Denied,
                false => Consent::Given,
            })
            .start()
            .unwrap();
        send(&delivery, event(1)).await;
        let _ = delivery.flush(DAY).await;
        send(&delivery, event(2)).await;
        sleep(SECOND / 2).await;
        bury(&delivery, 1).await;
        is_denied.store(true, Ordering::SeqCst);
        redrive(&delivery, 1).await;
        sleep(10 * SECOND).await;
        assert_eq!(attempts(&transport), (vec![1, 2], 2));
        let ledger = delivery.ledger().await.unwrap();
        assert_ledger(&ledger, 1, 0, 0);
        assert_eq!(ledger.withheld, 1);
    })
    .await;
}
