//! Events that exist if and only if the application's own change does.

use std::slice;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, IntercomEvent, Timestamp};
use intercom_delivery::outbox::{AcceptError, EventId, Outbox, Selection, Standing, Turn};
use intercom_sqlite::rusqlite::{Connection, Transaction, TransactionBehavior};
use intercom_sqlite::{SCHEMA_VERSION, SqliteOutbox, accept_in, accept_in_at};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;

use super::support::{Engine, Place, accept, event, events};

const LONG: Duration = Duration::from_secs(30);

/// Makes a file with a table of the application and an outbox.
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
    let accepted = accept_in_at(&transaction, events, place.clock.now());
    (transaction, accepted)
}

/// Waits for due events.
fn waiting(engine: &Engine) -> JoinHandle<Vec<u64>> {
    let (outbox, standing) = (engine.outbox.clone(), Standing::Delivering(engine.epoch()));
    tokio::spawn(async move {
        match timeout(LONG, outbox.lease(standing, 10)).await.unwrap().unwrap() {
            Turn::Leased(leased) => leased.events.iter().map(|lease| lease.id.get()).collect(),
            other => panic!("{other:?}"),
        }
    })
}

#[tokio::test]
async fn a_commit_accepts_its_events_and_wakes_the_engine() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let engine = Engine::begin(&outbox).await;
    let (transaction, accepted) = order(&place, &mut conn, &events(2));
    accepted.unwrap();
    assert_eq!(outbox.counts().await.unwrap().pending, 0);
    let waiting = waiting(&engine);
    yield_now().await;
    transaction.commit().unwrap();
    outbox.notify();
    assert_eq!(waiting.await.unwrap(), [1, 2]);
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.pending, counts.newest), (2, 2, Some(EventId::new(2))));
    assert_eq!(place.number("SELECT count(*) FROM orders"), 1);
}

#[tokio::test]
async fn an_event_of_a_transaction_is_noticed_without_a_notification() {
    let place = Place::new();
    let outbox = place.builder().poll_interval(Duration::from_millis(1)).open().unwrap();
    let engine = Engine::begin(&outbox).await;
    let waiting = waiting(&engine);
    yield_now().await;
    let mut conn = place.sqlite();
    // A transaction that reads before it writes would fail if the outbox wrote in between.
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    accept_in(&transaction, slice::from_ref(&event("signed_up", 0))).unwrap();
    transaction.commit().unwrap();
    assert_eq!(waiting.await.unwrap(), [1]);
    assert_eq!(outbox.counts().await.unwrap().accepted, 1);
}

/// An event that `also` derives is a row of its own, in the same transaction as its cause.
#[tokio::test]
async fn an_event_is_accepted_with_those_that_are_derived_from_it() {
    #[derive(IntercomEvent)]
    #[event(name = "invoice_paid", also = big)]
    struct InvoicePaid {
        cents: u64,
    }

    #[derive(IntercomEvent)]
    #[event(name = "big_invoice_paid")]
    struct BigInvoicePaid {
        cents: u64,
        #[event(sensitive)]
        reason: &'static str,
    }

    fn big(paid: &InvoicePaid) -> Option<BigInvoicePaid> {
        let cents = paid.cents;
        (cents >= 1_000).then_some(BigInvoicePaid { cents, reason: "a lot" })
    }

    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let engine = Engine::begin(&outbox).await;
    let paid = [5_000, 1, 9_000].map(|cents| {
        let (contact, second) = (Contact::user_id(7), Timestamp::from_unix_seconds(1_700_000_000));
        DataEvent::new(&InvoicePaid { cents }, contact, second).unwrap()
    });
    let (transaction, accepted) = order(&place, &mut conn, &paid);
    accepted.unwrap();
    transaction.commit().unwrap();
    outbox.notify();
    let leased = engine.leased(9).await.events;
    let found: Vec<_> = leased
        .iter()
        .map(|lease| {
            let sensitive: Vec<_> = lease.event.sensitive_keys().collect();
            (
                lease.id.get(),
                lease.event.event_name().as_str(),
                lease.event.derived().len(),
                sensitive,
            )
        })
        .collect();
    let expected = [
        (1, "invoice_paid", 0, vec![]),
        (2, "big_invoice_paid", 0, vec!["reason"]),
        (3, "invoice_paid", 0, vec![]),
        (4, "invoice_paid", 0, vec![]),
        (5, "big_invoice_paid", 0, vec!["reason"]),
    ];
    assert_eq!(found, expected);
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.derived, counts.pending), (5, 0, 5));
    assert_eq!(leased[1].event.body(), paid[0].derived()[0].body());

    // Five events fit, and none of a larger set is stored.
    engine.settle(&leased[..4], super::support::delivered).await;
    let (transaction, accepted) = order(&place, &mut conn, &paid);
    assert!(matches!(accepted, Err(AcceptError::Full)), "{accepted:?}");
    transaction.commit().unwrap();
    assert_eq!(outbox.counts().await.unwrap().pending, 1);
}

/// The outbox also notices at its own next write.
#[tokio::test]
async fn an_event_of_a_transaction_is_leased_with_the_next_one() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &events(1)).await;
    assert_eq!(engine.lease_ids(10).await, [1]);
    let (transaction, accepted) = order(&place, &mut conn, &[event("signed_up", 7)]);
    accepted.unwrap();
    transaction.commit().unwrap();
    accept(&outbox, &[event("invoice_paid", 7)]).await;
    assert_eq!(outbox.counts().await.unwrap().accepted, 3);
    assert_eq!(engine.lease_ids(10).await, [2, 3]);
}

#[tokio::test]
async fn a_rolled_back_event_never_existed() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let (transaction, accepted) = order(&place, &mut conn, &events(2));
    accepted.unwrap();
    transaction.rollback().unwrap();
    outbox.notify();
    accept(&outbox, &events(1)).await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.newest), (1, Some(EventId::new(1))));
    assert_eq!(place.number("SELECT count(*) FROM orders"), 0);
}

#[tokio::test]
async fn a_refused_event_leaves_the_transaction_unchanged() {
    let place = Place::new();
    let (outbox, mut conn) = shop(&place);
    let (transaction, accepted) = order(&place, &mut conn, &events(3));
    accepted.unwrap();
    let now = place.clock.now();
    let again = accept_in_at(&transaction, &events(3), now);
    assert!(matches!(again, Err(AcceptError::Full)), "{again:?}");
    let again = accept_in_at(&transaction, &events(6), now);
    assert!(matches!(again, Err(AcceptError::ExceedsCapacity)), "{again:?}");
    transaction.commit().unwrap();
    outbox.notify();
    assert_eq!(Engine::begin(&outbox).await.lease_ids(10).await, [1, 2, 3]);
    assert_eq!(place.number("SELECT count(*) FROM orders"), 1);
}

#[test]
fn a_file_without_an_outbox_is_an_error_and_nothing_else() {
    let mut conn = Connection::open_in_memory().unwrap();
    let transaction = conn.transaction().unwrap();
    let error = accept_in(&transaction, &events(1)).unwrap_err();
    assert!(matches!(error, AcceptError::Storage(_)), "{error:?}");
    assert!(error.to_string().contains("open it first"), "{error}");
    transaction.execute_batch("CREATE TABLE still_good (a)").unwrap();
    transaction.commit().unwrap();
}

/// Another program has migrated the file to a later version, while a connection was open.
#[tokio::test]
async fn tables_of_another_version_are_not_written() {
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
