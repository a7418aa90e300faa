//! The rules of an event.

use intercom_sandbox::Sandbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{event, finish, friendly, post_event, post_text, request};

#[tokio::test]
async fn a_body_must_be_one_json_object() {
    let sandbox = friendly().await;
    let deep = "[".repeat(100_000);
    for body in ["", "{", "nonsense", "[]", "null", "\"text\"", "{} {}", "{'a':1}", deep.as_str()] {
        let answered = post_text(&sandbox, body).await;
        assert_eq!(answered.status, 400);
        assert_eq!(answered.errors(), ["bad_request"]);
    }
}

#[tokio::test]
async fn the_event_name_must_be_a_string() {
    let sandbox = friendly().await;
    for (name, code) in [
        (None, "parameter_not_found event_name"),
        (Some(json!("")), "parameter_not_found event_name"),
        (Some(json!(" \t")), "parameter_not_found event_name"),
        (Some(json!(7)), "parameter_invalid event_name"),
        (Some(Value::Null), "parameter_invalid event_name"),
    ] {
        let answered = post_event(&sandbox, &with("event_name", name)).await;
        assert_eq!(answered.status, 400);
        assert_eq!(answered.errors(), [code]);
    }
}

#[tokio::test]
async fn created_at_must_be_an_integer() {
    let sandbox = friendly().await;
    for (created_at, code) in [
        (None, "parameter_not_found created_at"),
        (Some(json!("1700000000")), "parameter_invalid created_at"),
        (Some(json!(1_700_000_000.0)), "parameter_invalid created_at"),
        (Some(json!(1_700_000_000.5)), "parameter_invalid created_at"),
        (Some(Value::Null), "parameter_invalid created_at"),
    ] {
        let answered = post_event(&sandbox, &with("created_at", created_at)).await;
        assert_eq!(answered.status, 400);
        assert_eq!(answered.errors(), [code]);
    }
}

#[tokio::test]
async fn created_at_is_in_seconds() {
    let sandbox = friendly().await;
    for milliseconds in [json!(1_700_000_000_000_i64), json!(100_000_000_000_i64), json!(u64::MAX)]
    {
        let answered = post_event(&sandbox, &with("created_at", Some(milliseconds))).await;
        assert_eq!(answered.status, 422);
        assert_eq!(answered.errors(), ["parameter_invalid created_at"]);
    }
    for seconds in [-1, 0, 1_700_000_000, 99_999_999_999_i64] {
        let answered = post_event(&sandbox, &with("created_at", Some(json!(seconds)))).await;
        assert_eq!(answered.status, 202, "{seconds}");
    }
    assert_eq!(sandbox.events()[3].created_at(), 99_999_999_999);
}

#[tokio::test]
async fn an_event_needs_a_contact() {
    let sandbox = friendly().await;
    let answered = post_event(&sandbox, &with("user_id", None)).await;
    assert_eq!(answered.status, 400);
    assert_eq!(answered.errors(), ["parameter_not_found user_id"]);

    for key in ["id", "user_id", "email"] {
        for (value, code) in [
            (json!(" "), "parameter_not_found"),
            (json!(42), "parameter_invalid"),
            (Value::Null, "parameter_invalid"),
        ] {
            let mut body = with("user_id", None);
            body[key] = value;
            let answered = post_event(&sandbox, &body).await;
            assert_eq!(answered.status, 400);
            assert_eq!(answered.errors(), [format!("{code} {key}")]);
        }
    }
}

#[tokio::test]
async fn a_valid_identifier_does_not_excuse_an_invalid_one() {
    let sandbox = friendly().await;
    let answered = post_event(&sandbox, &with("email", Some(json!("")))).await;
    assert_eq!(answered.status, 400);
    assert_eq!(answered.errors(), ["parameter_not_found email"]);
}

#[tokio::test]
async fn metadata_must_be_an_object() {
    let sandbox = friendly().await;
    for metadata in [json!([]), json!("text"), json!(1), Value::Null] {
        let answered = post_event(&sandbox, &with("metadata", Some(metadata))).await;
        assert_eq!(answered.status, 400);
        assert_eq!(answered.errors(), ["parameter_invalid metadata"]);
    }
    assert_eq!(post_event(&sandbox, &with("metadata", Some(json!({})))).await.status, 202);
}

#[tokio::test]
async fn a_repeated_member_is_refused() {
    let sandbox = friendly().await;
    let body = r#"{"event_name":"a","event_name":"b","created_at":1,"user_id":"42"}"#;
    let answered = post_text(&sandbox, body).await;
    assert_eq!(answered.status, 400);
    assert_eq!(answered.errors(), ["parameter_invalid event_name"]);
}

