//! The records: what the sandbox remembers of requests.

use intercom_sandbox::{Retention, Sandbox};
use reqwest::Method;

use crate::support::{
    client, client_builder, event, finish, friendly, post_event, post_text, request,
};

#[tokio::test]
async fn every_request_is_recorded_with_its_answer() {
    let sandbox = friendly().await;
    post_event(&sandbox, &event("a")).await;
    post_text(&sandbox, "nonsense").await;
    finish(request(&sandbox, Method::GET, "/nowhere?page=2")).await;

    let requests = sandbox.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|r| (r.number(), r.method(), r.path(), r.query(), r.status(), r.event().is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            (1, "POST", "/events", None, Some(202), true),
            (2, "POST", "/events", None, Some(400), false),
            (3, "GET", "/nowhere", Some("page=2"), Some(404), false),
        ]
    );
    assert_eq!(requests[1].body(), b"nonsense");
    assert!(String::from_utf8_lossy(requests[1].answer()).contains("The body is not JSON"));
    assert_eq!((sandbox.request_count(), sandbox.event_count()), (3, 1));
}

#[tokio::test]
async fn headers_are_recorded_and_credentials_are_not() {
    let sandbox = friendly().await;
    finish(
        request(&sandbox, Method::POST, "/events")
            .header("Intercom-Version", "2.16")
            .header("X-Twice", "one")
            .header("X-Twice", "two")
            .body(event("a").to_string()),
    )
    .await;
    let me = format!("{}/me", sandbox.url());
    finish(client().get(&me).basic_auth("somebody", Some("secret"))).await;
    finish(client().get(&me).header("Authorization", "secret")).await;

    let requests = sandbox.requests();
    assert!(requests[0].has_header("intercom-VERSION"));
    assert!(!requests[0].has_header("X-Other"));
    assert_eq!(requests[0].header("Intercom-Version"), Some("2.16"));
    let twice: Vec<_> = requests[0]
        .headers()
        .filter_map(|(name, value)| (name == "x-twice").then_some(value))
        .collect();
    assert_eq!(twice, ["one", "two"]);
    assert_eq!(requests[0].header("Authorization"), Some("Bearer [redacted]"));
    assert_eq!(requests[1].header("Authorization"), Some("Basic [redacted]"));
    assert_eq!(requests[2].header("Authorization"), Some("[redacted]"));
    let everything = format!("{requests:?}{sandbox:?}{:?}", sandbox.events());
    assert!(!everything.contains(sandbox.token()) && !everything.contains("secret"));
}

#[tokio::test]
async fn an_event_knows_its_request() {
    let sandbox = friendly().await;
    finish(
        request(&sandbox, Method::POST, "/events")
            .header("X-Trace", "7")
            .body(event("a").to_string()),
    )
    .await;
    let events = sandbox.events();
    assert_eq!(events[0].header("x-trace"), Some("7"));
    assert_eq!(events[0].request().status(), Some(202));
    assert_eq!(sandbox.requests()[0].event().expect("it brought one").name(), "a");
}

#[tokio::test]
async fn the_oldest_are_evicted_and_stay_in_the_count() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .retention(Retention::default().keep_requests(3).keep_events(2))
        .start()
        .await
        .unwrap();
    for name in ["a", "b", "c", "d"] {
        post_event(&sandbox, &event(name)).await;
    }
    let numbers: Vec<_> = sandbox.requests().iter().map(|request| request.number()).collect();
    assert_eq!(numbers, [2, 3, 4]);
    let events = sandbox.events();
    let names: Vec<_> = events.iter().map(|event| event.name()).collect();
    assert_eq!(names, ["c", "d"]);
    assert_eq!((sandbox.request_count(), sandbox.event_count()), (4, 4));
    assert_eq!(sandbox.wait_for(4).await.len(), 2);
}

