//! The helpers for a transaction of the application's own.

use intercom_core::{DataEvent, DynamicEvent};
use intercom_delivery::outbox::{AcceptError, Outbox};
use intercom_postgres::{sqlx, tokio_postgres};

use super::support::{Engine, Place, event};

/// An event with one that is derived from it, and with texts that need care.
fn odd() -> DataEvent {
    let odd = DynamicEvent::new("odd").unwrap().with("text", "\"ä\\ß\"\0\r\n🦀").unwrap();
    let contact = intercom_core::Contact::user_id("O'Hara");
    DataEvent::new(&odd, contact, intercom_core::Timestamp::from_unix_seconds(5)).unwrap()
}

async fn expect_delivered(place: &Place, expected: &[DataEvent]) {
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let leases = engine.lease(10).await;
    let found: Vec<_> = leases.iter().map(|lease| lease.event.clone()).collect();
    assert_eq!(found, expected);
    // They count as this process's.
    assert_eq!(outbox.counts().await.unwrap().oldest_own, Some(leases[0].id));
}

#[tokio::test]
async fn tokio_postgres_accepts_with_the_change_or_not_at_all() {
    let place = Place::new();
    place.open().await;
    let mut client = place.psql().await;
    let transaction = client.transaction().await.unwrap();
    tokio_postgres::accept_in_schema(&transaction, &place.schema, &[odd()]).await.unwrap();
    transaction.rollback().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let accepted = [odd(), event("signed_up", 1)];
    tokio_postgres::accept_in_schema(&transaction, &place.schema, &accepted).await.unwrap();
    transaction.commit().await.unwrap();
    expect_delivered(&place, &accepted).await;
}

macro_rules! sqlx_accepts {
    ($name:ident, $sqlx:ident) => {
        #[tokio::test]
        async fn $name() {
            use $sqlx::Connection;
            let place = Place::new();
            place.builder().capacity(2).connect().await.unwrap();
            let mut conn = $sqlx::PgConnection::connect(&place.url).await.unwrap();
            let accepted = [odd(), event("signed_up", 1)];
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
            expect_delivered(&place, &accepted).await;
        }
    };
}

sqlx_accepts!(sqlx_0_8_accepts_with_the_change_or_not_at_all, sqlx_0_8);
sqlx_accepts!(sqlx_0_9_accepts_with_the_change_or_not_at_all, sqlx_0_9);
