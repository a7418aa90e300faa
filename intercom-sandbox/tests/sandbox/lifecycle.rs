//! Starting, running several sandboxes, and ending.

use std::time::Duration;

use intercom_sandbox::{
    Answer, Clock as _, Fault, ManualClock, ReceivedRequest, Sandbox, StartError,
};
use reqwest::Method;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::support::{client_builder, event, finish, friendly, post_event, request};

fn address(sandbox: &Sandbox) -> String {
    sandbox.url().strip_prefix("http://127.0.0.1:").expect("loopback").to_owned()
}

#[tokio::test]
async fn sandboxes_run_side_by_side_and_share_nothing() {
    let (one, two) = tokio::join!(friendly(), friendly());
    assert_ne!(one.url(), two.url());
    post_event(&one, &event("a")).await;
    assert_eq!((one.event_count(), two.event_count()), (1, 0));
}

#[tokio::test]
async fn a_taken_port_is_reported() {
    let first = friendly().await;
    let port: u16 = address(&first).parse().expect("a port");
    let error = Sandbox::builder().port(port).start().await.expect_err("the port is taken");
    assert!(matches!(error, StartError::PortTaken { port: taken } if taken == port));
    assert_eq!(error.to_string(), format!("another program listens on port {port}"));
}

#[tokio::test]
async fn shutting_down_releases_the_port_at_once() {
    let first = friendly().await;
    let port: u16 = address(&first).parse().expect("a port");
    first.shutdown().await;
    let second = Sandbox::builder().port(port).start().await.expect("the port is free");
    assert_eq!(address(&second), port.to_string());
    assert_eq!(finish(request(&second, Method::GET, "/me")).await.status, 200);
}

#[tokio::test]
async fn dropping_closes_connections_and_releases_the_port() {
    let sandbox = friendly().await;
    let port: u16 = address(&sandbox).parse().expect("a port");
    let mut idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // The server accepted the idle connection before this request's.
    post_event(&sandbox, &event("a")).await;

    drop(sandbox);
    let end = idle.read(&mut [0; 1]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    Sandbox::builder().port(port).start().await.expect("the port is free");
}

#[tokio::test]
async fn a_graceful_shutdown_finishes_requests_in_flight_and_accepts_no_others() {
    let mut sandbox = friendly().await;
    let port: u16 = address(&sandbox).parse().expect("a port");
    let mut idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    sandbox.inject(Fault::delay(Duration::from_millis(50)).after_acceptance());
    let request = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
    let under_way = tokio::spawn(finish(request));
    sandbox.wait_for(1).await;

    sandbox.graceful_shutdown(Duration::from_secs(60)).await;
    assert_eq!(under_way.await.unwrap().status, 202);
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0, "an idle connection is closed");
    let refused = TcpStream::connect(("127.0.0.1", port)).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(sandbox.event_count(), 1, "what was received is still known");
}

#[tokio::test]
async fn a_graceful_shutdown_does_not_wait_for_endless_answers() {
    let mut sandbox = friendly().await;
    sandbox.answer_next(Answer::silence());
    let silent = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
    let silent = tokio::spawn(silent.send());
    sandbox.requests_after(0).await;
    sandbox.graceful_shutdown(Duration::from_secs(60)).await;
    silent.await.unwrap().expect_err("there is no answer");

    // The sandbox aborts a request that takes too long.
    let mut sandbox = friendly().await;
    sandbox.inject(Fault::delay(Duration::from_secs(3600)).after_acceptance());
    let slow = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
    let slow = tokio::spawn(slow.send());
    sandbox.wait_for(1).await;
    sandbox.graceful_shutdown(Duration::ZERO).await;
    slow.await.unwrap().expect_err("there is no answer");
}

#[tokio::test]
async fn a_follower_misses_nothing_at_a_clear() {
    let sandbox = friendly().await;
    let mut follower = sandbox.follow();
    let names = |requests: Vec<ReceivedRequest>| {
        let events = requests.iter().filter_map(ReceivedRequest::event);
        events.map(|event| event.name().to_owned()).collect::<Vec<_>>()
    };
    post_event(&sandbox, &event("a")).await;
    post_event(&sandbox, &event("b")).await;
    assert_eq!(names(follower.next().await), ["a", "b"]);
    sandbox.clear();
    post_event(&sandbox, &event("c")).await;
    assert_eq!(names(follower.next().await), ["c"]);
    post_event(&sandbox, &event("d")).await;
    sandbox.clear();
    tokio::select! {
        biased;
        requests = follower.next() => panic!("nothing is left: {requests:?}"),
        () = std::future::ready(()) => {}
    }
    post_event(&sandbox, &event("e")).await;
    assert_eq!(names(follower.next().await), ["e"]);
}

#[tokio::test]
async fn http_2_clients_are_served() {
    let sandbox = friendly().await;
    let client = client_builder().http2_prior_knowledge().build().unwrap();
    let send = || {
        let body = event("a").to_string();
        client
            .post(format!("{}/events", sandbox.url()))
            .bearer_auth(sandbox.token())
            .header("Content-Type", "application/json")
            .body(body)
            .send()
    };
    let answered = send().await.unwrap();
    assert_eq!((answered.status().as_u16(), answered.version()), (202, reqwest::Version::HTTP_2));

    sandbox.answer_next(Answer::hang_up());
    send().await.expect_err("there is no answer");
    assert_eq!(send().await.unwrap().status(), 202);
}

#[test]
fn a_manual_clock_stops_at_the_latest_time() {
    let clock = ManualClock::at_unix_seconds(u64::MAX);
    let end = clock.now();
    clock.advance(Duration::from_secs(1));
    assert_eq!(clock.now(), end);
}
