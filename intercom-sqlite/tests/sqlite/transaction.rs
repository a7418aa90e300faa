//! Events that exist exactly if a change of the application's own does.

use std::slice;
use std::time::Duration;

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, Collisions, EventId, Outbox, Selection, Wake};
use intercom_sqlite::rusqlite::{Connection, Transaction, TransactionBehavior};
use intercom_sqlite::{SCHEMA_VERSION, SqliteOutbox, accept_in, accept_in_at};
use tokio::time::timeout;

use super::support::{Place, accept, event, events, lease_ids, seconds};

const LONG: Duration = Duration::from_secs(30);

/// A file with a table of the application's, and an outbox.
fn shop(place: &Place) -> (SqliteOutbox, Connection) {
    let conn = place.sqlite();
    conn.execute_batch("CREATE TABLE orders (name TEXT)").unwrap();
    (place.builder().in_application_file().capacity(5).open().unwrap(), conn)
}

fn order<'a>(
    place: &Place,
    conn: &'a mut Connection,
    events: &[DataEvent],
) -> (Transaction<'a>, Result<(), AcceptError>) {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT INTO orders VALUES ('book')", []).unwrap();
    let accepted = accept_in_at(&transaction, events, Collisions::Move, place.clock.now());
    (transaction, accepted)
}

#[tokio::test]
async fn what_is_committed_is_accepted_and_wakes_the_engine() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let wake = Wake::new();
    outbox.attach(wake.clone());
    let (transaction, accepted) = order(&place, &mut conn, &events(2));
    accepted.unwrap();
    assert_eq!(outbox.counts().pending, 0);
    transaction.commit().unwrap();
    outbox.nudge();
    timeout(LONG, wake.woken()).await.unwrap();
    let counts = outbox.counts();
    assert_eq!((counts.accepted, counts.pending, counts.newest), (2, 2, Some(EventId(2))));
    assert_eq!(lease_ids(&outbox, 10).await, [1, 2]);
    assert_eq!(place.number("SELECT count(*) FROM orders"), 1);
}

#[tokio::test]
async fn it_is_noticed_without_a_nudge() {
    let place = Place::new();
    let outbox = place.builder().poll_interval(Duration::from_millis(1)).open().unwrap();
    let wake = Wake::new();
    outbox.attach(wake.clone());
    let mut conn = place.sqlite();
    let transaction = conn.transaction().unwrap();
    accept_in(&transaction, slice::from_ref(&event("signed_up", 0)), Collisions::Move).unwrap();
    transaction.commit().unwrap();
    timeout(LONG, wake.woken()).await.unwrap();
    assert_eq!(outbox.counts().accepted, 1);
}

/// The engine is woken for it also where it is first seen within a transaction of the outbox.
#[tokio::test]
async fn it_is_seen_by_whoever_comes_next() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    accept(&outbox, &events(1)).await;
    assert_eq!(lease_ids(&outbox, 10).await, [1]);
    let (transaction, accepted) = order(&place, &mut conn, &[event("signed_up", 7)]);
    accepted.unwrap();
    transaction.commit().unwrap();
    accept(&outbox, &[event("invoice_paid", 7)]).await;
    assert_eq!(outbox.counts().accepted, 3);
    assert_eq!(lease_ids(&outbox, 10).await, [2, 3]);
}

#[tokio::test]
async fn what_is_rolled_back_never_was() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let (transaction, accepted) = order(&place, &mut conn, &events(2));
    accepted.unwrap();
    transaction.rollback().unwrap();
    outbox.nudge();
    // Not even its second is taken.
    accept(&outbox, &events(1)).await;
    assert_eq!((outbox.counts().accepted, outbox.counts().moved), (1, 0));
    assert_eq!(place.number("SELECT count(*) FROM orders"), 0);
}

#[tokio::test]
async fn what_is_refused_leaves_the_transaction_as_it_was() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let (transaction, accepted) = order(&place, &mut conn, &events(3));
    accepted.unwrap();
    let now = place.clock.now();
    let again = accept_in_at(&transaction, &events(3), Collisions::Move, now);
    assert!(matches!(again, Err(AcceptError::Full)), "{again:?}");
    let again = accept_in_at(&transaction, &events(6), Collisions::Move, now);
    assert!(matches!(again, Err(AcceptError::TooMuch)), "{again:?}");
    transaction.commit().unwrap();
    outbox.nudge();
    assert_eq!(lease_ids(&outbox, 10).await, [1, 2, 3]);
    assert_eq!(place.number("SELECT count(*) FROM orders"), 1);
}

/// Few are looked for in the file, and for many it is read first.
#[tokio::test]
async fn collisions_are_seen_across_both_ways() {
    for number in [1, 2, 4, 5, 9] {
        let place = Place::new();
        let mut conn = place.sqlite();
        let outbox = place.builder().in_application_file().open().unwrap();
        conn.execute_batch("CREATE TABLE orders (name TEXT)").unwrap();
        accept(&outbox, &[event("another", 0), event("signed_up", 0)]).await;
        let same = vec![event("Signed_Up", 0); number];
        let (transaction, accepted) = order(&place, &mut conn, &same);
        accepted.unwrap();
        transaction.commit().unwrap();
        accept(&outbox, &[event("signed_up", 0)]).await;
        let expected: Vec<_> = [0].into_iter().chain(0..2 + number as i64).collect();
        assert_eq!(seconds(&outbox).await, expected);
        assert_eq!(outbox.counts().moved, 1 + number as u64);
    }
}

#[test]
fn a_file_without_an_outbox_is_an_error_and_nothing_else() {
    let mut conn = Connection::open_in_memory().unwrap();
    let transaction = conn.transaction().unwrap();
    let error = accept_in(&transaction, &events(1), Collisions::Move).unwrap_err();
    assert!(matches!(error, AcceptError::Storage(_)), "{error:?}");
    assert!(error.to_string().contains("open it first"), "{error}");
    transaction.execute_batch("CREATE TABLE still_good (a)").unwrap();
    transaction.commit().unwrap();
}

/// Another program has brought the file to a later version, under a connection that was open already.
#[tokio::test]
async fn tables_of_another_version_are_not_written_to() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let mut tool = SqliteOutbox::inspect(place.path()).unwrap();
    let later = SCHEMA_VERSION + 1;
    conn.execute("INSERT INTO outbox_schema (version) VALUES (?1)", [later]).unwrap();

    let (transaction, accepted) = order(&place, &mut conn, &events(1));
    let error = accepted.unwrap_err().to_string();
    assert!(error.contains(&format!("have the version {later}")), "{error}");
    transaction.commit().unwrap();
    for refused in [tool.redrive(&Selection::All), tool.purge(&Selection::All)] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(&format!("have the version {later}")), "{error}");
    }
    drop(outbox);
    assert_eq!(place.number("SELECT count(*) FROM outbox_events"), 0);
    assert_eq!(place.number("SELECT count(*) FROM orders"), 1);
}
