//! `POST /_sandbox/verify`: tells a test in any language whether the sandbox accepted exactly these
//! events.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::error::AdminError;
use super::input::Input;
use crate::received::ReceivedEvent;
use crate::reply::Reply;
use crate::workspace::Workspace;

/// The longest wait of a call, in seconds.
const MAX_SECONDS: f64 = 300.0;

pub(super) fn routes() -> Router<Arc<Workspace>> {
    Router::new().route("/verify", post(verify))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `events`")]
struct VerifyInput {
    events: Vec<Expected>,
    /// How long to wait for the events, in seconds.
    #[serde(default)]
    within: f64,
    /// Whether to allow other events.
    #[serde(default)]
    others: bool,
    /// Ignores requests up to this number.
    #[serde(default)]
    after: usize,
}

/// The expected event. An absent member matches anything. The event may have other metadata keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an event: an object with `name`")]
struct Expected {
    name: String,
    user_id: Option<String>,
    email: Option<String>,
    id: Option<String>,
    created_at: Option<i64>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

impl Expected {
    fn is(&self, event: &ReceivedEvent) -> bool {
        let is = |expected: &Option<String>, given: Option<&str>| {
            expected.as_deref().is_none_or(|expected| given == Some(expected))
        };
        let names = [Some(event.name()), event.sent_name()];
        let mut names = names.into_iter().flatten();
        names.any(|name| name.to_lowercase() == self.name.to_lowercase())
            && is(&self.user_id, event.user_id())
            && is(&self.email, event.email())
            && is(&self.id, event.contact_id())
            && self.created_at.is_none_or(|at| at == event.created_at())
            && self.metadata.iter().all(|(key, value)| event.metadata_value(key) == Some(value))
    }
}

/// Answers `200` once each expectation has its own accepted event. Answers `409` with the missing
/// events when the time is over, or at once after an unexpected event.
async fn verify(
    State(workspace): State<Arc<Workspace>>,
    Input(input): Input<VerifyInput>,
) -> Result<Response, AdminError> {
    if !(0.0..=MAX_SECONDS).contains(&input.within) {
        return Err(AdminError::bad_request(format!(
            "`within` is a number of seconds from 0 to {MAX_SECONDS}"
        )));
    }
    let end = Instant::now() + Duration::from_secs_f64(input.within);
    loop {
        let seen = workspace.journal.counts();
        let events = workspace.journal.events_after(input.after, usize::MAX);
        let assigned = assign(&input.events, &events);
        let missing: Vec<usize> =
            (0..input.events.len()).filter(|place| !assigned.contains(&Some(*place))).collect();
        let others: Vec<usize> =
            (0..events.len()).filter(|place| assigned[*place].is_none() && !input.others).collect();
        if missing.is_empty() && others.is_empty() {
            return Ok(
                Reply::json(&json!({"verified": true, "events": events.len()})).into_response()
            );
        }
        let change = workspace.journal.wait_until(|counts| counts.events != seen.events);
        // No later event can turn an unexpected event into an expected one.
        let is_final = !others.is_empty() && missing.is_empty();
        if is_final || timeout_at(end, change).await.is_err() {
            return Ok(failure(&missing, &others, &events));
        }
    }
}

/// Assigns expectations to events, one to one, with as many matches as possible.
fn assign(expected: &[Expected], events: &[ReceivedEvent]) -> Vec<Option<usize>> {
    fn place(
        index: usize,
        fits: &[Vec<usize>],
        assigned: &mut [Option<usize>],
        tried: &mut [bool],
    ) -> bool {
        for &event in &fits[index] {
            if std::mem::replace(&mut tried[event], true) {
                continue;
            }
            let is_free = match assigned[event] {
                None => true,
                Some(other) => place(other, fits, assigned, tried),
            };
            if is_free {
                assigned[event] = Some(index);
                return true;
            }
        }
        false
    }
    let fits: Vec<Vec<usize>> = expected
        .iter()
        .map(|one| (0..events.len()).filter(|event| one.is(&events[*event])).collect())
        .collect();
    let mut assigned = vec![None; events.len()];
    for index in 0..expected.len() {
        place(index, &fits, &mut assigned, &mut vec![false; events.len()]);
    }
    assigned
}

fn failure(missing: &[usize], others: &[usize], events: &[ReceivedEvent]) -> Response {
    let others: Vec<Value> = others
        .iter()
        .map(|&place| {
            let event = &events[place];
            json!({"number": event.request().number(), "name": event.name()})
        })
        .collect();
    let not_accepted = match missing.len() {
        0 => None,
        1 => Some("1 of the events was not accepted in time".to_owned()),
        many => Some(format!("{many} of the events were not accepted in time")),
    };
    let not_expected = match others.len() {
        0 => None,
        1 => Some("1 other event was accepted".to_owned()),
        many => Some(format!("{many} other events were accepted")),
    };
    let error: Vec<_> = not_accepted.into_iter().chain(not_expected).collect();
    let mut reply = Reply::json(&json!({
        "verified": false,
        "error": error.join(", and "),
        // Indexes of the request's list, from 0.
        "missing": missing,
        "others": others,
    }));
    reply.status = StatusCode::CONFLICT;
    reply.into_response()
}
