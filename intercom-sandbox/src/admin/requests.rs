//! `GET /_sandbox/requests`: what came in, in order of arrival.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::AdminError;
use super::record::written;
use crate::reply::Reply;
use crate::workspace::Workspace;

/// How many requests are answered where nothing else is asked for.
const DEFAULT_LIMIT: usize = 1000;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new().route("/requests", get(requests))
}

/// The size from which on an answer takes no further request, in bytes.
const MOST_BYTES: usize = 8 << 20;

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

#[derive(Serialize)]
struct Answer {
    requests: Vec<Box<RawValue>>,
    /// The number to ask from next.
    last: usize,
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
    let (_, requests) = workspace.journal.glance(|_| wanted.after, wanted.limit);
    let (requests, last) = written(&requests, MOST_BYTES);
    let answer = Answer { requests, last: last.unwrap_or(wanted.after) };
    Ok(workspace.answer_budget.response(Reply::json(&answer)))
}
