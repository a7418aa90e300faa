//! A delivery over the outbox, from end to end.

use std::collections::HashSet;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use intercom_core::testing::RecordingTransport;
use intercom_core::{
    Contact, ContactCreation, DataEvent, DynamicEvent, Receipt, SendError, Transport, async_trait,
};
use intercom_delivery::outbox::Outbox;
use intercom_delivery::{Delivery, RetryPolicy, State};
use intercom_sqlite::rusqlite::TransactionBehavior;
use intercom_sqlite::{accept_in, accept_in_at};
use tokio::runtime::Runtime;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::support::{Place, accept, event, events};

const LONG: Duration = Duration::from_secs(30);

/// A transport that accepts each event after a while.
struct Slow;

#[async_trait]
impl Transport for Slow {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        sleep(Duration::from_millis(20)).await;
        Ok(Receipt::delivered(202))
    }

    async fn create_contact(
        &self,
        _: &intercom_core::Contact,
    ) -> Result<ContactCreation, SendError> {
        Err(SendError::new(intercom_core::ErrorKind::Unsupported))
    }
}

/// A transport that never responds.
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        pending().await
    }

    async fn create_contact(
        &self,
        _: &intercom_core::Contact,
    ) -> Result<ContactCreation, SendError> {
        Err(SendError::new(intercom_core::ErrorKind::Unsupported))
    }
}

#[tokio::test]
async fn one_process_delivers_events_of_another() {
    let place = Place::new();
    let delivery = Delivery::builder(Silent).outbox(place.open()).start().unwrap();
    let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
    for number in 0..50 {
        let event = DynamicEvent::new("project_created").unwrap().with("number", number).unwrap();
        ada.send(&event).await.unwrap();
    }
    // Simulates a machine crash with requests in flight.
    let crashed = place.crashed();
    let report = delivery.shutdown(Duration::ZERO).await;
    assert_eq!((report.delivered, report.pending), (0, 50));
    drop((delivery, ada));

    for place in [place, crashed] {
        let sent = RecordingTransport::new();
        let outbox = place.open();
        let delivery = Delivery::builder(sent.clone()).outbox(outbox).start().unwrap();
        while delivery.ledger().await.unwrap().pending > 0 {
            yield_now().await;
        }
        let ledger = delivery.ledger().await.unwrap();
        assert_eq!((ledger.delivered, ledger.dead, ledger.pending), (50, 0, 0));
        let _ = delivery.shutdown(LONG).await;
        let mut numbers: Vec<_> = sent
            .events()
            .iter()
            .map(|event| event.to_json()["metadata"]["number"].as_u64().unwrap())
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..50));
        let seconds: HashSet<_> =
            sent.events().iter().map(|event| event.created_at().unix_seconds()).collect();
        assert_eq!(seconds.len(), 50, "Intercom takes no two of them for duplicates");
    }
}

#[tokio::test]
async fn many_events_are_delivered_once_each() {
    let place = Place::new();
    let (sent, outbox) = (RecordingTransport::new(), place.open());
    let handle = outbox.clone();
    accept(&handle, &events(500)).await;
    let delivery = Delivery::builder(sent.clone()).outbox(outbox).start().unwrap();
    let more: Vec<_> = (0..500).map(|second| event("signed_up", second)).collect();
    handle.accept(&more).await.unwrap();
    let _ = delivery.flush(LONG).await;
    let ledger = delivery.ledger().await.unwrap();
    assert_eq!((ledger.delivered, ledger.pending), (1_000, 0));
    let _ = delivery.shutdown(LONG).await;
    assert_eq!(sent.events().len(), 1_000);
    assert_eq!(place.number("SELECT count(*) FROM outbox_events"), 0);
}

/// The polling thread may have other futures to poll, on any kind of runtime.
#[test]
fn a_send_that_waits_for_the_disk_never_blocks_its_thread() {
    let (place, runtime) = (Place::new(), Runtime::new().unwrap());
    let outbox = place.open();
    let delivery = {
        let _within = runtime.enter();
        Delivery::builder(Silent).outbox(outbox.clone()).start().unwrap()
    };
    let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
    let event = DynamicEvent::new("project_created").unwrap();

    let stopped = place.clock.stop(&outbox);
    let mut sending = pin!(ada.send(&event));
    let polled = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "{polled:?}");
    drop(stopped);
    // A thread without a runtime accepts durably like this.
    assert!(runtime.block_on(sending).unwrap().is_accepted());
    assert_eq!(place.number("SELECT count(*) FROM outbox_events"), 1);
}

/// A new process does not know how much time has passed since the last one. Neither does a program
/// that accepts events in its own transaction.
#[tokio::test]
async fn no_clock_of_another_process_makes_an_event_too_old() {
    let place = Place::new();
    accept(&place.open(), &events(20)).await;
    let (clock, year) = (place.clock.clone(), Duration::from_secs(365 * 86_400));
    let outbox = place.builder().clock(move || clock.now() + year).open().unwrap();
    let sent = RecordingTransport::new();
    let delivery = Delivery::builder(sent.clone())
        .outbox(outbox.clone())
        .retry(RetryPolicy::new().max_age(Duration::from_secs(86_400)))
        .start()
        .unwrap();
    let mut sqlite = place.sqlite();
    let transaction = sqlite.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    accept_in_at(&transaction, &[event("signed_up", 0)], place.clock.now()).unwrap();
    transaction.commit().unwrap();
    outbox.notify();
    while delivery.ledger().await.unwrap().pending > 0 {
        yield_now().await;
    }
    let ledger = delivery.ledger().await.unwrap();
    assert_eq!((ledger.delivered, ledger.dead, sent.events().len()), (21, 0, 21));
}

/// Two engines share one file. One delivers, and the other takes over the events of both.
#[tokio::test]
async fn a_standby_delivers_what_the_other_left() {
    let place = Place::new();
    let first = Delivery::builder(Silent).outbox(place.open()).start().unwrap();
    while !matches!(first.status().state, State::Delivering) {
        yield_now().await;
    }
    let sent = RecordingTransport::new();
    let second = Delivery::builder(sent.clone()).outbox(place.open()).start().unwrap();
    while !matches!(second.status().state, State::Standby { .. }) {
        yield_now().await;
    }
    for delivery in [&first, &second] {
        let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
        ada.send(&DynamicEvent::new("signed_up").unwrap()).await.unwrap();
    }
    let _ = first.shutdown(Duration::ZERO).await;
    drop(first);
    let _ = second.flush(LONG).await;
    while second.ledger().await.unwrap().pending > 0 {
        yield_now().await;
    }
    assert_eq!(sent.events().len(), 2);
    let _ = second.shutdown(LONG).await;
}

/// These are events of this process, although the outbox learns of them only by the notification.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_waits_for_what_a_transaction_has_just_accepted() {
    let place = Place::new();
    let outbox = place.open();
    let delivery = Delivery::builder(Slow).outbox(outbox.clone()).start().unwrap();
    let mut conn = place.sqlite();
    for number in 1..=30_u64 {
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        accept_in(&transaction, &[event("signed_up", number.cast_signed())]).unwrap();
        transaction.commit().unwrap();
        outbox.notify();
        let report = delivery.flush(LONG).await;
        assert!(report.is_complete());
        assert_eq!((report.delivered, report.pending), (number, 0));
    }
    let _ = delivery.shutdown(LONG).await;
}
