//! Clients that are slow, many, greedy, or not HTTP clients.

use std::net::SocketAddr;
use std::time::Duration;

use intercom_sandbox::{Limits, Sandbox, SandboxBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{connect, event, post_event, raw, raw_event};

/// Short, to keep tests fast. The tests wait for an end and assert no duration.
const SHORT: Duration = Duration::from_millis(50);

fn builder() -> SandboxBuilder {
    Sandbox::builder().know_everybody(true).no_rate_limit()
}

/// Reads until the connection ends, however it ends.
async fn until_the_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset connection has ended too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("answers are text")
}

/// Returns status and error code of an answer, after checking its envelope.
fn refusal(answer: &str) -> (u16, String) {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer with a body");
    let json: Value = serde_json::from_str(body).expect("the body is JSON");
    assert_eq!(json["type"], "error.list", "{answer}");
    let id = json["request_id"].as_str().expect("a request id");
    assert!(head.to_lowercase().contains(&format!("x-request-id: {id}")), "{answer}");
    assert!(head.to_lowercase().contains("connection: close"), "{answer}");
    let code = json["errors"][0]["code"].as_str().expect("a code");
    (status.expect("a status"), code.to_owned())
}

/// Asserts that the sandbox still accepts an event.
async fn assert_works(sandbox: &Sandbox) {
    assert_eq!(post_event(sandbox, &event("well")).await.status, 202);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let sandbox = builder().limits(Limits::default().idle_timeout(SHORT)).start().await.unwrap();
    let mut stream = connect(&sandbox).await;
    assert_eq!(until_the_end(&mut stream).await, "");
    assert_eq!(sandbox.request_count(), 0);
    assert_works(&sandbox).await;
}

#[tokio::test]
async fn an_idle_kept_alive_connection_is_closed() {
    let sandbox = builder().limits(Limits::default().idle_timeout(SHORT)).start().await.unwrap();
    let mut stream = connect(&sandbox).await;
    stream.write_all(raw_event(&sandbox).as_bytes()).await.unwrap();
    let answer = until_the_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

/// The idle time ends at every moment of a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_accepted_event_is_answered_whenever_the_idle_time_ends() {
    let sandbox = builder()
        .deduplicate(false)
        .limits(Limits::default().idle_timeout(Duration::from_millis(1)));
    let sandbox = sandbox.start().await.unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..64 {
        let stream = connect(&sandbox).await;
        let address = stream.peer_addr().unwrap();
        clients.spawn(send_again_and_again(address, raw_event(&sandbox), client));
    }
    let answered: usize = clients.join_all().await.into_iter().sum();
    assert_eq!(sandbox.event_count(), answered);
}

/// Sends requests one after another, reconnects after a close, and returns the number of answers.
async fn send_again_and_again(address: SocketAddr, request: String, client: u64) -> usize {
    let mut answered = 0;
    let mut open = None;
    for round in 0..300 {
        let mut stream = match open.take() {
            Some(stream) => stream,
            None => TcpStream::connect(address).await.expect("the sandbox listens"),
        };
        // A connection closed meanwhile takes no request.
        let mut answer = Vec::new();
        if stream.write_all(request.as_bytes()).await.is_ok() {
            while !answer.ends_with(b"\r\n\r\n")
                && let Ok(1..) = stream.read_buf(&mut answer).await
            {}
        }
        if !answer.is_empty() {
            assert!(answer.starts_with(b"HTTP/1.1 202 "), "{}", String::from_utf8_lossy(&answer));
            answered += 1;
            open = Some(stream);
        }
        // Varies the moment within the idle time.
        tokio::time::sleep(Duration::from_micros((client * 37 + round * 101) % 2_500)).await;
    }
    answered
}

#[tokio::test]
async fn an_endless_head_is_408_however_much_of_it_arrives() {
    let sandbox = builder().limits(Limits::default().idle_timeout(SHORT)).start().await.unwrap();
    let (mut read, mut write) = connect(&sandbox).await.into_split();
    // Sends one byte at a time, for as long as the sandbox listens.
    let drip = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(1));
        let head = "POST /events HTTP/1.1\r\nX-Slow: ".bytes().chain(std::iter::repeat(b'a'));
        for byte in head {
            pace.tick().await;
            if write.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    });
    let mut answer = Vec::new();
    let _ = read.read_to_end(&mut answer).await;
    drip.abort();
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(refusal(&answer), (408, "request_timeout".to_owned()));
    assert_works(&sandbox).await;
}

