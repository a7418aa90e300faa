//! The other readings of the rules that Intercom leaves open.

use std::time::Duration;

use intercom_sandbox::{Identifier, ManualClock, OpenRules, Sandbox, SandboxBuilder, SeedContact};
use serde_json::{Value, json};

use crate::admin::get;
use crate::support::{event, post_contact, post_event, post_without_accept};

const NOON: u64 = 1_700_000_000;

/// Starts a sandbox that knows everybody, with this change.
async fn with(change: impl FnOnce(SandboxBuilder) -> SandboxBuilder) -> Sandbox {
    change(Sandbox::builder().know_everybody(true)).start().await.expect("a free port")
}

fn with_metadata(metadata: Value) -> Value {
    let mut body = event("a");
    body["metadata"] = metadata;
    body
}

#[tokio::test]
async fn the_identifier_that_counts_can_be_another() {
    for (order, finds) in [
        ([Identifier::ContactId, Identifier::UserId, Identifier::Email], "id"),
        ([Identifier::UserId, Identifier::Email, Identifier::ContactId], "user_id"),
        ([Identifier::Email, Identifier::ContactId, Identifier::UserId], "email"),
    ] {
        let known = match finds {
            "id" => SeedContact::contact_id("c1"),
            "user_id" => SeedContact::user_id("42"),
            _ => SeedContact::email("ada@example.com"),
        };
        let sandbox = Sandbox::builder()
            .contact(known)
            .open_rules(OpenRules::default().identifier_order(order))
            .start()
            .await
            .unwrap();
        let all = json!({"event_name": "a", "created_at": 1,
            "id": "c1", "user_id": "42", "email": "ada@example.com"});
        assert_eq!(post_event(&sandbox, &all).await.status, 202, "{finds}");

        // An absent identifier does not end the search.
        let mut rest = all.clone();
        rest.as_object_mut().expect("an object").remove(finds);
        assert_eq!(post_event(&sandbox, &rest).await.status, 404, "{finds}");

        // The list of requests shows the deciding identifier, even if it found no contact.
        let listed = get(&sandbox, "/requests").await;
        let told: Vec<_> = (0..2)
            .map(|place| listed["requests"][place]["event"]["contact"]["kind"].clone())
            .collect();
        let next = match finds {
            "id" => "user_id",
            "user_id" => "email",
            _ => "id",
        };
        assert_eq!(told, [finds, next]);
    }
}

#[tokio::test]
async fn an_accepted_event_can_be_answered_with_200() {
    let sandbox =
        with(|builder| builder.open_rules(OpenRules::default().accepted_is_200(true))).await;
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!((answered.status, answered.text.as_str()), (200, ""));
    // A duplicate gets the same answer.
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 200);
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 1));
}

