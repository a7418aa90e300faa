//! Reading back from servers with arbitrary responses.

use intercom_core::{Contact, Currency, ErrorKind, Money, Timestamp};
use intercom_http::{EventSummary, PastEvent, PastEvents, PastValue, ReadError, SummaryError};
use serde_json::{Value, json};

use crate::server::{Reply, Server, answer, error_list};
use crate::{event, send_by, transport};

const JSON: &str = "content-type: application/json";

fn page(events: &[Value], next: &str) -> Reply {
    let list = json!({ "type": "event.list", "events": events, "pages": { "next": next } });
    answer(200, &[JSON], list.to_string())
}

fn paid(created_at: i64) -> Value {
    json!({ "type": "event", "event_name": "invoice_paid", "created_at": created_at, "user_id": "42" })
}

async fn all(mut events: PastEvents) -> Vec<Result<PastEvent, ReadError>> {
    let mut items = Vec::new();
    while let Some(item) = events.next().await {
        items.push(item);
    }
    assert!(events.next().await.is_none(), "an ended stream stays ended");
    items
}

/// Reads everything from a server with these replies, and returns the items and the requests.
async fn read(
    replies: impl IntoIterator<Item = Reply>,
    set: impl FnOnce(PastEvents) -> PastEvents,
) -> (Vec<Result<PastEvent, ReadError>>, Vec<String>) {
    let server = Server::start(replies).await;
    let items = all(set(transport(&server).events(&Contact::user_id(42)))).await;
    let requests = server.requests();
    let asked = requests.iter().map(|request| {
        let path = request.line().strip_prefix("GET ").unwrap();
        path.strip_suffix(" HTTP/1.1").unwrap().to_owned()
    });
    (items, asked.collect())
}

fn seconds(items: &[Result<PastEvent, ReadError>]) -> Vec<i64> {
    items.iter().flatten().map(|event| event.created_at().unix_seconds()).collect()
}

#[tokio::test]
async fn of_a_next_page_only_the_cursor_is_followed() {
    let replies = [
        page(
            &[paid(30)],
            "https://evil.example/steal?type=user&email=eve%40example.com&per_page=1&before=29000",
        ),
        page(&[paid(20)], "http://api. intercom.io/events?user_id=7&before=19 000"),
        page(&[paid(10)], ""),
    ];
    let (items, asked) = read(replies, |events| events.per_page(2)).await;
    assert_eq!(seconds(&items), [30, 20, 10]);
    assert_eq!(
        asked,
        [
            "/events?type=user&user_id=42&per_page=2",
            "/events?type=user&user_id=42&per_page=2&before=29000",
            "/events?type=user&user_id=42&per_page=2&before=19000",
        ]
    );
}

