//! A received request, its answer, and its event.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use axum::http::{Method, request};
use bytes::Bytes;
use serde_json::Value;

use crate::event::{EventData, EventKey};
use crate::raw_request::RawRequest;
use crate::reading::Reading;
use crate::refusal::Problem;
use crate::rules;
use crate::version::ApiVersion;

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The request had an event, and the sandbox accepted it by Intercom's rules.
    Accepted,
    /// The sandbox ignored the event, because an earlier one has its contact, name and second. The
    /// answer is that to an accepted event. The rule is Intercom's.
    Duplicate,
    /// The request broke a rule: [`ReceivedRequest::problems`] says which.
    Refused,
    /// A fault replaced the answer, or left the request without one: [`ReceivedRequest::fault`]
    /// names the fault. The sandbox did not accept the request's event.
    Faulted,
    /// Any other request that the sandbox answered without an error, such as a read.
    Served,
}

/// A received request, whatever its outcome. Cheap to clone.
///
/// The sandbox keeps no credentials: the value of `Authorization` is its scheme and `[redacted]`.
/// `/_sandbox/openapi.json` describes the JSON of a request. That JSON masks the
/// values of sensitive keys.
#[derive(Clone)]
pub struct ReceivedRequest {
    inner: Arc<Inner>,
}

struct Inner {
    number: usize,
    received_at: SystemTime,
    method: Method,
    raw: RawRequest,
    status: Option<u16>,
    answer: Bytes,
    outcome: Outcome,
    event: Option<EventKey>,
    /// Read from the body on demand, since most events are never read.
    event_data: OnceLock<Box<EventData>>,
    /// The rules that read the event.
    rules: Arc<Reading>,
    problems: Box<[Problem]>,
    fault: Option<Arc<str>>,
}

/// The part of the answer that the journal keeps with the request.
pub(crate) struct RecordedAnswer {
    /// `None` if there was no answer.
    pub(crate) status: Option<u16>,
    pub(crate) body: Bytes,
    pub(crate) outcome: Outcome,
    /// The key of the event, if the answer accepts the event.
    pub(crate) event: Option<EventKey>,
    pub(crate) problems: Box<[Problem]>,
    pub(crate) fault: Option<Arc<str>>,
}

impl RecordedAnswer {
    /// Describes a request that the sandbox did not read.
    pub(crate) fn faulted(fault: Option<Arc<str>>) -> Self {
        Self {
            status: None,
            body: Bytes::new(),
            outcome: Outcome::Faulted,
            event: None,
            problems: Box::default(),
            fault,
        }
    }
}

/// A request without its number.
pub(crate) struct Draft(Arc<Inner>);

impl Draft {
    pub(crate) fn new(
        received_at: SystemTime,
        rules: &Arc<Reading>,
        parts: &request::Parts,
        body: &[u8],
        answered: RecordedAnswer,
    ) -> Self {
        Self(Arc::new(Inner {
            number: 0,
            received_at,
            method: parts.method.clone(),
            raw: RawRequest::new(&parts.uri, &parts.headers, body),
            status: answered.status,
            answer: answered.body,
            outcome: answered.outcome,
            event: answered.event,
            event_data: OnceLock::new(),
            rules: Arc::clone(rules),
            problems: answered.problems,
            fault: answered.fault,
        }))
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    pub(crate) fn numbered(mut self, number: usize) -> ReceivedRequest {
        // The draft has the only reference, so this always succeeds.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.number = number;
        }
        ReceivedRequest { inner: self.0 }
    }
}

impl ReceivedRequest {
    /// Returns the position in order of arrival, from 1. [`Sandbox::clear`](crate::Sandbox::clear)
    /// restarts the numbers.
    pub fn number(&self) -> usize {
        self.inner.number
    }

    /// Returns the time of arrival, by the sandbox's [clock](crate::SandboxBuilder::clock).
    pub fn received_at(&self) -> SystemTime {
        self.inner.received_at
    }

