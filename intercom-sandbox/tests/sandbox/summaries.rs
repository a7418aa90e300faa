//! Summaries of events: sent, and read back.

use intercom_sandbox::{ManualClock, Sandbox, SeedContact};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answered, finish, post_event, request};

const NOON: u64 = 1_700_000_000;

async fn start() -> Sandbox {
    Sandbox::builder()
        .contact(SeedContact::user_id("42").with_email("ada@example.com").with_contact_id("c1"))
        .contact(SeedContact::user_id("43"))
        .clock(ManualClock::at_unix_seconds(NOON))
        .active_event_names(4)
        .start()
        .await
        .expect("a free port")
}

async fn post_summaries(sandbox: &Sandbox, body: &Value) -> Answered {
    finish(request(sandbox, Method::POST, "/events/summaries").body(body.to_string())).await
}

async fn summary(sandbox: &Sandbox, query: &str) -> Value {
    let path = format!("/events?type=user&summary=true&{query}");
    let answered = finish(request(sandbox, Method::GET, &path)).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    answered.json()
}

#[tokio::test]
async fn events_are_counted_by_name_with_their_first_and_last_time() {
    let sandbox = start().await;
    for (name, created_at) in [
        ("invited-friend", NOON - 100),
        ("placed-order", NOON - 7),
        ("Invited-Friend", NOON - 50),
        // Too old for the list, and still counted.
        ("invited-friend", NOON - 200 * 24 * 60 * 60),
    ] {
        let body = json!({"event_name": name, "created_at": created_at, "user_id": "42"});
        assert_eq!(post_event(&sandbox, &body).await.status, 202);
    }
    let expected = json!({
        "type": "event.summary",
        "email": "ada@example.com",
        "intercom_user_id": "c1",
        "user_id": "42",
        "events": [
            {
                "name": "invited-friend",
                "first": "2023-04-28T22:13:20.000Z",
                "last": "2023-11-14T22:12:30.000Z",
                "count": 3,
                "description": null,
            },
            {
                "name": "placed-order",
                "first": "2023-11-14T22:13:13.000Z",
                "last": "2023-11-14T22:13:13.000Z",
                "count": 1,
                "description": null,
            },
        ],
    });
    assert_eq!(summary(&sandbox, "user_id=42").await, expected);
    assert_eq!(summary(&sandbox, "email=ada%40example.com").await, expected);
    assert_eq!(summary(&sandbox, "user_id=43").await["events"], json!([]));
}

#[tokio::test]
async fn summaries_are_taken_as_an_object_and_as_an_array() {
    let sandbox = start().await;
    let one = json!({"event_name": "a", "count": 3, "first": 1_000, "last": 2_000});
    let answered =
        post_summaries(&sandbox, &json!({"user_id": "42", "event_summaries": one})).await;
    assert_eq!((answered.status, answered.text.as_str()), (200, ""));

    let more =
        json!([{"event_name": "b", "count": 1, "first": 5}, {"event_name": "c", "count": 2}]);
    let answered =
        post_summaries(&sandbox, &json!({"user_id": "42", "event_summaries": more})).await;
    assert_eq!(answered.status, 200);

    let summary = summary(&sandbox, "user_id=42").await;
    let told: Vec<_> = summary["events"]
        .as_array()
        .expect("events is an array")
        .iter()
        .map(|event| (event["name"].as_str(), event["count"].as_u64(), event["last"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Some("a"), Some(3), Some("1970-01-01T00:33:20.000Z")),
            (Some("b"), Some(1), Some("1970-01-01T00:00:05.000Z")),
            (Some("c"), Some(2), Some("2023-11-14T22:13:20.000Z")),
        ]
    );
}

#[tokio::test]
async fn a_summary_adds_to_the_events_and_replaces_an_earlier_one() {
    let sandbox = start().await;
    let body = json!({"event_name": "a", "created_at": NOON, "user_id": "42"});
    assert_eq!(post_event(&sandbox, &body).await.status, 202);
    for count in [9, 4] {
        let one = json!({"event_name": "A", "count": count, "first": 1_000, "last": 2_000});
        let body = json!({"user_id": "42", "event_summaries": one});
        assert_eq!(post_summaries(&sandbox, &body).await.status, 200);
    }
    let summary = summary(&sandbox, "user_id=42").await;
    assert_eq!(
        summary["events"],
        json!([{
            "name": "a",
            "first": "1970-01-01T00:16:40.000Z",
            "last": "2023-11-14T22:13:20.000Z",
            "count": 5,
            "description": null,
        }])
    );
    // Summaries are not events: no list has them.
    assert_eq!(sandbox.event_count(), 1);
}

#[tokio::test]
async fn invalid_summaries_are_refused() {
    let sandbox = start().await;
    let good = json!({"event_name": "a", "count": 1});
    for (body, status, errors) in [
        (
            json!({}),
            400,
            vec!["parameter_not_found user_id", "parameter_not_found event_summaries"],
        ),
        (json!({"event_summaries": good}), 400, vec!["parameter_not_found user_id"]),
        (json!({"user_id": "42"}), 400, vec!["parameter_not_found event_summaries"]),
        (
            json!({"user_id": "42", "event_summaries": "a"}),
            400,
            vec!["parameter_invalid event_summaries"],
        ),
        (
            json!({"user_id": "42", "event_summaries": [7]}),
            400,
            vec!["parameter_invalid event_summaries"],
        ),
        (
            json!({"user_id": "42", "event_summaries": {}}),
            400,
            vec!["parameter_not_found event_name", "parameter_not_found count"],
        ),
        (
            json!({"user_id": "42", "event_summaries": {"event_name": "a", "count": 0}}),
            400,
            vec!["parameter_invalid count"],
        ),
        (
            json!({"user_id": "42", "event_summaries":
                {"event_name": "a", "count": 1, "first": "2014-01-16T23:12:21Z"}}),
            400,
            vec!["parameter_invalid first"],
        ),
        (
            json!({"user_id": "42", "event_summaries":
                {"event_name": "a", "count": 1, "first": 2, "last": 1}}),
            422,
            vec!["parameter_invalid first"],
        ),
        (json!({"user_id": "7", "event_summaries": good}), 404, vec!["not_found"]),
    ] {
        let answered = post_summaries(&sandbox, &body).await;
        assert_eq!(answered.status, status, "{body}");
        assert_eq!(answered.errors(), errors, "{body}");
    }
    assert_eq!(summary(&sandbox, "user_id=42").await["events"], json!([]));
}

#[tokio::test]
async fn the_name_of_a_summary_becomes_active() {
    let sandbox = start().await;
    for name in ["a", "b", "c", "d"] {
        let one = json!({"event_name": name, "count": 1});
        let body = json!({"user_id": "42", "event_summaries": one});
        assert_eq!(post_summaries(&sandbox, &body).await.status, 200);
    }
    let body = json!({"event_name": "e", "created_at": NOON, "user_id": "42"});
    assert_eq!(post_event(&sandbox, &body).await.status, 422);
}

#[tokio::test]
async fn clearing_forgets_summaries() {
    let sandbox = start().await;
    let body = json!({"user_id": "42", "event_summaries": {"event_name": "a", "count": 1}});
    assert_eq!(post_summaries(&sandbox, &body).await.status, 200);
    sandbox.clear();
    assert_eq!(summary(&sandbox, "user_id=42").await["events"], json!([]));
}