#[tokio::test]
async fn a_contact_is_asked_for_by_one_identifier() {
    let server = Server::start([page(&[], "")]).await;
    let transport = transport(&server);
    let ada = Contact::email("ada+x@example.com");
    for contact in
        [ada.clone(), ada.clone().with_user_id(42), ada.with_user_id(42).with_contact_id("5f")]
    {
        assert!(all(transport.events(&contact)).await.is_empty());
    }
    let lines: Vec<String> =
        server.requests().iter().map(|request| request.line().to_owned()).collect();
    assert_eq!(
        lines,
        [
            "GET /events?type=user&email=ada%2Bx%40example.com HTTP/1.1",
            "GET /events?type=user&user_id=42 HTTP/1.1",
            "GET /events?type=user&intercom_user_id=5f HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn a_repeated_cursor_ends_with_an_error() {
    let next = |before| format!("https://api.intercom.io/events?before={before}");
    let replies =
        [page(&[paid(30)], &next(2)), page(&[paid(20)], &next(1)), page(&[paid(10)], &next(2))];
    let (items, asked) = read(replies, |events| events).await;
    assert_eq!((seconds(&items).len(), asked.len()), (3, 3));
    let error = items.last().unwrap().as_ref().unwrap_err();
    assert!(matches!(error, ReadError::RepeatedCursor { page: 3, .. }), "{error}");
}

#[tokio::test]
async fn an_empty_page_is_followed_once() {
    let next = |before| format!("/events?before={before}");
    let replies = [
        page(&[paid(30)], &next(4)),
        page(&[], &next(3)),
        page(&[paid(20)], &next(2)),
        page(&[], &next(1)),
        page(&[], &next(0)),
    ];
    let (items, asked) = read(replies, |events| events).await;
    assert_eq!((seconds(&items), items.len(), asked.len()), (vec![30, 20], 2, 5));
}

#[tokio::test]
async fn the_list_ends_at_the_time_asked_for() {
    let replies = [page(&[paid(30), paid(19), paid(20)], "/events?before=1")];
    let since = Timestamp::from_unix_seconds(20);
    let (items, asked) = read(replies, |events| events.since(since)).await;
    assert_eq!((seconds(&items), asked.len()), (vec![30, 20], 1));
}

#[tokio::test]
async fn a_bad_event_is_an_item_and_the_stream_goes_on() {
    let bad = [
        (json!(7), "it is no object"),
        (json!({ "created_at": 1 }), "it has no `event_name`"),
        (json!({ "event_name": "", "created_at": 1 }), "its `event_name` is empty"),
        (json!({ "event_name": ["x"], "created_at": 1 }), "its `event_name` is no text"),
        (json!({ "event_name": "x" }), "it has no `created_at`"),
        (json!({ "event_name": "x", "created_at": 1.5 }), "no whole number of seconds"),
        (json!({ "event_name": "x", "created_at": 1_700_000_000_000_i64 }), "in milliseconds"),
        (
            json!({ "event_name": "x", "created_at": 1, "metadata": [1] }),
            "its `metadata` is no object",
        ),
        (
            json!({ "name": "x", "first": "2026-01-01T00:00:00Z", "count": 3 }),
            "it has no `event_name`",
        ),
    ];
    let mut events = vec![paid(30)];
    events.extend(bad.iter().map(|(event, _)| event.clone()));
    events.push(paid(10));
    let (items, _) = read([page(&events, "")], |events| events).await;
    assert_eq!((seconds(&items), items.len()), (vec![30, 10], bad.len() + 2));
    for (place, (item, (event, why))) in items[1..].iter().zip(&bad).enumerate() {
        let error = item.as_ref().unwrap_err();
        let ReadError::BadEvent(told) = error else { panic!("{error}") };
        assert_eq!((told.page, told.index), (1, place + 1));
        assert!(error.is_bad_event() && error.to_string().contains(why), "{event}: {error}");
    }
    assert_eq!(
        items[8].as_ref().unwrap_err().to_string(),
        "event 9 of page 1, `x`, cannot be read: its `metadata` is no object"
    );
}

#[tokio::test]
async fn metadata_has_kinds() {
    let big = "123456789012345678901234567890";
    let body = format!(
        r#"{{"type":"event.list","events":[{{"event_name":"invoice_paid","created_at":1,"id":"e1",
        "email":"ada@example.com","intercom_user_id":"5f","user_id":null,"metadata":{{
        "plan":"pro","seats":9007199254740993,"paid":true,"due_date":1700000000,
        "page":"HTTPS://example.com","invoice":{{"url":"https://example.com/7","value":"7"}},
        "amount":{{"amount":34999,"currency":"eur"}},"odd":{{"amount":1,"currency":"moon"}},
        "list":[1],"nothing":null,"big":{big}}}}}],"pages":null}}"#
    );
    let (items, _) = read([answer(200, &[JSON], body)], |events| events).await;
    let event = items[0].as_ref().unwrap();
    assert_eq!(event.id(), Some("e1"));
    assert_eq!(*event.contact(), Contact::email("ada@example.com").with_contact_id("5f"));
    let expected = [
        ("plan", PastValue::Text("pro".into())),
        ("seats", PastValue::Number(9_007_199_254_740_993_i64.into())),
        ("paid", PastValue::Boolean(true)),
        ("due_date", PastValue::Date(Timestamp::from_unix_seconds(1_700_000_000))),
        ("page", PastValue::Link("HTTPS://example.com".into())),
        ("invoice", PastValue::RichLink { url: "https://example.com/7".into(), text: "7".into() }),
        ("amount", PastValue::Money(Money::new(34_999, Currency::EUR))),
        ("odd", PastValue::Other(json!({ "amount": 1, "currency": "moon" }))),
        ("list", PastValue::Other(json!([1]))),
        ("nothing", PastValue::Other(Value::Null)),
    ];
    let metadata = event.metadata();
    for ((key, value), (expected_key, expected)) in metadata.iter().zip(&expected) {
        assert_eq!((&**key, value), (*expected_key, expected));
    }
    assert_eq!(metadata.len(), expected.len() + 1);
    assert!(event.metadata_json().contains(big), "a number keeps its digits");
    let shown = format!("{event:?}");
    assert!(shown.contains("plan") && !shown.contains("pro") && !shown.contains("ada@"), "{shown}");
}

