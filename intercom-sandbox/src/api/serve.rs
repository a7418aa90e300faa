//! The API's answers by its own rules: the checks in order, then the endpoint.

use std::time::SystemTime;

use axum::http::{HeaderValue, header, request};
use serde_json::json;

use super::api_answer::ApiAnswer;
use super::body::ReadBody;
use super::route::Endpoint;
use super::{contacts, events};
use crate::apps::ExceededLimit;
use crate::headers::{check_accept, check_content_type};
use crate::rate_limit::Budget;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request_id::RequestId;
use crate::version::ApiVersion;
use crate::workspace::Workspace;

/// Answers a request as Intercom would.
pub(super) fn serve(
    workspace: &Workspace,
    now: SystemTime,
    endpoint: Result<Endpoint, Refusal>,
    parts: &request::Parts,
    body: &ReadBody,
    request_id: &RequestId,
) -> ApiAnswer {
    let (budget, checked) = check(workspace, now, endpoint, parts);
    let mut served = checked
        .and_then(|(endpoint, version)| dispatch(workspace, &endpoint, version, parts, body))
        .unwrap_or_else(|refusal| ApiAnswer::refused(refusal, request_id));
    let headers = &mut served.reply.headers;
    request_id.write_to(headers);
    if let Some(budget) = budget {
        budget.write_to(headers);
    }
    served
}

/// Runs the checks common to all endpoints, and returns the remaining budget of the app. Intercom
/// does not document the order. The sandbox checks path, credentials, rate limit and then the form
/// of the request.
fn check(
    workspace: &Workspace,
    now: SystemTime,
    endpoint: Result<Endpoint, Refusal>,
    parts: &request::Parts,
) -> (Option<Budget>, Result<(Endpoint, ApiVersion), Refusal>) {
    let (apps, rules) = (&workspace.apps, &workspace.rules);
    let admitted = endpoint.and_then(|endpoint| Ok((endpoint, apps.identify(&parts.headers)?)));
    let (endpoint, app) = match admitted {
        Ok(admitted) => admitted,
        // A request without a valid app or path spends no budget.
        Err(refusal) => return (apps.first().rate_limit.peek(now), Err(refusal)),
    };
    let spent = apps.count(app, now);
    let checked = match spent.exceeded {
        Some(exceeded) => Err(rate_limited(&exceeded, rules.retry_after)),
        None => ApiVersion::of(&parts.headers).and_then(|version| {
            check_accept(&parts.headers, rules.missing_accept_is_404)?;
            Ok((endpoint, version))
        }),
    };
    (spent.budget, checked)
}

fn rate_limited(exceeded: &ExceededLimit, retry_after: bool) -> Refusal {
    let refusal = exceeded.refusal();
    if retry_after {
        refusal.with_header(header::RETRY_AFTER, HeaderValue::from(exceeded.wait))
    } else {
        refusal
    }
}

fn dispatch(
    workspace: &Workspace,
    endpoint: &Endpoint,
    version: ApiVersion,
    parts: &request::Parts,
    body: &ReadBody,
) -> Result<ApiAnswer, Refusal> {
    let json = || {
        check_content_type(&parts.headers)?;
        body.whole()
    };
    match endpoint {
        Endpoint::Me => Ok(ApiAnswer::of(me(workspace))),
        Endpoint::Contacts(call) => {
            Ok(ApiAnswer::of(contacts::answer(workspace, call, version, parts, json)?))
        }
        Endpoint::CreateEvent => events::create(workspace, json()?),
        Endpoint::ListEvents => Ok(ApiAnswer::of(events::list(workspace, parts)?)),
        Endpoint::CreateSummaries => {
            Ok(ApiAnswer::of(events::create_summaries(workspace, json()?)?))
        }
    }
}

/// Answers `GET /me`, by which clients check their credentials, with the token's admin and app. The
/// form is that of Intercom's description of version 2.16. All tokens are for one workspace, which
/// Intercom calls an app here.
fn me(workspace: &Workspace) -> Reply {
    Reply::json(&json!({
        "type": "admin",
        "id": "1",
        "email": "admin@sandbox.example",
        "name": "Sandbox",
        "email_verified": true,
        "app": {
            "type": "app",
            "id_code": workspace.apps.first().credentials.app_id,
            "name": "Sandbox",
            "created_at": 0,
            "secure": false,
            "identity_verification": false,
            "timezone": "UTC",
            "region": workspace.region,
        },
        "avatar": {"type": "avatar", "image_url": "https://sandbox.example/admin.png"},
        "has_inbox_seat": true,
    }))
}
