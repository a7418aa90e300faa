//! Known contacts.

use intercom_sandbox::{OpenRules, Sandbox, SeedContact};
use serde_json::{Value, json};

use crate::support::{friendly, post_contact, post_event};

fn event_of(key: &str, value: &str) -> Value {
    json!({"event_name": "a", "created_at": 1, key: value})
}

#[tokio::test]
async fn a_new_workspace_has_no_contacts() {
    let sandbox = Sandbox::start().await.unwrap();
    for key in ["id", "user_id", "email"] {
        let answered = post_event(&sandbox, &event_of(key, "ada@example.com")).await;
        assert_eq!(answered.status, 404);
        assert_eq!(answered.errors(), ["not_found"]);
        assert_eq!(answered.message(), "User Not Found");
    }
    assert!(sandbox.events().is_empty());
}

#[tokio::test]
async fn seeded_contacts_are_known_by_their_identifiers() {
    let sandbox = Sandbox::builder()
        .contact(SeedContact::user_id("42"))
        .contact(SeedContact::email("ada@example.com").with_user_id("43"))
        .contact(SeedContact::contact_id("5ba6"))
        .start()
        .await
        .unwrap();
    for (key, value, status) in [
        ("user_id", "42", 202),
        ("user_id", "43", 202),
        ("email", "ada@example.com", 202),
        ("id", "5ba6", 202),
        ("id", "42", 404),
        ("user_id", "ada@example.com", 404),
        ("email", "42", 404),
    ] {
        let answered = post_event(&sandbox, &event_of(key, value)).await;
        assert_eq!(answered.status, status, "{key}={value}");
    }
}

#[tokio::test]
async fn upper_and_lower_case_differ_in_an_id_and_not_in_an_email() {
    let sandbox = Sandbox::builder()
        .contact(SeedContact::email("Ada@Example.com").with_user_id("a1"))
        .start()
        .await
        .unwrap();
    for (key, value, status) in
        [("email", "ada@example.COM", 202), ("user_id", "a1", 202), ("user_id", "A1", 404)]
    {
        let answered = post_event(&sandbox, &event_of(key, value)).await;
        assert_eq!(answered.status, status, "{key}={value}");
    }
    // Both events name one contact in one second, so the second is a duplicate.
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 1));
    let again = json!({"role": "user", "email": "ADA@EXAMPLE.COM"});
    assert_eq!(post_contact(&sandbox, &again).await.status, 409);
}

#[tokio::test]
async fn a_contact_can_become_known_later() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 404);
    sandbox.add_contact(SeedContact::user_id("42"));
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 202);
}

#[tokio::test]
async fn the_first_of_several_identifiers_decides() {
    let sandbox = Sandbox::builder().contact(SeedContact::user_id("42")).start().await.unwrap();
    let body =
        json!({"event_name": "a", "created_at": 1, "user_id": "42", "email": "no@example.com"});
    assert_eq!(post_event(&sandbox, &body).await.status, 202);
    let body = json!({"event_name": "a", "created_at": 1, "user_id": "42", "id": "unknown"});
    assert_eq!(post_event(&sandbox, &body).await.status, 404);
}

#[tokio::test]
async fn only_a_contact_id_names_a_lead() {
    let lead = SeedContact::contact_id("5ba6").with_email("lead@example.com").lead();
    let sandbox = Sandbox::builder().contact(lead).start().await.unwrap();
    assert_eq!(post_event(&sandbox, &event_of("email", "lead@example.com")).await.status, 404);
    assert_eq!(post_event(&sandbox, &event_of("id", "5ba6")).await.status, 202);
}

#[tokio::test]
async fn an_archived_contact_gets_no_events() {
    let gone = SeedContact::user_id("42").with_contact_id("5ba6").archived();
    let sandbox = Sandbox::builder().contact(gone).start().await.unwrap();
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 404);
    assert_eq!(post_event(&sandbox, &event_of("id", "5ba6")).await.status, 404);
}

#[tokio::test]
async fn an_email_of_several_users_is_a_conflict() {
    let twins = || {
        Sandbox::builder()
            .contact(SeedContact::user_id("1").with_email("both@example.com"))
            .contact(SeedContact::user_id("2").with_email("both@example.com"))
    };
    let documented = twins().start().await.unwrap();
    let other = twins()
        .open_rules(OpenRules::default().ambiguous_contact_is_400(true))
        .start()
        .await
        .unwrap();
    let easy_going = twins().know_everybody(true).start().await.unwrap();
    for (sandbox, status) in [(documented, 409), (other, 400), (easy_going, 409)] {
        let answered = post_event(&sandbox, &event_of("email", "both@example.com")).await;
        assert_eq!(answered.status, status);
        assert_eq!(answered.errors(), ["conflict"]);
        assert_eq!(post_event(&sandbox, &event_of("user_id", "2")).await.status, 202);
    }
}

