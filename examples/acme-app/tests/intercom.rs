//! How to test that an application tells Intercom what it should: the application runs as it is, its tracker ends at a
//! local Intercom, and the test looks there for what arrived.
//!
//! ```sh
//! cargo test -p acme-app
//! ```

use std::error::Error;
use std::time::Duration;

use intercom_delivery::{DeadLetterReason, Delivery, RetryPolicy, UnknownContact};
use intercom_http::HttpTransport;
use intercom_sandbox::{Fault, Sandbox, SeedContact};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Result = std::result::Result<(), Box<dyn Error>>;

/// The application, running, and the Intercom that it talks to.
struct Running {
    url: String,
    sandbox: Sandbox,
    delivery: Delivery,
}

impl Running {
    /// Starts both, with the user 42 as the only contact. A test has no patience: retries come soon.
    async fn start() -> std::result::Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::builder().contact(SeedContact::user_id("42")).start().await?;
        let transport = HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build()?;
        let soon = Duration::from_millis(10);
        let delivery = Delivery::builder(transport)
            .retry(RetryPolicy::new().base(soon).cap(soon))
            .unknown_contact(UnknownContact::DeadLetter)
            .start()?;

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, acme_app::router(delivery.tracker())).into_future());
        Ok(Self { url, sandbox, delivery })
    }

    /// What a customer does.
    async fn call(&self, method: Method, path: &str, body: Value) -> reqwest::Result<StatusCode> {
        // reqwest makes no client without a TLS provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = Client::new().request(method, format!("{}{path}", self.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        Ok(request.send().await?.status())
    }
}

#[tokio::test]
async fn intercom_hears_of_a_project_from_its_beginning_to_its_end() -> Result {
    let running = Running::start().await?;
    let project = json!({"owner": 42, "name": "Apollo"});
    let status = running.call(Method::POST, "/projects", project).await?;
    assert_eq!(status, StatusCode::CREATED);
    let status = running.call(Method::DELETE, "/projects/1", json!({"by": 42})).await?;
    assert_eq!(status, StatusCode::NO_CONTENT);

    // It is told in the background, so the test waits for it, without a sleep.
    let mut events = running.sandbox.wait_for(2).await;
    events.sort_by_key(|event| event.name().to_owned());
    let [created, deleted] = &events[..] else { panic!("there are two events: {events:?}") };
    assert_eq!(created.name(), "project_created");
    assert_eq!(created.user_id(), Some("42"));
    assert_eq!(created.metadata_value("project_name"), Some(&"Apollo".into()));
    assert_eq!(deleted.name(), "project_deleted");
    assert_eq!(deleted.metadata_value("reason"), None);
    Ok(())
}

#[tokio::test]
async fn an_outage_of_intercom_is_none_of_the_application() -> Result {
    let running = Running::start().await?;
    running.sandbox.fail_next(2, 503);
    let project = json!({"owner": 42, "name": "Apollo"});
    assert_eq!(running.call(Method::POST, "/projects", project).await?, StatusCode::CREATED);

    assert_eq!(running.sandbox.wait_for(1).await.len(), 1);
    assert_eq!(running.sandbox.request_count(), 3);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_event() -> Result {
    let running = Running::start().await?;
    // Intercom takes the event, and its answer never arrives: the application cannot know, and sends it again.
    running.sandbox.inject("reset after acceptance for next 1".parse::<Fault>()?);
    let project = json!({"owner": 42, "name": "Apollo"});
    running.call(Method::POST, "/projects", project).await?;

    let report = running.delivery.shutdown(Duration::from_secs(10)).await;
    assert!(report.is_complete(), "{report}");
    assert_eq!((running.sandbox.event_count(), running.sandbox.duplicate_count()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn what_intercom_refuses_is_kept_and_explained() -> Result {
    let running = Running::start().await?;
    let project = json!({"owner": 43, "name": "Apollo"});
    assert_eq!(running.call(Method::POST, "/projects", project).await?, StatusCode::CREATED);

    let report = running.delivery.flush(Duration::from_secs(10)).await;
    assert!(report.is_complete(), "{report}");
    let letters = running.delivery.dead_letters(None, 10).await?;
    assert_eq!(letters[0].reason, DeadLetterReason::UnknownContact);
    // The sandbox tells what to do about it, which Intercom does not.
    let requests = running.sandbox.requests();
    let problem = &requests[0].problems()[0];
    assert_eq!(problem.message(), "User Not Found");
    assert!(problem.hint().is_some());
    Ok(())
}
