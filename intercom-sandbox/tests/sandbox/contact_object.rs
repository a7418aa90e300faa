//! The contact object, and the details that the API sets.

use intercom_sandbox::{ManualClock, Sandbox, SeedContact};
use reqwest::Method;
use serde_json::{Value, json};

use crate::contact_calls::{create, get, send};
use crate::support::{finish, post_contact, request};

const UNKNOWN: [&str; 28] = [
    "last_replied_at",
    "last_contacted_at",
    "last_email_opened_at",
    "last_email_clicked_at",
    "language_override",
    "browser",
    "browser_version",
    "browser_language",
    "os",
    "android_app_name",
    "android_app_version",
    "android_device",
    "android_os_version",
    "android_sdk_version",
    "android_last_seen_at",
    "ios_app_name",
    "ios_app_version",
    "ios_device",
    "ios_os_version",
    "ios_sdk_version",
    "ios_last_seen_at",
    "utm_campaign",
    "utm_content",
    "utm_medium",
    "utm_source",
    "utm_term",
    "referrer",
    "enabled_push_messaging",
];

#[tokio::test]
async fn a_contact_has_all_members_that_the_api_description_has() {
    let sandbox = Sandbox::builder()
        .clock(ManualClock::at_unix_seconds(1_700_000_000))
        .app_id("abc123")
        .start()
        .await
        .unwrap();
    let body = json!({
        "role": "user",
        "external_id": "42",
        "email": "ada@example.com",
        "phone": "+353871234567",
        "name": "Ada",
        "avatar": "https://example.com/ada.png",
        "owner_id": "127",
        "signed_up_at": 1_600_000_000,
        "last_seen_at": 1_650_000_000,
        "unsubscribed_from_emails": true,
        "custom_attributes": {"plan": "pro", "seats": 3, "spend": 1.5, "paid": true, "none": null},
    });
    let contact = post_contact(&sandbox, &body).await.json();
    let id = contact["id"].as_str().expect("an id");
    assert_eq!(id.len(), 24);
    let list = |what: &str| {
        json!({
            "type": "list",
            "data": [],
            "url": format!("/contacts/{id}/{what}"),
            "total_count": 0,
            "has_more": false,
        })
    };
    let mut expected = json!({
            "type": "contact",
            "id": id,
            "workspace_id": "abc123",
            "external_id": "42",
            "role": "user",
            "email": "ada@example.com",
            "email_domain": "example.com",
            "phone": "+353871234567",
            "name": "Ada",
            "avatar": {"type": "avatar", "image_url": "https://example.com/ada.png"},
            "owner_id": "127",
            "social_profiles": {"type": "list", "data": []},
            "has_hard_bounced": false,
            "marked_email_as_spam": false,
            "unsubscribed_from_emails": true,
            "created_at": 1_700_000_000,
            "updated_at": 1_700_000_000,
            "signed_up_at": 1_600_000_000,
            "last_seen_at": 1_650_000_000,
            "location": {
                "type": "location",
                "country": null,
                "region": null,
                "city": null,
                "country_code": null,
                "continent_code": null,
            },
            "custom_attributes": {"plan": "pro", "seats": 3, "spend": 1.5, "paid": true},
            "tags": list("tags"),
            "notes": list("notes"),
            "companies": list("companies"),
            "opted_out_subscription_types": list("subscriptions"),
            "opted_in_subscription_types": list("subscriptions"),
    });
    // Fields that Intercom learns by itself and the sandbox does not.
    for member in UNKNOWN {
        expected[member] = Value::Null;
    }
    assert_eq!(contact, expected);

    // A lead without details has the same members, with null for each detail.
    let bare = post_contact(&sandbox, &json!({"role": "lead"})).await.json();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&bare), keys(&contact));
    for member in ["external_id", "email", "phone", "name", "avatar", "owner_id", "signed_up_at"] {
        assert_eq!(bare[member], Value::Null, "{member}");
    }
    assert_eq!(bare["role"], "lead");
    assert_eq!(bare["unsubscribed_from_emails"], false);
    assert_eq!(bare["custom_attributes"], json!({}));
}

#[tokio::test]
async fn the_owner_has_the_type_of_the_version() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = create(&sandbox, &json!({"external_id": "42", "owner_id": 127})).await;
    let query = json!({"query": {"field": "owner_id", "operator": "=", "value": 127}});
    for (version, owner) in [
        (Some("2.7"), json!(127)),
        (Some("2.15"), json!(127)),
        (Some("2.16"), json!("127")),
        (Some("Unstable"), json!("127")),
        (None, json!("127")),
    ] {
        let versioned = |method, path: &str| {
            let request = request(&sandbox, method, path);
            match version {
                Some(version) => request.header("Intercom-Version", version),
                None => request,
            }
        };
        let one = finish(versioned(Method::GET, &format!("/contacts/{id}"))).await;
        assert_eq!(one.json()["owner_id"], owner, "{version:?}");
        let list = finish(versioned(Method::GET, "/contacts")).await;
        assert_eq!(list.json()["data"][0]["owner_id"], owner, "{version:?}");
        let search = versioned(Method::POST, "/contacts/search").body(query.to_string());
        assert_eq!(finish(search).await.json()["data"][0]["owner_id"], owner, "{version:?}");
    }
}

