//! The state file: what survives a restart.

use std::path::PathBuf;

use intercom_sandbox::{Outcome, Retention, Sandbox, SandboxBuilder, SeedContact, StartError};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::contact_calls::{create, get, send};
use crate::support::{event, finish, post_event, post_text, request};

struct Place {
    _folder: TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("state.json");
        Self { _folder: folder, file }
    }

    async fn start(&self, builder: SandboxBuilder) -> Sandbox {
        builder.state_file(&self.file).start().await.expect("a free port, and a good file")
    }
}

#[tokio::test]
async fn contacts_and_their_merges_are_kept() {
    let place = Place::new();
    let first = place.start(Sandbox::builder()).await;
    let ada = json!({
        "external_id": "42", "email": "ada@example.com", "name": "Ada", "phone": "+1",
        "owner_id": "7", "signed_up_at": 1, "unsubscribed_from_emails": true,
        "custom_attributes": {"plan": "pro", "seats": 3},
    });
    let user = create(&first, &ada).await;
    let lead = create(&first, &json!({"role": "lead", "email": "ada@example.com"})).await;
    let gone = create(&first, &json!({"external_id": "gone"})).await;
    finish(request(&first, Method::POST, &format!("/contacts/{gone}/archive"))).await;
    let merge = json!({"from": lead, "into": user});
    assert_eq!(send(&first, Method::POST, "/contacts/merge", &merge).await.status, 200);
    let paths = [
        format!("/contacts/{user}?include_merge_history=true"),
        format!("/contacts/{gone}"),
        format!("/contacts/{user}/merge_history"),
    ];
    let read = async |sandbox: &Sandbox| {
        let mut answers = Vec::new();
        for path in &paths {
            answers.push(get(sandbox, path).await.json());
        }
        answers
    };
    let before = read(&first).await;
    first.shutdown().await;

    let second = place.start(Sandbox::builder()).await;
    assert_eq!(read(&second).await, before);
    assert_eq!(get(&second, &format!("/contacts/{lead}")).await.status, 410);
    let of_lead = json!({"event_name": "a", "created_at": 1, "id": lead});
    assert_eq!(post_event(&second, &of_lead).await.status, 202);
    // A new contact gets an unused id.
    let new = create(&second, &json!({"external_id": "new"})).await;
    assert!(![&user, &lead, &gone].contains(&&new));
    second.shutdown().await;
}

#[tokio::test]
async fn events_are_kept_with_names_counts_and_duplicates() {
    let place = Place::new();
    let builder = || Sandbox::builder().know_everybody(true).active_event_names(2);
    let first = place.start(builder()).await;
    let now = jiff::Timestamp::now().as_second();
    let mut body = event("plan.updated");
    body["created_at"] = json!(now);
    body["metadata"] = json!({"city": "Zürich"});
    assert_eq!(post_event(&first, &body).await.status, 202);
    assert_eq!(post_event(&first, &body).await.status, 202);
    assert_eq!(post_text(&first, "nonsense").await.status, 400);
    let summaries = json!({"user_id": "42", "event_summaries": [
        {"event_name": "imported", "count": 12, "first": 1, "last": 9},
    ]});
    let sent = send(&first, Method::POST, "/events/summaries", &summaries).await;
    assert_eq!(sent.status, 200);
    let list = "/events?type=user&user_id=42";
    let read = async |sandbox: &Sandbox| {
        let (listed, summary) =
            (get(sandbox, list).await.json(), get(sandbox, &format!("{list}&summary=true")).await);
        (listed["events"].clone(), summary.json()["events"].clone())
    };
    let before = read(&first).await;
    let records = first.requests();
    first.shutdown().await;

    let second = place.start(builder()).await;
    assert_eq!(read(&second).await, before);
    let kept: Vec<_> = second.requests().into_iter().take(4).collect();
    for (kept, record) in kept.iter().zip(&records) {
        // The file keeps times to the millisecond.
        let milliseconds = |record: &intercom_sandbox::ReceivedRequest| {
            let since = record.received_at().duration_since(std::time::UNIX_EPOCH);
            since.expect("it is after 1970").as_millis()
        };
        assert_eq!(milliseconds(kept), milliseconds(record));
        assert_eq!(kept.body(), record.body());
        assert_eq!(kept.answer(), record.answer());
        assert_eq!((kept.status(), kept.outcome()), (record.status(), record.outcome()));
        assert_eq!(kept.problems(), record.problems());
        assert_eq!(kept.headers().collect::<Vec<_>>(), record.headers().collect::<Vec<_>>());
    }
    assert_eq!((second.event_count(), second.duplicate_count()), (1, 1));
    assert_eq!(second.events()[0].metadata_value("city"), Some(&json!("Zürich")));
    // The event is still a duplicate, and the names are still active.
    assert_eq!(post_event(&second, &body).await.status, 202);
    assert_eq!(second.requests().last().unwrap().outcome(), Outcome::Duplicate);
    assert_eq!(post_event(&second, &event("a_third_name")).await.status, 422);
    second.shutdown().await;
}

