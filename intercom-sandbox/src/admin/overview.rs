//! `/_sandbox/`: what the admin API has.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::workspace::Workspace;

/// Each request, and what it is for.
const REQUESTS: [(&str, &str); 12] = [
    ("GET /", "the page"),
    ("GET /_sandbox/state", "counts by outcome, what is left of the rate limits, faults, options"),
    ("GET /_sandbox/requests?after=0&limit=1000", "what came in after a number"),
    ("GET /_sandbox/feed?after=0", "the same as server-sent events, as they come"),
    ("GET /_sandbox/catalogue", "the event names that were seen, with their keys"),
    ("POST /_sandbox/clear {}", "forgets what came in"),
    ("GET /_sandbox/faults", "the faults that stand"),
    (r#"POST /_sandbox/faults {"fault": "503 for 20%"}"#, "another fault from now on"),
    ("DELETE /_sandbox/faults", "lifts all faults"),
    ("DELETE /_sandbox/faults/1", "lifts one"),
    ("GET /_sandbox/contacts", "who is known"),
    (r#"POST /_sandbox/contacts [{"user_id": "42"}]"#, "others who are known from now on"),
];

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new().route("/_sandbox", get(list)).route("/_sandbox/", get(list))
}

async fn list() -> Response {
    let requests: Vec<Value> = REQUESTS
        .iter()
        .map(|(request, purpose)| json!({"request": request, "for": purpose}))
        .collect();
    let header = "what is not a GET needs `Content-Type: application/json`, also without a body";
    Reply::json(&json!({"requests": requests, "note": header})).into_response()
}
