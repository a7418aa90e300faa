//! The OpenAPI description matches what the sandbox serves.

use std::collections::BTreeSet;

use intercom_sandbox::Sandbox;
use reqwest::Method;
use serde_json::Value;

use crate::admin::{admin, get};
use crate::support::{client, finish, friendly, request};

/// Returns the described paths, each with its methods.
async fn described(sandbox: &Sandbox) -> Vec<(String, BTreeSet<String>)> {
    let description = get(sandbox, "/openapi.json").await;
    assert_eq!(description["openapi"], "3.1.0");
    let paths = description["paths"].as_object().expect("paths is an object");
    let methods = |operations: &Value| {
        let methods = operations.as_object().expect("an object").keys();
        methods.map(|method| method.to_uppercase()).collect()
    };
    paths.iter().map(|(path, operations)| (path.clone(), methods(operations))).collect()
}

/// The answer to an unsupported method lists the allowed ones, which are exactly the described
/// ones.
#[tokio::test]
async fn every_path_takes_the_described_methods() {
    let sandbox = friendly().await;
    let all = described(&sandbox).await;
    assert!(all.len() > 30, "{all:?}");
    for (path, methods) in all {
        // Other methods on the page's path are Intercom's API.
        if path == "/" {
            continue;
        }
        let target =
            path.replace("{id}", "7").replace("{external_id}", "7").replace("{number}", "7");
        let url = format!("{}{target}", sandbox.url());
        let asked = client().request(Method::PATCH, url).bearer_auth(sandbox.token());
        let answered = finish(asked.header("Content-Type", "application/json")).await;
        assert_eq!(answered.status, 405, "{path}");
        let allowed = answered.header("allow").expect("it says which").split(',');
        let allowed: BTreeSet<_> = allowed
            .map(|method| method.trim().to_owned())
            .filter(|method| method != "HEAD")
            .collect();
        assert_eq!(allowed, methods, "{path}");
    }
}

/// The description has every documented path.
#[tokio::test]
async fn every_documented_path_is_described() {
    let sandbox = friendly().await;
    let described: BTreeSet<_> =
        described(&sandbox).await.into_iter().map(|(path, _)| path).collect();
    let documentation = include_str!("../../src/lib.rs");
    let mut documented = 0;
    for row in documentation.lines().filter(|line| line.starts_with("//! | `")) {
        let requests = row.split('`').skip(1).step_by(2);
        for request in requests.take_while(|request| request.contains(" /")) {
            let (_, target) = request.split_once(' ').expect("a method and a path");
            let path = target.split(['?', ' ']).next().unwrap_or_default();
            let own = format!("/_sandbox{path}");
            let own = own
                .replace("/faults/1", "/faults/{id}")
                .replace("/requests/1/", "/requests/{number}/");
            assert!(described.contains(path) || described.contains(&own), "{request}");
            documented += 1;
        }
    }
    assert!(documented > 20, "{documented}");
}

/// The sandbox accepts every described example.
#[tokio::test]
async fn the_examples_are_accepted() {
    let sandbox = friendly().await;
    let description = get(&sandbox, "/openapi.json").await;
    let mut examples = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            // A request to resend comes before the example's events.
            if example.is_null() || path.ends_with("/resend") {
                continue;
            }
            let sandbox = friendly().await;
            // A verified event must have happened.
            if path.ends_with("/verify") {
                let event = &description["paths"]["/events"]["post"]["requestBody"];
                let event = event["content"]["application/json"]["example"].to_string();
                finish(request(&sandbox, Method::POST, "/events").body(event)).await;
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let asked = match path.strip_prefix("/_sandbox") {
                Some(own) => admin(&sandbox, method, own),
                None => request(&sandbox, method, path),
            };
            let answered = finish(asked.body(example.to_string())).await;
            assert!(answered.status < 300, "{path}: {} {}", answered.status, answered.text);
            examples += 1;
        }
    }
    assert!(examples > 6, "{examples}");
}
