//! Intercom's API: the way of a request, from its first byte to its answer.
//!
//! `route` finds its endpoint, a fault may be waiting for it, `serve` answers it by Intercom's rules;
//! and before the answer goes out it is in the records.

mod body;
mod contacts;
mod events;
mod me;
mod route;
mod serve;

use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;

use crate::answer::Ending;
use crate::request::{Answered, Draft, Outcome};
use crate::server::HangUp;
use crate::workspace::Workspace;
use route::{Endpoint, route};

/// The whole API. What is not Intercom's goes next to it, as routes of its own, and neither is
/// recorded nor counts against the rate limit.
pub(crate) fn router(workspace: Arc<Workspace>) -> Router {
    Router::new().fallback(answer).with_state(workspace)
}

/// Answers a request, and records it before the answer goes out: who has the answer finds the
/// request in the records.
async fn answer(State(workspace): State<Arc<Workspace>>, request: Request) -> Response {
    let received_at = workspace.clock.now();
    let (parts, body) = request.into_parts();
    let body = body::read(body, workspace.settings.body_limit).await;
    let request_id = workspace.request_ids.draw();
    let endpoint = route(&parts);

    let scripted = match &endpoint {
        Ok(Endpoint::CreateEvent) => workspace.script.next(),
        _ => None,
    };
    let (ending, answered) = match scripted {
        Some(answer) => {
            let ending = answer.into_ending(&request_id);
            let (status, body) = match &ending {
                Ending::Reply(reply) => (Some(reply.status.as_u16()), reply.body.clone()),
                Ending::HangUp | Ending::Silence => (None, Bytes::new()),
            };
            let answered = Answered {
                status,
                body,
                outcome: Outcome::Faulted,
                event: None,
                problems: Box::default(),
                fault: None,
            };
            (ending, answered)
        }
        None => {
            let served = serve::serve(&workspace, endpoint, &parts, &body, &request_id);
            let answered = Answered {
                status: Some(served.reply.status.as_u16()),
                body: served.reply.body.clone(),
                outcome: served.outcome,
                event: served.event,
                problems: served.problems,
                fault: None,
            };
            (Ending::Reply(served.reply), answered)
        }
    };
    workspace.journal.record(Draft::new(received_at, &parts, &body.kept(), answered));

    match ending {
        Ending::Reply(reply) => reply.into_response(),
        Ending::HangUp => HangUp.into_response(),
        Ending::Silence => pending().await,
    }
}
