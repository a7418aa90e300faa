//! The catalogue: accepted names, their keys and kinds, and warnings about differences.

use intercom_sandbox::{ManualClock, OpenRules, Sandbox};
use serde_json::{Value, json};

use crate::support::{client, event, finish, friendly, post_event};

async fn catalogue(sandbox: &Sandbox) -> Value {
    let answered = finish(client().get(format!("{}/_sandbox/catalogue", sandbox.url()))).await;
    assert_eq!(answered.status, 200);
    answered.json()
}

/// Sends an event with this metadata, in its own second.
async fn send(sandbox: &Sandbox, name: &str, metadata: Value) {
    let mut body = event(name);
    body["created_at"] = (1_700_000_000 + sandbox.request_count()).into();
    body["metadata"] = metadata;
    let answered = post_event(sandbox, &body).await;
    assert_eq!(answered.status, 202, "{}", answered.text);
}

fn warnings(entry: &Value) -> Vec<&str> {
    let warnings = entry["warnings"].as_array().expect("warnings are an array");
    warnings.iter().map(|warning| warning.as_str().expect("a sentence")).collect()
}

#[tokio::test]
async fn the_catalogue_is_empty_at_first() {
    let sandbox = friendly().await;
    assert_eq!(catalogue(&sandbox).await, json!({"events": 0, "names": [], "left_out": 0}));
}

#[tokio::test]
async fn each_name_has_its_keys_with_their_kinds() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox =
        Sandbox::builder().know_everybody(true).clock(clock.clone()).start().await.unwrap();
    let metadata = json!({
        "plan": "pro",
        "seats": 3,
        "ratio": 0.5,
        "public": true,
        "due_date": 1_800_000_000,
        "page": "https://example.com/a",
        "order": {"url": "https://example.com/o/7", "value": "7"},
        "price": {"amount": 34_999, "currency": "eur"},
        "stripe_invoice": "in_1",
    });
    send(&sandbox, "paid", metadata.clone()).await;
    clock.advance(std::time::Duration::from_secs(5));
    send(&sandbox, "paid", metadata).await;
    send(&sandbox, "left", json!({})).await;

    let catalogue = catalogue(&sandbox).await;
    assert_eq!(catalogue["events"], 3);
    let [paid, left] = &catalogue["names"].as_array().unwrap()[..] else {
        panic!("two names: {catalogue}");
    };
    assert_eq!((&paid["name"], &paid["count"]), (&json!("paid"), &json!(2)));
    assert_eq!(paid["first"], "2023-11-14T22:13:20.000Z");
    assert_eq!(paid["last"], "2023-11-14T22:13:25.000Z");
    let kinds: Vec<_> = paid["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| {
            assert_eq!((&key["count"], &key["kinds"][0]["count"]), (&json!(2), &json!(2)));
            format!(
                "{} {}",
                key["key"].as_str().unwrap(),
                key["kinds"][0]["kind"].as_str().unwrap()
            )
        })
        .collect();
    let mut sorted = kinds.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "due_date date",
            "order rich link",
            "page link",
            "plan text",
            "price money",
            "public boolean",
            "ratio number",
            "seats number",
            "stripe_invoice stripe",
        ]
    );
    assert!(warnings(paid).is_empty(), "always the same");
    assert_eq!((&left["keys"], warnings(left)), (&json!([]), vec![]));
}

/// A key may be optional, so the catalogue counts it without a warning.
#[tokio::test]
async fn keys_of_some_events_are_counted() {
    let sandbox = friendly().await;
    send(&sandbox, "a", json!({"plan": "pro", "seats": 1})).await;
    send(&sandbox, "a", json!({"plan": "pro", "region": "eu"})).await;
    let catalogue = catalogue(&sandbox).await;
    let entry = &catalogue["names"][0];
    assert!(warnings(entry).is_empty(), "{catalogue}");
    let keys = entry["keys"].as_array().unwrap().iter();
    let mut counts: Vec<_> =
        keys.map(|key| (key["key"].as_str().unwrap(), key["count"].as_u64().unwrap())).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("plan", 2), ("region", 1), ("seats", 1)]);
}

