//! Answers on demand.

use intercom_sandbox::{Answer, Sandbox};
use reqwest::Method;

use crate::support::{
    event, finish, friendly, post_contact, post_event, post_text, raw, raw_event, request,
};

#[tokio::test]
async fn scripted_answers_come_first_in_their_order() {
    let sandbox = friendly().await;
    sandbox.answer_next(Answer::status(503));
    sandbox.answer_next(Answer::status(200).body("null"));
    assert_eq!(sandbox.pending_answers(), 2);

    let first = post_event(&sandbox, &event("a")).await;
    assert_eq!((first.status, first.text.as_str()), (503, ""));
    let second = post_event(&sandbox, &event("b")).await;
    assert_eq!((second.status, second.text.as_str()), (200, "null"));
    let third = post_event(&sandbox, &event("c")).await;
    assert_eq!(third.status, 202);

    assert_eq!(sandbox.pending_answers(), 0);
    let names: Vec<_> = sandbox.events().iter().map(|event| event.name().to_owned()).collect();
    assert_eq!(names, ["c"]);
    let statuses: Vec<_> = sandbox.requests().iter().map(|request| request.status()).collect();
    assert_eq!(statuses, [Some(503), Some(200), Some(202)]);
    assert_eq!(sandbox.requests()[0].body(), event("a").to_string().as_bytes());
}

#[tokio::test]
async fn a_scripted_answer_goes_out_as_written() {
    let sandbox = friendly().await;
    let page = "<h1>Sorry</h1>";
    sandbox.answer_next(
        Answer::status(502)
            .header("Content-Type", "text/plain")
            .header("content-type", "text/html")
            .header("Retry-After", "7")
            .body(page),
    );
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!((answered.status, answered.text.as_str()), (502, page));
    assert_eq!(answered.header("content-type"), Some("text/html"));
    assert_eq!(answered.header("retry-after"), Some("7"));
    assert_eq!(answered.header("x-request-id"), None);
    assert_eq!(answered.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn every_documented_kind_of_answer_works() {
    let sandbox = friendly().await;
    for status in [
        200, 201, 202, 204, 400, 401, 402, 403, 404, 406, 408, 409, 410, 413, 415, 422, 425, 429,
        500, 502, 503, 504,
    ] {
        sandbox.answer_next(Answer::status(status));
        assert_eq!(post_event(&sandbox, &event("a")).await.status, status);
    }
}

#[tokio::test]
async fn an_error_has_the_documented_envelope() {
    let sandbox = friendly().await;
    sandbox.answer_next(
        Answer::error(429, "rate_limit_exceeded", "slow down").header("X-RateLimit-Reset", "1"),
    );
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!(answered.status, 429);
    assert_eq!(answered.errors(), ["rate_limit_exceeded"]);
    assert_eq!(answered.message(), "slow down");
    assert_eq!(answered.header("x-ratelimit-reset"), Some("1"));

    sandbox.answer_next(Answer::error(400, "a", "b").body("gone").header("X-Request-Id", "mine"));
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!((answered.status, answered.text.as_str()), (400, "gone"));
    assert_eq!(answered.header("x-request-id"), Some("mine"));
}

#[tokio::test]
async fn a_scripted_answer_ignores_the_request() {
    let sandbox = Sandbox::builder().rate_limit(0).start().await.unwrap();
    sandbox.answer_next(Answer::status(202));
    assert_eq!(post_text(&sandbox, "nonsense").await.status, 202);
    assert!(sandbox.events().is_empty());
    assert_eq!(post_text(&sandbox, "nonsense").await.status, 429);
}

#[tokio::test]
async fn only_posts_to_events_take_a_scripted_answer() {
    let sandbox = friendly().await;
    sandbox.answer_next(Answer::status(503));
    assert_eq!(finish(request(&sandbox, Method::GET, "/me")).await.status, 200);
    let contact = serde_json::json!({"role": "user", "external_id": "1"});
    assert_eq!(post_contact(&sandbox, &contact).await.status, 200);
    assert_eq!(finish(request(&sandbox, Method::GET, "/events")).await.status, 400);
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 503);
}

#[tokio::test]
async fn a_hang_up_closes_without_an_answer() {
    let sandbox = friendly().await;
    sandbox.answer_next(Answer::hang_up());
    let request = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
    let error = request.send().await.expect_err("there is no answer");
    assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
    assert_eq!(sandbox.requests()[0].status(), None);
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
}

#[tokio::test]
async fn silence_lasts_until_the_client_gives_up() {
    let sandbox = friendly().await;
    sandbox.answer_next(Answer::silence());
    let request = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
    tokio::select! {
        answered = request.send() => panic!("there was an answer: {answered:?}"),
        received = sandbox.requests_after(0) => assert_eq!(received[0].status(), None),
    }
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
}

#[test]
#[should_panic(expected = "100 is not a status from 200 to 599")]
fn an_invalid_status_panics() {
    let _ = Answer::status(100);
}

#[test]
#[should_panic(expected = "is not a header")]
fn an_invalid_header_panics() {
    let _ = Answer::status(200).header("two words", "a");
}

#[tokio::test]
async fn a_wrong_content_length_goes_out_as_written() {
    let sandbox = friendly().await;
    let answer = |length| Answer::status(503).header("Content-Length", length).body("sorry");
    sandbox.answer_next(answer("9"));
    sandbox.answer_next(answer("3"));
    sandbox.answer_next(answer("many"));
    let request = raw_event(&sandbox).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");

    let longer = raw(&sandbox, &request).await;
    assert!(
        longer.contains("content-length: 9\r\n") && longer.ends_with("\r\n\r\nsorry"),
        "{longer}"
    );
    let shorter = raw(&sandbox, &request).await;
    assert!(
        shorter.contains("content-length: 3\r\n") && shorter.ends_with("\r\n\r\nsor"),
        "{shorter}"
    );
    let absurd = raw(&sandbox, &request).await;
    assert!(absurd.contains("content-length: many\r\n") && absurd.ends_with("sorry"), "{absurd}");
    let recorded: Vec<_> = sandbox.requests().iter().map(|r| r.answer().to_vec()).collect();
    assert_eq!(recorded, [b"sorry"; 3]);
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
}

#[tokio::test]
async fn any_number_of_answers_can_wait() {
    let sandbox = friendly().await;
    sandbox.fail_next(usize::MAX, 503);
    sandbox.fail_next(usize::MAX, 429);
    assert_eq!(sandbox.pending_answers(), usize::MAX);
    sandbox.clear();
    assert_eq!(sandbox.pending_answers(), 0);
}
