//! The program's output, whatever clients send and however a reader reads it.

use serde_json::json;

use crate::program::{PROGRAM, start};
use crate::support::{event, finish};

#[tokio::test]
async fn a_sender_cannot_write_to_the_terminal() {
    let mut running =
        start(&["--token", "t", "--know-everybody", "--fault", "html 502 for next 1"]);
    // The page has line breaks.
    assert_eq!(finish(running.send("42")).await.status, 502);
    let mut body = event("up\u{1b}[2J\nevent forged");
    body["user_id"] = "4\u{7}2\u{9b}1m".into();
    body["metadata"] = json!({"a\r": "\u{7f}\u{85}"});
    assert_eq!(finish(running.send("42").body(body.to_string())).await.status, 202);
    body["owner"] = "x".into();
    body["created_at"] = "\u{1b}".into();
    assert_eq!(finish(running.send("42").body(body.to_string())).await.status, 400);

    let mut lines = running.lines.by_ref().skip_while(|line| line != "Ctrl-C ends it").skip(1);
    let mut next = || lines.next().expect("there is a line");
    let page = next();
    assert!(page.starts_with("POST /events 502 <html>") && page.ends_with("(fault: html 502)"));
    assert_eq!(
        next(),
        r#"event up\u{1b}[2J\nevent forged user_id=4\u{7}2\u{9b}1m a\r="\u{7f}\u{85}""#
    );
    assert!(next().starts_with("POST /events 400 {"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_blocked_output_does_not_delay_the_end() {
    let running = start(&["--json", "--token", "t", "--know-everybody", "--no-rate-limit"]);
    // More than a pipe holds, with no reader.
    let long = "x".repeat(10_000);
    for number in 0..100 {
        let mut body = event("project_created");
        body["user_id"] = number.to_string().into();
        body["unknown"] = long.as_str().into();
        assert_eq!(finish(running.send("42").body(body.to_string())).await.status, 202);
    }
    running.signal("-TERM");
    assert!(running.ended().success());
}

#[cfg(target_os = "linux")]
#[test]
fn an_unwritable_output_ends_the_program_with_a_reason() {
    let full = std::fs::File::create("/dev/full").expect("there is a device that is always full");
    let output = std::process::Command::new(PROGRAM)
        .args(["--port", "0"])
        .stdout(full)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("it starts and ends");
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).expect("it complains in text");
    let start = "intercom-sandbox: cannot print what comes in, and ends\n  because: No space left";
    assert!(complaint.starts_with(start), "{complaint}");
}
