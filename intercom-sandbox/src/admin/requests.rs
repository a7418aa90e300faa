//! `GET /_sandbox/requests`: what came in, in order of arrival.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::error::AdminError;
use crate::reply::Reply;
use crate::workspace::Workspace;

/// How many requests are answered where nothing else is asked for.
const DEFAULT_LIMIT: usize = 1000;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new().route("/requests", get(requests))
}

/// Those of a higher number than `after`, and no more than `limit` of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    after: usize,
    #[serde(default = "default_limit")]
    limit: usize,
}

fn default_limit() -> usize {
    DEFAULT_LIMIT
}

async fn requests(
    State(workspace): State<Arc<Workspace>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, AdminError> {
    let Query(wanted) = wanted.map_err(|_| {
        AdminError::bad_request(
            "the query has `after` and `limit`, whole numbers, and nothing else",
        )
    })?;
    let mut requests = workspace.journal.requests_after(wanted.after);
    requests.truncate(wanted.limit);
    let last = requests.last().map_or(wanted.after, |request| request.number());
    Ok(Reply::json(&json!({"requests": requests, "last": last})).into_response())
}
