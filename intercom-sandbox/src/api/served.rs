//! An answer of the API.

use crate::event::Filing;
use crate::received::Outcome;
use crate::refusal::{Problem, Refusal};
use crate::reply::Reply;
use crate::request_id::RequestId;

/// An answer, with what the records keep of it.
pub(super) struct Served {
    pub(super) reply: Reply,
    pub(super) outcome: Outcome,
    /// The event's filing, if the answer accepts the event.
    pub(super) event: Option<Filing>,
    pub(super) problems: Box<[Problem]>,
}

impl Served {
    /// Creates the answer to anything but an event.
    pub(super) fn of(reply: Reply) -> Self {
        Self { reply, outcome: Outcome::Served, event: None, problems: Box::default() }
    }

    /// Creates the answer to an accepted event, or to an event that the sandbox ignores without an
    /// error.
    pub(super) fn event(reply: Reply, outcome: Outcome, event: Filing) -> Self {
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
