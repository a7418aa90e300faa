//! A request as it came in, how it was answered, and the event that it brought.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use axum::http::{Method, request};
use bytes::Bytes;
use serde_json::Value;

use crate::event::{EventData, Filing};
use crate::raw_request::RawRequest;
use crate::reading::Reading;
use crate::refusal::Problem;
use crate::rules;
use crate::version::ApiVersion;

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
    raw: RawRequest,
    status: Option<u16>,
    answer: Bytes,
    outcome: Outcome,
    event: Option<Filing>,
    /// Read from the body again when somebody asks for it: most events are never looked at.
    event_data: OnceLock<Box<EventData>>,
    /// The rules that it is read by.
    rules: Arc<Reading>,
    problems: Box<[Problem]>,
    fault: Option<Arc<str>>,
}

/// The answer as far as it is kept with its request.
pub(crate) struct Answered {
    /// None where there was no answer.
    pub(crate) status: Option<u16>,
    pub(crate) body: Bytes,
    pub(crate) outcome: Outcome,
    /// Under what its event is filed, where it was answered as accepted.
    pub(crate) event: Option<Filing>,
    pub(crate) problems: Box<[Problem]>,
    pub(crate) fault: Option<Arc<str>>,
}

impl Answered {
    /// Of a request that nobody looked at.
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

/// Everything of a request but its place in the order of arrival.
pub(crate) struct Draft(Arc<Inner>);

impl Draft {
    pub(crate) fn new(
        received_at: SystemTime,
        rules: &Arc<Reading>,
        parts: &request::Parts,
        body: &[u8],
        answered: Answered,
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
        // Nobody has it yet, so this is always the only one.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.number = number;
        }
        ReceivedRequest { inner: self.0 }
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
        self.inner.raw.path()
    }

    /// The query without its question mark, where there was one.
    pub fn query(&self) -> Option<&str> {
        self.inner.raw.query()
    }

    /// Whether there was a header of this name; case makes no difference.
    pub fn has_header(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The first header of this name, where it is there and plain text; case makes no difference.
    /// `Authorization` reads `Bearer [redacted]` or the like.
    pub fn header(&self, name: &str) -> Option<&str> {
        plain_text(self.values(name).next()?)
    }

    /// The names and values of all headers. A value that is not plain text is left out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner.raw.headers().filter_map(|(name, value)| Some((name, plain_text(value)?)))
    }

    /// The body, byte for byte. Empty where it was beyond the
    /// [body limit](crate::Limits::body_limit).
    pub fn body(&self) -> &[u8] {
        self.inner.raw.body()
    }

    /// The status it was answered with; `None` where the script wanted no answer.
    pub fn status(&self) -> Option<u16> {
        self.inner.status
    }

    /// The body it was answered with, which names the reasons where it was refused.
    pub fn answer(&self) -> &[u8] {
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

    /// What to know about it though it may have been answered as wanted: that it asks for a version of
    /// the API whose rules the sandbox does not have, or that its event is not in the
    /// [lock](crate::SandboxBuilder::events_lock), for example. Intercom's answers do not have it.
    pub fn warnings(&self) -> Vec<String> {
        let version = self.header("intercom-version").and_then(ApiVersion::parse);
        let mut warnings: Vec<_> = version.and_then(ApiVersion::warning).into_iter().collect();
        if let (Some(lock), Some(event)) = (&self.inner.rules.lock, self.event()) {
            warnings.extend(lock.deviations(event.name(), event.metadata()));
        }
        warnings
    }

    /// The body as it is shown, with the values of keys masked that the lock marks as sensitive.
    pub(crate) fn shown_body(&self) -> Cow<'_, str> {
        self.inner.rules.shown_body(self.body())
    }

    /// The event it brought, where it brought one that was answered as accepted:
    /// [`outcome`](Self::outcome) tells whether it was a duplicate.
    pub fn event(&self) -> Option<ReceivedEvent> {
        Some(ReceivedEvent { filing: self.inner.event?, request: self.clone() })
    }

