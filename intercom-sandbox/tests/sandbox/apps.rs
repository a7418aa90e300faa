//! Several apps in one workspace: a budget for each, and a shared one.

use std::time::Duration;

use intercom_sandbox::{ManualClock, Sandbox};
use serde_json::json;

use crate::support::{Answered, client, finish};

const NOON: u64 = 1_700_000_000;

/// Sends `GET /me` with this token.
async fn me(sandbox: &Sandbox, token: &str) -> Answered {
    let me = client().get(format!("{}/me", sandbox.url())).bearer_auth(token);
    finish(me.header("Accept", "application/json")).await
}

fn remaining(answered: &Answered) -> Option<&str> {
    answered.header("x-ratelimit-remaining")
}

#[tokio::test]
async fn every_app_has_a_budget_of_its_own() {
    let sandbox = Sandbox::builder()
        .token("one")
        .another_app("two")
        .another_app("three")
        .rate_limit(2)
        .clock(ManualClock::at_unix_seconds(NOON))
        .start()
        .await
        .unwrap();
    for token in ["one", "two", "three"] {
        let answered = me(&sandbox, token).await;
        assert_eq!((answered.status, remaining(&answered)), (200, Some("1")), "{token}");
    }
    assert_eq!(me(&sandbox, "two").await.status, 200);
    assert_eq!(me(&sandbox, "two").await.status, 429);
    assert_eq!(me(&sandbox, "three").await.status, 200);
    assert_eq!(me(&sandbox, "four").await.status, 401);
}

#[tokio::test]
async fn over_the_workspace_limit_an_app_is_refused_with_a_budget_left() {
    let clock = ManualClock::at_unix_seconds(NOON);
    let sandbox = Sandbox::builder()
        .token("one")
        .another_app("two")
        .rate_limit(5)
        .workspace_rate_limit(3)
        .clock(clock.clone())
        .start()
        .await
        .unwrap();
    for token in ["one", "one", "two"] {
        assert_eq!(me(&sandbox, token).await.status, 200);
    }
    let refused = me(&sandbox, "two").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.errors(), ["rate_limit_exceeded"]);
    // The headers show the app's own budget, in which one request counts.
    assert_eq!(refused.header("x-ratelimit-limit"), Some("5"));
    assert_eq!(remaining(&refused), Some("4"));
    let again = me(&sandbox, "two").await;
    assert_eq!((again.status, remaining(&again)), (429, Some("4")));

    clock.advance(Duration::from_secs(10));
    let answered = me(&sandbox, "two").await;
    assert_eq!((answered.status, remaining(&answered)), (200, Some("4")));
}

#[tokio::test]
async fn the_apps_share_contacts_events_and_duplicates() {
    let sandbox = Sandbox::builder()
        .token("one")
        .another_app("two")
        .know_everybody(true)
        .start()
        .await
        .unwrap();
    for token in ["one", "two"] {
        let event = json!({"event_name": "a", "created_at": 1, "user_id": "42"});
        let request = client()
            .post(format!("{}/events", sandbox.url()))
            .bearer_auth(token)
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .body(event.to_string());
        assert_eq!(finish(request).await.status, 202);
    }
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 1));
    let [one, two] = [me(&sandbox, "one").await.json(), me(&sandbox, "two").await.json()];
    assert_eq!(one["app"]["id_code"], two["app"]["id_code"]);
}

#[tokio::test]
async fn a_higher_app_limit_raises_the_workspace_limit() {
    let sandbox = Sandbox::builder().rate_limit(100_000).start().await.unwrap();
    let token = sandbox.token().to_owned();
    let answered = me(&sandbox, &token).await;
    assert_eq!((answered.status, remaining(&answered)), (200, Some("99999")));
}
