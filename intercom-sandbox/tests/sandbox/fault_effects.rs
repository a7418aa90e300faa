//! The effects of faults, alone and together.

use std::time::Duration;

use intercom_sandbox::{Answer, Fault, ManualClock, Outcome, Sandbox};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::faults::{last, statuses};
use crate::support::{
    client_builder, connect, event, finish, friendly, post_event, post_text, raw_event, request,
};

#[tokio::test]
async fn a_number_is_the_status_of_a_usual_answer() {
    let sandbox = friendly().await;
    for (status, code) in [
        (400, "bad_request"),
        (401, "unauthorized"),
        (402, "api_plan_restricted"),
        (403, "forbidden"),
        (404, "not_found"),
        (409, "conflict"),
        (429, "rate_limit_exceeded"),
        (500, "server_error"),
        (503, "service_unavailable"),
    ] {
        sandbox.fail_next(1, status);
        let answered = post_event(&sandbox, &event("a")).await;
        assert_eq!((answered.status, answered.errors()), (status, vec![code.to_owned()]));
    }
    sandbox.fail_next(1, 200);
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!((answered.status, answered.text.as_str()), (200, ""));
}

#[tokio::test]
async fn an_html_answer_is_a_page() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::answer(Answer::html(502)).next(1));
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!((answered.status, answered.header("content-type")), (502, Some("text/html")));
    assert!(answered.text.contains("<h1>502 Bad Gateway</h1>"), "{}", answered.text);
    assert_eq!(last(&sandbox).2.as_deref(), Some("html 502"));
}

#[tokio::test]
async fn a_reset_reaches_the_client() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::answer(Answer::reset()).next(1));
    let mut stream = connect(&sandbox).await;
    stream.write_all(raw_event(&sandbox).as_bytes()).await.unwrap();
    let error = stream.read(&mut [0; 1]).await.expect_err("the connection is reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(last(&sandbox), (Outcome::Faulted, None, Some("reset".to_owned())));

    sandbox.inject(Fault::answer(Answer::hang_up()).next(1));
    let mut stream = connect(&sandbox).await;
    stream.write_all(raw_event(&sandbox).as_bytes()).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "a hang-up is an orderly end");
}

#[tokio::test]
async fn over_http_2_a_reset_leaves_the_other_requests_alone() {
    let sandbox = friendly().await;
    let client = client_builder().http2_prior_knowledge().build().unwrap();
    let send = |name: &str| {
        client
            .post(format!("{}/events", sandbox.url()))
            .bearer_auth(sandbox.token())
            .header("Content-Type", "application/json")
            .body(event(name).to_string())
            .send()
    };
    sandbox.inject(Fault::answer(Answer::silence()).on_event("waits").next(1));
    sandbox.inject(Fault::answer(Answer::reset()).on_event("breaks").next(1));
    let mut waits = std::pin::pin!(send("waits"));
    tokio::select! {
        answered = &mut waits => panic!("there was an answer: {answered:?}"),
        _ = sandbox.requests_after(0) => {}
    }
    send("breaks").await.expect_err("the stream is reset");
    tokio::select! {
        biased;
        answered = &mut waits => panic!("it went down with the other: {answered:?}"),
        answered = send("goes through") => assert_eq!(answered.unwrap().status(), 202),
    }
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::truncated_body().on_everything());
    let answer = request(&sandbox, Method::GET, "/me").send().await.unwrap();
    let promised = answer.content_length().expect("a length");
    assert!(answer.text().await.is_err(), "the connection ends");
    let recorded = sandbox.requests()[0].answer().to_vec();
    assert_eq!(recorded.len() as u64, promised / 2);
    assert_eq!(last(&sandbox), (Outcome::Served, Some(200), Some("truncate".to_owned())));

    // An accepted event has an empty answer; the truncated one promises a body.
    let answer = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
    let answer = answer.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.content_length()), (202, Some(1)));
    assert!(answer.bytes().await.is_err());
    assert_eq!(last(&sandbox).0, Outcome::Accepted);
}

#[tokio::test]
async fn half_of_a_truncated_body_arrives() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::truncated_body());
    let mut stream = connect(&sandbox).await;
    // The sandbox refuses a blank user id, and a refusal has a body.
    stream.write_all(raw_event(&sandbox).replace("42", "  ").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let half = sandbox.requests()[0].answer().to_vec();
    assert!(!half.is_empty());
    assert!(answer.ends_with(std::str::from_utf8(&half).unwrap()), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_2_half_of_a_truncated_body_arrives_too() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::truncated_body());
    let client = client_builder().http2_prior_knowledge().build().unwrap();
    for second in 0..50 {
        // An answer without a body, and one with.
        let body = json!({"event_name": "a", "created_at": second / 2, "user_id": "42"});
        let known = if second % 2 == 0 { sandbox.token() } else { "another" };
        let answer = client
            .post(format!("{}/events", sandbox.url()))
            .bearer_auth(known)
            .header("Content-Type", "application/json")
            .body(body.to_string());
        let mut answer = answer.send().await.expect("the head comes");
        let (status, whole) = (answer.status(), answer.content_length());
        assert_eq!(status, if second % 2 == 0 { 202 } else { 401 });
        let mut came = 0;
        let broken = loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => came += chunk.len(),
                end => break end.is_err(),
            }
        };
        assert!(broken);
        assert_eq!(came as u64, whole.unwrap() / 2);
    }
}

