//! The rules of metadata.

use intercom_sandbox::{OpenRules, Sandbox};
use serde_json::{Value, json};

use crate::support::{Answered, event, friendly, post_event, post_text};

/// Posts an event with this text as its metadata.
async fn post_metadata(sandbox: &Sandbox, metadata: &str) -> Answered {
    let body =
        format!(r#"{{"event_name":"a","created_at":1,"user_id":"42","metadata":{metadata}}}"#);
    post_text(sandbox, body).await
}

#[tokio::test]
async fn the_documented_kinds_of_values_are_accepted() {
    let sandbox = friendly().await;
    let long = "ß".repeat(255);
    for metadata in [
        json!({"text": "Apollo", "empty": "", "long": long}),
        json!({"whole": 7, "negative": -7, "big": 5_000_000_000_u64, "fraction": 1.5}),
        json!({"yes": true, "no": false}),
        json!({"created_date": 1_700_000_000, "date": "today"}),
        json!({"link": "https://example.com/orders/7"}),
        json!({"order": {"url": "http://example.com", "value": "order 7"}}),
        json!({"order": {"value": "", "url": "HTTPS://example.com/?q=1#a"}}),
        json!({"price": {"amount": 34999, "currency": "eur"}}),
        json!({"refund": {"currency": "EUR", "amount": -1}}),
        json!({"stripe_customer": "cus_7"}),
        json!({"with space-and_more": 1, "größe": 2}),
    ] {
        let answered = post_metadata(&sandbox, &metadata.to_string()).await;
        assert_eq!(answered.status, 202, "{metadata}: {}", answered.text);
    }
}

#[tokio::test]
async fn other_shapes_are_refused() {
    let sandbox = friendly().await;
    let long = "ß".repeat(256);
    let long_link = format!("https://example.com/{long}");
    for value in [
        Value::Null,
        json!([]),
        json!([1]),
        json!({}),
        json!({"city": "Zürich"}),
        json!({"url": "https://example.com"}),
        json!({"url": "https://example.com", "value": "a", "title": "b"}),
        json!({"url": "ftp://example.com", "value": "a"}),
        json!({"url": "example.com", "value": "a"}),
        json!({"url": "https://", "value": "a"}),
        json!({"url": 7, "value": "a"}),
        json!({"url": "https://example.com", "value": 7}),
        json!({"url": "https://example.com", "value": long}),
        json!({"url": long_link, "value": "a"}),
        json!({"amount": 1}),
        json!({"amount": 1.5, "currency": "eur"}),
        json!({"amount": "1", "currency": "eur"}),
        json!({"amount": 1, "currency": "euro"}),
        json!({"amount": 1, "currency": "€"}),
        json!({"amount": 1, "currency": "Eur"}),
        json!({"amount": 1, "currency": 978}),
        json!({"amount": 1, "currency": "eur", "cents": true}),
        json!(long),
        json!(long_link),
    ] {
        let answered = post_metadata(&sandbox, &json!({"key": value}).to_string()).await;
        assert_eq!(answered.status, 422, "{value}");
        assert_eq!(answered.errors(), ["parameter_invalid metadata.key"], "{value}");
    }
    assert!(sandbox.events().is_empty());
}

#[tokio::test]
async fn a_repeated_member_of_a_link_or_an_amount_is_refused() {
    let sandbox = friendly().await;
    for value in [
        r#"{"url":"https://example.com","url":"https://example.com"}"#,
        r#"{"amount":1,"currency":"eur","amount":2}"#,
    ] {
        let answered = post_metadata(&sandbox, &format!(r#"{{"key":{value}}}"#)).await;
        assert_eq!(answered.status, 422, "{value}");
    }
}

#[tokio::test]
async fn forbidden_characters_in_keys_are_refused() {
    let sandbox = friendly().await;
    for character in ".$~`!@#%^&*'\"{}|\\\0".chars() {
        let key = format!("a{character}b");
        let answered = post_metadata(&sandbox, &json!({ key.clone(): 1 }).to_string()).await;
        assert_eq!(answered.status, 422, "{character:?}");
        assert_eq!(answered.errors(), [format!("parameter_invalid metadata.{key}")]);
    }
}

#[tokio::test]
async fn the_key_type_is_reserved_in_any_case() {
    let sandbox = friendly().await;
    for key in ["type", "Type", "TYPE"] {
        let answered = post_metadata(&sandbox, &json!({ key: "a" }).to_string()).await;
        assert_eq!(answered.status, 422, "{key}");
    }
    assert_eq!(post_metadata(&sandbox, r#"{"plan_type":"a"}"#).await.status, 202);
}

#[tokio::test]
async fn a_date_key_holds_an_integer() {
    let sandbox = friendly().await;
    for metadata in [
        json!({"due_date": "2026-01-01"}),
        json!({"due_date": 1.5}),
        json!({"DUE_DATE": true}),
        json!({"due_date": {"amount": 1, "currency": "eur"}}),
    ] {
        let answered = post_metadata(&sandbox, &metadata.to_string()).await;
        assert_eq!(answered.status, 422, "{metadata}");
    }
}

#[tokio::test]
async fn a_key_occurs_once_ignoring_case() {
    let sandbox = friendly().await;
    for metadata in
        [r#"{"plan":1,"plan":1}"#, r#"{"plan":1,"Plan":2}"#, r#"{"größe":1,"GRÖSSE":1,"GRÖßE":2}"#]
    {
        let answered = post_metadata(&sandbox, metadata).await;
        assert_eq!(answered.status, 422, "{metadata}");
        assert_eq!(answered.errors().len(), 1, "{}", answered.text);
    }
}

#[tokio::test]
async fn metadata_keeps_the_order_sent() {
    let sandbox = friendly().await;
    let metadata = r#"{"z":1,"a":{"url":"https://example.com","value":"b"},"m":-1.5}"#;
    assert_eq!(post_metadata(&sandbox, metadata).await.status, 202);
    let events = sandbox.events();
    assert_eq!(
        events[0].metadata(),
        [
            ("z".to_owned(), json!(1)),
            ("a".to_owned(), json!({"url": "https://example.com", "value": "b"})),
            ("m".to_owned(), json!(-1.5)),
        ]
    );
    assert_eq!(events[0].metadata_value("Z"), Some(&json!(1)));
    assert_eq!(events[0].metadata_value("y"), None);
}

#[tokio::test]
async fn keys_beyond_twenty_are_dropped_in_the_order_sent() {
    let sandbox = friendly().await;
    // The reverse order proves that the sandbox neither sorts nor hashes the keys.
    let members: Vec<_> = (1..=22).rev().map(|n| format!(r#""key{n:02}":{n}"#)).collect();
    let answered = post_metadata(&sandbox, &format!("{{{}}}", members.join(","))).await;
    assert_eq!(answered.status, 202);

    let events = sandbox.events();
    let kept: Vec<_> = events[0].metadata().iter().map(|(key, _)| key.clone()).collect();
    let expected: Vec<_> = (3..=22).rev().map(|n| format!("key{n:02}")).collect();
    assert_eq!(kept, expected);
    assert_eq!(events[0].dropped_keys(), ["key02", "key01"]);
}

#[tokio::test]
async fn the_number_of_keys_can_be_chosen() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .open_rules(OpenRules::default().metadata_keys(1))
        .start()
        .await
        .unwrap();
    post_metadata(&sandbox, r#"{"b":1,"a":2}"#).await;
    let events = sandbox.events();
    assert_eq!(events[0].metadata(), [("b".to_owned(), json!(1))]);
    assert_eq!(events[0].dropped_keys(), ["a"]);
}

#[tokio::test]
async fn dropped_keys_follow_the_rules_too() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .open_rules(OpenRules::default().metadata_keys(1))
        .start()
        .await
        .unwrap();
    assert_eq!(post_metadata(&sandbox, r#"{"b":1,"a":null}"#).await.status, 422);
}

#[tokio::test]
async fn a_number_is_kept_to_its_last_digit() {
    let sandbox = friendly().await;
    // A parser that is only nearly exact changes most of these numbers.
    let numbers = [122.46689058449243, 907.3038322028689, 481.83792520110524, 5e-324, f64::MAX];
    for (number, second) in numbers.into_iter().zip(1..) {
        let mut body = event("measured");
        body["created_at"] = second.into();
        body["metadata"] = json!({"number": number});
        assert_eq!(post_event(&sandbox, &body).await.status, 202);
    }
    let kept: Vec<_> = sandbox.events().iter().map(|e| e.metadata()[0].1.as_f64()).collect();
    assert_eq!(kept, numbers.map(Some));
}