#[tokio::test]
async fn events_are_kept_that_outlive_their_requests() {
    let place = Place::new();
    let builder = || {
        let retention = Retention::default().keep_requests(1);
        Sandbox::builder().know_everybody(true).retention(retention)
    };
    let first = place.start(builder()).await;
    for name in ["one", "two", "three"] {
        post_event(&first, &event(name)).await;
    }
    first.shutdown().await;
    let second = place.start(builder()).await;
    let names: Vec<_> = second.events().iter().map(|event| event.name().to_owned()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert_eq!(second.requests().len(), 1);
}

/// A killed process loses only its last seconds.
#[tokio::test]
async fn the_file_is_written_while_the_sandbox_runs() {
    let place = Place::new();
    let first = place.start(Sandbox::builder()).await;
    create(&first, &json!({"external_id": "42"})).await;
    first.save_state().await.expect("the file is written");
    drop(first);
    let second = place.start(Sandbox::builder()).await;
    assert!(second.user("42").is_some());
}

#[tokio::test]
async fn seed_contacts_are_added_to_kept_ones() {
    let place = Place::new();
    let first = place.start(Sandbox::builder()).await;
    let id = create(&first, &json!({"external_id": "42", "name": "Ada"})).await;
    first.shutdown().await;
    let seed = SeedContact::user_id("42").with_name("Eve");
    let second = place.start(Sandbox::builder().contact(seed)).await;
    let user = second.user("42").expect("the contact is known");
    assert_eq!((user.contact_id(), user.name()), (&*id, Some("Eve")));
    assert_eq!(second.contacts().len(), 1);
}

#[tokio::test]
async fn an_invalid_state_file_is_not_overwritten() {
    let place = Place::new();
    for (text, told) in [("{}", "missing field"), (r#"{"version": 2}"#, "version is 2")] {
        std::fs::write(&place.file, text).expect("the file is written");
        let error = Sandbox::builder().state_file(&place.file).start().await.unwrap_err();
        let StartError::InvalidState { source, .. } = &error else { panic!("{error:?}") };
        assert!(source.to_string().contains(told), "{source}");
        assert_eq!(std::fs::read_to_string(&place.file).unwrap(), text);
    }
    let nowhere = place.file.join("nowhere");
    let error = Sandbox::builder().state_file(nowhere).start().await.unwrap_err();
    assert!(matches!(error, StartError::ReadState { .. } | StartError::WriteState { .. }));
}

#[tokio::test]
async fn two_sandboxes_do_not_share_a_file() {
    let place = Place::new();
    let first = place.start(Sandbox::builder().know_everybody(true)).await;
    post_event(&first, &event("a")).await;
    let error = Sandbox::builder().state_file(&place.file).start().await.unwrap_err();
    let StartError::StateInUse { path } = &error else { panic!("{error:?}") };
    assert_eq!(*path, place.file);
    // The first sandbox goes on, and releases the file at any end.
    assert_eq!(first.events().len(), 1);
    first.save_state().await.expect("the file is written");
    drop(first);
    let second = place.start(Sandbox::builder()).await;
    assert_eq!(second.events().len(), 1);
}

#[tokio::test]
async fn tokens_are_not_in_the_file() {
    let place = Place::new();
    let builder = Sandbox::builder().know_everybody(true).token("a-secret-token");
    let sandbox = place.start(builder).await;
    post_event(&sandbox, &event("a")).await;
    sandbox.shutdown().await;
    let text = std::fs::read_to_string(&place.file).unwrap();
    assert!(!text.contains("a-secret-token"));
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json["version"], 1);
}
