//! Incoming bodies that together exceed the budget.

use intercom_sandbox::{Limits, Outcome, Sandbox};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::admin::admin;
use crate::support::{connect, event, finish, post_event, raw_event};
use reqwest::Method;

const ROOM: usize = 100_000;

async fn start() -> Sandbox {
    let builder =
        Sandbox::builder().know_everybody(true).limits(Limits::default().max_incoming_bytes(ROOM));
    builder.start().await.expect("a free port")
}

/// Sends the beginning of a body that takes most of the budget.
async fn begin(sandbox: &Sandbox) -> TcpStream {
    let mut stream = connect(sandbox).await;
    let request = raw_event(sandbox);
    let (head, _) = request.split_once("Content-Length").expect("it tells its length");
    let begun = format!("{head}Content-Length: 200000\r\n\r\n{}", " ".repeat(90_000));
    stream.write_all(begun.as_bytes()).await.expect("the sandbox reads");
    stream
}

/// Returns an event longer than one read, so that it arrives in pieces.
fn long() -> serde_json::Value {
    let mut body = event("long");
    body["unknown"] = "x".repeat(80_000).into();
    body
}

#[tokio::test]
async fn a_body_over_the_budget_is_503_until_the_budget_is_free() {
    let sandbox = start().await;
    assert_eq!(post_event(&sandbox, &long()).await.status, 202);

    let slow = begin(&sandbox).await;
    let refused = loop {
        // The slow body counts until the sandbox has read all of it.
        let answered = post_event(&sandbox, &long()).await;
        if answered.status != 202 {
            break answered;
        }
    };
    assert_eq!((refused.status, &*refused.errors()), (503, &["too_many_bodies".to_owned()][..]));
    let last = sandbox.requests().pop().unwrap();
    assert_eq!(last.outcome(), Outcome::Refused);
    assert!(last.problems()[0].hint().is_some_and(|hint| hint.contains("max_incoming_bytes")));

    // A body in one piece needs no budget. The admin API shares the budget.
    assert_eq!(post_event(&sandbox, &event("short")).await.status, 202);
    let contacts = json!({"contacts": [{"user_id": "x".repeat(80_000)}]});
    let seed = || admin(&sandbox, Method::POST, "/contacts").body(contacts.to_string());
    assert_eq!(finish(seed()).await.status, 503);

    drop(slow);
    while post_event(&sandbox, &long()).await.status != 202 {}
    assert_eq!(finish(seed()).await.status, 201);
}

#[tokio::test]
async fn a_body_beyond_the_limit_uses_no_more_budget_than_the_limit() {
    let builder = Sandbox::builder()
        .know_everybody(true)
        .limits(Limits::default().body_limit(1000).max_incoming_bytes(ROOM));
    let sandbox = builder.start().await.unwrap();
    let mut body = event("large");
    body["unknown"] = "x".repeat(3 * ROOM).into();
    assert_eq!(post_event(&sandbox, &body).await.status, 413);
}
