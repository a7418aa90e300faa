//! Sensitive values: sent to Intercom, and shown nowhere else.

use std::time::Duration;

use intercom_core::testing::FailingTransport;
use intercom_core::{Contact, DataEvent, DynamicEvent, ErrorKind, Timestamp};
use intercom_delivery::Delivery;
use intercom_delivery::outbox::{
    Admission, DeadLetterReason, EventId, Operate, Outbox, Selection, Standing,
};
use intercom_postgres::{sqlstate, sqlx, tokio_postgres};
use sqlx_0_9::Connection;

use super::support::{Engine, NOON, Place, accept, bury, event, put_back};

const SECRET: &str = "bernoulli-numbers";

/// An event with a sensitive value beside others, and a sensitive key whose name needs escaping.
fn note(second: i64) -> DataEvent {
    let note = DynamicEvent::new("note_written")
        .and_then(|event| event.with("pages", 3))
        .and_then(|event| event.with_sensitive("note", SECRET))
        .and_then(|event| event.with_sensitive("the_ä-key", SECRET))
        .and_then(|event| event.with("price", serde_json::json!({"amount": 1, "currency": "eur"})))
        .unwrap();
    let contact = Contact::user_id("analytical-1815");
    DataEvent::new(&note, contact, Timestamp::from_unix_seconds(NOON + second)).unwrap()
}

async fn bodies(place: &Place, view: &str) -> Vec<serde_json::Value> {
    let rows = place.rows(&format!("SELECT body::text FROM {{s}}.{view}")).await;
    rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
}

#[tokio::test]
async fn sensitive_keys_stay_with_their_event() {
    let place = Place::new();
    let outbox = place.open().await;
    let mut client = place.psql().await;
    accept(&outbox, &[event("other", 0), note(1)]).await;
    let transaction = client.transaction().await.unwrap();
    let both = [note(2), event("other", 3)];
    tokio_postgres::accept_in_schema(&transaction, &place.schema, &both).await.unwrap();
    transaction.commit().await.unwrap();
    let mut conn = sqlx_0_9::PgConnection::connect(&place.url).await.unwrap();
    sqlx::accept_in_schema(&mut conn, &place.schema, &[note(4)]).await.unwrap();
    let mut conn = sqlx_0_8::Connection::connect(&place.url).await.unwrap();
    let conn: &mut sqlx_0_8::PgConnection = &mut conn;
    sqlx::accept_in_schema(conn, &place.schema, &[note(5)]).await.unwrap();
    let all = [event("other", 0), note(1), note(2), event("other", 3), note(4), note(5)];

    let engine = Engine::begin(&outbox).await;
    let leases = engine.lease(9).await;
    let leased: Vec<_> = leases.iter().map(|lease| lease.event.clone()).collect();
    assert_eq!(leased, all);
    // Admission keeps one event, replaces one by an event with sensitive keys, derives such an
    // event, and replaces one by an event without.
    let replace =
        |id, event, derived| Admission::moved(EventId::new(id), event).with_derived(derived);
    let admissions = [
        replace(1, note(10), vec![note(11), event("derived", 12)]),
        replace(2, event("other", 13), Vec::new()),
        Admission::kept(EventId::new(3), false),
    ];
    outbox.admit(engine.epoch(), &admissions).await.unwrap();
    engine.settle(&leases[..3], put_back(Duration::ZERO)).await;
    engine.settle(&leases[4..5], bury(DeadLetterReason::Rejected)).await;
    outbox.bury(&Selection::One(EventId::new(6))).await.unwrap();
    let dead = outbox.dead_letters(None, 9).await.unwrap();
    let dead: Vec<_> = dead.iter().map(|letter| letter.event.clone()).collect();
    assert_eq!(dead, [note(4), note(5)]);
    outbox.redrive(&Selection::All).await.unwrap();
    drop(engine);
    let engine = Engine::take_over(&place.open().await, Standing::Unknown).await;
    let mut leases = engine.lease_all().await;
    leases.sort_by_key(|lease| lease.id);
    let leased: Vec<_> = leases.iter().map(|lease| lease.event.clone()).collect();
    let (third, derived) = (event("other", 3), event("derived", 12));
    let all = [note(10), event("other", 13), note(2), third, note(4), note(5), note(11), derived];
    assert_eq!(leased, all);
}

