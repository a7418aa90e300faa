//! Answers one request: applies faults, answers by the rules, and records.
//!
//! The code boxes futures that wait, so that those of nearly all requests stay small.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderValue, Method, Request, StatusCode, Version, header, request};
use bytes::Bytes;
use hyper::body::Body;

use super::body::{self, ReadBody};
use super::route::route;
use super::serve::serve;
use crate::answer::Ending;
use crate::clock;
use crate::faults::{AppliedFaults, FaultTarget, Stage, cut_short};
use crate::received::{Draft, Outcome, RecordedAnswer};
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::server::{Disconnect, Outgoing, Response};
use crate::workspace::Workspace;

/// Answers a request, and records it first, so that a client with the answer finds the request in
/// the records.
pub(crate) async fn answer<B>(workspace: &Workspace, parts: &request::Parts, body: B) -> Response
where
    B: Body<Data = Bytes> + Unpin,
{
    let received_at = workspace.clock.now();
    let limits = &workspace.limits;
    let (body, waited) =
        body::read(body, limits.body_limit, limits.body_timeout, &workspace.body_budget).await;
    // A body that did not wait needs no second clock reading.
    let now = if waited { workspace.clock.now() } else { received_at };
    let call = Call { workspace, received_at, parts, body: &body };
    let (now, faults) = if workspace.faults.any() {
        Box::pin(call.arrive(now)).await
    } else {
        (now, AppliedFaults::default())
    };
    match call.settle(now, faults) {
        PlannedAnswer { ending: Ending::Reply(reply), part: None, late: Duration::ZERO } => {
            Outgoing::response(reply)
        }
        settled => Box::pin(settled.respond(workspace, parts.version)).await,
    }
}

/// Records that a client speaks TLS to the port, and returns the refusal. Most clients hide that
/// answer, so the record matters.
pub(crate) fn refuse_tls(workspace: &Workspace, request_id: &RequestId) -> Refusal {
    let refused = || {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "tls_on_plain_port",
            "The client speaks TLS, and this port plain HTTP",
        )
        .with_hint(format!("Give the client a base URL with http:// in it: {}", workspace.url))
    };
    let mut parts = Request::new(()).into_parts().0;
    // Not an HTTP method, because there was no request.
    parts.method = Method::from_bytes(b"TLS").unwrap_or_default();
    let answered = RecordedAnswer {
        status: Some(StatusCode::BAD_REQUEST.as_u16()),
        body: refused().to_reply(request_id).body,
        outcome: Outcome::Refused,
        event: None,
        problems: refused().into_problems(),
        fault: None,
    };
    let draft = Draft::new(workspace.clock.now(), &workspace.rules, &parts, &[], answered);
    workspace.journal.record(draft);
    refused()
}

/// A request that has arrived completely.
struct Call<'a> {
    workspace: &'a Workspace,
    received_at: SystemTime,
    parts: &'a request::Parts,
    body: &'a ReadBody,
}

impl Call<'_> {
    /// Applies the faults before acceptance, with their delays. The journal records a request whose
    /// client gives up meanwhile, too.
    async fn arrive(&self, now: SystemTime) -> (SystemTime, AppliedFaults) {
        self.workspace.apply_lowered_limits();
        let mut faults = AppliedFaults::default();
        self.select_faults(Stage::Arrival, now, &mut faults);
        if faults.delay.is_zero() {
            return (now, faults);
        }
        let abandoned = AbandonedCall { call: self, faults: &faults };
        tokio::time::sleep(faults.delay).await;
        std::mem::forget(abandoned);
        (self.workspace.clock.now(), faults)
    }

    /// Adds the faults that apply at this stage.
    fn select_faults(&self, stage: Stage, now: SystemTime, faults: &mut AppliedFaults) {
        let target = FaultTarget::new(now, self.parts, self.body.kept());
        self.workspace.faults.select(stage, &target, faults);
    }

    /// Determines the answer, and records the request with it.
    fn settle(&self, now: SystemTime, mut faults: AppliedFaults) -> PlannedAnswer {
        let workspace = self.workspace;
        let (mut ending, mut answered) = match faults.answer.take() {
            Some(answer) => {
                (answer.ending(&workspace.request_ids.draw()), RecordedAnswer::faulted(None))
            }
            None => {
                let (ending, answered) = self.serve(now);
                if workspace.faults.any() && answered.outcome != Outcome::Refused {
                    self.select_faults(Stage::Acceptance, now, &mut faults);
                }
                let lost = faults.answer.take();
                let lost = lost.map(|answer| answer.ending(&workspace.request_ids.draw()));
                (lost.unwrap_or(ending), answered)
            }
        };
        let mut part = None;
        if let Ending::Reply(reply) = &mut ending {
            if workspace.dates_by_clock
                && let Some(date) = clock::http_date(now)
            {
                reply.headers.entry(header::DATE).or_insert(date);
            }
            if self.body.is_unread() {
                reply.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            faults.change_headers(reply, now);
            part = faults.part_of(reply);
            answered.status = Some(reply.status.as_u16());
            answered.body = part.as_ref().unwrap_or(&reply.body).clone();
        }
        answered.fault = faults.names();
        self.record(answered);
        PlannedAnswer { ending, part, late: faults.late }
    }

    /// Returns the rules' answer, and what to record of it. Records status and body later, because
    /// faults can change them.
    fn serve(&self, now: SystemTime) -> (Ending, RecordedAnswer) {
        let request_id = self.workspace.request_ids.draw();
        let endpoint = route(self.parts);
        let served = serve(self.workspace, now, endpoint, self.parts, self.body, &request_id);
        let answered = RecordedAnswer {
            status: None,
            body: Bytes::new(),
            outcome: served.outcome,
            event: served.event,
            problems: served.problems,
            fault: None,
        };
        (Ending::Reply(served.reply), answered)
    }

    fn record(&self, answered: RecordedAnswer) {
        let Self { workspace, received_at, parts, body } = *self;
        let draft = Draft::new(received_at, &workspace.rules, parts, body.kept(), answered);
        workspace.journal.record(draft);
    }
}

/// On drop, records a request whose client gave up during a fault's delay.
struct AbandonedCall<'a> {
    call: &'a Call<'a>,
    faults: &'a AppliedFaults,
}

impl Drop for AbandonedCall<'_> {
    fn drop(&mut self) {
        self.call.record(RecordedAnswer::faulted(self.faults.names()));
    }
}

/// How a request ends, and when.
struct PlannedAnswer {
    ending: Ending,
    /// The part of the body to send, if not the whole body goes out as usual.
    part: Option<Bytes>,
    late: Duration,
}

impl PlannedAnswer {
    async fn respond(self, workspace: &Workspace, version: Version) -> Response {
        if !self.late.is_zero() {
            tokio::time::sleep(self.late).await;
        }
        match (self.ending, self.part) {
            (Ending::Reply(reply), None) => Outgoing::response(reply),
            (Ending::Reply(reply), Some(part)) => cut_short::response(reply, part, version),
            (Ending::Disconnect(cut), _) => cut.into_response(),
            (Ending::Silence, _) => {
                // The end of the sandbox ends this wait.
                workspace.closing.begun().await;
                Disconnect::HangUp.into_response()
            }
        }
    }
}
