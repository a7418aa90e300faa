//! The result of each response.

use std::time::Duration;

use intercom_core::{Contact, ErrorKind};

use crate::server::{Reply, Server, answer, error_list};
use crate::{event, event_of, refused, send, send_by, transport};

#[tokio::test]
async fn a_success_is_delivered_unless_its_body_denies_it() {
    for (status, body) in [(202, ""), (200, "{}"), (201, "{\"errors\":[]}"), (202, "\0\u{1}")] {
        let receipt = send(answer(status, &[], body)).await.unwrap();
        assert_eq!(receipt.status(), Some(status));
        assert_eq!((receipt.request_id(), receipt.rate_limit()), (None, None));
    }
    let receipt = send(Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())).await.unwrap();
    assert_eq!(receipt.status(), Some(204));
}

#[tokio::test]
async fn a_receipt_has_the_request_id_and_the_rate_limit() {
    let headers = [
        "Date: Tue, 14 Nov 2023 22:13:20 GMT",
        "X-Request-Id: b1a2-not-a-uuid",
        "X-RateLimit-Limit: 167",
        "X-RateLimit-Remaining: 166",
        "X-RateLimit-Reset: 1700000010",
    ];
    let receipt = send(answer(202, &headers, "")).await.unwrap();
    assert_eq!(receipt.request_id(), Some("b1a2-not-a-uuid"));
    let rate_limit = receipt.rate_limit().unwrap();
    assert_eq!((rate_limit.limit, rate_limit.remaining), (Some(167), Some(166)));
    assert_eq!(rate_limit.resets_in, Some(Duration::from_secs(10)));
}

#[tokio::test]
async fn every_status_has_its_kind() {
    use ErrorKind::*;
    let rows: &[(ErrorKind, &[u16])] = &[
        (Rejected, &[400, 406, 413, 415, 422]),
        (Unauthorized, &[401]),
        (Forbidden, &[402, 403]),
        (AmbiguousContact, &[409]),
        (RateLimited, &[429]),
        (Unavailable, &[408, 425, 500, 501, 502, 503, 504, 520, 599]),
        (UnexpectedAnswer, &[300, 301, 304, 308, 404, 405, 600, 999]),
    ];
    let list = "{\"type\":\"error.list\",\"errors\":[{\"code\":\"whatever\"}]}";
    let empty = "{\"type\":\"error.list\",\"errors\":[]}";
    let pages = ["", "<html>", "null", "{\"error\":\"blocked\"}", "{\"errors\":[]}", "[]", empty];
    let passing = [RateLimited, Unavailable];
    let cases: Vec<_> = rows
        .iter()
        .flat_map(|(kind, statuses)| statuses.iter().map(|status| (*kind, *status)))
        .flat_map(|(kind, status)| {
            // Without Intercom's error list, a refusal is no verdict of Intercom.
            let without = if passing.contains(&kind) { kind } else { UnexpectedAnswer };
            let pages = pages.map(|page| (without, status, page));
            pages.into_iter().chain([(kind, status, list)])
        })
        // A 304 has no body.
        .filter(|(_, status, body)| *status != 304 || body.is_empty())
        .collect();
    let replies = cases.iter().map(|(_, status, body)| answer(*status, &[], body));
    let server = Server::start(replies).await;
    let transport = transport(&server);
    for (kind, status, _) in cases {
        let error = send_by(&transport, event()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
    }
}

#[tokio::test]
async fn codes_and_messages_refine_a_status() {
    use ErrorKind::*;
    let names = "Cannot have more than 120 active event names";
    for (status, code, message, kind) in [
        (404, "not_found", "User Not Found", UnknownContact),
        (404, "contact_not_found", "", UnknownContact),
        (404, "route_not_found", "", UnexpectedAnswer),
        (405, "method_not_allowed", "", UnexpectedAnswer),
        (410, "gone", "", Rejected),
        (418, "whatever_comes_next", "", Rejected),
        (400, "conflict", "Multiple existing users match this email address", AmbiguousContact),
        (409, "conflict", "", AmbiguousContact),
        (422, "conflict", "", Rejected),
        (422, "422", names, EventNameLimit),
        (422, "", "cannot have MORE than 1,000 Active Event Names.", EventNameLimit),
        (400, "parameter_invalid", names, EventNameLimit),
        (503, "422", names, Unavailable),
        (422, "parameter_invalid", "an active event name", Rejected),
        (401, "unauthorized", "Access Token Invalid", Unauthorized),
        (429, "rate_limit_exceeded", "Exceeded rate limit", RateLimited),
    ] {
        let error = refused(error_list(status, code, message)).await;
        assert_eq!(error.kind(), kind, "{status} {code} {message}");
    }
}

#[tokio::test]
async fn an_unknown_status_with_intercoms_error_list_rejects_the_event() {
    for status in [410, 418, 451] {
        let listed = refused(error_list(status, "whatever", "as told")).await;
        assert_eq!(listed.kind(), ErrorKind::Rejected, "{listed}");
        let other = refused(answer(status, &["content-type: text/html"], "<h1>Gone</h1>")).await;
        assert_eq!(other.kind(), ErrorKind::UnexpectedAnswer, "{other}");
    }
}

#[tokio::test]
async fn an_error_keeps_every_entry_of_intercoms_list() {
    let body = r#"{"type":"error.list","request_id":"from the body","errors":[
        {"code":"parameter_invalid","message":"is too long","field":"event_name"},
        {"code":"parameter_not_found"},
        {"code":422,"message":["not","text"],"field":null},
        {"message":"has no code"},
        {"code":null}, {}, null, 7, "text"
    ]}"#;
    let error = refused(answer(422, &["x-request-id: from the header"], body)).await;
    assert_eq!(error.request_id(), Some("from the body"));
    let answers: Vec<_> = error
        .api_errors()
        .iter()
        .map(|answer| (&*answer.code, answer.message.as_deref(), answer.field.as_deref()))
        .collect();
    assert_eq!(
        answers,
        [
            ("parameter_invalid", Some("is too long"), Some("event_name")),
            ("parameter_not_found", None, None),
            ("422", None, None),
            ("unknown", Some("has no code"), None),
        ]
    );
}