#[tokio::test]
async fn the_handle_reads_what_the_api_wrote() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox = Sandbox::builder().clock(clock.clone()).start().await.unwrap();
    let id = create(
        &sandbox,
        &json!({"external_id": "42", "name": "Ada", "custom_attributes": {"plan": "free"}}),
    )
    .await;
    let before = sandbox.contact(&id).expect("the contact is known");

    clock.advance(std::time::Duration::from_secs(5));
    let changes = json!({
        "phone": "+1", "avatar": "https://example.com/a.png", "owner_id": 7, "signed_up_at": 1,
        "last_seen_at": 2, "unsubscribed_from_emails": true, "custom_attributes": {"plan": "pro"},
    });
    let answered = send(&sandbox, Method::PUT, &format!("/contacts/{id}"), &changes).await;
    assert_eq!(answered.status, 200, "{}", answered.text);

    let after = sandbox.user("42").expect("the user is known");
    assert_eq!(after.contact_id(), id);
    assert_eq!(after.name(), Some("Ada"));
    assert_eq!(after.phone(), Some("+1"));
    assert_eq!(after.avatar(), Some("https://example.com/a.png"));
    assert_eq!(after.owner_id(), Some("7"));
    assert_eq!((after.signed_up_at(), after.last_seen_at()), (Some(1), Some(2)));
    assert!(after.is_unsubscribed_from_emails());
    assert_eq!(after.custom_attributes()["plan"], "pro");
    assert_eq!((after.created_at(), after.updated_at()), (1_700_000_000, 1_700_000_005));

    // An earlier snapshot does not change.
    assert_eq!(before.custom_attributes()["plan"], "free");
    assert_eq!((before.phone(), before.updated_at()), (None, 1_700_000_000));
    assert!(sandbox.contact("unknown").is_none() && sandbox.user("43").is_none());
}

#[tokio::test]
async fn a_seeded_contact_is_answered_as_given() {
    let sandbox = Sandbox::start().await.unwrap();
    let seed = SeedContact::user_id("42")
        .with_name("Ada")
        .with_phone("+1")
        .with_custom_attribute("plan", "pro")
        .with_custom_attribute("seats", 3);
    let added = sandbox.add_contact(seed);
    let answered = get(&sandbox, &format!("/contacts/{}", added.contact_id())).await.json();
    assert_eq!(answered["name"], "Ada");
    assert_eq!(answered["phone"], "+1");
    assert_eq!(answered["custom_attributes"], json!({"plan": "pro", "seats": 3}));
}

#[tokio::test]
async fn a_seed_replaces_the_contact_with_its_id() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.add_contact(SeedContact::contact_id("5ba6").with_user_id("1"));
    sandbox.add_contact(SeedContact::contact_id("5ba6").with_user_id("2"));
    assert_eq!(sandbox.contacts().len(), 1);
    assert!(sandbox.user("1").is_none());
    assert_eq!(sandbox.user("2").expect("the second").contact_id(), "5ba6");
}

#[tokio::test]
async fn mistakes_in_a_contact_are_reported_with_hints() {
    let sandbox = Sandbox::start().await.unwrap();
    let long = "x".repeat(256);
    for (member, status, error) in [
        (json!({"role": 1}), 400, "parameter_invalid role"),
        (json!({"phone": 1}), 400, "parameter_invalid phone"),
        (json!({"avatar": {"image_url": "x"}}), 400, "parameter_invalid avatar"),
        (json!({"owner_id": -1}), 400, "parameter_invalid owner_id"),
        (json!({"signed_up_at": "2020-01-01"}), 400, "parameter_invalid signed_up_at"),
        (json!({"signed_up_at": 1.5}), 400, "parameter_invalid signed_up_at"),
        (json!({"last_seen_at": 1_700_000_000_000_u64}), 422, "parameter_invalid last_seen_at"),
        (
            json!({"unsubscribed_from_emails": "no"}),
            400,
            "parameter_invalid unsubscribed_from_emails",
        ),
        (json!({"name": "x".repeat(4_097)}), 422, "parameter_invalid name"),
        (json!({"custom_attributes": []}), 400, "parameter_invalid custom_attributes"),
        (json!({"custom_attributes": {"a.b": 1}}), 422, "parameter_invalid custom_attributes.a.b"),
        (json!({"custom_attributes": {"a": long}}), 422, "parameter_invalid custom_attributes.a"),
        (json!({"custom_attributes": {"a": [1]}}), 400, "parameter_invalid custom_attributes.a"),
    ] {
        let mut body = json!({"external_id": "42"});
        body.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        let answered = post_contact(&sandbox, &body).await;
        assert_eq!(
            (answered.status, answered.errors()),
            (status, vec![error.to_owned()]),
            "{body}"
        );
        assert!(!crate::contact_calls::hint(&sandbox).is_empty());
    }
    assert!(sandbox.contacts().is_empty());
}

#[tokio::test]
async fn all_mistakes_in_a_contact_are_reported_at_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let body = json!({"role": "admin", "email": "", "name": 1, "custom_attributes": {"": true}});
    let answered = post_contact(&sandbox, &body).await;
    assert_eq!(answered.status, 400);
    assert_eq!(
        answered.errors(),
        [
            "parameter_invalid role",
            "parameter_not_found email",
            "parameter_invalid name",
            "parameter_invalid custom_attributes.",
        ]
    );
}

#[tokio::test]
async fn the_lists_of_a_contact_are_empty() {
    let sandbox = Sandbox::start().await.unwrap();
    let id = create(&sandbox, &json!({"external_id": "42"})).await;
    let contact = get(&sandbox, &format!("/contacts/{id}")).await.json();
    for list in [
        "tags",
        "notes",
        "companies",
        "opted_out_subscription_types",
        "opted_in_subscription_types",
    ] {
        let url = contact[list]["url"].as_str().expect("a list has a URL");
        let answered = get(&sandbox, url).await;
        assert_eq!(answered.status, 200, "{url}");
        let json = answered.json();
        assert_eq!((&json["type"], &json["data"]), (&json!("list"), &json!([])), "{url}");
        assert_eq!(json["total_count"], 0, "{url}");
    }
    assert_eq!(get(&sandbox, "/contacts/none/tags").await.status, 404);
}
