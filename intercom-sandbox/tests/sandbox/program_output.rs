//! The program's output, whatever clients send and however a reader reads it.

use std::time::UNIX_EPOCH;

use reqwest::Method;
use serde_json::{Value, json};

use crate::program::{PROGRAM, Running, start};
use crate::support::{Answered, event, finish};

/// Values of contacts and events. Each begins with this word, or contains it.
const SECRET: &str = "lovelace";

/// Sends a request with secrets wherever the API takes a value.
async fn call(running: &Running, method: &str, path: &str, body: &Value) -> Answered {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    finish(running.call(method, path).body(body.to_string())).await
}

/// Sends every documented call, and some that the sandbox refuses. Returns the ids of
/// the contacts.
async fn call_everything(running: &Running) -> [String; 2] {
    let user = json!({
        "role": "user", "external_id": "lovelace-1", "email": "ada@lovelace.example",
        "name": "Ada lovelace", "phone": "+44lovelace", "custom_attributes": {"plan": "lovelace"},
    });
    let created = call(running, "POST", "/contacts", &user).await;
    assert_eq!(created.status, 200, "{}", created.text);
    let id = created.json()["id"].as_str().expect("a contact has an id").to_owned();
    let again = call(running, "POST", "/contacts", &user).await;
    assert!(again.status == 409 && again.text.contains(&id), "{}", again.text);

    let lead = json!({"role": "lead", "email": "ada@lovelace.example"});
    let lead = call(running, "POST", "/contacts", &lead).await.json();
    let lead = lead["id"].as_str().expect("a contact has an id").to_owned();
    let merge = json!({"from": &lead, "into": &id});
    assert_eq!(call(running, "POST", "/contacts/merge", &merge).await.status, 200);
    let merged = call(running, "GET", &format!("/contacts/{lead}"), &Value::Null).await;
    assert_eq!(merged.status, 410, "{}", merged.text);

    let mut sent = event("letter_sent");
    // The list has only events of the last 90 days.
    let now = UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    sent["created_at"] = now.into();
    sent["user_id"] = "lovelace-1".into();
    sent["metadata"] = json!({"street": "12 lovelace Way"});
    for status in [202, 202] {
        assert_eq!(call(running, "POST", "/events", &sent).await.status, status);
    }
    for refused in [
        json!({"user_id": "lovelace-2"}),
        json!({"user_id": ["lovelace"]}),
        json!({"created_at": "lovelace"}),
        json!({"metadata": {"street": ["lovelace"]}}),
    ] {
        let mut body = sent.clone();
        for (member, value) in refused.as_object().expect("an object") {
            body[member] = value.clone();
        }
        let answered = call(running, "POST", "/events", &body).await;
        assert!(answered.status >= 400, "{body}: {}", answered.text);
    }

    let shown = call(running, "GET", &format!("/contacts/{id}"), &Value::Null).await;
    assert!(shown.status == 200 && shown.text.contains(SECRET), "{}", shown.text);
    for (change, status) in [("archive", 404), ("unarchive", 202)] {
        let changed =
            call(running, "POST", &format!("/contacts/{id}/{change}"), &Value::Null).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        // Another second, so that the event is no duplicate.
        sent["created_at"] = (now - 1).into();
        assert_eq!(call(running, "POST", "/events", &sent).await.status, status);
    }

    let listed = call(running, "GET", "/events?type=user&user_id=lovelace-1", &Value::Null).await;
    assert!(listed.status == 200 && listed.text.contains(SECRET), "{}", listed.text);

    let description = finish(running.admin("/openapi.json")).await.json();
    let paths = description["paths"].as_object().expect("paths is an object");
    let mut calls = 0;
    for (path, methods) in paths.iter().filter(|(path, _)| !path.starts_with("/_sandbox")) {
        let path = path.replace("{id}", &id).replace("{external_id}", "lovelace-1");
        for method in methods.as_object().expect("an object").keys() {
            let query = if path == "/events" { "?type=user&user_id=lovelace-1" } else { "" };
            call(running, &method.to_uppercase(), &format!("{path}{query}"), &user).await;
            calls += 1;
        }
    }
    assert!(calls > 15, "{calls}");
    for path in ["/contacts/lovelace@example.com/x", "/users/lovelace", "/lovelace", "/me/lovelace"]
    {
        assert!(call(running, "GET", path, &user).await.status >= 400, "{path}");
    }
    [id, lead]
}

/// Ends the program, and returns the lines about requests.
fn printed(running: &mut Running) -> Vec<String> {
    running.signal("-TERM");
    running.lines.by_ref().skip_while(|line| line != "Ctrl-C ends it").skip(1).collect()
}

#[cfg(unix)]
#[tokio::test]
async fn no_line_has_a_contact_or_a_value() {
    let mut running = start(&["--token", "t"]);
    let ids = call_everything(&running).await;
    let lines = printed(&mut running);
    for line in &lines {
        assert!(!line.contains(SECRET), "{line}");
        assert!(!ids.iter().any(|id| line.contains(id)), "{line}");
    }
    for expected in [
        "POST /contacts 200",
        "POST /contacts 409",
        "event letter_sent user_id street",
        "duplicate letter_sent user_id street",
        "POST /events 400",
        "GET /contacts/… 200",
        "GET /contacts/find_by_external_id/… 200",
        "POST /contacts/…/archive 200",
        "GET /users/… 501",
        "GET /… 404",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:#?}");
    }
    let hint = "  conflict: Intercom has no upsert: use that contact, or change it with PUT \
                /contacts/{id}.";
    assert!(lines.iter().any(|line| line == hint), "{lines:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_option_values_prints_contacts_and_values() {
    let mut running = start(&["--token", "t", "--values"]);
    let [id, _] = call_everything(&running).await;
    let lines = printed(&mut running);
    let event = r#"event letter_sent user_id=lovelace-1 street="12 lovelace Way""#;
    assert!(lines.iter().any(|line| line == event), "{lines:#?}");
    let created = lines.iter().find(|line| line.starts_with("POST /contacts 200 {"));
    assert!(created.is_some_and(|line| line.contains("ada@lovelace.example")), "{lines:#?}");
    let shown = format!("GET /contacts/{id} 200 {{");
    assert!(lines.iter().any(|line| line.starts_with(&shown)), "{lines:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn sensitive_values_stay_masked_with_the_option_values() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.lock");
    let lock = "version 1\nevent letter_sent\n  key street text sensitive\n";
    std::fs::write(&path, lock).expect("the lock is written");
    let path = path.to_str().expect("a path of plain text");
    let mut running = start(&["--token", "t", "--values", "--lock", path]);
    call_everything(&running).await;
    let lines = printed(&mut running);
    assert!(lines.iter().any(|line| line.contains("[sensitive]")), "{lines:#?}");
    let listed = lines.iter().find(|line| line.starts_with("GET /events 200 {"));
    assert!(listed.is_some_and(|line| line.contains("[sensitive]")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("lovelace Way")), "{lines:#?}");
}

#[tokio::test]
async fn a_sender_cannot_write_to_the_terminal() {
    let flags = ["--token", "t", "--know-everybody", "--values", "--fault", "html 502 for next 1"];
    let mut running = start(&flags);
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
    let start = "intercom-sandbox: cannot print the requests\n  because: No space left";
    assert!(complaint.starts_with(start), "{complaint}");
}
