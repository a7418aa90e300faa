//! Creating and migrating the tables, by the outbox or by hand.

use intercom_delivery::outbox::{EventId, Operate, Outbox, Selection};
use intercom_postgres::{ConnectError, SCHEMA_VERSION, migrations};

use super::support::{Engine, Place, accept, event, events};

#[tokio::test]
async fn migrations_can_be_run_by_hand_and_are_checked() {
    let place = Place::new();
    let closed = place.builder().migrate(false);
    let error = closed.connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::OlderSchema { found: 0 }), "{error:?}");
    place.psql().await.batch_execute(&migrations(&place.schema, 0).unwrap()).await.unwrap();
    let outbox = place.builder().migrate(false).connect().await.unwrap();
    accept(&outbox, &events(1)).await;
    let later = SCHEMA_VERSION + 1;
    place.run(&format!("INSERT INTO {{s}}.migrations (version) VALUES ({later})")).await;
    let error = place.builder().connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::NewerSchema { found } if found == later), "{error:?}");
}

/// All of them try to create the tables, and one does.
#[tokio::test]
async fn machines_that_start_at_once_migrate_once() {
    let place = Place::new();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let place = place.clone();
            tokio::spawn(async move { place.builder().connect().await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(
        place.number("SELECT max(version)::bigint FROM {s}.migrations").await,
        i64::from(SCHEMA_VERSION)
    );
    assert_eq!(
        place.number("SELECT count(*) FROM {s}.migrations").await,
        i64::from(SCHEMA_VERSION)
    );
}

/// Creates the tables of version 1, with a pending event, a dead letter, and a grant by an
/// operator.
async fn version_1(place: &Place) {
    let step = include_str!("../../../../intercom-postgres/src/schema/v1.sql");
    place.run("CREATE SCHEMA {s}; CREATE TABLE {s}.migrations (version integer PRIMARY KEY)").await;
    place.run("ALTER TABLE {s}.migrations ADD applied_at timestamptz NOT NULL DEFAULT now()").await;
    place.run(&step.replace("{schema}", "{s}")).await;
    place.run("INSERT INTO {s}.migrations (version) VALUES (1)").await;
    let body = |event| String::from_utf8(event_body(event)).unwrap();
    let bodies = [body(event("signed_up", 0)), body(event("gone", 1))];
    let client = place.psql().await;
    let call = place.sql("SELECT {s}.accept($1::text[]::json[])");
    client.query(&call, &[&bodies.as_slice()]).await.unwrap();
    place.run("SELECT {s}.bury(ARRAY[2], '{}', 0)").await;
    place
        .run(
            "CREATE ROLE {s}_person; GRANT USAGE ON SCHEMA {s} TO {s}_person; GRANT SELECT ON \
        {s}.pending_events TO {s}_person",
        )
        .await;
}

fn event_body(event: intercom_core::DataEvent) -> Vec<u8> {
    event.body().to_vec()
}

#[tokio::test]
async fn version_1_is_migrated_with_what_it_holds() {
    let (by_itself, by_hand) = (Place::new(), Place::new());
    version_1(&by_itself).await;
    version_1(&by_hand).await;
    let error = by_hand.builder().migrate(false).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::OlderSchema { found: 1 }), "{error:?}");
    let steps = migrations(&by_hand.schema, 1).unwrap();
    by_hand.psql().await.batch_execute(&steps).await.unwrap();
    for (place, migrate) in [(by_itself, true), (by_hand, false)] {
        let outbox = place.builder().migrate(migrate).connect().await.unwrap();
        let letters = outbox.dead_letters(None, 9).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].id, &letters[0].event), (EventId::new(2), &event("gone", 1)));
        assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 1);
        // A program of the previous version accepts in its transactions.
        let body = r#"{"event_name":"a","created_at":1,"user_id":"1"}"#;
        place.run(&format!("SELECT {{s}}.accept(ARRAY['{body}'::json], 5)")).await;
        let engine = Engine::begin(&outbox).await;
        assert_eq!(engine.all_ids().await, [1, 2, 3]);
        let seen = place.sql("SET ROLE {s}_person; SELECT body FROM {s}.pending_events");
        place.psql().await.batch_execute(&seen).await.unwrap();
        let counts = outbox.counts().await.unwrap();
        assert_eq!((counts.accepted, counts.pending), (3, 3));
    }
}