#[tokio::test]
async fn a_missing_accept_can_be_answered_with_404() {
    let sandbox =
        with(|builder| builder.open_rules(OpenRules::default().missing_accept_is_404(true))).await;
    let answer = post_without_accept(&sandbox, &event("a")).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains(r#""code":"not_found""#), "{answer}");
}

#[tokio::test]
async fn punctuation_of_names_can_be_kept() {
    let sandbox = with(|builder| {
        builder.open_rules(OpenRules::default().fold_punctuation(false)).active_event_names(2)
    })
    .await;
    for name in ["plan.updated", "plan-updated"] {
        assert_eq!(post_event(&sandbox, &event(name)).await.status, 202, "{name}");
    }
    let events = sandbox.events();
    assert_eq!((events[0].name(), events[1].name()), ("plan.updated", "plan-updated"));
    assert_eq!(post_event(&sandbox, &event("plan$updated")).await.status, 422);
}

#[tokio::test]
async fn created_at_can_be_bounded() {
    let clock = ManualClock::at_unix_seconds(NOON);
    let sandbox = with(|builder| {
        builder.clock(clock).open_rules(
            OpenRules::default()
                .oldest_created_at(Duration::from_secs(100))
                .furthest_created_at(Duration::from_secs(10)),
        )
    })
    .await;
    for (created_at, status) in
        [(NOON - 101, 422), (NOON - 100, 202), (NOON, 202), (NOON + 10, 202), (NOON + 11, 422)]
    {
        let mut body = event("a");
        body["created_at"] = json!(created_at);
        let answered = post_event(&sandbox, &body).await;
        assert_eq!(answered.status, status, "{created_at}");
        if status == 422 {
            assert_eq!(answered.errors(), ["parameter_invalid created_at"]);
        }
    }
}

#[tokio::test]
async fn null_can_be_dropped() {
    let sandbox = with(|builder| {
        builder.open_rules(OpenRules::default().drop_null_values(true).metadata_keys(2))
    })
    .await;
    let metadata = json!({"a": null, "b": 1, "c": null, "d_date": null, "e": 2, "f": 3});
    assert_eq!(post_event(&sandbox, &with_metadata(metadata)).await.status, 202);
    let events = sandbox.events();
    assert_eq!(events[0].metadata(), [("b".to_owned(), json!(1)), ("e".to_owned(), json!(2))]);
    // Dropped null values do not count toward the key limit.
    assert_eq!(events[0].dropped_keys(), ["a", "c", "d_date", "f"]);
}

#[tokio::test]
async fn nested_values_can_be_dropped() {
    let sandbox =
        with(|builder| builder.open_rules(OpenRules::default().drop_nested_values(true))).await;
    let metadata = json!({
        "list": [1],
        "city": {"name": "Zürich"},
        "price": {"amount": 1, "currency": "eur"},
        "order": {"url": "https://example.com", "value": "order"},
    });
    assert_eq!(post_event(&sandbox, &with_metadata(metadata)).await.status, 202);
    let events = sandbox.events();
    let mut kept: Vec<_> = events[0].metadata().iter().map(|(key, _)| key.as_str()).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["order", "price"]);
    assert_eq!(events[0].dropped_keys().len(), 2);
    // A link with a wrong URL is still a link, so the option does not drop it.
    let metadata = json!({"order": {"url": "nowhere", "value": "order"}});
    assert_eq!(post_event(&sandbox, &with_metadata(metadata)).await.status, 422);
}

#[tokio::test]
async fn nested_values_can_be_kept() {
    let rules = OpenRules::default().keep_nested_values(true).drop_nested_values(true);
    let sandbox = with(|builder| builder.open_rules(rules)).await;
    let metadata = json!({"list": [1, {"a": null}], "city": {"name": "Zürich"}});
    assert_eq!(post_event(&sandbox, &with_metadata(metadata.clone())).await.status, 202);
    let events = sandbox.events();
    for key in ["list", "city"] {
        assert_eq!(events[0].metadata_value(key), Some(&metadata[key]), "{key}");
    }
    // The sandbox still refuses a `null` alone, and a date that is not an integer.
    for metadata in [json!({"a": null}), json!({"due_date": {"day": 1}})] {
        assert_eq!(post_event(&sandbox, &with_metadata(metadata)).await.status, 422);
    }
}

#[tokio::test]
async fn blank_identifiers_can_be_ignored() {
    let body = |user_id: Value| {
        let email = "ada@example.com";
        json!({"event_name": "a", "created_at": 1, "user_id": user_id, "email": email})
    };
    let contact = |blank: Value| json!({"external_id": blank, "email": "eve@example.com"});
    let strict = with(|builder| builder).await;
    let rules = OpenRules::default().ignore_blank_identifiers(true);
    let open = with(|builder| builder.open_rules(rules).deduplicate(false)).await;
    for blank in [Value::Null, json!(""), json!(" ")] {
        assert_eq!(post_event(&strict, &body(blank.clone())).await.status, 400, "{blank}");
        assert_eq!(post_event(&open, &body(blank.clone())).await.status, 202, "{blank}");
        let event = open.events().pop().expect("accepted");
        assert_eq!((event.user_id(), event.email()), (None, Some("ada@example.com")));
        // The sandbox still refuses an event without another identifier.
        let mut nobody = body(blank.clone());
        nobody["email"] = blank.clone();
        assert_eq!(post_event(&open, &nobody).await.status, 400, "{blank}");
    }
    assert_eq!(post_contact(&strict, &contact(json!(""))).await.status, 400);
    assert_eq!(post_contact(&open, &contact(json!(""))).await.status, 200);
}

