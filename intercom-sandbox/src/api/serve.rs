//! What the API answers by its own rules: the checks, one after the other, and then the endpoint.

use std::time::SystemTime;

use axum::http::{HeaderValue, header, request};

use super::body::ReadBody;
use super::route::Endpoint;
use super::{contacts, events, me};
use crate::apps::Beyond;
use crate::event::Filing;
use crate::headers::{check_accept, check_content_type, check_version};
use crate::rate_limit::Budget;
use crate::refusal::{Problem, Refusal};
use crate::reply::Reply;
use crate::request::Outcome;
use crate::request_id::RequestId;
use crate::workspace::Workspace;

/// An answer, and what the records keep beside it.
pub(super) struct Served {
    pub(super) reply: Reply,
    pub(super) outcome: Outcome,
    /// Under what its event is filed, where it was answered as accepted.
    pub(super) event: Option<Filing>,
    pub(super) problems: Box<[Problem]>,
}

impl Served {
    /// The answer to anything but an event.
    pub(super) fn of(reply: Reply) -> Self {
        Self { reply, outcome: Outcome::Served, event: None, problems: Box::default() }
    }

    /// The answer to an event that was accepted, or ignored in silence.
    pub(super) fn event(reply: Reply, outcome: Outcome, event: Filing) -> Self {
        Self { reply, outcome, event: Some(event), problems: Box::default() }
    }

    fn refused(refusal: Refusal, request_id: &RequestId) -> Self {
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
    now: SystemTime,
    endpoint: Result<Endpoint, Refusal>,
    parts: &request::Parts,
    body: &ReadBody,
    request_id: &RequestId,
) -> Served {
    let (budget, checked) = check(workspace, now, endpoint, parts);
    let mut served = checked
        .and_then(|endpoint| dispatch(workspace, &endpoint, parts, body))
        .unwrap_or_else(|refusal| Served::refused(refusal, request_id));
    let headers = &mut served.reply.headers;
    request_id.write_to(headers);
    if let Some(budget) = budget {
        budget.write_to(headers);
    }
    served
}

/// The checks that no endpoint goes without, and what is left of the app's window. Intercom does not
/// document their order. This one goes from the outside to the inside: where to, who, how often, in
/// which form, and last what.
fn check(
    workspace: &Workspace,
    now: SystemTime,
    endpoint: Result<Endpoint, Refusal>,
    parts: &request::Parts,
) -> (Option<Budget>, Result<Endpoint, Refusal>) {
    let (apps, rules) = (&workspace.apps, &workspace.rules);
    let admitted = endpoint.and_then(|endpoint| Ok((endpoint, apps.identify(&parts.headers)?)));
    let (endpoint, app) = match admitted {
        Ok(admitted) => admitted,
        // A request that is nobody's, or goes nowhere, does not spend a budget.
        Err(refusal) => return (apps.first().rate_limit.look(now), Err(refusal)),
    };
    let spent = apps.spend(app, now);
    let checked = match spent.beyond {
        Some(beyond) => Err(rate_limited(&beyond, rules.retry_after)),
        None => check_version(&parts.headers)
            .and_then(|()| check_accept(&parts.headers, rules.missing_accept_is_404))
            .map(|()| endpoint),
    };
    (spent.budget, checked)
}

fn rate_limited(beyond: &Beyond, retry_after: bool) -> Refusal {
    let refusal = Refusal::rate_limited(beyond);
    if retry_after {
        refusal.with_header(header::RETRY_AFTER, HeaderValue::from(beyond.wait))
    } else {
        refusal
    }
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
        Endpoint::Contacts(call) => Ok(Served::of(contacts::answer(workspace, call, parts, json)?)),
        Endpoint::CreateEvent => events::create(workspace, json()?),
        Endpoint::ListEvents => Ok(Served::of(events::list(workspace, parts)?)),
        Endpoint::CreateSummaries => Ok(Served::of(events::create_summaries(workspace, json()?)?)),
    }
}
