//! A delivery over it, from end to end.

use std::collections::HashSet;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use intercom_core::testing::RecordingTransport;
use intercom_core::{
    Contact, ContactCreation, DataEvent, DynamicEvent, ErrorKind, Receipt, SendError, Transport,
    async_trait,
};
use intercom_delivery::Delivery;
use intercom_delivery::outbox::{Collisions, Outbox};
use intercom_sqlite::{OpenError, SqliteOutbox};
use tokio::runtime::Runtime;
use tokio::task::yield_now;

use super::support::{Place, accept, event, events};

const LONG: Duration = Duration::from_secs(30);

/// Never answers.
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        pending().await
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

#[tokio::test]
async fn what_one_process_accepted_another_delivers() {
    let place = Place::new();
    let delivery = Delivery::builder(Silent).outbox(place.open()).start().unwrap();
    let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
    for number in 0..50 {
        let event = DynamicEvent::new("project_created").unwrap().with("number", number).unwrap();
        ada.send(&event).await.unwrap();
    }
    // As if the machine crashed while requests are under way.
    let crashed = place.crashed();
    let report = delivery.shutdown(Duration::ZERO).await;
    assert_eq!((report.delivered, report.pending), (0, 50));
    // A tracker holds the outbox too.
    drop((delivery, ada));

    for place in [place, crashed] {
        let sent = RecordingTransport::new();
        let outbox = open_when_free(&place).await;
        let delivery = Delivery::builder(sent.clone()).outbox(outbox).start().unwrap();
        let report = delivery.shutdown(LONG).await;
        assert_eq!((report.delivered, report.dead, report.pending), (50, 0, 0));
        let mut numbers: Vec<_> = sent
            .events()
            .iter()
            .map(|event| event.to_json()["metadata"]["number"].as_u64().unwrap())
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..50));
        let seconds: HashSet<_> =
            sent.events().iter().map(|event| event.created_at().unix_seconds()).collect();
        assert_eq!(seconds.len(), 50, "no two of them are one to Intercom");
    }
}

/// The engine lets go of the file a moment after it has ended.
async fn open_when_free(place: &Place) -> SqliteOutbox {
    loop {
        match place.builder().open() {
            Err(OpenError::InUse { .. }) => yield_now().await,
            opened => return opened.unwrap(),
        }
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
    handle.accept(&more, Collisions::Move).await.unwrap();
    let report = delivery.shutdown(LONG).await;
    assert_eq!((report.delivered, report.pending), (1_000, 0));
    assert_eq!(sent.events().len(), 1_000);
    assert_eq!(place.number("SELECT count(*) FROM outbox_events"), 0);
}

/// Whoever polls it may have others to poll, on a runtime of any kind.
#[test]
fn a_send_that_waits_for_the_disk_never_blocks_who_polls_it() {
    let (place, runtime) = (Place::new(), Runtime::new().unwrap());
    let outbox = place.open();
    let delivery = {
        let _within = runtime.enter();
        Delivery::builder(Silent).outbox(outbox.clone()).start().unwrap()
    };
    let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
    let event = DynamicEvent::new("project_created").unwrap();

    place.clock.stop(&outbox);
    let mut sending = pin!(ada.send(&event));
    let polled = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "{polled:?}");
    place.clock.go_on();
    // A thread without a runtime accepts durably like this.
    assert!(runtime.block_on(sending).unwrap().is_accepted());
    assert_eq!(place.number("SELECT count(*) FROM outbox_events"), 1);
}

#[test]
fn try_send_never_waits_for_the_disk_and_says_what_to_do() {
    let (place, runtime) = (Place::new(), Runtime::new().unwrap());
    let within = runtime.enter();
    let delivery = Delivery::builder(Silent).outbox(place.open()).start().unwrap();
    let ada = delivery.tracker().for_contact(Contact::email("ada@example.com"));
    let event = DynamicEvent::new("project_created").unwrap();
    let refused = ada.try_send(&event).unwrap_err();
    drop(within);
    // The same without a runtime.
    for refused in [refused, ada.try_send(&event).unwrap_err()] {
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("use `send`"), "{refused}");
    }
    assert_eq!(delivery.ledger().refused.total(), 2);
    assert_eq!(place.number("SELECT count(*) FROM outbox_events"), 0);
}
