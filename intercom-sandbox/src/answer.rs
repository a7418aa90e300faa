//! Scripted answers: what a test wants Intercom to say next.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;

use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request_id;
use crate::sync::lock;

/// An answer that is given to one request whatever the request says: see
/// [`Sandbox::answer_next`](crate::Sandbox::answer_next).
///
/// It goes out exactly as it is written here. Nothing is added, no rate-limit headers and no request
/// id either, since real answers come without them too.
///
/// ```
/// use intercom_sandbox::Answer;
///
/// let outage = Answer::status(503).header("Content-Type", "text/html").body("<h1>Sorry</h1>");
/// let overloaded = Answer::error(429, "rate_limit_exceeded", "slow down").header("Retry-After", "7");
/// ```
#[derive(Debug, Clone)]
pub struct Answer {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Reply { status: StatusCode, headers: HeaderMap, body: Content },
    HangUp,
    Silence,
}

#[derive(Debug, Clone)]
enum Content {
    Written(Bytes),
    Error { code: String, message: String },
}

impl Answer {
    /// This status with an empty body.
    ///
    /// # Panics
    /// If the status is not one that can end a request: 200 to 999.
    pub fn status(status: u16) -> Self {
        Self::reply(status, Content::Written(Bytes::new()))
    }

    /// This status with Intercom's documented error envelope: one error of this code and message,
    /// and a fresh request id in the body and in `X-Request-Id`.
    ///
    /// # Panics
    /// If the status is not one that can end a request: 200 to 999.
    pub fn error(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::reply(status, Content::Error { code: code.into(), message: message.into() })
    }

    /// No answer: the connection is closed instead, as by a server that goes down.
    pub fn hang_up() -> Self {
        Self { kind: Kind::HangUp }
    }

    /// No answer, ever: the connection stays open until the client gives up on it.
    pub fn silence() -> Self {
        Self { kind: Kind::Silence }
    }

    /// Sets a header, in the place of an earlier one of that name. Without effect where there is no
    /// answer to carry it.
    ///
    /// # Panics
    /// If HTTP does not allow the name or the value.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let (Ok(name), Ok(value)) =
            (name.parse::<HeaderName>(), HeaderValue::try_from(value.to_owned()))
        else {
            panic!("`{name}: {value}` is not a header");
        };
        if let Kind::Reply { headers, .. } = &mut self.kind {
            headers.insert(name, value);
        }
        self
    }

    /// Sets the body, in the place of an error envelope where there was one. Without effect where
    /// there is no answer to carry it.
    #[must_use]
    pub fn body(mut self, text: impl Into<Bytes>) -> Self {
        if let Kind::Reply { body, .. } = &mut self.kind {
            *body = Content::Written(text.into());
        }
        self
    }

    fn reply(status: u16, body: Content) -> Self {
        let status = match StatusCode::from_u16(status) {
            Ok(status) if !status.is_informational() => status,
            _ => panic!("{status} is not a status that ends a request"),
        };
        Self { kind: Kind::Reply { status, headers: HeaderMap::new(), body } }
    }

    pub(crate) fn into_ending(self, request_id: &str) -> Ending {
        match self.kind {
            Kind::HangUp => Ending::HangUp,
            Kind::Silence => Ending::Silence,
            Kind::Reply { status, headers, body: Content::Written(body) } => {
                Ending::Reply(Reply { status, headers, body })
            }
            Kind::Reply { status, headers, body: Content::Error { code, message } } => {
                let mut reply = Refusal::new(status, code, message).to_reply(request_id);
                request_id::write(request_id, &mut reply.headers);
                // What the test wrote wins over what the envelope brings.
                reply.headers.extend(headers);
                Ending::Reply(reply)
            }
        }
    }
}

/// How a request ends.
pub(crate) enum Ending {
    Reply(Reply),
    HangUp,
    Silence,
}

/// The answers that wait for their requests, first in, first out.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
}

impl Script {
    pub(crate) fn push(&self, answer: Answer) {
        lock(&self.answers).push_back(answer);
    }

    pub(crate) fn next(&self) -> Option<Answer> {
        lock(&self.answers).pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.answers).len()
    }

    pub(crate) fn clear(&self) {
        lock(&self.answers).clear();
    }
}
