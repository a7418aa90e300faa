//! Clients that ask for much and do not read it: what waits for all of them together is bounded.

use intercom_sandbox::{Limits, Sandbox};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{connect, finish, request};

/// More than fits between the two ends of a connection; and two of it are more than may wait.
const LARGE: usize = 40 << 20;

/// A sandbox that has one request to tell of, which is large.
async fn start() -> Sandbox {
    let sandbox = Sandbox::builder()
        .limits(Limits::default().body_limit(2 * LARGE))
        .start()
        .await
        .expect("a free port");
    let large = request(&sandbox, Method::POST, "/events").body("x".repeat(LARGE));
    assert_eq!(finish(large).await.status, 400);
    sandbox
}

/// One who has asked for something, and has read no further than the beginning of what is large.
async fn ask(sandbox: &Sandbox, path: &str) -> TcpStream {
    let mut stream = connect(sandbox).await;
    let request =
        format!("GET /_sandbox{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the sandbox reads");
    let mut beginning = Vec::new();
    while !beginning.ends_with(b"xxx") {
        beginning.push(stream.read_u8().await.expect("the sandbox answers"));
    }
    stream
}

/// Reads on until so much of what is large has come, or the connection ends: whether all came.
async fn takes_all(stream: &mut TcpStream) -> bool {
    let mut chunk = vec![0; 1 << 16];
    let mut left = LARGE - 3;
    while left > 0 {
        match stream.read(&mut chunk).await {
            // One that is broken off may be reset.
            Ok(0) | Err(_) => return false,
            // Next to nothing but what is large comes.
            Ok(read) => left = left.saturating_sub(read),
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_of_one_who_stopped_reading_makes_room_for_the_others() {
    let sandbox = start().await;
    let mut stopped = ask(&sandbox, "/feed").await;
    let mut reading = ask(&sandbox, "/feed").await;
    assert!(takes_all(&mut reading).await, "the feed goes on for a client that reads it");
    assert!(!takes_all(&mut stopped).await, "what waited was given up");
    // A client that reconnects gets all of it.
    assert!(takes_all(&mut ask(&sandbox, "/feed").await).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_any_answer_that_nobody_takes() {
    let sandbox = start().await;
    let mut stopped = ask(&sandbox, "/requests").await;
    let mut watching = ask(&sandbox, "/feed").await;
    assert!(takes_all(&mut watching).await);
    assert!(!takes_all(&mut stopped).await, "what waited was given up");
    // Clients that are gone hold nothing any more.
    drop((stopped, watching));
    let mut slow = ask(&sandbox, "/requests").await;
    assert_eq!(finish(request(&sandbox, Method::GET, "/_sandbox/state")).await.status, 200);
    assert!(takes_all(&mut slow).await, "there is room for one");
}
