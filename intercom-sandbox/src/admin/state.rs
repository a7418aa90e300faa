//! `/_sandbox/state`: the state of the sandbox in one answer; and `/_sandbox/clear`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::faults;
use crate::journal::Counts;
use crate::rate_limit::RateLimit;
use crate::reply::Reply;
use crate::workspace::Workspace;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new()
        .route("/state", get(state))
        .route("/health", get(health))
        .route("/clear", post(clear))
}

async fn state(State(workspace): State<Arc<Workspace>>) -> Response {
    // A fault that lowers the limit may have ended since the last request.
    workspace.apply_lowered_limits();
    Reply::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "url": workspace.url,
        "now": workspace.now(),
        "seed": workspace.faults.seed(),
        "counts": counted(&workspace.journal.counts()),
        "rate_limit": budget(&workspace, &workspace.apps.first().rate_limit),
        "workspace_rate_limit": budget(&workspace, workspace.apps.workspace_limit()),
        "options": workspace.options,
        "faults": faults::active(&workspace),
    }))
    .into_response()
}

/// Answers the health check of an orchestrator.
async fn health() -> Response {
    Reply::json(&json!({"status": "ok"})).into_response()
}

/// Returns the counts of requests, in total and by outcome.
pub(super) fn counted(counts: &Counts) -> Value {
    let named = counts.events + counts.duplicates + counts.refused + counts.faulted;
    json!({
        "requests": counts.requests,
        "accepted": counts.events,
        "duplicate": counts.duplicates,
        "refused": counts.refused,
        "faulted": counts.faulted,
        "served": counts.requests.saturating_sub(named),
    })
}

/// Returns the rest of the open window; `null` without a limit.
pub(super) fn budget(workspace: &Workspace, limit: &RateLimit) -> Option<Value> {
    limit.peek(workspace.clock.now()).map(|budget| {
        json!({"limit": budget.limit, "remaining": budget.remaining, "reset": budget.reset})
    })
}

/// Clears what [`Sandbox::clear`](crate::Sandbox::clear) does.
async fn clear(State(workspace): State<Arc<Workspace>>) -> Response {
    workspace.clear();
    Reply::json(&json!({})).into_response()
}