#[tokio::test]
async fn metadata_is_read_as_the_callers_type() {
    #[derive(Debug, serde::Deserialize, PartialEq)]
    struct Paid {
        plan: String,
        seats: Option<u32>,
    }

    let of = |metadata: Value| json!({ "event_name": "invoice_paid", "created_at": 1, "metadata": metadata });
    let events = [
        of(json!({ "plan": "pro", "seats": 3, "more": 1 })),
        of(json!({ "plan": "pro", "seats": "secret" })),
        of(Value::Null),
    ];
    let (items, _) = read([page(&events, "")], |events| events).await;
    let read: Vec<_> = items.iter().flatten().map(PastEvent::metadata_as::<Paid>).collect();
    assert_eq!(read[0], Ok(Paid { plan: "pro".into(), seats: Some(3) }));
    let error = read[1].as_ref().unwrap_err();
    assert_eq!((&*error.event, &*error.key), ("invoice_paid", "seats"));
    assert_eq!(error.expected.as_deref(), Some("expected u32"));
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    let error = read[2].as_ref().unwrap_err();
    assert_eq!(error.expected.as_deref(), Some("missing field `plan`"));
}

#[tokio::test]
async fn an_unknown_contact_is_no_empty_list() {
    let gone = error_list(404, "not_found", "User Not Found: 42");
    let (items, asked) = read([gone.clone()], |events| events).await;
    assert_eq!((items.len(), asked.len()), (1, 1));
    let error = items[0].as_ref().unwrap_err();
    assert!(error.is_unknown_contact() && !error.is_bad_event(), "{error}");
    assert_eq!((error.status(), error.request_id()), (Some(404), Some("req-1")));
    let server = Server::start([gone]).await;
    let error = transport(&server).summaries(&Contact::user_id(42)).await.unwrap_err();
    assert!(error.is_unknown_contact(), "{error}");
}

