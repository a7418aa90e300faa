//! Transactions that commit late are never missed, and never leased in another order.

use intercom_delivery::outbox::Outbox;
use test_postgres::Server;
use tokio_postgres::Client;

use super::support::{Engine, Place, accept, delivered, event, events};

/// A transaction that has accepted an event, and is not committed.
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
    // What is in a gap comes before what was never read.
    assert_eq!(engine.lease_ids(10).await, [2]);
    assert_eq!(engine.lease_ids(10).await, [5]);
    assert!(engine.lease_ids(10).await.is_empty());
    assert_eq!(outbox.counts().await.unwrap().pending, 5);
}

#[tokio::test]
async fn a_gap_that_a_rollback_left_is_forgotten() {
    // A server of its own: it is remembered for as long as any older transaction is open there.
    let server = Server::start().unwrap();
    let place = Place::on(server.url());
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let (lost, open) = (begin(&place, 1).await, begin(&place, 2).await);
    accept(&outbox, &events(1)).await;
    assert_eq!(engine.lease_ids(10).await, [3]);
    end(lost, "ROLLBACK").await;
    // Another transaction may be as old.
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

/// What was read before a late event stays before it. Otherwise a late event could take the second of
/// one that was sent.
#[tokio::test]
async fn a_takeover_repeats_the_order_in_which_late_events_came() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let (first, second) = (begin(&place, 1).await, begin(&place, 1).await);
    accept(&outbox, &[event("late", 1), event("late", 1)]).await;
    assert_eq!(engine.lease_ids(10).await, [3, 4]);
    // It dies here: 3 was sent, and 1 becomes visible before anybody else reads.
    end(first, "COMMIT").await;
    drop(engine);
    let engine = Engine::begin(&place.open().await).await;
    assert_eq!(engine.lease_ids(10).await, [3, 4]);
    assert_eq!(engine.lease_ids(10).await, [1]);
    // It dies again, when the event of the other gap is there too.
    end(second, "COMMIT").await;
    drop(engine);
    let engine = Engine::begin(&place.open().await).await;
    assert_eq!(engine.lease_ids(1).await, [3]);
    assert_eq!(engine.lease_ids(10).await, [4]);
    let rest = [engine.lease_ids(1).await, engine.lease_ids(10).await].concat();
    assert_eq!(rest, [1, 2]);
}

/// Each late event is admitted before the next is read, so a takeover leases it with the others.
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
    // 2 was leased before 1 was there.
    assert_eq!(engine.lease_ids(10).await, [2, 3]);
    assert_eq!(engine.lease_ids(10).await, [1]);
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.pending), (3, 3));
}

#[tokio::test]
async fn a_late_event_counts_once_whatever_becomes_of_it() {
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