#[tokio::test]
async fn numbers_can_be_identifiers() {
    let body = json!({"event_name": "a", "created_at": 1, "user_id": 42});
    let strict = with(|builder| builder).await;
    assert_eq!(post_event(&strict, &body).await.status, 400);
    // The records show a refused number as sent.
    let shown = &get(&strict, "/requests").await["requests"][0]["event"]["contact"];
    assert_eq!(shown, &json!({"kind": "user_id", "value": "42"}));

    let rules = OpenRules::default().accept_number_identifiers(true);
    let open = Sandbox::builder().open_rules(rules).start().await.unwrap();
    assert_eq!(post_contact(&open, &json!({"external_id": 42})).await.status, 200);
    assert_eq!(post_event(&open, &body).await.status, 202);
    assert_eq!(open.events()[0].user_id(), Some("42"));
    for other in [json!(4.2), json!(true), json!([42])] {
        let mut body = body.clone();
        body["user_id"] = other;
        assert_eq!(post_event(&open, &body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn empty_metadata_can_be_of_another_type() {
    let strict = with(|builder| builder).await;
    let rules = OpenRules::default().accept_empty_metadata(true);
    let open = with(|builder| builder.open_rules(rules).deduplicate(false)).await;
    for empty in [Value::Null, json!([])] {
        assert_eq!(post_event(&strict, &with_metadata(empty.clone())).await.status, 400);
        assert_eq!(post_event(&open, &with_metadata(empty)).await.status, 202);
    }
    assert_eq!(post_event(&open, &with_metadata(json!([1]))).await.status, 400);
}

#[tokio::test]
async fn custom_attributes_can_be_only_those_that_are_defined() {
    let rules = OpenRules::default().custom_attributes(["plan"]);
    let sandbox = with(|builder| builder.open_rules(rules)).await;
    let contact =
        |attribute: &str| json!({"external_id": attribute, "custom_attributes": {attribute: "x"}});
    assert_eq!(post_contact(&sandbox, &contact("plan")).await.status, 200);
    let answered = post_contact(&sandbox, &contact("seats")).await;
    assert_eq!(answered.status, 400);
    assert_eq!(answered.errors(), ["parameter_invalid custom_attributes.seats"]);
    assert_eq!(answered.message(), "Custom attribute 'seats' does not exist");
}

#[tokio::test]
async fn long_strings_can_be_cut() {
    let sandbox =
        with(|builder| builder.open_rules(OpenRules::default().cut_long_strings(true))).await;
    let metadata = json!({"long": "ß".repeat(300), "short": "ß".repeat(255)});
    assert_eq!(post_event(&sandbox, &with_metadata(metadata)).await.status, 202);
    let events = sandbox.events();
    for key in ["long", "short"] {
        assert_eq!(events[0].metadata_value(key), Some(&json!("ß".repeat(255))), "{key}");
    }
}

#[tokio::test]
async fn booleans_can_be_refused() {
    let sandbox =
        with(|builder| builder.open_rules(OpenRules::default().refuse_booleans(true))).await;
    let answered = post_event(&sandbox, &with_metadata(json!({"beta": true}))).await;
    assert_eq!(answered.status, 422);
    assert_eq!(answered.errors(), ["parameter_invalid metadata.beta"]);
}

#[tokio::test]
async fn negative_amounts_can_be_refused() {
    let sandbox =
        with(|builder| builder.open_rules(OpenRules::default().refuse_negative_amounts(true)))
            .await;
    for (amount, status) in [(-1, 422), (0, 202), (1, 202)] {
        let metadata = json!({"refund": {"amount": amount, "currency": "eur"}});
        let answered = post_event(&sandbox, &with_metadata(metadata)).await;
        assert_eq!(answered.status, status, "{amount}");
    }
}