#[tokio::test]
async fn the_request_id_may_be_absent_null_or_anything() {
    for (in_body, header, expected) in [
        ("null", Some("x-request-id: abc"), Some("abc")),
        ("\"\"", Some("x-request-id: abc"), Some("abc")),
        ("[1]", None, None),
        ("17", None, Some("17")),
        ("\"two\\nlines\"", None, Some("two lines")),
        ("null", Some("x-request-id:  "), None),
    ] {
        let body = format!("{{\"request_id\":{in_body},\"errors\":[]}}");
        let error = refused(answer(500, header.as_slice(), body)).await;
        assert_eq!(error.request_id(), expected, "{in_body} {header:?}");
    }
}

#[tokio::test]
async fn a_429_has_the_time_to_wait() {
    let date = "Date: Tue, 14 Nov 2023 22:13:20 GMT";
    for (headers, expected) in [
        (vec!["Retry-After: 3", "X-RateLimit-Reset: 1700000008", date], Some(3)),
        (vec!["Retry-After: Tue, 14 Nov 2023 22:13:24 GMT", date], Some(4)),
        (vec!["X-RateLimit-Reset: 1700000008", date], Some(8)),
        (vec!["X-RateLimit-Reset: 1600000000"], Some(0)),
        (vec![], None),
    ] {
        let error = refused(answer(429, &headers, "")).await;
        assert_eq!(error.retry_after(), expected.map(Duration::from_secs), "{headers:?}");
        let has_reset = headers.iter().any(|header| header.starts_with("X-RateLimit"));
        assert_eq!(error.rate_limit().is_some(), has_reset);
    }
    let error = refused(answer(503, &["Retry-After: 99999999"], "")).await;
    assert_eq!(error.retry_after(), Some(intercom_http::MAX_WAIT));
    assert_eq!(refused(answer(422, &["Retry-After: 3"], "")).await.retry_after(), None);
}

