//! Accepting in the application's transaction.

use intercom_delivery::outbox::{AcceptError, Outbox};
use intercom_postgres::sqlstate;
use tokio_postgres::Client;

use super::support::{Engine, Place, accept, event, events};

/// Calls the function as any program can, and returns the SQLSTATE and the message of its refusal.
async fn call(
    client: &Client,
    place: &Place,
    bodies: &[&str],
) -> Result<Vec<i64>, (String, String)> {
    let accept = place.sql("SELECT {s}.accept($1::text[]::json[])");
    match client.query_one(&accept, &[&bodies]).await {
        Ok(row) => Ok(row.get(0)),
        Err(error) => {
            let db = error.as_db_error().unwrap();
            Err((db.code().code().to_owned(), db.message().to_owned()))
        }
    }
}

const BODY: &str = r#"{"event_name":"order_placed","created_at":1700000000,"user_id":"42"}"#;

#[tokio::test]
async fn an_event_exists_exactly_if_the_change_does() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let client = place.psql().await;
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(call(&client, &place, &[BODY]).await.unwrap(), [1]);
    assert_eq!(outbox.counts().await.unwrap().accepted, 0);
    client.batch_execute("ROLLBACK; BEGIN").await.unwrap();
    // The function keeps spaces and the order of members.
    let foreign = " { \"user_id\" : \"42\",\n\"created_at\": 5, \"event_name\":\"Ä\" } ";
    assert_eq!(call(&client, &place, &[foreign, BODY]).await.unwrap(), [2, 3]);
    client.batch_execute("COMMIT").await.unwrap();
    let leases = engine.lease(10).await;
    assert_eq!(leases.iter().map(|lease| lease.id.get()).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(leases[0].event.body(), foreign);
    assert_eq!(leases[0].event.created_at().unix_seconds(), 5);
    assert_eq!(outbox.counts().await.unwrap().accepted, 2);
}

