//! Clients that do not read their answers: a limit bounds the memory for all of them together.

use intercom_sandbox::{Limits, Sandbox};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{connect, finish, request};

/// More than a connection's buffers hold; two of it exceed the budget.
const LARGE: usize = 40 << 20;

/// Starts a sandbox with one large record.
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

/// Requests a path, and reads only the beginning of the large record.
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

/// Reads the large record, and returns whether all of it arrived.
async fn takes_all(stream: &mut TcpStream) -> bool {
    let mut chunk = vec![0; 1 << 16];
    let mut left = LARGE - 3;
    while left > 0 {
        match stream.read(&mut chunk).await {
            // The sandbox may reset a dropped connection.
            Ok(0) | Err(_) => return false,
            // Almost all bytes are those of the large record.
            Ok(read) => left = left.saturating_sub(read),
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_feed_is_dropped_for_others() {
    let sandbox = start().await;
    let mut stopped = ask(&sandbox, "/feed").await;
    let mut reading = ask(&sandbox, "/feed").await;
    assert!(takes_all(&mut reading).await, "the feed goes on for a client that reads it");
    assert!(!takes_all(&mut stopped).await, "the budget dropped the answer");
    // A client that reconnects gets the whole record.
    assert!(takes_all(&mut ask(&sandbox, "/feed").await).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_unread_answer_is_dropped_for_others() {
    let sandbox = start().await;
    let mut stopped = ask(&sandbox, "/requests").await;
    let mut watching = ask(&sandbox, "/feed").await;
    assert!(takes_all(&mut watching).await);
    assert!(!takes_all(&mut stopped).await, "the budget dropped the answer");
    // Disconnected clients take no budget.
    drop((stopped, watching));
    let mut slow = ask(&sandbox, "/requests").await;
    assert_eq!(finish(request(&sandbox, Method::GET, "/_sandbox/state")).await.status, 200);
    assert!(takes_all(&mut slow).await, "the budget keeps one answer");
}
