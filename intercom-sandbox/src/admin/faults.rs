//! `/_sandbox/faults`: the faults on request.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::AdminError;
use super::input::Input;
use super::record::rfc3339;
use crate::faults::{ActiveFault, Fault};
use crate::reply::Reply;
use crate::workspace::Workspace;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new()
        .route("/faults", get(list).post(inject).delete(remove_all))
        .route("/faults/{id}", delete(remove))
}

/// Returns the active faults as JSON.
pub(super) fn active(workspace: &Workspace) -> Vec<Value> {
    workspace.faults.list(workspace.clock.now()).iter().map(written).collect()
}

async fn list(State(workspace): State<Arc<Workspace>>) -> Response {
    Reply::json(&json!({"faults": active(&workspace)})).into_response()
}

/// A fault in its text form. Headers and body need a status.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `fault`")]
struct FaultInput {
    fault: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

async fn inject(
    State(workspace): State<Arc<Workspace>>,
    Input(input): Input<FaultInput>,
) -> Result<Response, AdminError> {
    let mut fault: Fault =
        input.fault.parse().map_err(|error| AdminError::bad_request(format!("{error}")))?;
    if input.body.is_some() || !input.headers.is_empty() {
        let written = fault.write_answer(|answer| {
            let answer = match input.body {
                Some(text) => answer.body(text),
                None => answer,
            };
            let mut headers = input.headers.iter();
            headers.try_fold(answer, |answer, (name, value)| answer.try_header(name, value))
        });
        fault = written.map_err(AdminError::bad_request)?;
    }
    let mut reply = Reply::json(&written(&workspace.inject(fault)));
    reply.status = StatusCode::CREATED;
    Ok(reply.into_response())
}

async fn remove_all(State(workspace): State<Arc<Workspace>>) -> Response {
    Reply::json(&json!({"lifted": workspace.remove_faults(|_| true)})).into_response()
}

async fn remove(
    State(workspace): State<Arc<Workspace>>,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    let number = id.parse::<u64>();
    let removed = workspace
        .remove_faults(|fault| number.as_ref().is_ok_and(|number| fault.id().0 == *number));
    if removed == 0 {
        let message = format!("there is no fault `{id}`: it has ended, or never was active");
        return Err(AdminError::new(StatusCode::NOT_FOUND, message));
    }
    Ok(Reply::json(&json!({"lifted": removed})).into_response())
}

fn written(fault: &ActiveFault) -> Value {
    json!({
        "id": fault.id().0,
        "fault": fault.fault().to_string(),
        "effect": fault.effect(),
        "met": fault.matched(),
        "struck": fault.applied(),
        "left": fault.left(),
        "ends_at": fault.ends_at().and_then(rfc3339),
    })
}
