//! Intercom's API: the way of a request through its checks, and then to its endpoint.

mod contacts;
mod events;
mod me;

use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, request};
use axum::response::Response;
use http_body_util::BodyExt as _;

use crate::answer::Outcome;
use crate::event::EventData;
use crate::headers::{check_accept, check_content_type, check_version};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::{Answered, Draft};
use crate::request_id;
use crate::server::HangUp;
use crate::workspace::Workspace;

/// The whole API. What is not Intercom's goes next to it, as routes of its own, and neither is
/// recorded nor counts against the rate limit.
pub(crate) fn router(workspace: Arc<Workspace>) -> Router {
    Router::new().fallback(answer).with_state(workspace)
}

/// The endpoints.
#[derive(Clone, Copy)]
enum Endpoint {
    Events,
    Contacts,
    Me,
}

/// Answers a request, and records it before the answer goes out: who has the answer finds the
/// request in the records.
async fn answer(State(workspace): State<Arc<Workspace>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = read_body(body, workspace.settings.body_limit).await;
    let request_id = workspace.request_ids.draw();

    let (outcome, event) = decide(&workspace, &parts, &body, &request_id);
    let body = match &body {
        ReadBody::Whole(body) => body.clone(),
        ReadBody::TooLarge | ReadBody::Broken => Bytes::new(),
    };
    let (status, answer) = match &outcome {
        Outcome::Reply(reply) => (Some(reply.status.as_u16()), reply.body.clone()),
        Outcome::HangUp | Outcome::Silence => (None, Bytes::new()),
    };
    let answered = Answered { status, body: answer, event };
    workspace.journal.record(Draft::new(&parts, &body, answered));

    match outcome {
        Outcome::Reply(reply) => reply.into_response(),
        Outcome::HangUp => HangUp.into_response(),
        Outcome::Silence => pending().await,
    }
}

/// What is to be answered, and the event where one was accepted.
fn decide(
    workspace: &Workspace,
    parts: &request::Parts,
    body: &ReadBody,
    request_id: &str,
) -> (Outcome, Option<EventData>) {
    let endpoint = route(parts);
    if matches!(endpoint, Ok(Endpoint::Events))
        && let Some(answer) = workspace.script.next()
    {
        return (answer.into_outcome(request_id), None);
    }

    let mut headers = HeaderMap::new();
    request_id::write(request_id, &mut headers);
    let (mut reply, event) = match check_and_serve(workspace, endpoint, parts, body, &mut headers) {
        Ok(served) => served,
        Err(refusal) => (refusal.into_reply(request_id), None),
    };
    reply.headers.extend(headers);
    (Outcome::Reply(reply), event)
}

/// The checks, one after the other in the order of this function. Intercom does not document its
/// order. This one goes from the outside to the inside: where to, who, how often, in which form,
/// and last what.
fn check_and_serve(
    workspace: &Workspace,
    endpoint: Result<Endpoint, Refusal>,
    parts: &request::Parts,
    body: &ReadBody,
    answer_headers: &mut HeaderMap,
) -> Result<(Reply, Option<EventData>), Refusal> {
    let clock = &*workspace.clock;
    // A request that is nobody's, or goes nowhere, does not spend the app's budget.
    let checked = endpoint.and_then(|endpoint| {
        workspace.credentials.check(&parts.headers)?;
        Ok(endpoint)
    });
    let budget = match checked {
        Ok(_) => workspace.rate_limit.take(clock),
        Err(_) => workspace.rate_limit.look(clock),
    };
    if let Some(budget) = &budget {
        budget.write_to(answer_headers);
    }
    let endpoint = checked?;
    if let Some(budget) = budget
        && !budget.granted
    {
        return Err(Refusal::rate_limited(budget.limit));
    }

    check_version(&parts.headers)?;
    check_accept(&parts.headers)?;
    let json = || {
        check_content_type(&parts.headers)?;
        body.whole()
    };
    match endpoint {
        Endpoint::Me => Ok((me::get(workspace), None)),
        Endpoint::Contacts => Ok((contacts::post(workspace, json()?)?, None)),
        Endpoint::Events => {
            let event = events::post(workspace, json()?)?;
            // Intercom's answer to an accepted event has no body.
            Ok((Reply::empty(StatusCode::ACCEPTED), Some(event)))
        }
    }
}

fn route(parts: &request::Parts) -> Result<Endpoint, Refusal> {
    let (endpoint, method) = match parts.uri.path() {
        "/events" => (Endpoint::Events, Method::POST),
        "/contacts" => (Endpoint::Contacts, Method::POST),
        "/me" => (Endpoint::Me, Method::GET),
        _ => return Err(Refusal::path_not_found()),
    };
    if parts.method == method {
        return Ok(endpoint);
    }
    Err(Refusal::method_not_allowed(match endpoint {
        Endpoint::Me => "GET",
        Endpoint::Events | Endpoint::Contacts => "POST",
    }))
}

/// The body of a request, as far as it was worth reading.
enum ReadBody {
    Whole(Bytes),
    TooLarge,
    /// The client broke off.
    Broken,
}

impl ReadBody {
    fn whole(&self) -> Result<&Bytes, Refusal> {
        match self {
            Self::Whole(body) => Ok(body),
            Self::TooLarge => Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "The body is too large",
            )),
            Self::Broken => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "The body ended too early",
            )),
        }
    }
}

/// Reads a body to its end, and keeps no more of it than the limit. What is beyond is read all the
/// same, so that the client gets its answer and not a connection closed under its hands.
async fn read_body(mut body: Body, limit: usize) -> ReadBody {
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return ReadBody::Broken;
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len();
        if size > limit {
            rest = Vec::new();
        } else if first.is_empty() {
            // Most bodies come in one piece, which is not copied.
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if size > limit {
        return ReadBody::TooLarge;
    }
    if rest.is_empty() {
        return ReadBody::Whole(first);
    }
    let mut whole = first.to_vec();
    whole.append(&mut rest);
    ReadBody::Whole(whole.into())
}
