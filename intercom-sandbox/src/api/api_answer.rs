//! An answer of the API.

use crate::event::EventKey;
use crate::received::Outcome;
use crate::refusal::{Problem, Refusal};
use crate::reply::Reply;
use crate::request_id::RequestId;

/// An answer, with what the records keep of it.
pub(super) struct ApiAnswer {
    pub(super) reply: Reply,
    pub(super) outcome: Outcome,
    /// The key of the event, if the answer accepts the event.
    pub(super) event: Option<EventKey>,
    pub(super) problems: Box<[Problem]>,
}

impl ApiAnswer {
    /// Creates the answer to anything but an event.
    pub(super) fn of(reply: Reply) -> Self {
        Self { reply, outcome: Outcome::Served, event: None, problems: Box::default() }
    }

    /// Creates the answer to an accepted event, or to an event that the sandbox ignores without an
    /// error.
    pub(super) fn event(reply: Reply, outcome: Outcome, event: EventKey) -> Self {
        Self { reply, outcome, event: Some(event), problems: Box::default() }
    }

    pub(super) fn refused(refusal: Refusal, request_id: &RequestId) -> Self {
        Self {
            reply: refusal.to_reply(request_id),
            outcome: Outcome::Refused,
            event: None,
            problems: refusal.into_problems(),
        }
    }
}