#[tokio::test]
async fn headers_can_be_missing() {
    let sandbox = friendly().await;
    let fault = sandbox.inject(Fault::without_rate_limit_headers());
    let answered = post_event(&sandbox, &event("a")).await;
    for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        assert_eq!(answered.header(name), None);
    }
    assert!(answered.header("x-request-id").is_some());
    sandbox.remove_fault(fault);

    sandbox.inject(Fault::without_request_id());
    sandbox.inject(Fault::without_content_type());
    let answered = post_text(&sandbox, "{}").await;
    assert_eq!(answered.status, 400);
    assert_eq!(answered.header("x-request-id"), None);
    assert_eq!(answered.header("content-type"), None);
    assert!(answered.header("x-ratelimit-limit").is_some());
    let named = Some("without request id, without content type".to_owned());
    assert_eq!(last(&sandbox), (Outcome::Refused, Some(400), named));
}

#[tokio::test]
async fn a_clock_can_be_ahead_or_behind() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox =
        Sandbox::builder().know_everybody(true).clock(clock.clone()).start().await.unwrap();
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!(answered.header("date"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert_eq!(answered.header("x-ratelimit-reset"), Some("1700000010"));

    let ahead = sandbox.inject(Fault::clock_skew(30));
    let answered = finish(request(&sandbox, Method::GET, "/me")).await;
    assert_eq!(answered.header("date"), Some("Tue, 14 Nov 2023 22:13:50 GMT"));
    assert_eq!(answered.header("x-ratelimit-reset"), Some("1700000040"));
    sandbox.remove_fault(ahead);

    sandbox.inject(Fault::clock_skew(-60));
    let answered = post_event(&sandbox, &event("b")).await;
    assert_eq!(answered.header("date"), Some("Tue, 14 Nov 2023 22:12:20 GMT"));
    assert_eq!(answered.header("x-ratelimit-reset"), Some("1699999950"));
}

#[tokio::test]
async fn an_outage_a_revoked_token_and_an_unreachable_server_are_for_everything() {
    let sandbox = friendly().await;
    let get_me = || request(&sandbox, Method::GET, "/me");
    let fault = sandbox.inject(Fault::outage());
    assert_eq!((finish(get_me()).await.status, statuses(&sandbox, 1).await), (503, vec![503]));
    assert_eq!(last(&sandbox).2.as_deref(), Some("outage"));
    sandbox.remove_fault(fault);

    let fault = sandbox.inject(Fault::token_revoked());
    let answered = finish(get_me()).await;
    assert_eq!((answered.status, answered.message().as_str()), (401, "Access Token Invalid"));
    assert_eq!(statuses(&sandbox, 1).await, [401]);
    sandbox.remove_fault(fault);

    let fault = sandbox.inject(Fault::unreachable());
    get_me().send().await.expect_err("the connection is reset");
    let state = finish(request(&sandbox, Method::GET, "/_sandbox/state")).await;
    assert_eq!(state.status, 200, "the admin API is out of reach of faults");
    sandbox.remove_fault(fault);
    assert_eq!(finish(get_me()).await.status, 200);
}

#[tokio::test]
async fn a_lower_rate_limit_holds_until_its_removal() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox =
        Sandbox::builder().know_everybody(true).clock(clock.clone()).start().await.unwrap();
    let fault = sandbox.inject(Fault::rate_limit(2));
    assert_eq!(statuses(&sandbox, 3).await, [202, 202, 429]);
    assert_eq!(last(&sandbox), (Outcome::Refused, Some(429), None));
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!(answered.header("x-ratelimit-limit"), Some("2"));
    sandbox.remove_fault(fault);
    assert_eq!(post_event(&sandbox, &event("b")).await.header("x-ratelimit-limit"), Some("1666"));

    sandbox.inject(Fault::rate_limit(3).lasting(Duration::from_secs(5)));
    assert_eq!(post_event(&sandbox, &event("c")).await.status, 429);
    clock.advance(Duration::from_secs(5));
    let answered = post_event(&sandbox, &event("d")).await;
    assert_eq!((answered.status, answered.header("x-ratelimit-limit")), (202, Some("1666")));
}

#[tokio::test]
async fn faults_that_change_an_answer_apply_together() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::delay(Duration::from_millis(1)));
    sandbox.inject(Fault::without_content_type());
    sandbox.fail_next(1, 500);
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!((answered.status, answered.header("content-type")), (500, None));
    let named = Some("500, delay 1ms, without content type".to_owned());
    assert_eq!(last(&sandbox), (Outcome::Faulted, Some(500), named));
}

#[tokio::test]
async fn a_request_abandoned_during_a_delay_is_recorded_and_not_read() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::delay(Duration::from_secs(3600)).next(1));
    let mut stream = connect(&sandbox).await;
    stream.write_all(raw_event(&sandbox).as_bytes()).await.unwrap();
    drop(stream);
    sandbox.requests_after(0).await;
    assert_eq!(last(&sandbox), (Outcome::Faulted, None, Some("delay 1h".to_owned())));
    assert_eq!(sandbox.event_count(), 0);
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
}

#[tokio::test]
async fn the_event_is_there_before_its_late_answer() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::delay(Duration::from_secs(3600)).after_acceptance().next(1));
    let request = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
    tokio::select! {
        answered = request.send() => panic!("there was an answer: {answered:?}"),
        events = sandbox.wait_for(1) => assert_eq!(events.len(), 1),
    }
}
