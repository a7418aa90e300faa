//! Every row of the documentation's table of responses, over real HTTP.

use std::time::Duration;

use intercom_core::{Contact, DynamicEvent, ErrorKind, SendError, Tracker};
use intercom_http::HttpTransport;
use intercom_sandbox::{Answer, ManualClock, OpenRules, Sandbox, SeedContact};
use tokio::net::TcpListener;

async fn send(tracker: &Tracker) -> Result<u16, SendError> {
    let event = DynamicEvent::new("project_created").unwrap().with("secret", "hunter2").unwrap();
    let sent = tracker.for_contact(Contact::email("ada@example.com")).send(&event).await;
    if let Err(error) = &sent {
        assert_eq!(error.event_name().unwrap(), "project_created");
        let shown = format!("{error} {error:?}");
        for secret in ["ada@example.com", "hunter2", "sandbox-token"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    sent.map(|receipt| receipt.status().unwrap())
}

#[tokio::test]
async fn each_scripted_answer_becomes_what_it_means() {
    use ErrorKind::*;

    let (sandbox, tracker) = crate::start_tracker().await;
    for status in [200, 201, 202, 204] {
        sandbox.answer_next(Answer::status(status));
        assert_eq!(send(&tracker).await.unwrap(), status);
    }
    let rows = [
        (400, "parameter_invalid", Rejected),
        (406, "media_type_not_acceptable", Rejected),
        (413, "payload_too_large", Rejected),
        (415, "unsupported_media_type", Rejected),
        (422, "parameter_invalid", Rejected),
        (401, "unauthorized", Unauthorized),
        (402, "action_forbidden", Forbidden),
        (403, "api_plan_restricted", Forbidden),
        (404, "not_found", UnknownContact),
        (404, "api_path_not_found", UnexpectedAnswer),
        (409, "conflict", AmbiguousContact),
        (409, "something_new", AmbiguousContact),
        (400, "conflict", AmbiguousContact),
        (408, "request_timeout", Unavailable),
        (425, "too_early", Unavailable),
        (429, "rate_limit_exceeded", RateLimited),
        (500, "server_error", Unavailable),
        (502, "bad_gateway", Unavailable),
        (503, "service_unavailable", Unavailable),
        (504, "gateway_timeout", Unavailable),
        (301, "moved", UnexpectedAnswer),
        (405, "method_not_allowed", UnexpectedAnswer),
        (418, "teapot", Rejected),
    ];
    for (status, code, kind) in rows {
        sandbox.answer_next(Answer::error(status, code, "as told"));
        let error = send(&tracker).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
        assert_eq!(error.api_errors()[0].code, code);
        assert_eq!(error.api_errors()[0].message.as_deref(), Some("as told"));
        assert!(error.request_id().is_some());
    }
}

#[tokio::test]
async fn an_event_that_the_sandbox_finds_wrong_is_rejected() {
    let (sandbox, _) = crate::start_tracker().await;
    // The core refuses what the sandbox would, so a wrong request needs another API version.
    let transport = HttpTransport::builder(sandbox.token())
        .base_url(sandbox.url())
        .api_version("9.9")
        .build()
        .unwrap();
    let error = send(&Tracker::new(transport)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(400)));
    assert!(error.is_permanent());
    assert_eq!(error.api_errors()[0].code, "intercom_version_invalid");
}

#[tokio::test]
async fn a_wrong_token_needs_an_operator() {
    let sandbox = Sandbox::start().await.unwrap();
    let transport = HttpTransport::builder("wrong").base_url(sandbox.url()).build().unwrap();
    let error = send(&Tracker::new(transport.clone())).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unauthorized, Some(401)));
    assert!(error.needs_operator() && !error.is_retryable() && !error.is_permanent());
    assert_eq!(transport.verify().await.unwrap_err().kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn an_unknown_contact_has_its_own_error_kind() {
    let (_sandbox, transport) = crate::start(Sandbox::builder()).await;
    let error = send(&Tracker::new(transport)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::UnknownContact, Some(404)));
    assert_eq!(error.api_errors()[0].message.as_deref(), Some("User Not Found"));
    assert!(!error.is_retryable() && !error.is_permanent() && !error.needs_operator());
}

