//! Transactions that commit late. Every takeover leases their events in the same order.

use intercom_delivery::outbox::Outbox;
use test_postgres::Server;
use tokio_postgres::Client;

use super::support::{Engine, Place, accept, delivered, event, events};

/// Opens a transaction and accepts an event in it.
pub(crate) async fn begin(place: &Place, second: i64) -> Client {
    let client = place.psql().await;
    client.batch_execute("BEGIN").await.unwrap();
    let body = String::from_utf8(event("late", second).body().to_vec()).unwrap();
    let accept = place.sql("SELECT {s}.accept(ARRAY[$1::text::json])");
    client.query(&accept, &[&body]).await.unwrap();
    client
}

async fn end(client: Client, how: &str) {
    client.batch_execute(how).await.unwrap();
}

#[tokio::test]
async fn an_event_that_becomes_visible_late_comes_after_what_was_read() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &events(1)).await;
    let late = begin(&place, 1).await;
    accept(&outbox, &events(2)).await;
    assert_eq!(engine.lease_ids(10).await, [1, 3, 4]);
    accept(&outbox, &events(1)).await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.pending), (4, 4));
    end(late, "COMMIT").await;
    assert_eq!(outbox.counts().await.unwrap().pending, 5);
    // Events in a gap come before unread events.
    assert_eq!(engine.lease_ids(10).await, [2]);
    assert_eq!(engine.lease_ids(10).await, [5]);
    assert!(engine.lease_ids(10).await.is_empty());
    assert_eq!(outbox.counts().await.unwrap().pending, 5);
}

/// The engine forgets no second that the event of an open transaction may have.
#[tokio::test]
async fn an_open_transaction_counts_as_new_before_its_commit() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &events(1)).await;
    // No event has a higher id, so its id is no gap yet.
    let late = begin(&place, 1).await;
    let covers = |earliest| earliest <= event("late", 1).created_at();
    assert!(engine.leased(10).await.earliest_new.is_some_and(covers));
    accept(&outbox, &events(1)).await;
    assert!(engine.leased(10).await.earliest_new.is_some_and(covers));
    end(late, "COMMIT").await;
    assert_eq!(engine.lease_ids(10).await, [2]);
    accept(&outbox, &events(1)).await;
    let leased = engine.leased(10).await;
    assert_eq!((leased.events.len(), leased.earliest_new), (1, None));
}

#[tokio::test]
async fn a_gap_left_by_a_rollback_is_dropped() {
    // Its own server: a gap stays stored while any older transaction is open on the server.
    let server = Server::start().unwrap();
    let place = Place::on(server.url());
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let (lost, open) = (begin(&place, 1).await, begin(&place, 2).await);
    accept(&outbox, &events(1)).await;
    assert_eq!(engine.lease_ids(10).await, [3]);
    end(lost, "ROLLBACK").await;
    // A transaction elsewhere may be as old.
    accept(&outbox, &events(1)).await;
    assert_eq!(engine.lease_ids(10).await, [4]);
    let gaps = "SELECT cardinality(gap_from)::bigint FROM {s}.progress";
    assert_eq!(place.number(gaps).await, 1);
    end(open, "ROLLBACK").await;
    accept(&outbox, &events(1)).await;
    let leases = engine.lease(10).await;
    engine.settle(&leases, delivered).await;
    assert_eq!(place.number(gaps).await, 0);
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered, counts.pending), (3, 1, 2));
}

/// An event read before a late one stays before it. Otherwise the late event could take the second
/// of one already sent.
#[tokio::test]
async fn a_takeover_repeats_the_order_in_which_late_events_came() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let (first, second) = (begin(&place, 1).await, begin(&place, 1).await);
    accept(&outbox, &[event("late", 1), event("late", 1)]).await;
    assert_eq!(engine.lease_ids(10).await, [3, 4]);
    // The first deliverer dies here. It has sent event 3, and event 1 becomes visible before the
    // next one reads.
    end(first, "COMMIT").await;
    drop(engine);
    let engine = Engine::begin(&place.open().await).await;
    assert_eq!(engine.lease_ids(10).await, [3, 4]);
    assert_eq!(engine.lease_ids(10).await, [1]);
    // The second one dies when the other gap's event is visible too.
    end(second, "COMMIT").await;
    drop(engine);
    let engine = Engine::begin(&place.open().await).await;
    assert_eq!(engine.lease_ids(1).await, [3]);
    assert_eq!(engine.lease_ids(10).await, [4]);
    let rest = [engine.lease_ids(1).await, engine.lease_ids(10).await].concat();
    assert_eq!(rest, [1, 2]);
}

/// The engine admits each late event before it reads the next, so a takeover leases them in this
/// order.
#[tokio::test]
async fn late_events_of_two_leases_keep_their_order_over_a_takeover() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let (first, second) = (begin(&place, 1).await, begin(&place, 1).await);
    accept(&outbox, &events(1)).await;
    assert_eq!(engine.lease_ids(10).await, [3]);
    end(second, "COMMIT").await;
    assert_eq!(engine.lease_ids(10).await, [2]);
    end(first, "COMMIT").await;
    assert_eq!(engine.lease_ids(10).await, [1]);
    drop(engine);
    let engine = Engine::begin(&place.open().await).await;
    // Event 2 was leased before event 1 became visible.
    assert_eq!(engine.lease_ids(10).await, [2, 3]);
    assert_eq!(engine.lease_ids(10).await, [1]);
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.pending), (3, 3));
}

#[tokio::test]
async fn a_late_event_counts_once() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let (first, second) = (begin(&place, 1).await, begin(&place, 2).await);
    accept(&outbox, &events(1)).await;
    let rest = engine.lease(10).await;
    end(first, "COMMIT").await;
    end(second, "COMMIT").await;
    let late = engine.lease(10).await;
    engine.settle(&late[..1], delivered).await;
    engine.settle(&late[1..], super::support::put_back(std::time::Duration::ZERO)).await;
    engine.settle(&rest, delivered).await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered, counts.pending), (3, 2, 1));
    engine.deliver(10).await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered, counts.pending), (3, 3, 0));
}
