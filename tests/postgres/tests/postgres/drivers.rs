//! The helpers for accepting in the application's transaction.

use intercom_core::{Contact, DataEvent, IntercomEvent, Timestamp};
use intercom_delivery::outbox::{AcceptError, EventId, Outbox};
use intercom_postgres::{sqlx, tokio_postgres};

use super::support::{Engine, Place, event};

/// Texts that need escaping.
const TEXT: &str = "\"ä\\ß\"\0\r\n🦀";

#[derive(IntercomEvent)]
#[event(name = "odd", also = odder)]
struct Odd<'a> {
    #[event(sensitive)]
    text: &'a str,
}

#[derive(IntercomEvent)]
#[event(name = "odder")]
struct Odder {
    #[event(sensitive)]
    text: String,
    letters: usize,
}

fn odder(odd: &Odd<'_>) -> Option<Odder> {
    Some(Odder { text: odd.text.to_owned(), letters: odd.text.len() })
}

/// An event from which another one is derived.
fn odd() -> DataEvent {
    let (contact, second) = (Contact::user_id("O'Hara"), Timestamp::from_unix_seconds(5));
    let odd = DataEvent::new(&Odd { text: TEXT }, contact, second).unwrap();
    assert_eq!(odd.derived().len(), 1);
    odd
}

/// The events that each test accepts: three with the derived one.
fn accepted() -> [DataEvent; 2] {
    [odd(), event("signed_up", 1)]
}

/// Waits for the delivery of the events. Each must precede the one derived from it.
async fn expect_delivered(place: &Place) {
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let leases = engine.lease(10).await;
    let found: Vec<_> = leases.iter().map(|lease| lease.event.clone()).collect();
    let (odd, derived) = odd().split_derived();
    let expected = [vec![odd], derived, vec![event("signed_up", 1)]].concat();
    assert_eq!(found, expected);
    let keys = |event: &DataEvent| event.sensitive_keys().map(str::to_owned).collect::<Vec<_>>();
    let keys: Vec<_> = found.iter().map(keys).collect();
    assert_eq!(keys, [vec!["text"], vec!["text"], vec![]]);
    assert_eq!(outbox.counts().await.unwrap().accepted, 3);
}

/// A flush of this process must wait for the first event.
async fn expect_own(place: &Place) {
    let counts = place.open().await.counts().await.unwrap();
    let first = place.number("SELECT min(id) FROM {s}.events").await.unsigned_abs();
    assert_eq!(counts.oldest_own.map(EventId::get), Some(first));
}

#[tokio::test]
async fn tokio_postgres_accepts_with_the_change_or_not_at_all() {
    let place = Place::new();
    place.open().await;
    let mut client = place.psql().await;
    for commit in [false, true] {
        let transaction = client.transaction().await.unwrap();
        let events = accepted();
        tokio_postgres::accept_in_schema(&transaction, &place.schema, &events).await.unwrap();
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
    }
    expect_own(&place).await;
    expect_delivered(&place).await;
}

/// Sent together with the last change, the event exists if and only if the change does, too.
#[tokio::test]
async fn tokio_postgres_accepts_together_with_a_change() {
    let place = Place::new();
    let outbox = place.open().await;
    place.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY)").await;
    let mut client = place.psql().await;
    let insert = client.prepare(&place.sql("INSERT INTO {s}.orders VALUES (7)")).await.unwrap();
    for is_new in [true, false] {
        let events = accepted();
        let transaction = client.transaction().await.unwrap();
        let accept = tokio_postgres::accept_in_schema(&transaction, &place.schema, &events);
        let (change, event) = tokio::join!(transaction.execute(&insert, &[]), accept);
        assert_eq!((change.is_ok(), event.is_ok()), (is_new, is_new));
        match is_new {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
        assert_eq!(outbox.counts().await.unwrap().accepted, 3);
    }
}

#[tokio::test]
async fn plain_sql_accepts_what_is_derived_as_any_other_body() {
    let place = Place::new();
    place.open().await;
    let mut client = place.psql().await;
    let (odd, derived) = odd().split_derived();
    let events = [vec![odd], derived, vec![event("signed_up", 1)]].concat();
    let body = |event: &DataEvent| String::from_utf8(event.body().to_vec()).unwrap();
    let bodies: Vec<_> = events.iter().map(body).collect();
    let keys = [Some(r#"["text"]"#), Some(r#"["text"]"#), None];
    let accept = "SELECT {s}.accept($1::text[]::json[], sensitive => $2::text[]::json[])";
    let transaction = client.transaction().await.unwrap();
    transaction.query(&place.sql(accept), &[&bodies, &&keys[..]]).await.unwrap();
    transaction.commit().await.unwrap();
    expect_delivered(&place).await;
}

macro_rules! sqlx_accepts {
    ($name:ident, $sqlx:ident) => {
        #[tokio::test]
        async fn $name() {
            use $sqlx::Connection;
            let place = Place::new();
            place.builder().capacity(3).connect().await.unwrap();
            let mut conn = $sqlx::PgConnection::connect(&place.url).await.unwrap();
            let accepted = accepted();
            for commit in [false, true] {
                let mut tx = conn.begin().await.unwrap();
                sqlx::accept_in_schema(&mut *tx, &place.schema, &accepted).await.unwrap();
                match commit {
                    true => tx.commit().await.unwrap(),
                    false => tx.rollback().await.unwrap(),
                }
            }
            let refused = sqlx::accept_in_schema(&mut conn, &place.schema, &accepted[..1]).await;
            assert!(matches!(refused, Err(AcceptError::Full)), "{refused:?}");
            let nowhere = sqlx::accept_in_schema(&mut conn, "nowhere", &accepted[..1]).await;
            let Err(AcceptError::Storage(error)) = nowhere else { panic!("{nowhere:?}") };
            assert!(error.to_string().contains("connect a `PostgresOutbox`"), "{error}");
            expect_own(&place).await;
            expect_delivered(&place).await;
        }
    };
}

sqlx_accepts!(sqlx_0_8_accepts_with_the_change_or_not_at_all, sqlx_0_8);
sqlx_accepts!(sqlx_0_9_accepts_with_the_change_or_not_at_all, sqlx_0_9);
