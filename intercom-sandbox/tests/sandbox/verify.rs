//! Verification over HTTP that the sandbox accepted exactly these events.

use std::time::Duration;

use intercom_sandbox::Sandbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::{admin, refused};
use crate::support::{event, finish, friendly, post_event};

async fn verify(sandbox: &Sandbox, body: Value) -> (u16, Value) {
    let answered = finish(admin(sandbox, Method::POST, "/verify").body(body.to_string())).await;
    (answered.status, answered.json())
}

fn of(name: &str, user_id: &str, metadata: Value) -> Value {
    let mut body = event(name);
    body["user_id"] = user_id.into();
    body["metadata"] = metadata;
    body
}

#[tokio::test]
async fn exactly_these_events_are_verified() {
    let sandbox = friendly().await;
    assert_eq!(verify(&sandbox, json!({"events": []})).await.0, 200);
    post_event(&sandbox, &of("Plan.Updated", "42", json!({"plan": "pro", "seats": 3}))).await;
    post_event(&sandbox, &of("signed_up", "43", json!({}))).await;
    for (events, status) in [
        (json!([{"name": "plan-updated"}, {"name": "signed_up"}]), 200),
        // By the name as sent, by the name as filed, and in any order.
        (json!([{"name": "signed_up", "user_id": "43"}, {"name": "plan.updated"}]), 200),
        (
            json!([{"name": "plan-updated", "metadata": {"PLAN": "pro"}}, {"name": "signed_up"}]),
            200,
        ),
        (
            json!([{"name": "plan-updated", "metadata": {"plan": "free"}}, {"name": "signed_up"}]),
            409,
        ),
        (json!([{"name": "plan-updated", "created_at": 1}, {"name": "signed_up"}]), 409),
        (json!([{"name": "plan-updated"}, {"name": "signed_up", "email": "a@example.com"}]), 409),
        (json!([{"name": "signed_up"}, {"name": "signed_up"}]), 409),
        (json!([{"name": "signed_up"}]), 409),
        (json!([]), 409),
    ] {
        let (answered, told) = verify(&sandbox, json!({"events": events})).await;
        assert_eq!(answered, status, "{events}: {told}");
        assert_eq!(told["verified"], status == 200, "{events}");
    }
    let (_, told) =
        verify(&sandbox, json!({"events": [{"name": "x"}, {"name": "signed_up"}]})).await;
    assert_eq!(told["missing"], json!([0]));
    assert_eq!(told["others"], json!([{"number": 1, "name": "Plan-Updated"}]));
    let error = "1 of the events was not accepted in time, and 1 other event was accepted";
    assert_eq!(told["error"], error);

    let wanted = json!({"events": [{"name": "signed_up"}], "others": true});
    assert_eq!(verify(&sandbox, wanted).await.0, 200);
    let wanted = json!({"events": [{"name": "signed_up"}], "after": 1});
    assert_eq!(verify(&sandbox, wanted).await.0, 200);
}

/// A wide expectation does not take the only event that fits a narrow one.
#[tokio::test]
async fn each_expectation_needs_an_event_of_its_own() {
    let sandbox = friendly().await;
    for user in ["1", "2", "3"] {
        post_event(&sandbox, &of("a", user, json!({}))).await;
    }
    let wanted = json!([{"name": "a"}, {"name": "a", "user_id": "1"}, {"name": "a"}]);
    assert_eq!(verify(&sandbox, json!({"events": wanted})).await.0, 200);
    let wanted = json!([{"name": "a"}, {"name": "a", "user_id": "4"}, {"name": "a"}]);
    assert_eq!(verify(&sandbox, json!({"events": wanted})).await.1["missing"], json!([1]));
}

#[tokio::test]
async fn later_events_are_awaited() {
    let sandbox = friendly().await;
    let wanted = json!({"events": [{"name": "a"}, {"name": "b"}], "within": 60});
    let verified = async { verify(&sandbox, wanted).await };
    let sent = async {
        post_event(&sandbox, &event("a")).await;
        post_event(&sandbox, &event("b")).await;
    };
    let (verified, ()) = tokio::join!(verified, sent);
    assert_eq!(verified, (200, json!({"verified": true, "events": 2})));
    // An unexpected event ends the wait at once.
    let wanted = json!({"events": [{"name": "a"}], "within": 60});
    let verified = tokio::time::timeout(Duration::from_secs(30), verify(&sandbox, wanted)).await;
    assert_eq!(verified.expect("the answer comes at once").0, 409);
}

#[tokio::test]
async fn an_invalid_verification_is_refused() {
    let sandbox = friendly().await;
    for (body, told) in [
        (json!({}), "missing field `events`"),
        (json!({"events": [{}]}), "missing field `name`"),
        (json!({"events": [], "within": -1}), "from 0 to 300"),
        (json!({"events": [], "within": 301}), "from 0 to 300"),
        (json!({"events": [{"name": "a", "metadate": {}}]}), "unknown field `metadate`"),
    ] {
        let request = admin(&sandbox, Method::POST, "/verify").body(body.to_string());
        let error = refused(request, 400).await;
        assert!(error.contains(told), "{body}: {error}");
    }
}
