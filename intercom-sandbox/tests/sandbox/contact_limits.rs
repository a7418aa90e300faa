//! Limits of contacts, their settling time, and hints for events without a contact.

use std::time::Duration;

use intercom_sandbox::{Limits, ManualClock, Outcome, Sandbox, SeedContact};
use reqwest::Method;
use serde_json::json;

use crate::contact_calls::{bare, create, event_of, get, hint, send};
use crate::support::{Answered, finish, post_contact, post_event, request};

#[tokio::test]
async fn events_can_find_a_new_contact_after_a_delay() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox = Sandbox::builder()
        .clock(clock.clone())
        .contacts_settle_after(Duration::from_secs(3))
        .contact(SeedContact::user_id("old"))
        .start()
        .await
        .unwrap();
    let id = create(&sandbox, &json!({"external_id": "42", "email": "ada@example.com"})).await;
    clock.advance(Duration::from_millis(2_500));
    for (key, value) in [("id", id.as_str()), ("user_id", "42"), ("email", "ada@example.com")] {
        let answered = post_event(&sandbox, &event_of(key, value)).await;
        assert_eq!(
            (answered.status, answered.message().as_str()),
            (404, "User Not Found"),
            "{key}"
        );
        assert!(hint(&sandbox).contains("500ms"), "{}", hint(&sandbox));
    }
    // Reads and conflicts see the contact at once, and events find the other contacts.
    assert_eq!(get(&sandbox, &format!("/contacts/{id}")).await.status, 200);
    assert_eq!(post_contact(&sandbox, &json!({"external_id": "42"})).await.status, 409);
    assert_eq!(post_event(&sandbox, &event_of("user_id", "old")).await.status, 202);

    clock.advance(Duration::from_millis(500));
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 202);
}

#[tokio::test]
async fn there_are_no_more_contacts_than_the_limit() {
    let sandbox =
        Sandbox::builder().limits(Limits::default().max_contacts(2)).start().await.unwrap();
    let first = create(&sandbox, &json!({"external_id": "1"})).await;
    create(&sandbox, &json!({"external_id": "2"})).await;
    let answered = post_contact(&sandbox, &json!({"external_id": "3"})).await;
    assert_eq!(answered.status, 422);
    assert_eq!(answered.errors(), ["contact_limit_reached"]);
    assert!(answered.message().contains('2'));
    assert!(hint(&sandbox).contains("max_contacts"));
    // A conflict precedes the limit, because it creates no contact.
    assert_eq!(post_contact(&sandbox, &json!({"external_id": "1"})).await.status, 409);

    bare(&sandbox, Method::DELETE, &format!("/contacts/{first}")).await;
    create(&sandbox, &json!({"external_id": "3"})).await;
    // The handle adds a contact even over the limit.
    sandbox.add_contact(SeedContact::user_id("4"));
    assert_eq!(sandbox.contacts().len(), 3);
}

#[tokio::test]
async fn contacts_take_no_more_bytes_than_the_limit() {
    let sandbox = Sandbox::builder()
        .limits(Limits::default().max_contact_bytes(10_000))
        .start()
        .await
        .unwrap();
    let named = |user_id: &str, letters: usize| {
        let attributes = json!({"x".repeat(letters): 1});
        json!({"external_id": user_id, "custom_attributes": attributes})
    };
    let first = create(&sandbox, &named("1", 6_000)).await;
    let full = |answered: Answered| {
        assert_eq!(
            (answered.status, answered.errors()),
            (422, vec!["contact_limit_reached".into()])
        );
        assert!(answered.message().contains("10000"), "{}", answered.text);
        assert!(hint(&sandbox).contains("max_contact_bytes"));
    };
    full(post_contact(&sandbox, &named("2", 6_000)).await);
    let lead = create(&sandbox, &json!({"role": "lead", "external_id": "l".repeat(3_000)})).await;
    // An existing contact cannot grow further either, but it can change and shrink.
    let path = format!("/contacts/{first}");
    let more = json!({"custom_attributes": {"y".repeat(6_000): 1}});
    full(send(&sandbox, Method::PUT, &path, &more).await);
    assert_eq!(send(&sandbox, Method::PUT, &path, &json!({"name": "Ada"})).await.status, 200);
    let less = json!({"custom_attributes": {"x".repeat(6_000): null}});
    assert_eq!(send(&sandbox, Method::PUT, &path, &less).await.status, 200);
    let second = create(&sandbox, &named("2", 6_000)).await;

    // Deleting, archiving, merging or reseeding a contact returns exactly its bytes.
    bare(&sandbox, Method::POST, &format!("/contacts/{second}/archive")).await;
    let merge = json!({"from": lead, "into": first, "skip_duplicate_validation": true});
    assert_eq!(send(&sandbox, Method::POST, "/contacts/merge", &merge).await.status, 200);
    bare(&sandbox, Method::DELETE, &path).await;
    sandbox.add_contact(SeedContact::user_id("3"));
    sandbox.add_contact(SeedContact::user_id("3"));
    full(post_contact(&sandbox, &named("4", 6_000)).await);
    bare(&sandbox, Method::DELETE, &format!("/contacts/{second}")).await;
    create(&sandbox, &named("4", 9_800)).await;
}

