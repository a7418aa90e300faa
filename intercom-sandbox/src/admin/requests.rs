//! `/_sandbox/requests`: the requests in order of arrival, and resending one.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{self, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::error::AdminError;
use super::record::written;
use crate::api;
use crate::apps::App;
use crate::received::ReceivedRequest;
use crate::reply::Reply;
use crate::server::Disconnect;
use crate::workspace::Workspace;

/// The default number of requests in an answer.
const DEFAULT_LIMIT: usize = 1000;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new().route("/requests", get(requests)).route("/requests/{number}/resend", post(resend))
}

/// The size of an answer, in bytes, from which it takes no further request.
const MAX_BYTES: usize = 8 << 20;

/// Requests with a number above `after`, at most `limit` of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestsQuery {
    #[serde(default)]
    after: usize,
    #[serde(default = "default_limit")]
    limit: usize,
}

fn default_limit() -> usize {
    DEFAULT_LIMIT
}

#[derive(Serialize)]
struct ResentAnswer {
    requests: Vec<Box<RawValue>>,
    /// The value of `after` for the next call.
    last: usize,
}

async fn requests(
    State(workspace): State<Arc<Workspace>>,
    query: Result<Query<RequestsQuery>, QueryRejection>,
) -> Result<Response, AdminError> {
    let Query(query) = query.map_err(|_| {
        AdminError::bad_request(
            "the query has `after` and `limit`, whole numbers, and nothing else",
        )
    })?;
    let (_, requests) = workspace.journal.snapshot(|_| query.after, query.limit);
    let (requests, last) = written(&requests, MAX_BYTES);
    let answer = ResentAnswer { requests, last: last.unwrap_or(query.after) };
    Ok(workspace.answer_budget.response(Reply::json(&answer)))
}

/// Sends a kept request again, with the access token of the first app, because the journal keeps no
/// credentials. The journal records it like any other.
async fn resend(
    State(workspace): State<Arc<Workspace>>,
    Path(number): Path<String>,
) -> Result<Response, AdminError> {
    let kept = number.parse().ok().and_then(|number: usize| {
        let (_, found) = workspace.journal.snapshot(|_| number.saturating_sub(1), 1);
        found.into_iter().find(|request| request.number() == number)
    });
    let parts = kept.as_ref().and_then(|kept| parts_of(kept, workspace.apps.first()));
    let (Some(kept), Some(parts)) = (kept, parts) else {
        let message = format!("there is no request `{number}` any more, or there never was");
        return Err(AdminError::new(StatusCode::NOT_FOUND, message));
    };
    let body = Full::new(Bytes::copy_from_slice(kept.body()));
    let response = api::answer(&workspace, &parts, body).await;
    let is_cut = response.extensions().get::<Disconnect>().is_some();
    let status = (!is_cut).then(|| response.status().as_u16());
    Ok(Reply::json(&json!({"status": status})).into_response())
}

fn parts_of(kept: &ReceivedRequest, app: &App) -> Option<Parts> {
    let query = kept.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{}{query}", kept.path());
    let mut request = http::Request::builder().method(kept.method()).uri(target);
    for (name, value) in kept.headers().filter(|(name, _)| *name != "authorization") {
        request = request.header(name, value);
    }
    let credential = format!("Bearer {}", app.credentials.token);
    Some(request.header(header::AUTHORIZATION, credential).body(()).ok()?.into_parts().0)
}
