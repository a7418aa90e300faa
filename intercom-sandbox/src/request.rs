//! A request as it came in, and how it was answered.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header, request};
use bytes::{Bytes, BytesMut};

use crate::event::{EventData, ReceivedEvent};
use crate::refusal::Problem;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It brought an event, which was accepted.
    Accepted,
    /// It brought an event that was answered as if it were accepted, and ignored: there is one of its
    /// name and second for its contact already. The rule is Intercom's.
    Duplicate,
    /// Something was wrong with it: [`ReceivedRequest::problems`] says what.
    Refused,
    /// It was answered, or left without an answer, because a test or a person wanted it so:
    /// [`ReceivedRequest::fault`] says how. Its event, where it brought one, was not accepted.
    Faulted,
    /// It asked for something other than to accept an event, and got it.
    Served,
}

/// A request that was received, whatever became of it. Cheap to clone.
///
/// Credentials are not kept: the value of `Authorization` is its scheme and `[redacted]`.
#[derive(Clone)]
pub struct ReceivedRequest {
    inner: Arc<Inner>,
}

struct Inner {
    number: usize,
    received_at: SystemTime,
    method: Method,
    path: String,
    query: Option<String>,
    headers: Box<[(HeaderName, HeaderValue)]>,
    body: Bytes,
    status: Option<u16>,
    answer: Bytes,
    outcome: Outcome,
    event: Option<Arc<EventData>>,
    problems: Box<[Problem]>,
    fault: Option<Arc<str>>,
}

/// The answer as far as it is kept with its request.
pub(crate) struct Answered {
    /// None where there was no answer.
    pub(crate) status: Option<u16>,
    pub(crate) body: Bytes,
    pub(crate) outcome: Outcome,
    pub(crate) event: Option<EventData>,
    pub(crate) problems: Box<[Problem]>,
    pub(crate) fault: Option<Arc<str>>,
}

/// Everything of a request but its place in the order of arrival.
pub(crate) struct Draft(Inner);

impl Draft {
    pub(crate) fn new(
        received_at: SystemTime,
        parts: &request::Parts,
        body: &Bytes,
        answered: Answered,
    ) -> Self {
        Self(Inner {
            number: 0,
            received_at,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: keep(&parts.headers),
            // A copy, since the original holds on to the whole buffer of its connection.
            body: Bytes::copy_from_slice(body),
            status: answered.status,
            answer: answered.body,
            outcome: answered.outcome,
            event: answered.event.map(Arc::new),
            problems: answered.problems,
            fault: answered.fault,
        })
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    pub(crate) fn numbered(mut self, number: usize) -> ReceivedRequest {
        self.0.number = number;
        ReceivedRequest { inner: Arc::new(self.0) }
    }
}

impl ReceivedRequest {
    /// Its place in the order of arrival, from 1; counted anew after
    /// [`Sandbox::clear`](crate::Sandbox::clear).
    pub fn number(&self) -> usize {
        self.inner.number
    }

    /// When it came in, by the sandbox's [clock](crate::SandboxBuilder::clock).
    pub fn received_at(&self) -> SystemTime {
        self.inner.received_at
    }

    /// The method, `POST` for example.
    pub fn method(&self) -> &str {
        self.inner.method.as_str()
    }

    /// The path without the query, `/events` for example.
    pub fn path(&self) -> &str {
        &self.inner.path
    }

    /// The query without its question mark, where there was one.
    pub fn query(&self) -> Option<&str> {
        self.inner.query.as_deref()
    }

    /// Whether there was a header of this name; case makes no difference.
    pub fn has_header(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The first header of this name, where it is there and plain text; case makes no difference.
    /// `Authorization` reads `Bearer [redacted]` or the like.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.values(name).next()?.to_str().ok()
    }

    /// The names and values of all headers. A value that is not plain text is left out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// The body, byte for byte. Empty where it was beyond the
    /// [body limit](crate::SandboxBuilder::body_limit).
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    /// The status it was answered with; `None` where the script wanted no answer.
    pub fn status(&self) -> Option<u16> {
        self.inner.status
    }

    /// The body it was answered with, which names the reasons where it was refused.
    pub fn answer(&self) -> &Bytes {
        &self.inner.answer
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        self.inner.outcome
    }

    /// What was wrong with it, where it was refused.
    pub fn problems(&self) -> &[Problem] {
        &self.inner.problems
    }

    /// Which fault it met, where it met one that was asked for.
    pub fn fault(&self) -> Option<&str> {
        self.inner.fault.as_deref()
    }

    /// The event it brought, where it brought one that was answered as accepted:
    /// [`outcome`](Self::outcome) tells whether it was a duplicate.
    pub fn event(&self) -> Option<ReceivedEvent> {
        Some(ReceivedEvent { data: Arc::clone(self.inner.event.as_ref()?), request: self.clone() })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &HeaderValue> {
        self.inner
            .headers
            .iter()
            .filter(move |(key, _)| key.as_str().eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("number", &self.number())
            .field("method", &self.method())
            .field("path", &self.path())
            .field("headers", &self.inner.headers)
            .field("body", self.body())
            .field("status", &self.status())
            .field("outcome", &self.outcome())
            .field("answer", self.answer())
            .finish_non_exhaustive()
    }
}

/// The headers without the credentials, and with values of their own: the originals hold on to the
/// whole buffer of their connection, many times their size.
fn keep(headers: &HeaderMap) -> Box<[(HeaderName, HeaderValue)]> {
    const CREDENTIALS: [HeaderName; 2] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION];

    let mut copies = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    let mut copy = |value: &HeaderValue| {
        copies.extend_from_slice(value.as_bytes());
        // The bytes were a header's before, so this does not fail.
        HeaderValue::from_maybe_shared(copies.split().freeze()).unwrap_or_else(|_| value.clone())
    };
    headers
        .iter()
        .map(|(name, value)| {
            let kept = if CREDENTIALS.contains(name) { redact(value) } else { copy(value) };
            (name.clone(), kept)
        })
        .collect()
}

/// What is kept of a credential: its scheme, where it is a known one.
fn redact(credential: &HeaderValue) -> HeaderValue {
    let scheme = credential.as_bytes().split(|&byte| byte == b' ').next().unwrap_or_default();
    HeaderValue::from_static(if scheme.eq_ignore_ascii_case(b"bearer") {
        "Bearer [redacted]"
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        "Basic [redacted]"
    } else {
        "[redacted]"
    })
}