    /// Returns the method, such as `POST`.
    pub fn method(&self) -> &str {
        self.inner.method.as_str()
    }

    /// Returns the path without the query, such as `/events`.
    pub fn path(&self) -> &str {
        self.inner.raw.path()
    }

    /// Returns the query without its question mark, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.inner.raw.query()
    }

    /// Returns whether the request has a header of this name, ignoring case.
    pub fn has_header(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// Returns the first header of this name, ignoring case, if its value is plain text.
    /// `Authorization` reads `Bearer [redacted]` or the like.
    pub fn header(&self, name: &str) -> Option<&str> {
        plain_text(self.values(name).next()?)
    }

    /// Returns the names and values of all headers, except values that are not plain text.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner.raw.headers().filter_map(|(name, value)| Some((name, plain_text(value)?)))
    }

    /// Returns the body, byte for byte. It is empty if the request exceeded the [body
    /// limit](crate::Limits::body_limit).
    pub fn body(&self) -> &[u8] {
        self.inner.raw.body()
    }

    /// Returns the status of the answer; `None` if a fault left the request without an answer.
    pub fn status(&self) -> Option<u16> {
        self.inner.status
    }

    /// Returns the body of the answer, which has the reasons for a refusal.
    pub fn answer(&self) -> &[u8] {
        &self.inner.answer
    }

    /// Returns the outcome.
    pub fn outcome(&self) -> Outcome {
        self.inner.outcome
    }

    /// Returns the problems of a refused request.
    pub fn problems(&self) -> &[Problem] {
        &self.inner.problems
    }

    /// Returns the names of the faults that applied, if any did.
    pub fn fault(&self) -> Option<&str> {
        self.inner.fault.as_deref()
    }

    /// Returns warnings, which Intercom's answers do not have. The sandbox warns of an API version
    /// whose rules it does not have, and of an event that differs from the
    /// [lock](crate::SandboxBuilder::events_lock).
    pub fn warnings(&self) -> Vec<String> {
        let version = self.header("intercom-version").and_then(ApiVersion::parse);
        let mut warnings: Vec<_> = version.and_then(ApiVersion::warning).into_iter().collect();
        if let (Some(lock), Some(event)) = (&self.inner.rules.lock, self.event()) {
            warnings.extend(lock.deviations(event.name(), event.metadata()));
        }
        warnings
    }

    /// Returns the body for display, with the values of sensitive keys masked.
    pub(crate) fn shown_body(&self) -> Cow<'_, str> {
        self.inner.rules.shown_text(self.body())
    }

    /// Returns the answer for display, with the values of sensitive keys masked.
    pub(crate) fn shown_answer(&self) -> Cow<'_, str> {
        self.inner.rules.shown_text(self.answer())
    }

    /// Returns the event, if the answer accepted one. [`outcome`](Self::outcome) says whether the
    /// event was a duplicate.
    pub fn event(&self) -> Option<ReceivedEvent> {
        Some(ReceivedEvent { event_key: self.inner.event?, request: self.clone() })
    }

    /// The smallest size of a request, in bytes.
    pub(crate) const SMALLEST: usize = size_of::<Inner>();

    /// Returns about how many bytes the request takes, without the event read from its body.
    pub(crate) fn size(&self) -> usize {
        let problems: usize = self.inner.problems.iter().map(Problem::size).sum();
        Self::SMALLEST + self.inner.raw.size() + self.inner.answer.len() + problems
    }

    /// Returns the rules that read the event.
    pub(crate) fn rules(&self) -> &Reading {
        &self.inner.rules
    }

    pub(crate) fn event_data(&self) -> &EventData {
        let read = || Box::new(rules::event::read_again(self.body(), &self.inner.rules));
        self.inner.event_data.get_or_init(read)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.inner
            .raw
            .headers()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("number", &self.number())
            .field("method", &self.method())
            .field("path", &self.path())
            .field("headers", &self.headers().collect::<Vec<_>>())
            .field("body", &self.shown_body())
            .field("status", &self.status())
            .field("outcome", &self.outcome())
            .field("answer", &self.shown_answer())
            .finish_non_exhaustive()
    }
}