#[tokio::test]
async fn an_unfinished_http_2_preface_is_answered_408() {
    let sandbox = builder().limits(Limits::default().idle_timeout(SHORT)).start().await.unwrap();
    let mut stream = connect(&sandbox).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    assert_eq!(refusal(&until_the_end(&mut stream).await).0, 408);
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed() {
    let sandbox = builder().limits(Limits::default().idle_timeout(SHORT)).start().await.unwrap();
    let mut stream = connect(&sandbox).await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&settings).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    // The sandbox's settings, the acknowledgement of the client's, then the end: no HTTP/1 in
    // between.
    assert_eq!(answer.get(3), Some(&4), "{answer:?}");
    assert!(!answer.windows(4).any(|bytes| bytes == b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let sandbox = builder().limits(Limits::default().body_timeout(SHORT)).start().await.unwrap();
    let mut stream = connect(&sandbox).await;
    let request = raw_event(&sandbox).replace("Content-Length: ", "Content-Length: 1");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(refusal(&until_the_end(&mut stream).await), (408, "request_timeout".to_owned()));
    let requests = sandbox.requests();
    assert!(requests[0].problems()[0].hint().is_some_and(|hint| hint.contains("Content-Length")));
    assert_eq!(sandbox.event_count(), 0);
    assert_works(&sandbox).await;
}

#[tokio::test]
async fn an_endless_body_is_413_and_not_read_forever() {
    let sandbox = builder().start().await.unwrap();
    let (mut read, mut write) = connect(&sandbox).await.into_split();
    let head = raw_event(&sandbox).split_once("Content-Length").unwrap().0.to_owned();
    let flood = tokio::spawn(async move {
        write.write_all(head.as_bytes()).await?;
        write.write_all(b"Transfer-Encoding: chunked\r\n\r\n").await?;
        let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
        let mut sent = 0_u64;
        while write.write_all(&chunk).await.is_ok() {
            sent += 0x10000;
        }
        std::io::Result::Ok(sent)
    });
    let mut answer = Vec::new();
    let _ = read.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(refusal(&answer), (413, "payload_too_large".to_owned()));
    let sent = flood.await.unwrap().unwrap();
    assert!(sent > 1 << 20, "{sent}");
    assert_works(&sandbox).await;
}

#[tokio::test]
async fn endless_headers_are_431() {
    let sandbox = builder().start().await.unwrap();
    for flood in ["X-More: and more\r\n".repeat(101), format!("X-Long: {}", "a".repeat(100_000))] {
        let answer = raw(&sandbox, &format!("GET /me HTTP/1.1\r\n{flood}\r\n\r\n")).await;
        assert_eq!(refusal(&answer), (431, "headers_too_large".to_owned()));
    }
    let answer = raw(&sandbox, &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000))).await;
    assert!([414, 431].contains(&refusal(&answer).0), "{answer}");
    assert_eq!(sandbox.request_count(), 0, "only requests are recorded");
    assert_works(&sandbox).await;
}

#[tokio::test]
async fn bytes_that_are_not_http_are_400() {
    let sandbox = builder().start().await.unwrap();
    for garbage in [
        "\x00\x03\x01\x02\x00\x01\x00",
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET /me HTTP/9.9\r\n\r\n",
        "GET /me HTTP/1.1\r\nno colon\r\n\r\n",
        "POST /events HTTP/1.1\r\nContent-Length: many\r\n\r\n",
    ] {
        let answer = raw(&sandbox, garbage).await;
        assert_eq!(refusal(&answer), (400, "bad_request".to_owned()), "{garbage:?}");
    }
    assert_works(&sandbox).await;
}