    /// No request takes fewer bytes than this.
    pub(crate) const SMALLEST: usize = size_of::<Inner>();

    /// About how many bytes it takes in memory, but for what is read from its body again.
    pub(crate) fn size(&self) -> usize {
        let problems: usize = self.inner.problems.iter().map(Problem::size).sum();
        Self::SMALLEST + self.inner.raw.size() + self.inner.answer.len() + problems
    }

    /// What it is read by.
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
            .field("answer", &String::from_utf8_lossy(self.answer()))
            .finish_non_exhaustive()
    }
}

/// An event that was accepted, with the request that brought it. Cheap to clone.
#[derive(Clone)]
pub struct ReceivedEvent {
    pub(crate) filing: Filing,
    pub(crate) request: ReceivedRequest,
}

impl ReceivedEvent {
    fn data(&self) -> &EventData {
        self.request.event_data()
    }

    /// The name, as Intercom files it: `.` and `$` are
    /// [turned](crate::OpenRules::fold_punctuation) into `-`. Upper and lower case are kept here
    /// as they were sent, though they make no difference to Intercom.
    pub fn name(&self) -> &str {
        &self.data().name
    }

    /// The name as it was sent, where Intercom files it under another one.
    pub fn sent_name(&self) -> Option<&str> {
        self.data().sent_name.as_deref()
    }

    /// When it happened, in Unix seconds.
    pub fn created_at(&self) -> i64 {
        self.filing.created_at
    }

    /// The application's own id of the user, where it was sent.
    pub fn user_id(&self) -> Option<&str> {
        self.data().identifiers.user_id.as_deref()
    }

    /// The contact's email address, where it was sent.
    pub fn email(&self) -> Option<&str> {
        self.data().identifiers.email.as_deref()
    }

    /// Intercom's own id of the contact, `id` on the wire, where it was sent.
    pub fn contact_id(&self) -> Option<&str> {
        self.data().identifiers.contact_id.as_deref()
    }

    /// The metadata that Intercom would have kept, in the order sent.
    pub fn metadata(&self) -> &[(String, Value)] {
        &self.data().metadata
    }

    /// Whether something in it is not as the lock has it, where there is a lock.
    pub(crate) fn deviates(&self) -> bool {
        let lock = self.request.inner.rules.lock.as_ref();
        lock.is_some_and(|lock| !lock.deviations(self.name(), self.metadata()).is_empty())
    }

    /// The metadata with the values of keys masked that the [lock](crate::SandboxBuilder::events_lock) marks as
    /// sensitive: to be shown.
    pub fn masked_metadata(&self) -> Cow<'_, [(String, Value)]> {
        self.request.rules().shown_metadata(self.name(), self.metadata().into())
    }

    /// The metadata value of this key. Case makes no difference, as it makes none to Intercom.
    pub fn metadata_value(&self, key: &str) -> Option<&Value> {
        let key = key.to_lowercase();
        self.metadata()
            .iter()
            .find_map(|(name, value)| (name.to_lowercase() == key).then_some(value))
    }

    /// The metadata keys that Intercom would have dropped and said nothing, in the order sent: those
    /// beyond the [limit](crate::OpenRules::metadata_keys), and those whose values the builder
    /// says to drop.
    pub fn dropped_keys(&self) -> &[String] {
        &self.data().dropped_keys
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &[u8] {
        self.request.body()
    }

    /// A header of the request: see [`ReceivedRequest::header`].
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    /// The request that brought the event.
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
            .field("metadata", &self.metadata())
            .field("dropped_keys", &self.dropped_keys())
            .finish_non_exhaustive()
    }
}

/// A header's value where it is plain text, which is what HTTP promises and does not enforce.
fn plain_text(value: &[u8]) -> Option<&str> {
    let plain = value.iter().all(|byte| *byte == b'\t' || (b' '..=b'~').contains(byte));
    std::str::from_utf8(value).ok().filter(|_| plain)
}