#[tokio::test]
async fn a_created_contact_is_answered_and_known() {
    let sandbox = Sandbox::start().await.unwrap();
    let body = json!({
        "role": "user", "external_id": "42", "email": "ada@example.com", "name": "Ada",
        "custom_attributes": {"plan": "pro"}, "phone": null,
    });
    let answered = post_contact(&sandbox, &body).await;
    assert_eq!(answered.status, 200);
    let contact = answered.json();
    assert_eq!(contact["type"], "contact");
    assert_eq!(contact["role"], "user");
    assert_eq!(contact["external_id"], "42");
    assert_eq!(contact["email"], "ada@example.com");
    assert_eq!(contact["name"], "Ada");

    let id = contact["id"].as_str().expect("an id");
    for (key, value) in [("id", id), ("user_id", "42"), ("email", "ada@example.com")] {
        assert_eq!(post_event(&sandbox, &event_of(key, value)).await.status, 202, "{key}");
    }
    let contacts = sandbox.contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].contact_id(), id);
    assert_eq!(contacts[0].user_id(), Some("42"));
    assert_eq!(contacts[0].email(), Some("ada@example.com"));
    assert!(!contacts[0].is_lead() && !contacts[0].is_archived());
}

#[tokio::test]
async fn an_existing_contact_is_not_created_again() {
    let sandbox = Sandbox::builder()
        .contact(SeedContact::user_id("42").with_email("ada@example.com").with_contact_id("5ba6"))
        .contact(SeedContact::user_id("43").with_contact_id("5ba7").archived())
        .start()
        .await
        .unwrap();
    for (body, message) in [
        (
            json!({"role": "user", "external_id": "42"}),
            "A contact matching those details already exists with id=5ba6",
        ),
        (
            json!({"role": "user", "external_id": "other", "email": "ada@example.com"}),
            "A contact matching those details already exists with id=5ba6",
        ),
        (
            json!({"role": "user", "external_id": "43"}),
            "An archived contact matching those details already exists with id=5ba7",
        ),
        (
            json!({"role": "user", "external_id": "43", "email": "ada@example.com"}),
            "A contact matching those details already exists with id=5ba6",
        ),
    ] {
        let answered = post_contact(&sandbox, &body).await;
        assert_eq!(answered.status, 409, "{body}");
        assert_eq!(answered.errors(), ["conflict"]);
        assert_eq!(answered.message(), message);
    }
    assert_eq!(sandbox.contacts().len(), 2);
}

#[tokio::test]
async fn a_lead_and_a_user_can_share_an_identifier() {
    let sandbox = Sandbox::start().await.unwrap();
    let lead = post_contact(&sandbox, &json!({"role": "lead", "email": "ada@example.com"})).await;
    assert_eq!((lead.status, &lead.json()["role"]), (200, &json!("lead")));
    let user = post_contact(&sandbox, &json!({"role": "user", "email": "ada@example.com"})).await;
    assert_eq!((user.status, &user.json()["role"]), (200, &json!("user")));
    assert!(sandbox.contacts()[0].is_lead());
}

#[tokio::test]
async fn mistakes_in_a_new_contact_are_reported() {
    let sandbox = Sandbox::start().await.unwrap();
    for (body, error) in [
        (json!([]), "bad_request"),
        (json!({"role": "user"}), "parameter_not_found external_id"),
        (json!({"role": "user", "email": null}), "parameter_not_found external_id"),
        (json!({"role": "admin", "email": "a@example.com"}), "parameter_invalid role"),
        (json!({"email": 7}), "parameter_invalid email"),
        (json!({"external_id": ""}), "parameter_not_found external_id"),
    ] {
        let answered = post_contact(&sandbox, &body).await;
        assert_eq!(answered.status, 400, "{body}");
        assert_eq!(answered.errors(), [error], "{body}");
    }
    assert!(sandbox.contacts().is_empty());
}

#[tokio::test]
async fn one_of_many_concurrent_creations_succeeds() {
    let sandbox = std::sync::Arc::new(friendly().await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let sandbox = sandbox.clone();
        calls.spawn(async move {
            post_contact(&sandbox, &json!({"role": "user", "external_id": "42"})).await.status
        });
    }
    let mut statuses = calls.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[..2], [200, 409]);
    assert_eq!(sandbox.contacts().len(), 1);
}
