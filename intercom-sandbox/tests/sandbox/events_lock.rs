//! The lock of a program's events: warnings for unknown events, never-sent events, and masked
//! values.

use intercom_sandbox::{EventsLock, ManualClock, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{client, event, finish, post_event, post_text, request};

const LOCK: &str = r#"# What this program sends to Intercom.
version 1
budget 90

event "Parcel sent" email
event letter_sent user_id created_at "Somebody sent a letter."
  key street text truncated sensitive "Where to."
  key weight number
  key due_date date optional
  key page link optional
  key order rich_link optional
  key price money optional
  key signed boolean optional
  key stamp text optional
    texts plain "first class"
  also "Parcel sent"
event never_came

retired old_one
renamed older letter_sent
allowed KEY_REMOVED letter_sent.colour "nobody used it"
allow EVENT_REMOVED never_came "why \"not\""
"#;

const SECRET: &str = "12 Analytical Way";

async fn sandbox() -> Sandbox {
    let lock = EventsLock::parse(LOCK).expect("a valid lock");
    // The list has only events of the last 90 days.
    let clock = ManualClock::at_unix_seconds(1_700_000_500);
    let builder = Sandbox::builder().know_everybody(true).events_lock(lock).clock(clock);
    builder.start().await.expect("a free port")
}

async fn send(sandbox: &Sandbox, name: &str, metadata: Value) {
    let mut body = event(name);
    body["created_at"] = (1_700_000_000 + sandbox.request_count()).into();
    body["metadata"] = metadata;
    let answered = post_event(sandbox, &body).await;
    assert_eq!(answered.status, 202, "the lock does not change the answer: {}", answered.text);
}

async fn admin(sandbox: &Sandbox, path: &str) -> String {
    let answered = finish(client().get(format!("{}/_sandbox{path}", sandbox.url()))).await;
    assert_eq!(answered.status, 200);
    answered.text
}

#[tokio::test]
async fn an_event_outside_the_lock_gets_a_warning() {
    let sandbox = sandbox().await;
    let whole = json!({
        "street": SECRET, "weight": 0.5, "due_date": 1_800_000_000, "page": "https://example.com",
        "order": {"url": "https://example.com", "value": "7"},
        "price": {"amount": 1, "currency": "eur"}, "signed": true, "stamp": "first class",
    });
    send(&sandbox, "letter_sent", whole).await;
    send(&sandbox, "LETTER_SENT", json!({"Street": SECRET, "weight": 1})).await;
    send(&sandbox, "parcel sent", json!({})).await;
    send(&sandbox, "letter_opened", json!({"weight": 1})).await;
    send(&sandbox, "letter_sent", json!({"weight": "heavy", "colour": "red", "stamp": "gold"}))
        .await;

    let warnings: Vec<_> = sandbox.requests().iter().map(|request| request.warnings()).collect();
    assert!(warnings[..3].iter().all(Vec::is_empty), "{warnings:?}");
    assert_eq!(warnings[3], ["The event `letter_opened` is not in the lock."]);
    assert_eq!(
        warnings[4],
        [
            "The key `colour` is not in the lock.",
            "The lock does not allow this text for `stamp`; it allows: plain, first class.",
            "The value of `weight` must be a number, by the lock.",
            "The key `street` is missing, and the lock requires it.",
        ]
    );
}

#[tokio::test]
async fn the_program_names_events_of_the_lock_that_never_came() {
    let sandbox = sandbox().await;
    assert_eq!(sandbox.never_sent(), ["Parcel sent", "letter_sent", "never_came"]);
    send(&sandbox, "parcel SENT", json!({})).await;
    send(&sandbox, "letter_opened", json!({})).await;
    assert_eq!(sandbox.never_sent(), ["letter_sent", "never_came"]);
    let without = Sandbox::start().await.unwrap();
    assert!(without.never_sent().is_empty());
}

#[tokio::test]
async fn the_catalogue_shows_names_of_the_lock_and_of_events() {
    let sandbox = sandbox().await;
    send(&sandbox, "letter_opened", json!({})).await;
    send(&sandbox, "letter_sent", json!({"street": SECRET, "weight": 1})).await;
    send(&sandbox, "letter_sent", json!({"street": SECRET})).await;
    let catalogue: Value = serde_json::from_str(&admin(&sandbox, "/catalogue").await).unwrap();
    assert_eq!(catalogue["never_sent"], json!(["Parcel sent", "never_came"]));
    let [opened, sent] = &catalogue["names"].as_array().unwrap()[..] else { panic!("{catalogue}") };
    assert_eq!((&opened["in_lock"], &sent["in_lock"]), (&json!(false), &json!(true)));
    assert_eq!(opened["warnings"], json!(["The lock has no event of this name."]));
    assert_eq!(
        sent["warnings"],
        json!(["1 of 2 events differ from the lock: each has a warning."])
    );
}

#[tokio::test]
async fn sensitive_values_are_kept_and_never_shown() {
    let sandbox = sandbox().await;
    // As text, which keeps the order of the keys.
    let letter = format!(
        r#"{{"event_name": "letter_sent", "created_at": 1700000000, "user_id": "42",
            "metadata": {{"weight": 1, "STREET": "{SECRET}"}}}}"#
    );
    assert_eq!(post_text(&sandbox, letter).await.status, 202);
    send(&sandbox, "not_in_the_lock", json!({"street": SECRET})).await;
    // Refused: without a contact.
    let refused =
        json!({"event_name": "letter_sent", "created_at": 1, "metadata": {"street": SECRET}});
    assert_ne!(post_text(&sandbox, refused.to_string()).await.status, 202);

    let shown = admin(&sandbox, "/requests").await;
    assert_eq!(shown.matches("[sensitive]").count(), 6, "in the event and in the body: {shown}");

    // Refused: without a name, and no JSON.
    for refused in [
        json!({"user_id": "42", "created_at": 1, "metadata": {"street": SECRET}}).to_string(),
        format!(r#"{{"event_name": "letter_sent", "metadata": {{"street": "{SECRET}"}}"#),
    ] {
        assert_eq!(post_text(&sandbox, refused).await.status, 400);
    }
    // Answers with events, of which the fault cuts one off.
    let list = || request(&sandbox, Method::GET, "/events?type=user&user_id=42");
    let listed = finish(list()).await;
    assert!(listed.status == 200 && listed.text.contains(SECRET), "{}", listed.text);
    sandbox.inject("truncate on everything for next 1".parse().expect("a fault"));
    let cut = list().send().await.expect("a head").text().await;
    assert!(cut.is_err(), "{cut:?}");

    let shown = admin(&sandbox, "/requests").await;
    let body = r#"\"metadata\":{\"weight\":1,\"STREET\":\"[sensitive]\"}"#;
    assert!(shown.contains(body), "in the order sent: {shown}");
    let debug = format!("{:?}", (sandbox.requests(), sandbox.events()));
    for shown in [&shown, &debug] {
        assert!(!shown.contains(SECRET), "{shown}");
    }

    // Whatever else the page reads or the admin API answers.
    let api: Value = serde_json::from_str(&admin(&sandbox, "/openapi.json").await).unwrap();
    let paths = api["paths"].as_object().unwrap();
    let (mut read, mut feeds) = (Vec::new(), 0);
    let is_read =
        |path: &str, methods: &Value| path.starts_with("/_sandbox") && methods.get("get").is_some();
    for (path, _) in paths.iter().filter(|(path, methods)| is_read(path, methods)) {
        let path = path.replace("{number}", "1").replace("{key}", "1");
        assert!(!path.contains('{'), "`{path}` needs a value here");
        let url = format!("{}{path}", sandbox.url());
        let mut answer = client().get(url).send().await.unwrap();
        let is_feed = answer.headers()["content-type"] == "text/event-stream";
        if is_feed {
            // The feed sends new requests by another path than earlier ones.
            send(&sandbox, "letter_sent", json!({"street": SECRET, "weight": 1})).await;
        }
        // The feed does not end, so the test reads up to the last request.
        let newest = format!(r#""number":{},"#, sandbox.request_count());
        let mut text = String::new();
        while !(is_feed && text.contains(&newest))
            && let Some(piece) = answer.chunk().await.unwrap()
        {
            text += str::from_utf8(&piece).unwrap();
        }
        assert!(!text.contains(SECRET), "{path}: {text}");
        if is_feed {
            assert!(text.contains(&newest) && text.matches("[sensitive]").count() >= 8, "{text}");
            feeds += 1;
        }
        read.push(path);
    }
    assert!(read.len() > 5 && feeds == 1, "{read:?}");
    let page = finish(client().get(sandbox.url())).await;
    assert!(page.status == 200 && !page.text.contains(SECRET));

    let events = sandbox.events();
    assert_eq!(
        events[0].metadata_value("street"),
        Some(&json!(SECRET)),
        "a test can read the value"
    );
    assert_eq!(events[0].masked_metadata()[0], ("weight".to_owned(), json!(1)));
    assert!(String::from_utf8_lossy(events[0].body()).contains(SECRET));
}

#[test]
fn an_invalid_lock_is_refused_with_its_line() {
    for (text, problem) in [
        ("", "line 1 of the lock: it has no event"),
        ("version 1\n", "line 1 of the lock: it has no event"),
        ("event a", "line 1 of the lock: the first line must be `version 1`"),
        ("version 2", "line 1 of the lock: the first line must be `version 1`"),
        ("version 1\nevnt a", "line 2 of the lock: `evnt` does not begin a line"),
        ("version 1\nevent a\nevent A", "line 3 of the lock: the event `A` is there already"),
        ("version 1\nkey k text", "line 2 of the lock: `key` has no `event` line above it"),
        ("version 1\nevent a\nkey k string", "line 3 of the lock: `string` is not a kind"),
        ("version 1\nevent \"a", "line 2 of the lock: a text in quotes does not end"),
    ] {
        let error = EventsLock::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(problem), "{text}: {error}");
    }
}

#[cfg(feature = "program")]
#[tokio::test]
async fn the_program_warns_masks_and_lists_never_sent_names() {
    use crate::program::start;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.lock");
    let lock = "version 1
event project_created
  key plan text sensitive
  key id number
event never_came
";
    std::fs::write(&path, lock).unwrap();
    let path = path.to_str().unwrap();
    let mut running = start(&["--token", "t", "--know-everybody", "--values", "--lock", path]);
    assert_eq!(finish(running.send("42")).await.status, 202);
    let printed = r#"event project_created user_id=42 plan="[sensitive]""#;
    assert!(running.lines.any(|line| line == printed));
    let warning = "  The key `id` is missing, and the lock requires it.";
    assert_eq!(running.lines.next().as_deref(), Some(warning));
    running.signal("-INT");
    assert!(running.lines.any(|line| line == "in the lock, and never sent: never_came"));
    assert!(running.ended().success());
}