#[tokio::test]
async fn large_requests_evict_more_of_the_oldest() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .retention(Retention::default().keep_bytes(64 << 10))
        .start()
        .await
        .unwrap();
    let sized = |name, bytes| {
        let mut event = event(name);
        event["ignored"] = "x".repeat(bytes).into();
        event
    };
    for name in ["a", "b", "c"] {
        post_event(&sandbox, &sized(name, 1 << 10)).await;
    }
    assert_eq!(sandbox.requests().len(), 3);
    let large = sized("d", 63 << 10);
    assert_eq!(post_event(&sandbox, &large).await.status, 202);
    let names = |events: Vec<intercom_sandbox::ReceivedEvent>| -> Vec<String> {
        events.iter().map(|event| event.name().to_owned()).collect()
    };
    assert_eq!(names(sandbox.events()), ["d"]);
    assert_eq!(sandbox.requests().len(), 1);

    // The journal does not keep a request larger than the whole budget either.
    assert_eq!(post_event(&sandbox, &sized("e", 65 << 10)).await.status, 202);
    assert!(sandbox.events().is_empty() && sandbox.requests().is_empty());
    assert_eq!((sandbox.request_count(), sandbox.event_count()), (5, 5));
}

#[tokio::test]
async fn a_sandbox_can_keep_no_requests() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .retention(Retention::default().keep_requests(0).keep_events(0))
        .start()
        .await
        .unwrap();
    post_event(&sandbox, &event("a")).await;
    assert!(sandbox.requests().is_empty() && sandbox.events().is_empty());
    assert_eq!((sandbox.request_count(), sandbox.event_count()), (1, 1));
}

#[tokio::test]
async fn clearing_forgets_requests_and_resets_the_counts() {
    let sandbox = Sandbox::builder()
        .contact(intercom_sandbox::SeedContact::user_id("42"))
        .start()
        .await
        .unwrap();
    post_event(&sandbox, &event("a")).await;
    sandbox.answer_next(intercom_sandbox::Answer::status(503));
    sandbox.clear();
    assert!(sandbox.requests().is_empty() && sandbox.events().is_empty());
    assert_eq!((sandbox.request_count(), sandbox.event_count()), (0, 0));
    assert_eq!(sandbox.pending_answers(), 0);

    assert_eq!(post_event(&sandbox, &event("b")).await.status, 202);
    assert_eq!(sandbox.wait_for(1).await[0].name(), "b");
}

#[tokio::test]
async fn waiting_ends_with_the_last_awaited_event() {
    let sandbox = friendly().await;
    let send_all = async {
        for name in ["a", "b", "c"] {
            post_text(&sandbox, "refused, and no event").await;
            post_event(&sandbox, &event(name)).await;
        }
    };
    let (events, ()) = tokio::join!(sandbox.wait_for(3), send_all);
    let names: Vec<_> = events.iter().map(|event| event.name()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn requests_can_be_followed() {
    let sandbox = friendly().await;
    let follow = async {
        let mut seen = Vec::new();
        while seen.len() < 4 {
            for request in sandbox.requests_after(seen.len()).await {
                seen.push(request.number());
            }
        }
        seen
    };
    let send_all = async {
        for _ in 0..4 {
            post_event(&sandbox, &event("a")).await;
        }
    };
    let (seen, ()) = tokio::join!(follow, send_all);
    assert_eq!(seen, [1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_event_is_there_once() {
    let sandbox = Sandbox::builder().know_everybody(true).no_rate_limit().start().await.unwrap();
    // Unlike the shared client, this client reuses its connections.
    let client = client_builder().build().unwrap();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let request = client
            .post(format!("{}/events", sandbox.url()))
            .bearer_auth(sandbox.token())
            .header("Accept", "application/json")
            .header("Content-Type", "application/json");
        senders.spawn(async move {
            for number in 0..100 {
                let body =
                    format!(r#"{{"event_name":"a","created_at":{number},"user_id":"{sender}"}}"#);
                let request = request.try_clone().expect("it has no stream").body(body);
                assert_eq!(finish(request).await.status, 202);
            }
        });
    }
    senders.join_all().await;
    let mut seen: Vec<_> = sandbox
        .wait_for(800)
        .await
        .iter()
        .map(|event| (event.user_id().map(str::to_owned), event.created_at()))
        .collect();
    let in_order_of_each = seen.clone();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 800);
    let of_one = in_order_of_each.iter().filter(|(user, _)| user.as_deref() == Some("3"));
    assert!(of_one.map(|(_, number)| *number).eq(0..100));
}
