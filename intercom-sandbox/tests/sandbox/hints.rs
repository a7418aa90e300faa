//! Hints: how to fix a refused request, beyond Intercom's answers.

use intercom_sandbox::{Limits, ManualClock, Sandbox, SeedContact};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{client, event, finish, post_event, post_text, raw, request};

/// Returns the hints about the last request, each of which must be a sentence.
fn hints(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.requests();
    let request = requests.last().expect("there was a request");
    assert!(!request.problems().is_empty(), "{request:?}");
    request
        .problems()
        .iter()
        .map(|problem| {
            let hint = problem.hint().unwrap_or_else(|| panic!("no hint: {problem:?}"));
            assert!(hint.starts_with(char::is_uppercase), "{hint}");
            assert!(hint.ends_with(['.', '`']), "{hint}");
            assert!(!hint.contains("  "), "{hint}");
            hint.to_owned()
        })
        .collect()
}

/// Starts a sandbox with Ada, two users that share an email, a lead and an archived user.
async fn start() -> Sandbox {
    Sandbox::builder()
        .contact(SeedContact::user_id("42"))
        .contact(SeedContact::user_id("1").with_email("both@example.com"))
        .contact(SeedContact::user_id("2").with_email("both@example.com"))
        .contact(SeedContact::contact_id("lead").with_email("lead@example.com").lead())
        .contact(SeedContact::user_id("gone").archived())
        .active_event_names(1)
        .limits(Limits::default().body_limit(100_000))
        .clock(ManualClock::at_unix_seconds(1_700_000_000))
        .start()
        .await
        .expect("a free port")
}