#[tokio::test]
async fn an_ambiguous_contact_is_permanent_with_either_status() {
    for (as_400, status) in [(false, 409), (true, 400)] {
        let sandbox = Sandbox::builder()
            .contact(SeedContact::user_id("1").with_email("ada@example.com"))
            .contact(SeedContact::user_id("2").with_email("ada@example.com"))
            .open_rules(OpenRules::default().ambiguous_contact_is_400(as_400));
        let (_sandbox, transport) = crate::start(sandbox).await;
        let error = send(&Tracker::new(transport)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::AmbiguousContact, Some(status)));
        assert!(error.is_permanent());
    }
}

#[tokio::test]
async fn the_name_limit_has_its_own_error_kind() {
    let sandbox = Sandbox::builder().know_everybody(true).active_event_names(1);
    let (_sandbox, transport) = crate::start(sandbox).await;
    let tracker = Tracker::new(transport);
    let other = DynamicEvent::new("another_name").unwrap();
    tracker.for_contact(Contact::user_id(1)).send(&other).await.unwrap();
    let error = send(&tracker).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::EventNameLimit, Some(422)));
    assert!(error.is_permanent());
}

#[tokio::test]
async fn a_spent_rate_limit_says_when_to_try_again() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox = Sandbox::builder().know_everybody(true).rate_limit(2).clock(clock.clone());
    let (_sandbox, transport) = crate::start(sandbox).await;
    let tracker = Tracker::new(transport);
    let event = DynamicEvent::new("project_created").unwrap();
    let ada = tracker.for_contact(Contact::user_id(1));

    let limits: Vec<_> = [ada.send(&event).await.unwrap(), ada.send(&event).await.unwrap()]
        .iter()
        .map(|receipt| receipt.rate_limit().unwrap())
        .map(|limit| (limit.limit, limit.remaining))
        .collect();
    assert_eq!(limits, [(Some(2), Some(1)), (Some(2), Some(0))]);

    let error = ada.send(&event).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::RateLimited, Some(429)));
    assert!(error.is_retryable());
    assert!(error.retry_after().is_some());
    assert_eq!(error.rate_limit().unwrap().remaining, Some(0));

    clock.advance(Duration::from_secs(11));
    ada.send(&event).await.unwrap();
}

#[tokio::test]
async fn responses_that_are_not_intercoms_are_errors() {
    let (sandbox, tracker) = crate::start_tracker().await;
    for body in ["", "null", "<html>502</html>", "{\"type\":\"error.li", "[]", "{\"errors\":7}"] {
        sandbox.answer_next(Answer::status(502).header("content-type", "text/html").body(body));
        let error = send(&tracker).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Some(502)), "{body}");
        assert!(error.api_errors().is_empty());
    }
    sandbox.answer_next(Answer::status(404).header("content-type", "text/html").body("<html>"));
    assert_eq!(send(&tracker).await.unwrap_err().kind(), ErrorKind::UnexpectedAnswer);
    sandbox.answer_next(Answer::status(400).body("x".repeat(1 << 20)));
    assert_eq!(send(&tracker).await.unwrap_err().kind(), ErrorKind::UnexpectedAnswer);
}

#[tokio::test]
async fn a_server_that_hangs_up_or_says_nothing_may_be_tried_again() {
    let sandbox = Sandbox::builder().know_everybody(true).start().await.unwrap();
    let transport = HttpTransport::builder(sandbox.token())
        .base_url(sandbox.url())
        .timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let tracker = Tracker::new(transport);

    sandbox.answer_next(Answer::hang_up());
    let error = send(&tracker).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, None));
    assert!(error.is_retryable());

    sandbox.answer_next(Answer::silence());
    let error = send(&tracker).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, None));
    assert!(error.is_retryable());

    assert_eq!(send(&tracker).await.unwrap(), 202);
}

#[tokio::test]
async fn a_refused_connection_may_be_tried_again() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let transport =
        HttpTransport::builder("token").base_url(format!("http://{address}")).build().unwrap();
    let error = send(&Tracker::new(transport)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.is_retryable());
}