/// An accepted event, with its request. Cheap to clone.
#[derive(Clone)]
pub struct ReceivedEvent {
    pub(crate) event_key: EventKey,
    pub(crate) request: ReceivedRequest,
}

impl ReceivedEvent {
    fn data(&self) -> &EventData {
        self.request.event_data()
    }

    /// Returns the name as Intercom stores it, with `.` and `$`
    /// [turned](crate::OpenRules::fold_punctuation) into `-`. The case is as sent, though Intercom
    /// ignores case.
    pub fn name(&self) -> &str {
        &self.data().name
    }

    /// Returns the name as sent, if Intercom stores another.
    pub fn sent_name(&self) -> Option<&str> {
        self.data().sent_name.as_deref()
    }

    /// Returns when the event happened, in Unix seconds.
    pub fn created_at(&self) -> i64 {
        self.event_key.created_at
    }

    /// Returns the application's own id of the user, if the sender gave one.
    pub fn user_id(&self) -> Option<&str> {
        self.data().identifiers.user_id.as_deref()
    }

    /// Returns the contact's email address, if the sender gave one.
    pub fn email(&self) -> Option<&str> {
        self.data().identifiers.email.as_deref()
    }

    /// Returns Intercom's own id of the contact (`id` on the wire), if the sender gave one.
    pub fn contact_id(&self) -> Option<&str> {
        self.data().identifiers.contact_id.as_deref()
    }

    /// Returns the metadata that Intercom would keep, in the order sent.
    pub fn metadata(&self) -> &[(String, Value)] {
        &self.data().metadata
    }

    /// Returns whether the event differs from the lock, if there is a lock.
    pub(crate) fn deviates(&self) -> bool {
        let lock = self.request.inner.rules.lock.as_ref();
        lock.is_some_and(|lock| !lock.deviations(self.name(), self.metadata()).is_empty())
    }

    /// Returns the metadata for display, with the values masked that the
    /// [lock](crate::SandboxBuilder::events_lock) marks as sensitive.
    pub fn masked_metadata(&self) -> Cow<'_, [(String, Value)]> {
        self.request.rules().shown_metadata(self.name(), self.metadata().into())
    }

    /// Returns the metadata value of this key, ignoring case as Intercom does.
    pub fn metadata_value(&self, key: &str) -> Option<&Value> {
        let key = key.to_lowercase();
        self.metadata()
            .iter()
            .find_map(|(name, value)| (name.to_lowercase() == key).then_some(value))
    }

    /// Returns the metadata keys that Intercom would drop without an error, in the order sent. A
    /// key is beyond the [limit](crate::OpenRules::metadata_keys), or the [open
    /// rules](crate::OpenRules) drop its value.
    pub fn dropped_keys(&self) -> &[String] {
        &self.data().dropped_keys
    }

    /// Returns the body, byte for byte.
    pub fn body(&self) -> &[u8] {
        self.request.body()
    }

    /// Returns a header of the request: see [`ReceivedRequest::header`].
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    /// Returns the request with the event.
    pub fn request(&self) -> &ReceivedRequest {
        &self.request
    }
}

impl fmt::Debug for ReceivedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedEvent")
            .field("name", &self.name())
            .field("created_at", &self.created_at())
            .field("contact_id", &self.contact_id())
            .field("user_id", &self.user_id())
            .field("email", &self.email())
            .field("metadata", &self.masked_metadata())
            .field("dropped_keys", &self.dropped_keys())
            .finish_non_exhaustive()
    }
}

/// Returns a header's value if it is plain text, which HTTP promises and does not enforce.
fn plain_text(value: &[u8]) -> Option<&str> {
    let plain = value.iter().all(|byte| *byte == b'\t' || (b' '..=b'~').contains(byte));
    std::str::from_utf8(value).ok().filter(|_| plain)
}
