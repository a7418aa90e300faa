//! `GET /events`: reading a contact's events.

use std::time::Duration;

use intercom_sandbox::{ManualClock, Sandbox, SeedContact};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answered, client, finish, friendly, post_event, post_text, request};

const NOON: u64 = 1_700_000_000;
const DAY: u64 = 24 * 60 * 60;

/// Starts a sandbox at noon, with Ada and Bob.
async fn start() -> (Sandbox, ManualClock) {
    let clock = ManualClock::at_unix_seconds(NOON);
    let ada = SeedContact::user_id("42").with_email("ada+b@example.com").with_contact_id("c1");
    let sandbox = Sandbox::builder()
        .contact(ada)
        .contact(SeedContact::user_id("43"))
        .clock(clock.clone())
        .no_rate_limit()
        .start()
        .await
        .expect("a free port");
    (sandbox, clock)
}

async fn send(sandbox: &Sandbox, user_id: &str, name: &str, created_at: u64) {
    let body = json!({"event_name": name, "created_at": created_at, "user_id": user_id});
    assert_eq!(post_event(sandbox, &body).await.status, 202, "{body}");
}

async fn get(sandbox: &Sandbox, query: &str) -> Answered {
    finish(request(sandbox, Method::GET, &format!("/events?{query}"))).await
}

/// Returns the seconds of a page's events.
fn seconds(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().expect("events is an array");
    events.iter().map(|event| event["created_at"].as_u64().expect("seconds")).collect()
}

/// Follows the pages to the end.
async fn all_pages(sandbox: &Sandbox, query: &str) -> Vec<Value> {
    let mut pages = vec![get(sandbox, query).await.json()];
    while let Some(next) = pages[pages.len() - 1]["pages"]["next"].as_str() {
        let next =
            client().get(next).bearer_auth(sandbox.token()).header("Accept", "application/json");
        let answered = finish(next).await;
        assert_eq!(answered.status, 200, "{}", answered.text);
        pages.push(answered.json());
    }
    pages
}