#[tokio::test]
async fn invalid_bytes_after_a_request_are_answered_after_it() {
    let sandbox = builder().start().await.unwrap();
    let answer = raw(&sandbox, &format!("{}garbage\r\n\r\n", raw_event(&sandbox))).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    let (_, second) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(refusal(second), (400, "bad_request".to_owned()));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let sandbox = builder().start().await.unwrap();
    let mut requests = String::new();
    for _ in 0..99 {
        requests += &raw_event(&sandbox);
    }
    requests += "GET /me HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n";
    let answers = raw(&sandbox, &requests).await;
    assert_eq!(answers.matches("HTTP/1.1 202 ").count(), 99);
    assert!(answers.rfind("HTTP/1.1 202 ") < answers.find("HTTP/1.1 401 "));
    assert_eq!(sandbox.request_count(), 100);
}

/// Returns many requests at once.
fn requests(sandbox: &Sandbox) -> String {
    let request = format!(
        "GET /me HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {}\r\n\
         Accept: application/json\r\n\r\n",
        sandbox.token()
    );
    request.repeat(64)
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let sandbox = builder().limits(Limits::default().idle_timeout(SHORT)).start().await.unwrap();
    let mut stream = connect(&sandbox).await;
    // The answers fill the socket buffers, and then the sandbox waits.
    let requests = requests(&sandbox);
    while stream.write_all(requests.as_bytes()).await.is_ok() {}
    assert_works(&sandbox).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_delay_a_graceful_shutdown() {
    const TIMEOUT: Duration = Duration::from_secs(60);
    let mut sandbox = builder()
        .limits(Limits::default().idle_timeout(Duration::from_secs(1)))
        .start()
        .await
        .unwrap();
    let mut stream = connect(&sandbox).await;
    let requests = requests(&sandbox);
    // The sandbox stops reading because the client does not read answers.
    while let Ok(Ok(())) = timeout(10 * SHORT, stream.write_all(requests.as_bytes())).await {}
    let end = sandbox.graceful_shutdown(60 * TIMEOUT);
    timeout(TIMEOUT, end).await.expect("the idle timeout ends it first");
}

#[tokio::test]
async fn a_connection_over_the_limit_is_503_until_another_ends() {
    let sandbox = builder().limits(Limits::default().max_connections(2)).start().await.unwrap();
    let mut first = connect(&sandbox).await;
    let mut second = connect(&sandbox).await;
    for stream in [&mut first, &mut second] {
        stream.write_all(raw_event(&sandbox).as_bytes()).await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
    }
    let mut third = connect(&sandbox).await;
    third.write_all(raw_event(&sandbox).as_bytes()).await.unwrap();
    assert_eq!(refusal(&until_the_end(&mut third).await), (503, "too_many_connections".to_owned()));

    // `Connection: close` ends the connection after the answer. The place becomes free at most a
    // moment after the client sees the end.
    let close = raw_event(&sandbox).replace("Host:", "Connection: close\r\nHost:");
    first.write_all(close.as_bytes()).await.unwrap();
    until_the_end(&mut first).await;
    drop(first);
    let mut statuses = Vec::new();
    while statuses.last() != Some(&202) {
        statuses.push(post_event(&sandbox, &event("later")).await.status);
    }
    assert!(statuses.len() < 100, "{statuses:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn two_thousand_connections_at_a_time_are_served() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    const CONNECTIONS: usize = 2000;
    // Both ends of each connection are in this process.
    let (_, allowed) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, allowed, allowed).unwrap();
    let sandbox = builder().deduplicate(false).start().await.unwrap();
    let request = raw_event(&sandbox);
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        streams.push(connect(&sandbox).await);
    }
    for stream in &mut streams {
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    for stream in &mut streams {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 202");
    }
    assert_eq!(sandbox.event_count(), CONNECTIONS);
}

#[tokio::test]
async fn the_admin_api_has_a_body_timeout_too() {
    let sandbox = builder().limits(Limits::default().body_timeout(SHORT)).start().await.unwrap();
    let request = "POST /_sandbox/faults HTTP/1.1\r\nHost: localhost\r\n\
                   Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{";
    let mut stream = connect(&sandbox).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = until_the_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let error: Value = serde_json::from_str(body).unwrap();
    assert_eq!(error, json!({"error": "the body did not come in time"}));
}