#[tokio::test]
async fn every_refused_request_gets_a_hint() {
    let sandbox = start().await;
    let url = sandbox.url();
    let events = || client().post(format!("{url}/events")).body(event("a").to_string());
    let with_token = || events().bearer_auth(sandbox.token());
    let cases: Vec<(RequestBuilder, u16, &str)> = vec![
        (events(), 401, "Authorization: Bearer"),
        (events().header("Authorization", "secret"), 401, "`Bearer `"),
        (events().header("Authorization", "Token secret"), 401, "`Bearer `"),
        (events().bearer_auth("secret"), 401, "access token"),
        (events().basic_auth("a", Some("b")), 401, "app id and API key, or its access token"),
        (request(&sandbox, Method::GET, "/v1/events"), 404, "base URL"),
        (request(&sandbox, Method::PUT, "/events"), 405, "GET, POST"),
        (with_token().header("Accept", "text/html"), 406, "Accept: application/json"),
        (with_token().header("Accept", "*/*"), 415, "Content-Type: application/json"),
        (
            request(&sandbox, Method::GET, "/me").header("Intercom-Version", "3.0"),
            400,
            "Intercom-Version: 2.16",
        ),
        (request(&sandbox, Method::POST, "/events").body(vec![b' '; 100_001]), 413, ""),
        (request(&sandbox, Method::POST, "/events").body("{"), 400, "Fix the JSON"),
        (request(&sandbox, Method::POST, "/events/summaries").body("[]"), 400, "one JSON object"),
        (request(&sandbox, Method::POST, "/contacts").body("{}"), 400, ""),
        (request(&sandbox, Method::POST, "/contacts").body(r#"{"role":"x"}"#), 400, ""),
        (
            request(&sandbox, Method::POST, "/contacts").body(r#"{"external_id":"42"}"#),
            409,
            "PUT /contacts/",
        ),
        (request(&sandbox, Method::GET, "/contacts/nobody"), 404, "GET /contacts"),
        (request(&sandbox, Method::GET, "/events?type=user&id=1"), 400, "intercom_user_id"),
        (request(&sandbox, Method::GET, "/events?type=user&user_id=7"), 404, "POST /contacts"),
    ];
    for (request, status, expected) in cases {
        let shown = format!("{request:?}");
        let answered = finish(request).await;
        assert_eq!(answered.status, status, "{shown}: {}", answered.text);
        let hints = hints(&sandbox);
        assert!(hints.iter().any(|hint| hint.contains(expected)), "{shown}: {hints:?}");
        // Intercom's answer does not have the hint.
        assert!(hints.iter().all(|hint| !answered.text.contains(hint)), "{}", answered.text);
    }
    let everything = format!("{:?}", sandbox.requests());
    assert!(!everything.contains("secret") && !everything.contains(sandbox.token()));
}

#[tokio::test]
async fn a_truncated_body_gets_a_hint() {
    let sandbox = start().await;
    // No chunk size is a number.
    raw(
        &sandbox,
        &format!(
            "POST /events HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Accept: application/json\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
            sandbox.token()
        ),
    )
    .await;
    let requests = sandbox.requests_after(0).await;
    assert_eq!(requests[0].problems()[0].code(), "bad_request");
    hints(&sandbox);
}

#[tokio::test]
async fn every_mistake_in_an_event_gets_a_hint() {
    let sandbox = start().await;
    let long = "x".repeat(256);
    let metadata = [
        json!({"a.b": 1}),
        json!({"type": 1}),
        json!({"due_date": "soon"}),
        json!({"key": null}),
        json!({"key": []}),
        json!({"key": {}}),
        json!({"key": long}),
        json!({"key": {"url": "ftp://example.com", "value": 7}}),
        json!({"key": {"amount": "1", "currency": "euro"}}),
        json!("text"),
        json!({"a": 1, "A": 2}),
    ];
    for metadata in metadata {
        let mut body = event("a");
        body["metadata"] = metadata;
        let answered = post_event(&sandbox, &body).await;
        assert!([400, 422].contains(&answered.status), "{body}");
        hints(&sandbox);
    }
    for (member, values) in [
        ("event_name", vec![Value::Null, json!(""), json!(7)]),
        (
            "created_at",
            vec![
                Value::Null,
                json!("now"),
                json!(1.5),
                json!(1_700_000_000_000_u64),
                json!(u64::MAX),
            ],
        ),
        ("user_id", vec![Value::Null, json!(" "), json!(7)]),
    ] {
        let mut without = event("a");
        without.as_object_mut().expect("an object").remove(member);
        assert_eq!(post_event(&sandbox, &without).await.status, 400, "{member}");
        hints(&sandbox);
        for value in values {
            let mut body = event("a");
            body[member] = value;
            assert!([400, 422].contains(&post_event(&sandbox, &body).await.status), "{body}");
            hints(&sandbox);
        }
    }
    let twice = r#"{"event_name":"a","event_name":"b","created_at":1,"user_id":"42"}"#;
    assert_eq!(post_text(&sandbox, twice).await.status, 400);
    hints(&sandbox);
}

#[tokio::test]
async fn a_missing_contact_gets_a_hint() {
    let sandbox = start().await;
    for (member, value, expected) in [
        ("user_id", "7", "POST /contacts"),
        ("user_id", "gone", "archived"),
        ("email", "lead@example.com", "lead"),
        ("id", "42", "user_id"),
    ] {
        let body = json!({"event_name": "a", "created_at": 1, member: value});
        assert_eq!(post_event(&sandbox, &body).await.status, 404, "{body}");
        let hints = hints(&sandbox);
        assert!(hints[0].contains(expected), "{hints:?}");
    }
    let both = json!({"event_name": "a", "created_at": 1, "email": "both@example.com"});
    assert_eq!(post_event(&sandbox, &both).await.status, 409);
    assert!(hints(&sandbox)[0].contains("user id"));
}

#[tokio::test]
async fn exceeded_limits_get_a_hint() {
    let sandbox = start().await;
    assert_eq!(post_event(&sandbox, &event("first")).await.status, 202);
    assert_eq!(post_event(&sandbox, &event("second")).await.status, 422);
    assert!(hints(&sandbox)[0].starts_with("Use an active name"));

    for builder in
        [Sandbox::builder().rate_limit(0), Sandbox::builder().rate_limit(5).workspace_rate_limit(0)]
    {
        let clock = ManualClock::at_unix_seconds(1_700_000_000);
        let sandbox = builder.clock(clock).start().await.expect("a free port");
        assert_eq!(post_event(&sandbox, &event("a")).await.status, 429);
        assert!(hints(&sandbox)[0].contains("10 s"));
    }
}

#[tokio::test]
async fn only_the_first_of_many_mistakes_are_reported() {
    let sandbox = start().await;
    let keys: Vec<_> = (0..1_000).map(|number| format!(r#""a.{number}":1"#)).collect();
    let metadata = keys.join(",");
    let body =
        format!(r#"{{"event_name":"a","created_at":1,"user_id":"42","metadata":{{{metadata}}}}}"#);
    let answered = post_text(&sandbox, body).await;
    assert_eq!((answered.status, answered.errors().len()), (422, 100));
}
