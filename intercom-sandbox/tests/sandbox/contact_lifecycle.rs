//! Reading, changing, archiving and deleting a contact.

use intercom_sandbox::{Outcome, Sandbox, SeedContact};
use reqwest::Method;
use serde_json::json;

use crate::contact_calls::{bare, create, event_of, get, hint, send};
use crate::support::{post_contact, post_event};

async fn put(sandbox: &Sandbox, id: &str, body: &serde_json::Value) -> crate::support::Answered {
    send(sandbox, Method::PUT, &format!("/contacts/{id}"), body).await
}

#[tokio::test]
async fn a_contact_is_read_by_its_id_and_a_user_by_its_external_id() {
    let sandbox = Sandbox::start().await.unwrap();
    let user = create(&sandbox, &json!({"external_id": "42"})).await;
    let lead = create(&sandbox, &json!({"role": "lead", "external_id": "43"})).await;

    for (path, id) in [
        (format!("/contacts/{user}"), &user),
        (format!("/contacts/{lead}"), &lead),
        ("/contacts/find_by_external_id/42".to_owned(), &user),
    ] {
        let answered = get(&sandbox, &path).await;
        assert_eq!(answered.status, 200, "{path}");
        assert_eq!(answered.json()["id"], *id.as_str());
    }
    // The last is a lead, which Intercom does not find by its external id.
    for path in ["/contacts/42", "/contacts/find_by_external_id/43"] {
        let answered = get(&sandbox, path).await;
        assert_eq!(answered.status, 404, "{path}");
        assert_eq!(answered.errors(), ["not_found"]);
        assert_eq!(answered.message(), "User Not Found");
        assert!(hint(&sandbox).contains("/contacts/search"));
    }
    assert_eq!(sandbox.requests()[2].outcome(), Outcome::Served);
    assert!(sandbox.requests().iter().rev().take(2).all(|r| r.outcome() == Outcome::Refused));
}

#[tokio::test]
async fn percent_encoding_in_a_path_is_decoded() {
    let sandbox = Sandbox::start().await.unwrap();
    create(&sandbox, &json!({"external_id": "u 1/ü"})).await;
    // Of Intercom's own clients, only some encode the slash.
    for path in ["u%201%2F%C3%BC", "u%201/%C3%BC"] {
        let answered = get(&sandbox, &format!("/contacts/find_by_external_id/{path}")).await;
        assert_eq!(answered.json()["external_id"], "u 1/ü", "{path}");
    }
    let answered = get(&sandbox, "/contacts/%FF").await;
    assert_eq!((answered.status, answered.errors()), (404, vec!["api_path_not_found".to_owned()]));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused() {
    let sandbox = Sandbox::start().await.unwrap();
    for (method, path, allow) in [
        (Method::DELETE, "/contacts", "GET, POST"),
        (Method::GET, "/contacts/search", "POST"),
        (Method::PUT, "/contacts/merge", "POST"),
        (Method::POST, "/contacts/find_by_external_id/42", "GET"),
        (Method::POST, "/contacts/5ba6", "GET, PUT, DELETE"),
        (Method::GET, "/contacts/5ba6/archive", "POST"),
    ] {
        let answered = bare(&sandbox, method, path).await;
        assert_eq!(answered.status, 405, "{path}");
        assert_eq!(answered.header("allow"), Some(allow), "{path}");
    }
    for path in ["/contacts/", "/contacts/5ba6/wishes", "/contactsx", "/contacts//archive"] {
        assert_eq!(get(&sandbox, path).await.errors(), ["api_path_not_found"], "{path}");
    }
}

#[tokio::test]
async fn an_update_changes_only_the_given_members() {
    let sandbox = Sandbox::start().await.unwrap();
    let body = json!({
        "external_id": "42", "email": "ada@example.com", "name": "Ada", "phone": "+1",
        "custom_attributes": {"plan": "free", "seats": 3},
    });
    let id = create(&sandbox, &body).await;
    let changes = json!({
        "external_id": "43", "phone": null, "custom_attributes": {"plan": "pro", "seats": null},
    });
    let contact = put(&sandbox, &id, &changes).await.json();
    assert_eq!(contact["id"], *id);
    assert_eq!(contact["external_id"], "43");
    assert_eq!(contact["email"], "ada@example.com");
    assert_eq!(contact["name"], "Ada");
    assert_eq!(contact["phone"], json!(null));
    assert_eq!(contact["custom_attributes"], json!({"plan": "pro"}));

    // Events find the contact by its new identifier.
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 404);
    assert_eq!(post_event(&sandbox, &event_of("user_id", "43")).await.status, 202);
    assert_eq!(post_event(&sandbox, &event_of("email", "ada@example.com")).await.status, 202);
}

#[tokio::test]
async fn a_lead_can_become_a_user() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = create(&sandbox, &json!({"role": "lead", "email": "ada@example.com"})).await;
    assert_eq!(post_event(&sandbox, &event_of("email", "ada@example.com")).await.status, 404);
    assert_eq!(put(&sandbox, &id, &json!({"role": "user"})).await.json()["role"], "user");
    assert_eq!(post_event(&sandbox, &event_of("email", "ada@example.com")).await.status, 202);
}

