//! What the API answers by its own rules: the checks, one after the other, and then the endpoint.

use axum::http::{HeaderMap, request};

use super::body::ReadBody;
use super::route::Endpoint;
use super::{contacts, events, me};
use crate::event::EventData;
use crate::headers::{check_accept, check_content_type, check_version};
use crate::refusal::{Problem, Refusal};
use crate::reply::Reply;
use crate::request::Outcome;
use crate::request_id;
use crate::workspace::Workspace;

/// An answer, and what the records keep beside it.
pub(super) struct Served {
    pub(super) reply: Reply,
    pub(super) outcome: Outcome,
    pub(super) event: Option<EventData>,
    pub(super) problems: Box<[Problem]>,
}

impl Served {
    /// The answer to anything but an event.
    pub(super) fn of(reply: Reply) -> Self {
        Self { reply, outcome: Outcome::Served, event: None, problems: Box::default() }
    }

    /// The answer to an event that was accepted, or ignored in silence.
    pub(super) fn event(reply: Reply, outcome: Outcome, event: EventData) -> Self {
        Self { reply, outcome, event: Some(event), problems: Box::default() }
    }

    fn refused(refusal: Refusal, request_id: &str) -> Self {
        Self {
            reply: refusal.to_reply(request_id),
            outcome: Outcome::Refused,
            event: None,
            problems: refusal.into_problems(),
        }
    }
}

/// Answers a request as Intercom would.
pub(super) fn serve(
    workspace: &Workspace,
    endpoint: Result<Endpoint, Refusal>,
    parts: &request::Parts,
    body: &ReadBody,
    request_id: &str,
) -> Served {
    let mut headers = HeaderMap::new();
    request_id::write(request_id, &mut headers);
    let mut served = check(workspace, endpoint, parts, &mut headers)
        .and_then(|endpoint| dispatch(workspace, &endpoint, parts, body))
        .unwrap_or_else(|refusal| Served::refused(refusal, request_id));
    served.reply.headers.extend(headers);
    served
}

/// The checks that no endpoint goes without. Intercom does not document their order. This one goes
/// from the outside to the inside: where to, who, how often, in which form, and last what.
fn check(
    workspace: &Workspace,
    endpoint: Result<Endpoint, Refusal>,
    parts: &request::Parts,
    answer_headers: &mut HeaderMap,
) -> Result<Endpoint, Refusal> {
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
    Ok(endpoint)
}

fn dispatch(
    workspace: &Workspace,
    endpoint: &Endpoint,
    parts: &request::Parts,
    body: &ReadBody,
) -> Result<Served, Refusal> {
    let json = || {
        check_content_type(&parts.headers)?;
        body.whole()
    };
    match endpoint {
        Endpoint::Me => Ok(Served::of(me::get(workspace))),
        Endpoint::CreateContact => Ok(Served::of(contacts::create(workspace, json()?)?)),
        Endpoint::CreateEvent => events::create(workspace, json()?),
    }
}