/// A sensitive value is in no output for people: errors, status, a tool's output, views. Intercom
/// gets it.
#[tokio::test]
async fn a_sensitive_value_is_in_no_output() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &[note(0), note(1), event("other", 2)]).await;
    let leases = engine.lease(2).await;
    engine.settle(&leases[..1], put_back(Duration::from_secs(900))).await;
    engine.settle(&leases[1..], bury(DeadLetterReason::Rejected)).await;
    let mut said = format!("{leases:?} {outbox:?}");
    drop(engine);

    let refusing = FailingTransport::always(ErrorKind::Rejected);
    let delivery = Delivery::builder(refusing).outbox(place.open().await).start().unwrap();
    delivery.send_all(&[note(3)]).await.unwrap();
    while delivery.ledger().await.unwrap().dead_letters < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    said += &format!("{delivery:?} {:?}", delivery.status());
    let tool = place.builder().inspect().await.unwrap();
    said += &format!("{tool:?}");
    for letter in tool.dead_letters(None, 9).await.unwrap() {
        said += &format!("{letter} {letter:?} {}", letter.event.to_masked_json());
    }
    for pending in tool.pending(None, 9).await.unwrap() {
        said += &format!("{pending} {pending:?} {}", pending.event.to_masked_json());
    }
    let (pending, dead) =
        (bodies(&place, "pending_events").await, bodies(&place, "dead_letters").await);
    assert_eq!((pending.len(), dead.len()), (1, 3));
    for body in [&pending[0], &dead[0]] {
        assert_eq!(*body, note(body["created_at"].as_i64().unwrap() - NOON).to_masked_json());
        said += &body.to_string();
    }
    said += &format!("{pending:?} {dead:?}");
    assert!(said.contains("note_written") && said.contains("[sensitive]"));
    assert!(!said.contains(SECRET), "{said}");
}

/// Programs in any language pass the names beside the bodies.
#[tokio::test]
async fn the_function_takes_the_names_of_sensitive_keys() {
    let place = Place::new();
    let outbox = place.open().await;
    let client = place.psql().await;
    let accept = async |bodies: &[&str], sensitive: &[Option<&str>]| {
        let sql = "SELECT {s}.accept($1::text[]::json[], sensitive => $2::text[]::json[])";
        let called = client.query(&place.sql(sql), &[&bodies, &sensitive]).await;
        called.map(drop).map_err(|error| {
            let error = error.as_db_error().unwrap();
            (error.code().code().to_owned(), error.message().to_owned())
        })
    };
    // PostgreSQL cannot read NUL in a text, and JSON allows a member twice.
    let body = r#"{"event_name":"a","created_at":1,"user_id":"1","metadata":{"n":1,"k":"s3cret","t":"\u0000","k":"s3cret"}}"#;
    let plain = r#"{"event_name":"a","created_at":1,"user_id":"1"}"#;
    let keys = Some(r#"["k","gone"]"#);
    accept(&[body, body, plain, body], &[keys, None, keys, Some("[]")]).await.unwrap();
    let shown = bodies(&place, "pending_events").await;
    let masked = serde_json::json!({"n": 1, "k": "[sensitive]", "t": "?"});
    assert_eq!(shown[0]["metadata"], masked);
    let row = &place.rows("SELECT body::text FROM {s}.pending_events").await[0];
    assert!(!row.get::<_, &str>(0).contains("s3cret"), "{row:?}");
    assert_eq!(shown[1]["metadata"]["k"], "s3cret");
    assert_eq!(shown[2], serde_json::from_str::<serde_json::Value>(plain).unwrap());
    let engine = Engine::begin(&outbox).await;
    let leases = engine.lease(9).await;
    let named: Vec<Vec<&str>> =
        leases.iter().map(|lease| lease.event.sensitive_keys().collect()).collect();
    assert_eq!(named, [vec!["k", "gone"], vec![], vec!["k", "gone"], vec![]]);
    assert_eq!(leases[0].event.body(), body);

    let number = accept(&[plain, plain], &[None]).await.unwrap_err();
    let words = "the length of `bodies` is 2, and that of `sensitive` is 1".to_owned();
    assert_eq!(number, (sqlstate::INVALID_BODY.to_owned(), words));
    for keys in ["{}", "3", "null", "[1]", r#"["a",null]"#, r#"["\u0000"]"#, r#"["\ud800"]"#] {
        let refused = accept(&[plain, plain], &[None, Some(keys)]).await.unwrap_err();
        let words = "`sensitive` 2 is not a JSON array of metadata keys".to_owned();
        assert_eq!(refused, (sqlstate::INVALID_BODY.to_owned(), words), "{keys}");
    }
}
