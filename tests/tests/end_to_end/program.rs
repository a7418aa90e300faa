//! The README's program, to the letter.

use intercom_core::{Contact, IntercomEvent, Tracker};
use intercom_http::HttpTransport;
use intercom_sandbox::{Sandbox, SeedContact};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
    project_name: String,
}

#[tokio::test]
async fn a_program_sends_one_event() -> Result<(), Box<dyn std::error::Error>> {
    let ada = SeedContact::email("ada@example.com");
    let sandbox = Sandbox::builder().contact(ada).start().await?;
    let transport = HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build()?;

    let tracker = Tracker::new(transport);
    let receipt = tracker
        .for_contact(Contact::email("ada@example.com"))
        .send(&ProjectCreated { project_id: 7, project_name: "Apollo".into() })
        .await?;

    assert!(receipt.is_delivered());
    assert_eq!(receipt.status(), Some(202));
    assert_eq!(sandbox.request_count(), 1);
    let [event] = &sandbox.events()[..] else { panic!("one event") };
    assert_eq!(event.name(), "project_created");
    assert_eq!(event.email(), Some("ada@example.com"));
    assert_eq!(
        event.metadata(),
        [("project_id".into(), 7.into()), ("project_name".into(), "Apollo".into())]
    );
    Ok(())
}

#[tokio::test]
async fn the_request_has_every_header_that_intercom_wants() {
    let (sandbox, tracker) = crate::start_tracker().await;
    let event = ProjectCreated { project_id: 7, project_name: "Apollo".into() };
    tracker.for_contact(Contact::user_id(1)).send(&event).await.unwrap();
    let [request] = &sandbox.requests()[..] else { panic!("one request") };
    assert_eq!((request.method(), request.path()), ("POST", "/events"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("intercom-version"), Some("2.16"));
    assert!(request.header("user-agent").unwrap().starts_with("intercom-rust/"));
    assert!(request.has_header("authorization"));
}

#[tokio::test]
async fn the_old_scheme_signs_with_app_id_and_key() {
    let sandbox = Sandbox::builder().know_everybody(true).start().await.unwrap();
    let transport = HttpTransport::basic_auth(sandbox.app_id(), sandbox.api_key())
        .base_url(sandbox.url())
        .build()
        .unwrap();
    let event = ProjectCreated { project_id: 7, project_name: "Apollo".into() };
    let both = Contact::user_id("ada@example.com").with_email("ada@example.com");
    Tracker::new(transport).for_contact(both).send(&event).await.unwrap();
    let event = &sandbox.events()[0];
    assert_eq!(
        (event.user_id(), event.email()),
        (Some("ada@example.com"), Some("ada@example.com"))
    );
}

#[tokio::test]
async fn one_tracker_serves_many_tasks_at_once() {
    let (sandbox, tracker) = crate::start_tracker().await;
    let tasks: Vec<_> = (0..100)
        .map(|project_id| {
            let event = ProjectCreated { project_id, project_name: "Apollo".into() };
            tokio::spawn(tracker.for_contact(Contact::user_id(project_id)).send(&event))
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let mut ids: Vec<_> = sandbox
        .events()
        .iter()
        .map(|event| event.metadata_value("project_id").unwrap().as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, Vec::from_iter(0..100));
}

#[tokio::test]
async fn an_invalid_event_never_reaches_the_network() {
    let (sandbox, tracker) = crate::start_tracker().await;
    let event = ProjectCreated { project_id: 7, project_name: "a".repeat(256) };
    tracker.for_contact(Contact::user_id(1)).send(&event).await.unwrap_err();
    let event = ProjectCreated { project_id: 7, project_name: "a".into() };
    tracker.for_contact(Contact::user_id("")).send(&event).await.unwrap_err();
    assert_eq!(sandbox.request_count(), 0);
}