#[tokio::test]
async fn an_update_cannot_take_another_contacts_identifier() {
    let sandbox = Sandbox::builder()
        .contact(SeedContact::contact_id("5ba6").with_user_id("1").with_email("one@example.com"))
        .contact(SeedContact::contact_id("5ba7").with_user_id("2"))
        .contact(SeedContact::contact_id("5ba8").with_email("gone@example.com").archived())
        .start()
        .await
        .unwrap();
    for (changes, message) in [
        (
            json!({"external_id": "1"}),
            "A contact matching those details already exists with id=5ba6",
        ),
        (
            json!({"email": "one@example.com"}),
            "A contact matching those details already exists with id=5ba6",
        ),
        (
            json!({"email": "gone@example.com", "name": "never"}),
            "An archived contact matching those details already exists with id=5ba8",
        ),
    ] {
        let answered = put(&sandbox, "5ba7", &changes).await;
        assert_eq!(answered.status, 409, "{changes}");
        assert_eq!(answered.errors(), ["conflict"]);
        assert_eq!(answered.message(), message);
        assert!(hint(&sandbox).contains("/contacts/5ba"));
    }
    // The refused update changed nothing.
    let contact = sandbox.contact("5ba7").expect("it is there");
    assert_eq!((contact.user_id(), contact.email(), contact.name()), (Some("2"), None, None));
    // A contact does not conflict with itself.
    let answered = put(&sandbox, "5ba7", &json!({"external_id": "2", "name": "Two"})).await;
    assert_eq!(answered.status, 200);
}

#[tokio::test]
async fn a_user_keeps_an_identifier() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = create(&sandbox, &json!({"external_id": "42"})).await;
    let answered = put(&sandbox, &id, &json!({"external_id": null})).await;
    assert_eq!((answered.status, answered.errors()), (400, vec!["parameter_not_found".to_owned()]));
    assert!(!hint(&sandbox).is_empty());
    let changes = json!({"external_id": null, "email": "ada@example.com"});
    assert_eq!(put(&sandbox, &id, &changes).await.status, 200);
    assert_eq!(put(&sandbox, "unknown", &changes).await.status, 404);
}

#[tokio::test]
async fn lists_omit_an_archived_contact_until_it_is_unarchived() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = create(&sandbox, &json!({"external_id": "42"})).await;

    let answered = bare(&sandbox, Method::POST, &format!("/contacts/{id}/archive")).await;
    assert_eq!(answered.status, 200);
    let expected = json!({"type": "contact", "id": id, "external_id": "42", "archived": true});
    assert_eq!(answered.json(), expected);
    assert!(sandbox.contacts()[0].is_archived());
    assert_eq!(get(&sandbox, "/contacts").await.json()["total_count"], 0);
    assert_eq!(get(&sandbox, "/contacts/find_by_external_id/42").await.status, 404);
    assert_eq!(get(&sandbox, &format!("/contacts/{id}")).await.status, 200);
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 404);
    assert!(hint(&sandbox).contains(&format!("/contacts/{id}/unarchive")));
    let again = post_contact(&sandbox, &json!({"external_id": "42"})).await;
    assert!(again.message().starts_with("An archived contact matching"));

    let answered = bare(&sandbox, Method::POST, &format!("/contacts/{id}/unarchive")).await;
    let expected = json!({"type": "contact", "id": id, "external_id": "42", "archived": false});
    assert_eq!(answered.json(), expected);
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 202);
    assert_eq!(bare(&sandbox, Method::POST, "/contacts/none/archive").await.status, 404);
}

#[tokio::test]
async fn blocking_does_not_change_a_contact() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = create(&sandbox, &json!({"external_id": "42"})).await;
    let answered = bare(&sandbox, Method::POST, &format!("/contacts/{id}/block")).await;
    let expected = json!({"type": "contact", "id": id, "external_id": "42", "blocked": true});
    assert_eq!((answered.status, answered.json()), (200, expected));
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 202);
    assert_eq!(bare(&sandbox, Method::POST, "/contacts/none/block").await.status, 404);
}

#[tokio::test]
async fn a_deleted_contact_is_gone() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = create(&sandbox, &json!({"external_id": "42", "email": "ada@example.com"})).await;
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 202);

    let answered = bare(&sandbox, Method::DELETE, &format!("/contacts/{id}")).await;
    assert_eq!(answered.status, 200);
    let expected = json!({"type": "contact", "id": id, "external_id": "42", "deleted": true});
    assert_eq!(answered.json(), expected);
    assert_eq!(get(&sandbox, &format!("/contacts/{id}")).await.status, 404);
    assert_eq!(bare(&sandbox, Method::DELETE, &format!("/contacts/{id}")).await.status, 404);
    for (key, value) in [("id", id.as_str()), ("user_id", "42"), ("email", "ada@example.com")] {
        assert_eq!(post_event(&sandbox, &event_of(key, value)).await.status, 404, "{key}");
    }

    // A new contact with the same details is another contact, without the first one's events.
    let other = create(&sandbox, &json!({"external_id": "42"})).await;
    assert_ne!(other, id);
    assert_eq!(post_event(&sandbox, &event_of("user_id", "42")).await.status, 202);
    assert_eq!(sandbox.requests().last().unwrap().outcome(), Outcome::Accepted);
}
