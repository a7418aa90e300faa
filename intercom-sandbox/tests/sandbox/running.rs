//! Starting, running side by side, and ending.

use intercom_sandbox::{Answer, Sandbox, StartError};
use reqwest::Method;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::support::{event, finish, friendly, post_event, request};

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
async fn a_taken_port_is_told() {
    let first = friendly().await;
    let port: u16 = address(&first).parse().expect("a port");
    let error = Sandbox::builder().port(port).start().await.expect_err("the port is taken");
    assert!(matches!(error, StartError::PortTaken { port: taken } if taken == port));
    assert_eq!(error.to_string(), format!("port {port} is taken by another program"));
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
    // The idle connection was accepted before this one, so the server has it.
    post_event(&sandbox, &event("a")).await;

    drop(sandbox);
    let end = idle.read(&mut [0; 1]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    Sandbox::builder().port(port).start().await.expect("the port is free");
}

#[tokio::test]
async fn http_2_is_spoken_to_who_speaks_it() {
    let sandbox = friendly().await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
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