#[tokio::test]
async fn a_replaced_seed_contact_counts_only_its_growth() {
    let sandbox = Sandbox::builder()
        .limits(Limits::default().max_contact_bytes(10_000).max_contacts(2))
        .start()
        .await
        .unwrap();
    let seed = async |contact: &serde_json::Value| {
        let sending = request(&sandbox, Method::POST, "/_sandbox/contacts");
        finish(sending.body(json!([contact]).to_string())).await.status
    };
    let large = json!({"user_id": "1", "id": "5ba6", "custom_attributes": {"x".repeat(8_000): 1}});
    assert_eq!(seed(&large).await, 201);
    assert_eq!(seed(&json!({"user_id": "2"})).await, 201);
    assert_eq!(seed(&json!({"user_id": "3"})).await, 422, "there are two");
    assert_eq!(seed(&large).await, 201, "it is one of them");
    let larger = json!({"user_id": "1", "custom_attributes": {"x".repeat(11_000): 1}});
    assert_eq!(seed(&larger).await, 422);

    // Nothing remains of a merged contact when another contact takes its id.
    let sandbox = Sandbox::builder()
        .limits(Limits::default().max_contact_bytes(10_000))
        .start()
        .await
        .unwrap();
    let lead = create(&sandbox, &json!({"role": "lead", "external_id": "l".repeat(3_000)})).await;
    let user = create(&sandbox, &json!({"external_id": "1"})).await;
    let merge = json!({"from": lead, "into": user, "skip_duplicate_validation": true});
    assert_eq!(send(&sandbox, Method::POST, "/contacts/merge", &merge).await.status, 200);
    sandbox.add_contact(SeedContact::contact_id(lead));
    let attributes = json!({"y".repeat(9_800): 1});
    create(&sandbox, &json!({"external_id": "2", "custom_attributes": attributes})).await;
}

#[tokio::test]
async fn a_contact_has_no_more_attributes_than_the_limit() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = create(&sandbox, &json!({"external_id": "1"})).await;
    let attributes = |range: std::ops::Range<usize>| {
        let each = range.map(|number| (format!("a{number}"), number.into()));
        json!({"custom_attributes": each.collect::<serde_json::Map<_, _>>()})
    };
    let path = format!("/contacts/{id}");
    assert_eq!(send(&sandbox, Method::PUT, &path, &attributes(0..250)).await.status, 200);
    let answered = send(&sandbox, Method::PUT, &path, &attributes(249..251)).await;
    assert_eq!((answered.status, answered.errors()), (422, vec!["parameter_invalid".to_owned()]));
    assert_eq!(sandbox.contact(&id).unwrap().custom_attributes().len(), 250);
}

#[tokio::test]
async fn a_hint_says_why_an_event_found_no_contact() {
    let sandbox = Sandbox::builder()
        .contact(SeedContact::contact_id("5ba6").with_user_id("42"))
        .contact(SeedContact::contact_id("1ead").with_email("lead@example.com").lead())
        .contact(SeedContact::contact_id("60e").with_email("gone@example.com").archived())
        .start()
        .await
        .unwrap();
    for (key, value, part) in [
        ("user_id", "43", "POST /contacts"),
        ("email", "nobody@example.com", "POST /contacts"),
        ("user_id", "nobody@example.com", "send it as email"),
        ("user_id", "5ba6", "send it as id"),
        ("id", "42", "send it as user_id"),
        ("id", "5ba7", "No contact has this id"),
        ("email", "lead@example.com", "\"id\": \"1ead\""),
        ("email", "gone@example.com", "/contacts/60e/unarchive"),
        ("id", "60e", "/contacts/60e/unarchive"),
    ] {
        let answered = post_event(&sandbox, &event_of(key, value)).await;
        assert_eq!(answered.status, 404, "{key}={value}");
        let hint = hint(&sandbox);
        assert!(hint.contains(part), "{key}={value}: {hint}");
        // Intercom's answer does not have the hint.
        assert!(!answered.text.contains(part));
    }
}

#[tokio::test]
async fn events_of_one_contact_are_duplicates_whatever_the_identifier() {
    let seed = SeedContact::contact_id("5ba6").with_user_id("42").with_email("ada@example.com");
    let sandbox = Sandbox::builder().contact(seed).start().await.unwrap();
    for (key, value) in [("id", "5ba6"), ("user_id", "42"), ("email", "ada@example.com")] {
        assert_eq!(post_event(&sandbox, &event_of(key, value)).await.status, 202);
    }
    let outcomes: Vec<_> = sandbox.requests().iter().map(|request| request.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Duplicate, Outcome::Duplicate]);
}

#[tokio::test]
async fn an_unknown_contact_is_one_contact_with_know_everybody() {
    let sandbox = Sandbox::builder().know_everybody(true).start().await.unwrap();
    for (key, value) in [("user_id", "42"), ("user_id", "42"), ("user_id", "43"), ("email", "42")] {
        assert_eq!(post_event(&sandbox, &event_of(key, value)).await.status, 202);
    }
    let outcomes: Vec<_> = sandbox.requests().iter().map(|request| request.outcome()).collect();
    assert_eq!(
        outcomes,
        [Outcome::Accepted, Outcome::Duplicate, Outcome::Accepted, Outcome::Accepted]
    );
}