#[tokio::test]
async fn an_event_is_listed_as_sent_with_its_contact() {
    let (sandbox, _clock) = start().await;
    let body = r#"{"event_name":"Plan.Updated","created_at":1699999999,"email":"ada+b@example.com",
        "metadata":{"z":1,"a":{"amount":1,"currency":"eur"}}}"#;
    assert_eq!(post_text(&sandbox, body).await.status, 202);

    let answered = get(&sandbox, "type=user&user_id=42").await;
    assert_eq!(answered.status, 200);
    let page = answered.json();
    assert_eq!(page["type"], "event.list");
    assert_eq!(page["pages"], json!({}));
    assert_eq!(page["email"], "ada+b@example.com");
    assert_eq!(page["intercom_user_id"], "c1");
    assert_eq!(page["user_id"], "42");
    let event = &page["events"][0];
    assert!(event["id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(event["type"], "event");
    assert_eq!(event["event_name"], "Plan-Updated");
    assert_eq!(event["created_at"], 1_699_999_999);
    assert_eq!(event["user_id"], "42");
    assert_eq!(event["intercom_user_id"], "c1");
    assert_eq!(event["email"], "ada+b@example.com");
    assert_eq!(event["metadata"], json!({"z": 1, "a": {"amount": 1, "currency": "eur"}}));
    // Metadata keeps the order sent.
    assert!(answered.text.contains(r#"{"z":1,"a":"#), "{}", answered.text);
}

#[tokio::test]
async fn any_identifier_finds_only_the_events_of_its_contact() {
    let (sandbox, _clock) = start().await;
    send(&sandbox, "42", "a", NOON).await;
    send(&sandbox, "43", "a", NOON).await;
    for query in ["user_id=42", "intercom_user_id=c1", "email=ada%2Bb%40example.com"] {
        let page = get(&sandbox, &format!("type=user&{query}")).await.json();
        assert_eq!(page["events"].as_array().map(Vec::len), Some(1), "{query}");
        assert_eq!(page["events"][0]["user_id"], "42", "{query}");
    }
}

#[tokio::test]
async fn the_newest_come_first_in_any_order_of_arrival() {
    let (sandbox, _clock) = start().await;
    for back in [5, 1, 3, 2, 4] {
        send(&sandbox, "42", "a", NOON - back).await;
    }
    let page = get(&sandbox, "type=user&user_id=42").await.json();
    assert_eq!(seconds(&page), [NOON - 1, NOON - 2, NOON - 3, NOON - 4, NOON - 5]);
}

#[tokio::test]
async fn pages_are_followed_to_the_end_and_miss_nothing() {
    let (sandbox, _clock) = start().await;
    for back in 0..7 {
        send(&sandbox, "42", "a", NOON - back).await;
    }
    let pages = all_pages(&sandbox, "type=user&email=ada%2Bb%40example.com&per_page=3").await;
    let seen: Vec<_> = pages.iter().map(seconds).collect();
    assert_eq!(
        seen,
        [vec![NOON, NOON - 1, NOON - 2], vec![NOON - 3, NOON - 4, NOON - 5], vec![NOON - 6]]
    );
    let next = pages[0]["pages"]["next"].as_str().expect("there are more");
    assert!(next.starts_with(&format!("{}/events?", sandbox.url())), "{next}");
    let cursor = next.split_once("before=").expect("a cursor").1;
    // The cursor is in milliseconds, as Intercom's is.
    assert_eq!(cursor, format!("{}000", NOON - 2));
}

#[tokio::test]
async fn events_of_one_second_differ_by_their_order() {
    let (sandbox, _clock) = start().await;
    for name in ["a", "b", "c", "d", "e"] {
        send(&sandbox, "42", name, NOON).await;
    }
    let pages = all_pages(&sandbox, "type=user&user_id=42&per_page=2").await;
    let names: Vec<Vec<_>> = pages
        .iter()
        .map(|page| {
            let events = page["events"].as_array().expect("events is an array");
            events.iter().map(|event| event["event_name"].as_str().expect("a name")).collect()
        })
        .collect();
    assert_eq!(names, [vec!["e", "d"], vec!["c", "b"], vec!["a"]]);
}

#[tokio::test]
async fn a_page_has_fifteen_events_by_default() {
    let (sandbox, _clock) = start().await;
    for back in 0..16 {
        send(&sandbox, "42", "a", NOON - back).await;
    }
    let pages = all_pages(&sandbox, "type=user&user_id=42").await;
    let lengths: Vec<_> = pages.iter().map(|page| seconds(page).len()).collect();
    assert_eq!(lengths, [15, 1]);
}

#[tokio::test]
async fn events_older_than_ninety_days_are_not_listed() {
    let (sandbox, clock) = start().await;
    send(&sandbox, "42", "a", NOON - 90 * DAY).await;
    send(&sandbox, "42", "a", NOON - 90 * DAY + 1).await;
    send(&sandbox, "42", "a", NOON).await;
    let page = get(&sandbox, "type=user&user_id=42").await.json();
    assert_eq!(seconds(&page), [NOON, NOON - 90 * DAY + 1]);

    clock.advance(Duration::from_secs(1));
    let page = get(&sandbox, "type=user&user_id=42").await.json();
    assert_eq!(seconds(&page), [NOON]);
}

#[tokio::test]
async fn duplicates_are_not_listed() {
    let (sandbox, _clock) = start().await;
    send(&sandbox, "42", "a", NOON).await;
    send(&sandbox, "42", "A", NOON).await;
    let page = get(&sandbox, "type=user&user_id=42").await.json();
    assert_eq!(seconds(&page).len(), 1);
}

#[tokio::test]
async fn a_contact_without_events_has_an_empty_list() {
    let (sandbox, _clock) = start().await;
    let answered = get(&sandbox, "type=user&user_id=43").await;
    assert_eq!(answered.status, 200);
    let page = answered.json();
    assert_eq!((&page["events"], &page["pages"]), (&json!([]), &json!({})));
}

#[tokio::test]
async fn an_unknown_contact_is_not_found_and_an_ambiguous_one_is_a_conflict() {
    let (sandbox, _clock) = start().await;
    for query in ["user_id=7", "email=nobody%40example.com", "intercom_user_id=42"] {
        let answered = get(&sandbox, &format!("type=user&{query}")).await;
        assert_eq!(answered.status, 404, "{query}");
        assert_eq!(answered.errors(), ["not_found"]);
    }
    for user_id in ["1", "2"] {
        sandbox.add_contact(SeedContact::user_id(user_id).with_email("both@example.com"));
    }
    let answered = get(&sandbox, "type=user&email=both%40example.com").await;
    assert_eq!((answered.status, answered.errors()), (409, vec!["conflict".to_owned()]));
}

#[tokio::test]
async fn with_know_everybody_unknown_contacts_have_events_too() {
    let sandbox = friendly().await;
    for email in ["a@example.com", "b@example.com"] {
        let body = json!({"event_name": "a", "created_at": now(), "email": email});
        assert_eq!(post_event(&sandbox, &body).await.status, 202);
    }
    let page = get(&sandbox, "type=user&email=a%40example.com").await.json();
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["events"][0]["email"], "a@example.com");
    assert_eq!((&page["email"], &page["user_id"]), (&json!("a@example.com"), &Value::Null));
}

#[tokio::test]
async fn an_invalid_query_is_refused() {
    let (sandbox, _clock) = start().await;
    for (query, errors) in [
        ("", vec!["parameter_not_found type", "parameter_not_found user_id"]),
        ("type=user", vec!["parameter_not_found user_id"]),
        ("type=user&user_id=", vec!["parameter_not_found user_id"]),
        ("type=user&id=c1", vec!["parameter_not_found user_id"]),
        ("type=user&user_id=42&email=a", vec!["parameter_invalid user_id"]),
        ("type=lead&user_id=42", vec!["parameter_invalid type"]),
        ("user_id=42", vec!["parameter_not_found type"]),
        ("type=user&user_id=42&per_page=0", vec!["parameter_invalid per_page"]),
        ("type=user&user_id=42&per_page=151", vec!["parameter_invalid per_page"]),
        ("type=user&user_id=42&per_page=all", vec!["parameter_invalid per_page"]),
        ("type=user&user_id=42&before=yesterday", vec!["parameter_invalid before"]),
        ("type=user&user_id=42&summary=yes", vec!["parameter_invalid summary"]),
        ("type=user&user_id=42&user_id=43", vec!["bad_request"]),
    ] {
        let answered = get(&sandbox, query).await;
        assert_eq!(answered.status, 400, "{query}");
        assert_eq!(answered.errors(), errors, "{query}");
    }
    // The sandbox ignores unknown parameters.
    assert_eq!(get(&sandbox, "type=user&user_id=42&page=2&summary=false").await.status, 200);
}

#[tokio::test]
async fn reading_needs_no_content_type_and_spends_the_rate_limit() {
    let sandbox = Sandbox::builder().know_everybody(true).rate_limit(2).start().await.unwrap();
    let answered = finish(
        client()
            .get(format!("{}/events?type=user&user_id=42", sandbox.url()))
            .bearer_auth(sandbox.token())
            .header("Accept", "*/*"),
    )
    .await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.header("x-ratelimit-remaining"), Some("1"));
}

fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after the epoch")
        .as_secs()
}