#[tokio::test]
async fn all_mistakes_are_reported_and_malformed_decides_the_status() {
    let sandbox = friendly().await;
    let body = json!({"created_at": "now", "metadata": {"type": 1, "a.b": null}});
    let answered = post_event(&sandbox, &body).await;
    assert_eq!(answered.status, 400);
    let mut errors = answered.errors();
    errors.sort_unstable();
    assert_eq!(
        errors,
        [
            "parameter_invalid created_at",
            "parameter_invalid metadata.a.b",
            "parameter_invalid metadata.a.b",
            "parameter_invalid metadata.type",
            "parameter_not_found event_name",
            "parameter_not_found user_id",
        ]
    );
}

#[tokio::test]
async fn unknown_members_are_ignored_and_kept_in_the_body() {
    let sandbox = friendly().await;
    let body = r#"{"event_name":"a","created_at":1,"user_id":"42","x":{"y":[null]},"x":1.50}"#;
    assert_eq!(post_text(&sandbox, body).await.status, 202);
    assert_eq!(sandbox.events()[0].body(), body.as_bytes());
}

#[tokio::test]
async fn an_event_reads_as_sent() {
    let sandbox = friendly().await;
    let body = json!({
        "event_name": "Product Viewed",
        "created_at": 1_700_000_000,
        "id": "5ba682d23d7cf92bef87bfd4",
        "user_id": "42",
        "email": "ada@example.com",
    });
    assert_eq!(post_event(&sandbox, &body).await.status, 202);
    let events = sandbox.events();
    let event = &events[0];
    assert_eq!(event.name(), "Product Viewed");
    assert_eq!(event.created_at(), 1_700_000_000);
    assert_eq!(event.contact_id(), Some("5ba682d23d7cf92bef87bfd4"));
    assert_eq!(event.user_id(), Some("42"));
    assert_eq!(event.email(), Some("ada@example.com"));
    assert!(event.metadata().is_empty());
    assert!(event.dropped_keys().is_empty());
}

#[tokio::test]
async fn names_are_stored_without_dots_and_dollars() {
    let sandbox = friendly().await;
    post_event(&sandbox, &event("plan.updated$now")).await;
    assert_eq!(sandbox.events()[0].name(), "plan-updated-now");
}

#[tokio::test]
async fn active_names_are_limited() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .active_event_names(2)
        .start()
        .await
        .expect("a free port");
    // The third to the fifth repeat the first two: case, dots and dollars do not matter.
    for name in ["plan-updated", "invited", "Plan.Updated", "plan$updated", "INVITED"] {
        assert_eq!(post_event(&sandbox, &event(name)).await.status, 202, "{name}");
    }
    let answered = post_event(&sandbox, &event("one-more")).await;
    assert_eq!(answered.status, 422);
    assert_eq!(
        answered.text,
        r#"{"errors":[{"code":"422","message":"Cannot have more than 2 active event names"}]}"#
    );
    assert!(answered.header("x-request-id").is_some());
    assert_eq!(post_event(&sandbox, &event("invited")).await.status, 202);
}

#[tokio::test]
async fn the_documented_limit_is_120_names() {
    let sandbox = friendly().await;
    for number in 1..=120 {
        assert_eq!(post_event(&sandbox, &event(&format!("event-{number}"))).await.status, 202);
    }
    let answered = post_event(&sandbox, &event("event-121")).await;
    assert_eq!(
        answered.text,
        r#"{"errors":[{"code":"422","message":"Cannot have more than 120 active event names"}]}"#
    );
}

#[tokio::test]
async fn a_refused_event_makes_no_name_active() {
    let sandbox = Sandbox::builder().active_event_names(1).start().await.unwrap();
    assert_eq!(post_event(&sandbox, &event("first")).await.status, 404);
    sandbox.add_contact(intercom_sandbox::SeedContact::user_id("42"));
    assert_eq!(post_event(&sandbox, &event("second")).await.status, 202);
}

/// Returns a valid event with this member set or removed.
fn with(key: &str, value: Option<Value>) -> Value {
    let mut body = event("project_created");
    let members = body.as_object_mut().expect("an event is an object");
    match value {
        Some(value) => members.insert(key.to_owned(), value),
        None => members.remove(key),
    };
    body
}

#[tokio::test]
async fn invalid_utf_8_is_not_json() {
    let sandbox = friendly().await;
    let body = event("a").to_string().replace('}', ", \"unknown\": \"?\"}");
    let body: Vec<u8> = body.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    let answered = finish(request(&sandbox, Method::POST, "/events").body(body)).await;
    assert_eq!(answered.status, 400);
    assert!(
        answered.message().starts_with("The body is not JSON: invalid utf-8"),
        "{}",
        answered.text
    );
}
