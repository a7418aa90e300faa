//! The OpenAPI file of everything that the sandbox serves, and a short list of the admin API.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::workspace::Workspace;

/// Tests compare this file with the served routes, in both directions.
const OPENAPI: &str = include_str!("openapi.json");

const NOTE: &str =
    "every request but GET needs `Content-Type: application/json`, even without a body";

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new()
        .route("/_sandbox", get(list))
        .route("/_sandbox/", get(list))
        .route("/_sandbox/openapi.json", get(openapi))
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn list() -> Response {
    static LIST: LazyLock<Value> = LazyLock::new(|| {
        let description: Value = serde_json::from_str(OPENAPI).unwrap_or_default();
        json!({"requests": admin_requests(&description), "note": NOTE})
    });
    Reply::json(&*LIST).into_response()
}

/// Returns each request of the admin API, with its purpose and an example body.
fn admin_requests(description: &Value) -> Vec<Value> {
    let paths = description["paths"].as_object().into_iter().flatten();
    let own = paths.filter(|(path, _)| path.starts_with("/_sandbox") || *path == "/");
    own.flat_map(|(path, operations)| {
        operations.as_object().into_iter().flatten().map(move |(method, operation)| {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            let body = if example.is_null() { String::new() } else { format!(" {example}") };
            let request = format!("{} {path}{body}", method.to_uppercase());
            json!({"request": request, "for": operation["summary"]})
        })
    })
    .collect()
}
