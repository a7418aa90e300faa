//! Plain calls of the contacts API.

use intercom_sandbox::Sandbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answered, client, finish, post_contact, request};

/// Sends a call with a body.
pub(crate) async fn send(sandbox: &Sandbox, method: Method, path: &str, body: &Value) -> Answered {
    finish(request(sandbox, method, path).body(body.to_string())).await
}

/// Sends a call without a body and without a `Content-Type`, as Intercom's own clients do.
pub(crate) async fn bare(sandbox: &Sandbox, method: Method, path: &str) -> Answered {
    let request = client()
        .request(method, format!("{}{path}", sandbox.url()))
        .bearer_auth(sandbox.token())
        .header("Accept", "*/*");
    finish(request).await
}

pub(crate) async fn get(sandbox: &Sandbox, path: &str) -> Answered {
    bare(sandbox, Method::GET, path).await
}

pub(crate) async fn search(sandbox: &Sandbox, body: &Value) -> Answered {
    send(sandbox, Method::POST, "/contacts/search", body).await
}

/// Creates a contact, and returns its id.
pub(crate) async fn create(sandbox: &Sandbox, body: &Value) -> String {
    let answered = post_contact(sandbox, body).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    answered.json()["id"].as_str().expect("an id").to_owned()
}

/// Returns the external ids of a list, in its order.
pub(crate) fn external_ids(list: &Answered) -> Vec<String> {
    assert_eq!(list.status, 200, "{}", list.text);
    let list = list.json();
    assert_eq!(list["type"], "list");
    let contacts = list["data"].as_array().expect("data is an array");
    contacts
        .iter()
        .map(|contact| contact["external_id"].as_str().expect("an external id").to_owned())
        .collect()
}

/// Returns the cursor of the next page, if there is one.
pub(crate) fn next(list: &Answered) -> Option<String> {
    list.json()["pages"]["next"]["starting_after"].as_str().map(str::to_owned)
}

/// Returns an event with this identifier.
pub(crate) fn event_of(key: &str, value: &str) -> Value {
    json!({"event_name": "a", "created_at": 1, key: value})
}

/// Returns the hint about the last request.
pub(crate) fn hint(sandbox: &Sandbox) -> String {
    let requests = sandbox.requests();
    let problems = requests.last().expect("a request").problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].hint().expect("a hint").to_owned()
}