#[tokio::test]
async fn an_error_never_shows_the_contact() {
    let body = r#"{"request_id":"r","errors":[{
        "code":"not_found",
        "message":"No user ADA@example.com, id user-4711, or 6f1a (7 of 77)",
        "field":"ada@example.com"
    }]}"#;
    let server = Server::start([answer(404, &[], body)]).await;
    let contact = Contact::email("Ada@Example.com").with_user_id("user-4711").with_contact_id("7");
    let error = send_by(&transport(&server), event_of(contact)).await.unwrap_err();
    let shown = format!("{error} {error:?}").to_lowercase();
    assert!(!shown.contains("ada") && !shown.contains("4711"), "{shown}");
    assert_eq!(
        error.api_errors()[0].message.as_deref(),
        Some("No user [contact], id [contact], or 6f1a ([contact] of 77)")
    );
    // The error's kind comes from the text before the redaction.
    assert_eq!(error.kind(), ErrorKind::UnknownContact);
}

#[tokio::test]
async fn a_page_is_never_a_success() {
    let list = "{\"type\":\"error.list\",\"errors\":[]}";
    let denials = [
        ("text/html", "log in"),
        ("Text/HTML; charset=utf-8", "<html>log in</html>"),
        ("text/plain", "<html>log in</html>"),
        ("application/json", "\u{feff} \n<!doctype html>log in"),
        ("application/json", list),
        ("text/plain", "{\"errors\":[{\"code\":\"log in\"}]}"),
    ];
    for status in [200, 201, 202] {
        for (content_type, body) in denials {
            let content_type = format!("Content-Type: {content_type}");
            let error = refused(answer(status, &[&content_type], body)).await;
            assert_eq!((error.kind(), error.status()), (ErrorKind::UnexpectedAnswer, Some(status)));
            assert!(error.needs_operator());
            assert!(!error.to_string().contains("<html>"), "{error}");
        }
    }
    for status in [203, 205, 206, 207, 226, 299] {
        let error = refused(answer(status, &[], "")).await;
        assert_eq!(error.kind(), ErrorKind::UnexpectedAnswer, "{status}");
    }
    let json = ["Content-Type: application/json"];
    assert_eq!(send(answer(200, &json, "{}")).await.unwrap().status(), Some(200));
}

#[tokio::test]
async fn an_error_redacts_values_and_the_token_from_intercoms_message() {
    let message =
        "Hunter2-Value of ada%40example.com (349.5, ok) is bad, token tok_dG9rOmE1ZjQ5NGMw";
    let server = Server::start([error_list(400, "parameter_invalid", message)]).await;
    let event = intercom_core::DynamicEvent::new("project_created")
        .and_then(|event| event.with("password", "hunter2-value"))
        .and_then(|event| event.with("price", 349.5))
        .and_then(|event| event.with("state", "ok"))
        .unwrap();
    let time = intercom_core::Timestamp::from_unix_seconds(1_700_000_000);
    let event =
        intercom_core::DataEvent::new(&event, Contact::email("ada@example.com"), time).unwrap();
    let error = send_by(&transport(&server), event).await.unwrap_err();
    assert_eq!(
        error.api_errors()[0].message.as_deref(),
        Some("[value] of [contact] ([value], ok) is bad, token [secret]")
    );
    assert_eq!(error.api_errors()[0].code, "parameter_invalid");
}

#[tokio::test]
async fn a_success_does_not_wait_for_a_body_that_never_comes() {
    let head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\n".to_vec();
    let server = Server::start([Reply::BytesThenSilence(head)]).await;
    let transport = intercom_http::HttpTransport::builder(crate::TOKEN)
        .base_url(server.url())
        .timeout(Duration::from_secs(600))
        .build()
        .unwrap();
    assert_eq!(send_by(&transport, event()).await.unwrap().status(), Some(202));
}
