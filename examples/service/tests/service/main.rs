//! How to test that a service tells Intercom what it should. The service runs as it is, its events end at a local Intercom,
//! and the test looks there for what arrived.
//!
//! ```sh
//! cargo test -p service
//! ```

#![allow(clippy::unwrap_used, reason = "a panic fails the test; helpers are part of it")]

mod process;
mod running;

use intercom_delivery::DeadLetterReason;
use intercom_sandbox::Fault;
use intercom_sqlite::SqliteOutbox;
use reqwest::{Method, StatusCode};
use serde_json::json;

use running::Running;

#[tokio::test]
async fn intercom_hears_of_a_project_from_its_beginning_to_its_end() {
    let running = Running::start().await;
    let created = running.call(Method::POST, "/projects", json!({"name": "Apollo"})).await;
    assert_eq!(created, StatusCode::CREATED);
    let deleted = running.call(Method::DELETE, "/projects/1", json!({})).await;
    assert_eq!(deleted, StatusCode::NO_CONTENT);

    // The delivery reports it in the background, so the test waits for it, without a sleep.
    let mut events = running.sandbox.wait_for(2).await;
    events.sort_by_key(|event| event.name().to_owned());
    let [created, deleted] = &events[..] else { panic!("there are two events: {events:?}") };
    assert_eq!(created.name(), "project_created");
    assert_eq!(created.user_id(), Some("42"));
    assert_eq!(created.metadata_value("project_name"), Some(&"Apollo".into()));
    assert_eq!(deleted.name(), "project_deleted");
    assert_eq!(deleted.metadata_value("reason"), None);
}

#[tokio::test]
async fn a_request_of_nobody_does_nothing_and_tells_nobody() {
    let running = Running::start().await;
    let body = json!({"name": "Apollo"}).to_string();
    let request = running.request(Method::POST, "/projects").body(body);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let (report, sandbox) = running.end().await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(sandbox.request_count(), 0);
}

#[tokio::test]
async fn an_outage_of_intercom_is_none_of_the_service() {
    let running = Running::start().await;
    running.sandbox.fail_next(2, 503);
    let created = running.call(Method::POST, "/projects", json!({"name": "Apollo"})).await;
    assert_eq!(created, StatusCode::CREATED);
    assert_eq!(running.get("/health/ready").await.0, StatusCode::OK);

    assert_eq!(running.sandbox.wait_for(1).await.len(), 1);
    assert_eq!(running.sandbox.request_count(), 3);
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_event() {
    let running = Running::start().await;
    // Intercom takes the event, and its answer never arrives: the service cannot know, and sends it again.
    running.sandbox.inject("reset after acceptance for next 1".parse::<Fault>().unwrap());
    running.call(Method::POST, "/projects", json!({"name": "Apollo"})).await;
    running.sandbox.requests_after(1).await;

    let (report, sandbox) = running.end().await;
    assert!(report.is_complete(), "{report}");
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 1));
}

#[tokio::test]
async fn the_service_keeps_and_explains_refused_events() {
    let running = Running::start().await;
    running.call_as(43, Method::POST, "/projects", json!({"name": "Apollo"})).await;
    running.sandbox.requests_after(0).await;

    // The sandbox tells what to do about it, which Intercom does not.
    let requests = running.sandbox.requests();
    let problem = &requests[0].problems()[0];
    assert_eq!(problem.message(), "User Not Found");
    assert!(problem.hint().is_some());
    let folder = running.folder.clone();
    let _ = running.end().await;
    let file = SqliteOutbox::inspect(folder.path().join("events.db")).unwrap();
    let letters = file.dead_letters(None, 10).unwrap();
    assert_eq!(letters[0].reason, DeadLetterReason::UnknownContact);
}

#[tokio::test]
async fn the_service_shows_its_status_to_operators() {
    let running = Running::start().await;
    assert_eq!(running.get("/health/live").await.0, StatusCode::OK);
    running.call(Method::POST, "/projects", json!({"name": "Apollo"})).await;
    running.sandbox.wait_for(1).await;
    let (status, said) = running.get("/health/ready").await;
    assert!(status == StatusCode::OK && said.trim() == "delivering", "{status} {said}");
    assert_eq!(running.get("/metrics").await.0, StatusCode::OK);
}

/// A deploy: what was accepted by a process that ends is delivered by the next.
#[tokio::test]
async fn the_next_start_delivers_pending_events() {
    let running = Running::start().await;
    running.sandbox.inject("503 for 100%".parse::<Fault>().unwrap());
    running.call(Method::POST, "/projects", json!({"name": "Apollo"})).await;
    running.sandbox.requests_after(0).await;
    let folder = running.folder.clone();
    let (report, sandbox) = running.end().await;
    assert!(!report.is_complete(), "{report}");

    sandbox.remove_faults();
    let next = Running::start_with(folder, sandbox).await;
    assert_eq!(next.sandbox.wait_for(1).await.len(), 1);
    assert!(next.end().await.0.is_complete());
}
