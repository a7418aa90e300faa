//! The program, started as a user does.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{client, event, finish, friendly};

const PROGRAM: &str = env!("CARGO_BIN_EXE_intercom-sandbox");

/// Ends the program with the test, also with one that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn it_prints_where_it_is_and_what_arrives() {
    let child = Command::new(PROGRAM)
        .args(["--port", "0", "--token", "t", "--contact", "user_id=42", "--rate-limit", "2"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut running = Running(child);
    let output = running.0.stdout.take().expect("its output is piped");
    let mut lines = BufReader::new(output).lines().map(|line| line.expect("it prints text"));

    let url = lines
        .next()
        .and_then(|line| Some(line.strip_prefix("Intercom sandbox on ")?.to_owned()))
        .expect("it says where it is");
    assert_eq!(lines.next().as_deref(), Some("access token: t"));
    assert!(lines.any(|line| line.contains(&format!("curl -i {url}/events"))));

    let send = |user_id: &str| {
        let mut body = event("project_created");
        body["user_id"] = user_id.into();
        body["metadata"] = serde_json::json!({"plan": "pro"});
        client()
            .post(format!("{url}/events"))
            .bearer_auth("t")
            .header("Content-Type", "application/json")
            .body(body.to_string())
    };
    assert_eq!(finish(send("42")).await.status, 202);
    assert_eq!(finish(send("43")).await.status, 404);
    assert_eq!(finish(send("42")).await.status, 429);

    assert!(
        lines.by_ref().any(|line| line == r#"event project_created user_id=42 plan="pro""#),
        "the accepted event has its line"
    );
    let refused = lines.next().expect("the refused event has its line");
    assert!(refused.starts_with("POST /events 404 {"), "{refused}");
    assert!(refused.contains("User Not Found"), "{refused}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_in_peace() {
    let child = Command::new(PROGRAM)
        .args(["--port", "0", "--know-everybody"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut running = Running(child);
    let output = running.0.stdout.take().expect("its output is piped");
    let mut lines = BufReader::new(output).lines().map(|line| line.expect("it prints text"));
    assert!(lines.any(|line| line == "Ctrl-C ends it"));

    let id = running.0.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().expect("there is kill");
    assert!(sent.success());
    assert_eq!(lines.last().as_deref(), Some("events: 0, requests: 0"));
    assert!(running.0.wait().expect("it ends").success());
}

#[tokio::test]
async fn a_taken_port_ends_it_with_a_message() {
    let sandbox = friendly().await;
    let (_, port) = sandbox.url().rsplit_once(':').expect("a URL with a port");
    let output = Command::new(PROGRAM).args(["--port", port]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("intercom-sandbox: port {port} is taken by another program\n")
    );
}

#[test]
fn a_contact_of_no_kind_is_told() {
    for (contact, message) in [("ada", "expected user_id=…"), ("email=", "the value is empty")] {
        let output =
            Command::new(PROGRAM).args(["--contact", contact]).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(message));
    }
}
