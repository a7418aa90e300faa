//! Counts since the creation of the file, and the events of this process among them.

use intercom_core::DataEvent;
use intercom_delivery::outbox::{DeadLetterReason, EventId, Outbox, Selection};
use intercom_sqlite::rusqlite::TransactionBehavior;
use intercom_sqlite::{SqliteOutbox, accept_in};

use super::support::{Engine, Place, accept, bury, delivered, event, events};

async fn oldest_own(outbox: &SqliteOutbox) -> Option<u64> {
    outbox.counts().await.unwrap().oldest_own.map(EventId::get)
}

/// Accepts events as another process would.
async fn accept_elsewhere(place: &Place, outbox: &SqliteOutbox, events: &[DataEvent]) {
    accept(outbox, events).await;
    let newest = place.number("SELECT newest FROM outbox_counts") as usize;
    let own = newest - events.len();
    let change = format!("UPDATE outbox_events SET origin = 0 WHERE id > {own}");
    place.sqlite().execute_batch(&change).unwrap();
}

#[tokio::test]
async fn the_oldest_event_of_this_process_is_found_among_those_of_others() {
    let place = Place::new();
    let outbox = place.open();
    let engine = Engine::begin(&outbox).await;
    accept_elsewhere(&place, &outbox, &events(2)).await;
    assert_eq!(oldest_own(&outbox).await, None);
    accept(&outbox, &events(2)).await;
    accept_elsewhere(&place, &outbox, &events(2)).await;
    accept(&outbox, &events(1)).await;
    outbox.notify();
    assert_eq!(oldest_own(&outbox).await, Some(3));
    let leases = engine.lease(10).await;
    engine.settle(&leases[3..4], delivered).await;
    assert_eq!(oldest_own(&outbox).await, Some(3));
    engine.settle(&leases[2..3], bury(DeadLetterReason::Rejected)).await;
    assert_eq!(oldest_own(&outbox).await, Some(7));
    engine.settle(&leases[6..], delivered).await;
    assert_eq!(oldest_own(&outbox).await, None);
    // A redriven event is pending again, whichever process redrives it.
    let mut tool = SqliteOutbox::inspect(place.path()).unwrap();
    assert_eq!(tool.redrive(&Selection::All).unwrap(), 1);
    assert_eq!(oldest_own(&outbox).await, Some(3));
    assert_eq!(outbox.counts().await.unwrap().newest, Some(EventId::new(7)));
}

#[tokio::test]
async fn an_event_of_a_transaction_is_own_as_soon_as_it_is_committed() {
    let place = Place::new();
    let outbox = place.open();
    accept_elsewhere(&place, &outbox, &events(3)).await;
    let mut conn = place.sqlite();
    for number in 1..=3 {
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        accept_in(&transaction, &[event("signed_up", number)]).unwrap();
        transaction.commit().unwrap();
        let counts = outbox.counts().await.unwrap();
        assert_eq!((counts.oldest_own, counts.pending), (Some(EventId::new(4)), 3 + number as u64));
    }
}

/// The transaction was committed before the opening of this handle.
#[tokio::test]
async fn an_event_is_own_whichever_handle_of_the_process_accepted_it() {
    let place = Place::new();
    let first = place.open();
    accept_elsewhere(&place, &first, &events(1)).await;
    accept(&first, &events(1)).await;
    let second = place.open();
    assert_eq!(oldest_own(&second).await, Some(2));
    accept(&second, &events(1)).await;
    Engine::begin(&first).await.deliver(2).await;
    assert_eq!(oldest_own(&second).await, Some(3));
    assert_eq!(oldest_own(&first).await, Some(3));
}