#[tokio::test]
async fn a_page_that_is_no_list_ends_the_stream_with_an_error() {
    for (reply, why) in [
        (answer(200, &[JSON], "[]"), "no list of events in JSON"),
        (answer(200, &[JSON], "{\"events\":[}"), "no list of events in JSON"),
        (answer(200, &[JSON], "{\"type\":\"event.list\"}"), "no list `events`"),
        (answer(200, &[JSON], "{\"events\":{}}"), "`events` is no list"),
        (answer(200, &[JSON], "{\"events\":[],\"pages\":{\"next\":7}}"), "no cursor"),
        (answer(200, &["content-type: text/html"], "<p>Log in</p>"), "check the base URL"),
        (answer(404, &[], "not here"), "check the base URL"),
        (error_list(401, "unauthorized", "Access Token Invalid"), "access token"),
    ] {
        let (items, asked) = read([reply.clone()], |events| events).await;
        assert_eq!((items.len(), asked.len()), (1, 1), "{reply:?}");
        let error = items[0].as_ref().unwrap_err();
        assert!(error.needs_operator() && error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_temporary_failure_is_read_again() {
    let wait = "retry-after: 0";
    let broken =
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nretry-after: 0\r\n\r\n{\"events\"".to_vec();
    let replies = [
        answer(429, &[wait], ""),
        answer(503, &[wait], ""),
        page(&[paid(30)], "/events?before=1"),
        answer(429, &[wait], ""),
        page(&[paid(20)], ""),
    ];
    let (items, asked) = read(replies, |events| events).await;
    assert_eq!((seconds(&items), items.len(), asked.len()), (vec![30, 20], 2, 5));

    let (items, asked) = read([answer(429, &[wait], "")], |events| events).await;
    assert_eq!((items.len(), asked.len()), (1, 5), "at most five tries");
    let error = items[0].as_ref().unwrap_err();
    assert!(error.is_retryable() && error.status() == Some(429), "{error}");

    let server = Server::start([Reply::BytesThenClose(broken)]).await;
    let mut events = transport(&server).events(&Contact::user_id(42));
    // The wait before the next attempt has begun, so the broken response did not end the list.
    tokio::select! {
        biased;
        item = events.next() => panic!("{item:?}"),
        () = async {
            while server.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
}

/// Reading respects the rate limit that sending learns.
#[tokio::test]
async fn the_rate_limit_is_shared_with_sending() {
    // The window ends seven seconds after the answer.
    let spent = [
        "date: Sun, 29 Nov 2026 10:00:00 GMT",
        "x-ratelimit-limit: 100",
        "x-ratelimit-remaining: 9",
        "x-ratelimit-reset: 1795946407",
    ];
    let server = Server::start([answer(202, &spent, ""), page(&[paid(30)], "")]).await;
    let transport = transport(&server);
    send_by(&transport, event()).await.unwrap();
    let clone = transport.clone();
    let mut events = clone.events(&Contact::user_id(42));
    tokio::select! {
        biased;
        item = events.next() => panic!("{item:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(server.requests().len(), 1);
    // Sending does not wait.
    send_by(&transport, event()).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn summaries_are_read_and_submitted() {
    let summary = json!({ "type": "event.summary", "events": [
        { "name": "invoice_paid", "first": "2014-01-16T23:12:21.000+00:00", "last": "2014-01-17T00:12:21.900Z",
          "count": 12, "description": "Paid" },
        { "name": "signed_up", "first": null, "last": "", "count": 1, "description": null },
    ]});
    let server =
        Server::start([answer(200, &[JSON], summary.to_string()), answer(200, &[], "")]).await;
    let transport = transport(&server);
    let ada = Contact::user_id(42);
    let read = transport.summaries(&ada).await.unwrap();
    let mut paid = EventSummary::new("invoice_paid", 12)
        .with_first(Timestamp::from_unix_seconds(1_389_913_941))
        .with_last(Timestamp::from_unix_seconds(1_389_917_541));
    paid.description = Some("Paid".into());
    assert_eq!(read, [paid, EventSummary::new("signed_up", 1)]);
    transport.submit_summaries(&ada, &read).await.unwrap();
    transport.submit_summaries(&ada, &[]).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "an empty list sends nothing");
    assert_eq!(requests[0].line(), "GET /events?type=user&user_id=42&summary=true HTTP/1.1");
    assert_eq!(requests[1].line(), "POST /events/summaries HTTP/1.1");
    assert_eq!(
        serde_json::from_slice::<Value>(&requests[1].body).unwrap(),
        json!({ "user_id": "42", "event_summaries": [
            { "event_name": "invoice_paid", "count": 12, "first": 1_389_913_941, "last": 1_389_917_541 },
            { "event_name": "signed_up", "count": 1 },
        ]})
    );
}

#[tokio::test]
async fn an_invalid_query_fails_before_any_request() {
    let server = Server::start([answer(200, &[], "")]).await;
    let transport = transport(&server);
    let (ada, time) = (Contact::user_id(42), Timestamp::from_unix_seconds);
    let error = transport.events(&Contact::default()).next().await.unwrap().unwrap_err();
    assert!(matches!(error, ReadError::InvalidContact(_)), "{error}");
    let error = transport.summaries(&Contact::email(" ")).await.unwrap_err();
    assert!(matches!(error, ReadError::InvalidContact(_)), "{error}");
    let paid = EventSummary::new("invoice_paid", 1);
    let error = transport.submit_summaries(&Contact::email("a@b.c"), &[paid]).await.unwrap_err();
    assert!(matches!(error, ReadError::NoUserId), "{error}");
    for (summary, expected) in [
        (EventSummary::new("x", 0), SummaryError::ZeroCount),
        (
            EventSummary::new("x", 1).with_first(time(2)).with_last(time(1)),
            SummaryError::FirstAfterLast,
        ),
        (
            EventSummary::new("x", 1).with_last(time(1_700_000_000_000)),
            SummaryError::InMilliseconds,
        ),
    ] {
        let error = transport.submit_summaries(&ada, &[summary]).await.unwrap_err();
        let ReadError::InvalidSummary { reason, .. } = &error else { panic!("{error}") };
        assert_eq!(*reason, expected);
    }
    let dotted = [EventSummary::new("a.b", 1)];
    let error = transport.submit_summaries(&ada, &dotted).await.unwrap_err();
    assert!(
        matches!(&error, ReadError::InvalidSummary { reason: SummaryError::Name(_), .. }),
        "{error}"
    );
    assert!(server.requests().is_empty());
}

/// A second submission might count twice.
#[tokio::test]
async fn a_submission_is_repeated_only_after_a_429() {
    let (ada, paid) = (Contact::user_id(42), [EventSummary::new("invoice_paid", 1)]);
    let wait = "retry-after: 0";
    let server = Server::start([answer(429, &[wait], ""), answer(200, &[], "")]).await;
    transport(&server).submit_summaries(&ada, &paid).await.unwrap();
    assert_eq!(server.requests().len(), 2);
    let server = Server::start([answer(503, &[wait], ""), answer(200, &[], "")]).await;
    let error = transport(&server).submit_summaries(&ada, &paid).await.unwrap_err();
    assert!(
        matches!(&error, ReadError::Request(error) if error.kind() == ErrorKind::Unavailable),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
}