#[tokio::test]
async fn a_key_of_two_kinds_gets_a_warning() {
    let sandbox = friendly().await;
    send(&sandbox, "a", json!({"seats": 1})).await;
    send(&sandbox, "a", json!({"seats": 2})).await;
    // Case in a key does not matter.
    send(&sandbox, "a", json!({"Seats": "three"})).await;
    let catalogue = catalogue(&sandbox).await;
    let entry = &catalogue["names"][0];
    assert_eq!(
        warnings(entry),
        ["`seats` is a number in 2 and a text in 1: send one kind under a key."]
    );
    assert_eq!(
        entry["keys"],
        json!([{
            "key": "seats",
            "count": 3,
            "kinds": [{"kind": "number", "count": 2}, {"kind": "text", "count": 1}],
            "dropped": 0,
        }])
    );
}

#[tokio::test]
async fn a_name_in_two_spellings_gets_a_warning() {
    let sandbox = friendly().await;
    send(&sandbox, "Project.Created", json!({})).await;
    send(&sandbox, "project-created", json!({})).await;
    let catalogue = catalogue(&sandbox).await;
    let entry = &catalogue["names"][0];
    assert_eq!(entry["spellings"], json!(["Project-Created", "project-created"]));
    let [warning] = warnings(entry)[..] else {
        panic!("one warning: {catalogue}");
    };
    assert!(
        warning.starts_with("Spellings of this name: `Project-Created` and `project-created`.")
    );
}

#[tokio::test]
async fn dropped_keys_get_a_warning() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .open_rules(OpenRules::default().metadata_keys(1))
        .start()
        .await
        .unwrap();
    send(&sandbox, "a", json!({"k1": 1, "k2": 2})).await;
    let catalogue = catalogue(&sandbox).await;
    let entry = &catalogue["names"][0];
    assert_eq!((&entry["keys"][1]["count"], &entry["keys"][1]["dropped"]), (&json!(0), &json!(1)));
    let [warning] = warnings(entry)[..] else {
        panic!("one warning: {catalogue}");
    };
    assert!(
        warning.starts_with(
            "Intercom drops these keys without an error, in at least one \
                                 event: `k2`."
        ),
        "{warning}"
    );
}

#[tokio::test]
async fn the_catalogue_has_only_kept_events() {
    let sandbox = friendly().await;
    post_event(&sandbox, &event("a")).await;
    post_event(&sandbox, &event("a")).await;
    post_event(&sandbox, &json!({"event_name": "refused"})).await;
    sandbox.fail_next(1, 503);
    post_event(&sandbox, &event("faulted")).await;
    let before = catalogue(&sandbox).await;
    assert_eq!((&before["events"], &before["names"][0]["count"]), (&json!(1), &json!(1)));
    assert_eq!(before["names"].as_array().map(Vec::len), Some(1));

    sandbox.clear();
    assert_eq!(catalogue(&sandbox).await["names"], json!([]));
    assert_eq!(sandbox.request_count(), 0, "reading the catalogue is not recorded");
}

#[tokio::test]
async fn the_catalogue_is_bounded_whatever_clients_send() {
    let sandbox =
        Sandbox::builder().know_everybody(true).active_event_names(5000).start().await.unwrap();
    for number in 0..30 {
        let keys = (0..5).map(|key| (format!("k{number}_{key}"), json!(1))).collect();
        send(&sandbox, "keys_of_values", Value::Object(keys)).await;
    }
    let catalogue = catalogue(&sandbox).await;
    let entry = &catalogue["names"][0];
    assert_eq!(entry["keys"].as_array().map(Vec::len), Some(100));
    assert_eq!((&entry["more_keys"], &entry["count"]), (&json!(true), &json!(30)));
}

#[tokio::test]
async fn warnings_of_several_keys_are_sentences() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .open_rules(OpenRules::default().metadata_keys(2))
        .start()
        .await
        .unwrap();
    send(&sandbox, "a", json!({"a": "pro", "b": 1, "k1": 1, "k2": 2, "k3": 3})).await;
    send(&sandbox, "a", json!({"a": 1, "b": "one", "k1": 1, "k2": 2, "k3": 3})).await;
    assert_eq!(
        warnings(&catalogue(&sandbox).await["names"][0]),
        [
            "`a` is a text in 1 and a number in 1, and `b` is a number in 1 and a text in 1: \
             send one kind under a key.",
            "Intercom drops these keys without an error, in at least one event: `k1`, `k2` and \
             `k3`. They exceed the limit of keys, or Intercom does not keep their kind.",
        ]
    );
}