#[tokio::test]
async fn the_function_takes_finished_events_alone_and_says_what_is_wrong() {
    let place = Place::new();
    let _outbox = place.open().await;
    let client = place.psql().await;
    let cases = [
        ("[]", "body 2 is not a JSON object"),
        ("3", "body 2 is not a JSON object"),
        (r#"{"created_at":1,"user_id":"1"}"#, "body 2 has no text `event_name`"),
        (r#"{"event_name":"","created_at":1,"user_id":"1"}"#, "body 2 has no text `event_name`"),
        (r#"{"event_name":7,"created_at":1,"user_id":"1"}"#, "body 2 has no text `event_name`"),
        (
            r#"{"event_name":"a","user_id":"1"}"#,
            "body 2 has no whole number `created_at` of Unix seconds",
        ),
        (
            r#"{"event_name":"a","created_at":1.5,"user_id":"1"}"#,
            "body 2 has no whole number `created_at` of Unix seconds",
        ),
        (
            r#"{"event_name":"a","created_at":"1","user_id":"1"}"#,
            "body 2 has no whole number `created_at` of Unix seconds",
        ),
        (
            r#"{"event_name":"a","created_at":12345678901234567890,"user_id":"1"}"#,
            "body 2 has no whole number `created_at` of Unix seconds",
        ),
        (
            r#"{"event_name":"a","created_at":1}"#,
            "body 2 names no contact by `user_id`, `email` or `id`",
        ),
        (
            r#"{"event_name":"a","created_at":1,"user_id":7}"#,
            "body 2 has a `user_id`, `email` or `id` that is not a text",
        ),
        (
            r#"{"event_name":"a","created_at":1,"user_id":"7","email":null}"#,
            "body 2 has a `user_id`, `email` or `id` that is not a text",
        ),
        (
            r#"{"event_name":"a","created_at":1,"user_id":"7","metadata":[]}"#,
            "body 2 has `metadata` that is not a JSON object",
        ),
    ];
    for (body, words) in cases {
        let (code, message) = call(&client, &place, &[BODY, body]).await.unwrap_err();
        assert_eq!((code.as_str(), message.as_str()), (sqlstate::INVALID_BODY, words), "{body}");
    }
    let text = |length: usize| {
        format!(r#"{{"event_name":"a","created_at":1,"user_id":"{}"}}"#, "x".repeat(length))
    };
    let largest = text(65_536 - text(0).len());
    assert_eq!(call(&client, &place, &[&largest]).await.unwrap().len(), 1);
    let larger = text(65_537 - text(0).len());
    let (code, message) = call(&client, &place, &[&larger]).await.unwrap_err();
    assert_eq!(
        (code.as_str(), message.as_str()),
        (sqlstate::BODY_TOO_LARGE, "body 1 has more than 64 KiB")
    );
    assert_eq!(call(&client, &place, &[]).await.unwrap(), [0_i64; 0]);
}

#[tokio::test]
async fn an_array_that_is_null_is_refused() {
    let place = Place::new();
    let _outbox = place.open().await;
    let accept = place.sql("SELECT {s}.accept(NULL)");
    let refused = place.psql().await.query_one(&accept, &[]).await.unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!(refused.code().code(), sqlstate::INVALID_BODY);
    assert_eq!(refused.message(), "the array of bodies is NULL");
}

/// The deliverer can read whatever the function accepts.
#[tokio::test]
async fn odd_texts_are_stored_unchanged() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let client = place.psql().await;
    let odd = [
        r#"{"event_name":"a","created_at":1,"user_id":"1","metadata":{"t":"\u0000"}}"#,
        r#"{"event_name":"a","created_at":1,"user_id":"1","metadata":{"t":"\\u0000"}}"#,
        r#"{"event_name":"a","created_at":1,"user_id":"1","metadata":{"t":"\ud83e\udd80\\\u0000"}}"#,
        r#"{"event\u005fname":"a\u00e4","created_at":-1,"user_id":"1"}"#,
        r#"{"event_name":"a","created_at":1,"user_id":"1","metadata":{"n":1e999999}}"#,
        r#"{"created_at":7,"event_name":"first","event_name":"last","created_at":2,"user_id":"1"}"#,
    ];
    let ids = call(&client, &place, &odd).await.unwrap();
    assert_eq!(ids.len(), odd.len());
    let leases = engine.lease(10).await;
    let bodies: Vec<_> = leases.iter().map(|lease| lease.event.body().clone()).collect();
    assert_eq!(bodies, odd);
    let seconds = "SELECT created_at FROM {s}.events ORDER BY id";
    let stored: Vec<i64> = place.rows(seconds).await.iter().map(|row| row.get(0)).collect();
    let read: Vec<_> = leases.iter().map(|lease| lease.event.created_at().unix_seconds()).collect();
    assert_eq!(stored, read);
    // The view shows all of them.
    assert_eq!(place.rows("SELECT event_name FROM {s}.pending_events").await.len(), odd.len());
}

#[tokio::test]
async fn the_function_refuses_events_beyond_the_capacity() {
    let place = Place::new();
    let outbox = place.builder().capacity(3).connect().await.unwrap();
    let client = place.psql().await;
    call(&client, &place, &[BODY, BODY]).await.unwrap();
    let (code, message) = call(&client, &place, &[BODY, BODY]).await.unwrap_err();
    assert_eq!(code, sqlstate::FULL);
    assert_eq!(message, "the outbox is full: it holds 3 events at most");
    let (code, _) = call(&client, &place, &[BODY; 4]).await.unwrap_err();
    assert_eq!(code, sqlstate::EXCEEDS_CAPACITY);
    assert!(matches!(outbox.accept(&events(2)).await, Err(AcceptError::Full)));
    assert!(matches!(outbox.accept(&events(4)).await, Err(AcceptError::ExceedsCapacity)));
    // Ids of rolled-back transactions count as no events.
    for _ in 0..5 {
        client.batch_execute("BEGIN").await.unwrap();
        call(&client, &place, &[BODY]).await.unwrap();
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    accept(&outbox, &events(1)).await;
    assert!(matches!(outbox.accept(&events(1)).await, Err(AcceptError::Full)));
    Engine::begin(&outbox).await.deliver(2).await;
    accept(&outbox, &events(2)).await;
}

/// A full outbox refuses only the calls that do not fit, and no other call in their commit. Three
/// connections accept. So three calls may be the last one that fits, at the same moment.
#[tokio::test]
async fn calls_that_share_a_commit_do_not_share_a_refusal() {
    let place = Place::new();
    let outbox = place.builder().capacity(10).connect().await.unwrap();
    let calls: Vec<_> = (0..16)
        .map(|second| {
            let outbox = outbox.clone();
            tokio::spawn(async move { outbox.accept(&[event("a", second)]).await })
        })
        .collect();
    let mut accepted = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(()) => accepted += 1,
            Err(AcceptError::Full) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!((10..=12).contains(&accepted), "{accepted}");
    assert_eq!(outbox.counts().await.unwrap().pending, accepted);
}

/// The application's user may call the function, and nothing else.
#[tokio::test]
async fn the_right_to_use_the_schema_is_enough_to_accept() {
    let place = Place::new();
    let outbox = place.builder().capacity(5).connect().await.unwrap();
    place.run("CREATE ROLE {s}_app LOGIN; GRANT USAGE ON SCHEMA {s} TO {s}_app").await;
    let client = place.psql().await;
    client.batch_execute(&place.sql("SET ROLE {s}_app")).await.unwrap();
    assert_eq!(call(&client, &place, &[BODY]).await.unwrap(), [1]);
    client.batch_execute(&place.sql("SELECT * FROM {s}.events")).await.unwrap_err();
    assert_eq!(outbox.counts().await.unwrap().accepted, 1);
}

/// The locks of an open transaction block no other `accept`.
#[tokio::test]
async fn accepting_transactions_do_not_wait_for_each_other() {
    let place = Place::new();
    let outbox = place.builder().capacity(100).connect().await.unwrap();
    let open = place.psql().await;
    open.batch_execute("BEGIN").await.unwrap();
    call(&open, &place, &[BODY]).await.unwrap();
    let other = place.psql().await;
    other.batch_execute("SET lock_timeout = 1").await.unwrap();
    call(&other, &place, &[BODY]).await.unwrap();
    accept(&outbox, &events(1)).await;
    let engine = Engine::begin(&outbox).await;
    engine.deliver(10).await;
    open.batch_execute("COMMIT").await.unwrap();
    engine.deliver(10).await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered), (3, 3));
}
