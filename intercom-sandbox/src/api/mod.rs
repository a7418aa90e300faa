//! Intercom's API: the way of a request, from its first byte to its answer.
//!
//! `route` finds its endpoint, `serve` answers it by Intercom's rules, the faults that it meets come
//! before, after or in the place of that; and before the answer goes out it is in the records.

mod body;
mod contacts;
mod events;
mod incoming;
mod me;
mod route;
mod serve;

use std::time::SystemTime;

use axum::http::{HeaderValue, Request, header, request};
use bytes::Bytes;
use hyper::body::Body;

use crate::answer::Ending;
use crate::clock;
use crate::faults::{Meeting, Stage, Strike, cut_short};
use crate::request::{Answered, Draft, Outcome};
use crate::server::{Cut, Outgoing, Response};
use crate::workspace::Workspace;
use route::route;

pub(crate) use body::{ReadBody, read as read_body};
pub(crate) use incoming::Incoming;

/// Answers a request, and records it before the answer goes out: who has the answer finds the
/// request in the records.
pub(crate) async fn answer<B>(workspace: &Workspace, request: Request<B>) -> Response
where
    B: Body<Data = Bytes> + Unpin,
{
    let received_at = workspace.clock.now();
    let (parts, body) = request.into_parts();
    let settings = &workspace.settings;
    let body =
        body::read(body, settings.body_limit, settings.body_timeout, &workspace.incoming).await;
    // Only faults and dates ask how long the body took.
    let now = match workspace.faults.any() || settings.dates_by_clock {
        true => workspace.clock.now(),
        false => received_at,
    };

    let mut strike = Strike::default();
    let meeting = Meeting::new(now, &parts, body.kept());
    if workspace.faults.any() {
        workspace.apply_lowered_limits();
        workspace.faults.meet(Stage::Arrival, &meeting, &mut strike);
    }
    if !strike.delay.is_zero() {
        let gone = GivenUp { workspace, received_at, parts: &parts, body: &body, strike: &strike };
        tokio::time::sleep(strike.delay).await;
        gone.has_not();
    }

    let (mut ending, mut answered) = match strike.answer.take() {
        Some(answer) => (answer.ending(&workspace.request_ids.draw()), Answered::faulted(None)),
        None => {
            let (ending, answered) = serve(workspace, &parts, &body);
            if workspace.faults.any() && answered.outcome != Outcome::Refused {
                workspace.faults.meet(Stage::Acceptance, &meeting, &mut strike);
            }
            let lost = strike.answer.take();
            (lost.map_or(ending, |answer| answer.ending(&workspace.request_ids.draw())), answered)
        }
    };
    let mut part = None;
    if let Ending::Reply(reply) = &mut ending {
        if settings.dates_by_clock
            && let Some(date) = clock::http_date(now)
        {
            reply.headers.entry(header::DATE).or_insert(date);
        }
        if body.is_unread() {
            reply.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        strike.distort(reply, now);
        part = strike.part_of(reply);
        answered.status = Some(reply.status.as_u16());
        answered.body = part.as_ref().unwrap_or(&reply.body).clone();
    }
    answered.fault = strike.names();
    workspace.journal.record(Draft::new(
        received_at,
        &workspace.rules,
        &parts,
        body.kept(),
        answered,
    ));

    if !strike.late.is_zero() {
        tokio::time::sleep(strike.late).await;
    }
    match (ending, part) {
        (Ending::Reply(reply), None) => Outgoing::response(reply),
        (Ending::Reply(reply), Some(part)) => cut_short::response(reply, part, parts.version),
        (Ending::Cut(cut), _) => cut.into_response(),
        (Ending::Silence, _) => {
            // A sandbox that ends does not wait for it.
            workspace.closing.begun().await;
            Cut::HangUp.into_response()
        }
    }
}

/// What the rules answer, with what of it is recorded but for status and body, which faults change.
fn serve(workspace: &Workspace, parts: &request::Parts, body: &ReadBody) -> (Ending, Answered) {
    let request_id = workspace.request_ids.draw();
    let served = serve::serve(workspace, route(parts), parts, body, &request_id);
    let answered = Answered {
        status: None,
        body: Bytes::new(),
        outcome: served.outcome,
        event: served.event,
        problems: served.problems,
        fault: None,
    };
    (Ending::Reply(served.reply), answered)
}

/// Records a request whose client gave up while a fault made it wait: its handling just ends then.
struct GivenUp<'a> {
    workspace: &'a Workspace,
    received_at: SystemTime,
    parts: &'a request::Parts,
    body: &'a ReadBody,
    strike: &'a Strike,
}

impl GivenUp<'_> {
    /// The client is still there.
    fn has_not(self) {
        std::mem::forget(self);
    }
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        let answered = Answered::faulted(self.strike.names());
        let draft = Draft::new(
            self.received_at,
            &self.workspace.rules,
            self.parts,
            self.body.kept(),
            answered,
        );
        self.workspace.journal.record(draft);
    }
}
