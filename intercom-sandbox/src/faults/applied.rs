//! The combined effect of faults on one request.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderName, HeaderValue, header};
use bytes::Bytes;

use super::cut_short::{half_of, with_wrong_length};
use super::fault::{Effect, Fault, Missing};
use crate::answer::Answer;
use crate::clock::http_date;
use crate::rate_limit::{LIMIT, REMAINING, RESET};
use crate::reply::Reply;
use crate::request_id::X_REQUEST_ID;

/// The faults that apply to a request; by default none.
#[derive(Default)]
pub(crate) struct AppliedFaults {
    /// Replaces Intercom's answer.
    pub(crate) answer: Option<Answer>,
    /// Delay before the sandbox reads the request.
    pub(crate) delay: Duration,
    /// Delay after acceptance.
    pub(crate) late: Duration,
    /// Whether to send only half of the body.
    truncated: bool,
    without: Vec<Missing>,
    skew: i64,
    names: String,
}

impl AppliedFaults {
    pub(super) fn add(&mut self, fault: &Fault) {
        match &fault.effect {
            Effect::Answer(_) | Effect::Preset(_) => self.answer = fault.effect.answer(),
            Effect::Delay(time) if fault.after_acceptance => {
                self.late = self.late.saturating_add(*time)
            }
            Effect::Delay(time) => self.delay = self.delay.saturating_add(*time),
            Effect::Truncate => self.truncated = true,
            Effect::Without(missing) => self.without.push(*missing),
            Effect::Skew(seconds) => self.skew = self.skew.saturating_add(*seconds),
            // A lower rate limit is not a fault of this one request.
            Effect::RateLimit(_) => return,
        }
        if !self.names.is_empty() {
            self.names.push_str(", ");
        }
        let when = if fault.after_acceptance { " after acceptance" } else { "" };
        // Writing to a `String` cannot fail.
        let _ = write!(self.names, "{}{when}", fault.effect);
    }

    /// Returns the names of the faults in words, if any applies.
    pub(crate) fn names(&self) -> Option<Arc<str>> {
        (!self.names.is_empty()).then(|| self.names.as_str().into())
    }

    /// Returns the part of the body to send, if not the whole body goes out as usual.
    pub(crate) fn part_of(&self, reply: &Reply) -> Option<Bytes> {
        if self.names.is_empty() {
            return None;
        }
        if self.truncated { Some(half_of(reply)) } else { with_wrong_length(reply) }
    }

    /// Changes the headers of an answer.
    pub(crate) fn change_headers(&self, reply: &mut Reply, now: SystemTime) {
        for missing in &self.without {
            let names: &[HeaderName] = match missing {
                Missing::RateLimit => &[LIMIT, REMAINING, RESET],
                Missing::RequestId => &[X_REQUEST_ID],
                Missing::ContentType => &[header::CONTENT_TYPE],
            };
            for name in names {
                reply.headers.remove(name);
            }
        }
        if self.skew != 0 {
            self.skew_clock(reply, now);
        }
    }

    fn skew_clock(&self, reply: &mut Reply, now: SystemTime) {
        let by = Duration::from_secs(self.skew.unsigned_abs());
        let turned = if self.skew > 0 { now.checked_add(by) } else { now.checked_sub(by) };
        if let Some(date) = turned.and_then(http_date) {
            reply.headers.insert(header::DATE, date);
        }
        if let Some(reset) = reply.headers.get_mut(RESET)
            && let Some(seconds) = reset.to_str().ok().and_then(|text| text.parse::<i64>().ok())
        {
            *reset = HeaderValue::from(seconds.saturating_add(self.skew));
        }
    }
}
