//! The feed: incoming requests as they come, for a viewer that may disconnect and resume.

use std::time::Duration;

use intercom_sandbox::{Retention, Sandbox};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::{
    client, client_builder, connect, event, finish, friendly, post_event, request,
};

/// A message of the feed.
struct Message {
    kind: String,
    id: String,
    data: Value,
}

impl Message {
    /// Returns the numbers of the message's records.
    fn numbers(&self) -> Vec<u64> {
        let records = self.data["records"].as_array().expect("an update has records");
        records.iter().map(|record| record["number"].as_u64().expect("a number")).collect()
    }
}

/// A client of the feed.
struct Viewer {
    response: Response,
    read: String,
}

impl Viewer {
    async fn open(sandbox: &Sandbox) -> Self {
        Self::ask(sandbox, "", None).await
    }

    async fn ask(sandbox: &Sandbox, query: &str, last: Option<&str>) -> Self {
        let mut request = client().get(format!("{}/_sandbox/feed{query}", sandbox.url()));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("the sandbox answers");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    /// Returns the next message; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Message> {
        let end = loop {
            if let Some(end) = self.read.find("\n\n") {
                break end;
            }
            let chunk = self.response.chunk().await.expect("the stream is whole")?;
            self.read += str::from_utf8(&chunk).expect("the feed is text");
        };
        let text: String = self.read.drain(..end + 2).collect();
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        let data = serde_json::from_str(&field("data: ")).expect("the data is JSON");
        Some(Message { kind: field("event: "), id: field("id: "), data })
    }

    /// Returns the next message, which must be of this kind.
    async fn expect(&mut self, kind: &str) -> Message {
        let message = self.next().await.expect("the feed goes on");
        assert_eq!(message.kind, kind);
        message
    }

    /// Reads updates up to this request. Returns the numbers of all records, and the last message.
    async fn until(&mut self, number: u64) -> (Vec<u64>, Message) {
        let mut numbers = Vec::new();
        loop {
            let message = self.expect("update").await;
            numbers.extend(message.numbers());
            if numbers.last().is_some_and(|last| *last >= number) {
                return (numbers, message);
            }
        }
    }
}

async fn send(sandbox: &Sandbox, events: usize) {
    for number in 0..events {
        let mut body = event("a");
        body["created_at"] = number.into();
        assert_eq!(post_event(sandbox, &body).await.status, 202);
    }
}

#[tokio::test]
async fn the_feed_begins_with_earlier_requests_and_goes_on_live() {
    let sandbox = friendly().await;
    send(&sandbox, 2).await;
    let mut viewer = Viewer::open(&sandbox).await;
    let begin = viewer.expect("begin").await;
    assert_eq!(begin.data["url"], sandbox.url());
    assert_eq!(begin.data["version"], env!("CARGO_PKG_VERSION"));
    let update = viewer.expect("update").await;
    assert_eq!(update.numbers(), [1, 2]);

    post_event(&sandbox, &json!({"event_name": "b"})).await;
    let (numbers, update) = viewer.until(3).await;
    assert_eq!(numbers, [3]);
    let record = &update.data["records"][0];
    assert_eq!(record["outcome"], "refused");
    assert_eq!(record["event"]["name"], "b");
    assert!(record["problems"][0]["hint"].is_string());
}

#[tokio::test]
async fn every_update_has_counts_and_budget() {
    let sandbox = Sandbox::builder().know_everybody(true).rate_limit(10).start().await.unwrap();
    send(&sandbox, 1).await;
    post_event(&sandbox, &json!({})).await;
    sandbox.fail_next(2, 503);
    post_event(&sandbox, &event("a")).await;

    let mut viewer = Viewer::open(&sandbox).await;
    viewer.expect("begin").await;
    let update = viewer.expect("update").await;
    assert_eq!(
        update.data["counts"],
        json!({
            "requests": 3, "accepted": 1, "duplicate": 0, "refused": 1, "faulted": 1, "served": 0,
        })
    );
    assert_eq!(update.data["rate_limit"]["limit"], 10);
    assert_eq!(update.data["rate_limit"]["remaining"], 8);
    assert_eq!(update.data["faults"], 1, "one of two answers is left");
    // The viewer sees the end of the window without a new request.
    assert!(viewer.expect("update").await.numbers().is_empty());
}

#[tokio::test]
async fn a_viewer_that_reconnects_resumes() {
    let sandbox = friendly().await;
    send(&sandbox, 2).await;
    let mut viewer = Viewer::open(&sandbox).await;
    viewer.expect("begin").await;
    let id = viewer.expect("update").await.id;
    drop(viewer);

    send(&sandbox, 1).await;
    let mut by_header = Viewer::ask(&sandbox, "", Some(&id)).await;
    assert_eq!(by_header.expect("update").await.numbers(), [3]);
    for after in [&*id, "2"] {
        let mut by_query = Viewer::ask(&sandbox, &format!("?after={after}"), None).await;
        assert_eq!(by_query.expect("update").await.numbers(), [3]);
    }
}

#[tokio::test]
async fn a_position_of_another_sandbox_is_ignored() {
    let (one, other) = (friendly().await, friendly().await);
    send(&one, 3).await;
    send(&other, 1).await;
    let mut viewer = Viewer::open(&one).await;
    viewer.expect("begin").await;
    let id = viewer.expect("update").await.id;

    for id in [id.as_str(), "", "1", "x-y-z", "0-0-18446744073709551615"] {
        let mut viewer = Viewer::ask(&other, "", Some(id)).await;
        viewer.expect("begin").await;
        assert_eq!(viewer.expect("update").await.numbers(), [1], "{id}");
    }
    // A place beyond the last request counts as the end.
    let (run, _) = id.rsplit_once('-').unwrap();
    let mut viewer = Viewer::ask(&one, "", Some(&format!("{run}-900"))).await;
    assert!(viewer.expect("update").await.numbers().is_empty());
    send(&one, 1).await;
    assert_eq!(viewer.until(4).await.0, [4]);
}

#[tokio::test]
async fn the_feed_restarts_after_a_clear() {
    let sandbox = friendly().await;
    send(&sandbox, 2).await;
    let mut viewer = Viewer::open(&sandbox).await;
    viewer.expect("begin").await;
    let before = viewer.expect("update").await.id;

    sandbox.clear();
    while viewer.next().await.expect("the feed goes on").kind != "begin" {}
    send(&sandbox, 1).await;
    assert_eq!(viewer.until(1).await.0, [1]);

    // A viewer without a connection during the clear sees it too.
    let mut viewer = Viewer::ask(&sandbox, "", Some(&before)).await;
    viewer.expect("begin").await;
    assert_eq!(viewer.expect("update").await.numbers(), [1]);
}

#[tokio::test]
async fn forgotten_requests_are_skipped_and_counted() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .retention(Retention::default().keep_requests(3))
        .start()
        .await
        .unwrap();
    send(&sandbox, 10).await;
    let mut viewer = Viewer::open(&sandbox).await;
    viewer.expect("begin").await;
    let update = viewer.expect("update").await;
    assert_eq!(update.numbers(), [8, 9, 10]);
    assert_eq!(update.data["skipped"], 7);

    let nothing_kept = Sandbox::builder()
        .know_everybody(true)
        .retention(Retention::default().keep_requests(0))
        .start()
        .await
        .unwrap();
    send(&nothing_kept, 2).await;
    let mut viewer = Viewer::open(&nothing_kept).await;
    viewer.expect("begin").await;
    let update = viewer.expect("update").await;
    assert_eq!((update.numbers(), &update.data["skipped"]), (vec![], &json!(2)));
    assert_eq!(update.data["counts"]["accepted"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_come_in_batches_without_a_gap() {
    let sandbox = Sandbox::builder().know_everybody(true).no_rate_limit().start().await.unwrap();
    let mut viewer = Viewer::open(&sandbox).await;
    viewer.expect("begin").await;
    // Unlike the shared client, this client reuses its connections.
    let client = client_builder().build().unwrap();
    for _ in 0..1200 {
        let request = client.get(format!("{}/me", sandbox.url())).bearer_auth(sandbox.token());
        finish(request.header("Accept", "application/json")).await;
    }
    let mut told = Vec::new();
    while told.len() < 1200 {
        let update = viewer.expect("update").await;
        assert!(update.numbers().len() <= 500, "a batch has a limit");
        assert_eq!(update.data["skipped"], 0);
        told.extend(update.numbers());
    }
    assert!(told.into_iter().eq(1..=1200));

    // A late viewer gets all records too, again in batches.
    let mut viewer = Viewer::open(&sandbox).await;
    viewer.expect("begin").await;
    let (numbers, last) = viewer.until(1200).await;
    assert!(numbers.into_iter().eq(1..=1200));
    assert_eq!(last.numbers().len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_records_make_small_batches() {
    let sandbox = friendly().await;
    let text = "x".repeat(300_000);
    for _ in 0..3 {
        finish(request(&sandbox, reqwest::Method::POST, "/events").body(text.clone())).await;
    }
    let mut viewer = Viewer::open(&sandbox).await;
    viewer.expect("begin").await;
    for number in 1..=3 {
        assert_eq!(viewer.expect("update").await.numbers(), [number]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_does_not_read_blocks_nothing_and_gets_the_skipped_count() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .retention(Retention::default().keep_requests(10))
        .start()
        .await
        .unwrap();
    let mut stopped = connect(&sandbox).await;
    stopped
        .write_all(b"GET /_sandbox/feed HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .expect("the sandbox reads");
    // More than the buffers between the sandbox and the viewer hold.
    let text = "x".repeat(500_000);
    for _ in 0..60 {
        finish(request(&sandbox, reqwest::Method::POST, "/events").body(text.clone())).await;
    }
    assert_eq!(sandbox.request_count(), 60, "all of them were answered");
    drop(text);

    // The viewer reads on, and catches up.
    let mut read = vec![0; 1 << 20];
    let mut tail = String::new();
    let mut skipped = false;
    while !(skipped && tail.contains("\"number\":60,")) {
        stopped.readable().await.expect("the stream is whole");
        let count = match stopped.try_read(&mut read) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) => panic!("{error}"),
        };
        assert_ne!(count, 0, "the feed goes on");
        let kept = tail.split_off(tail.len().saturating_sub(200));
        tail = kept + &String::from_utf8_lossy(&read[..count]);
        skipped |= tail.split("\"skipped\":").skip(1).any(|rest| !rest.starts_with('0'));
    }
}

#[tokio::test]
async fn the_feed_ends_with_the_sandbox() {
    let mut sandbox = friendly().await;
    let mut viewer = Viewer::open(&sandbox).await;
    viewer.expect("begin").await;
    viewer.expect("update").await;
    let follow = async {
        let mut last = String::new();
        while let Some(message) = viewer.next().await {
            last = message.kind;
        }
        last
    };
    // Long enough that waiting for the stream would time the test out.
    let end = sandbox.graceful_shutdown(Duration::from_secs(600));
    let (last, ()) = tokio::join!(follow, end);
    assert_eq!(last, "end");
}

#[tokio::test]
async fn an_invalid_query_is_refused() {
    let sandbox = friendly().await;
    let answered = finish(client().get(format!("{}/_sandbox/feed?from=1", sandbox.url()))).await;
    assert_eq!(answered.status, 400);
    assert!(answered.json()["error"].as_str().is_some_and(|error| error.contains("`after`")));
}
