//! Why an event was not taken.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::event_name::EventName;
use crate::invalid::InvalidEvent;
use crate::receipt::RateLimit;

/// Why an event was not taken, and what to do about it.
///
/// There are three kinds of fault, and so three questions, of which at most one is answered with yes:
///
/// - [`is_retryable`](Self::is_retryable): it may pass; send the same event again, not before
///   [`retry_after`](Self::retry_after).
/// - [`is_permanent`](Self::is_permanent): it is this event's fault, and no repetition will help.
/// - [`needs_operator`](Self::needs_operator): it is no event's fault. The access token, the plan, a
///   permission or the address is wrong, every event would meet the same answer, and somebody must
///   mend it.
///
/// An unknown contact is none of the three: whether to give up, wait or create the contact is your choice.
///
/// It never holds a token, a contact or a value, but for what Intercom itself repeats and is shorter than four characters.
///
/// ```
/// use intercom_core::{ErrorKind, SendError};
///
/// fn log(error: &SendError) {
///     match error.kind() {
///         ErrorKind::RateLimited => eprintln!("again in {:?}", error.retry_after()),
///         _ => eprintln!("{error} (request {:?})", error.request_id()),
///     }
/// }
/// ```
pub struct SendError(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    event: Option<EventName>,
    status: Option<u16>,
    answers: Vec<ApiError>,
    request_id: Option<Box<str>>,
    retry_after: Option<Duration>,
    rate_limit: Option<RateLimit>,
    detail: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of fault. New ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The event was found invalid before anything was sent. Permanent.
    InvalidEvent,
    /// The contact cannot be created from what is known of it. Found before anything was sent. Permanent.
    InvalidContact,
    /// Intercom refused the event: 400, 406, 413, 415, 422 or another 4xx, with Intercom's error list. Permanent.
    Rejected,
    /// Intercom takes no new event name, because the workspace has 120 already. Permanent.
    EventNameLimit,
    /// Intercom does not know the contact: 404 with the code `not_found`. What to do is your choice.
    UnknownContact,
    /// Several contacts answer to this identifier: the code `conflict`, or 409. Permanent.
    AmbiguousContact,
    /// The access token is wrong or revoked: 401. Needs an operator.
    Unauthorized,
    /// The plan or a permission does not allow it: 402 or 403. Needs an operator.
    Forbidden,
    /// Too many requests: 429. Retryable.
    RateLimited,
    /// Intercom, or something on the way to it, cannot answer now: 408, 425 or 5xx. Retryable.
    Unavailable,
    /// No answer came in time. The event may have arrived. Retryable.
    Timeout,
    /// The connection could not be made, or broke. The event may have arrived. Retryable.
    Connection,
    /// The server's certificate is not trusted: its authority is unknown, say, or it is another host's. Needs an operator.
    Certificate,
    /// A proxy does not connect to Intercom, or wants credentials. Needs an operator.
    Proxy,
    /// The response did not come from Intercom: a redirect, say, the page of a proxy, or a 4xx without Intercom's
    /// error list. Needs an operator, unless one event alone gets it.
    UnexpectedAnswer,
    /// The transport cannot do what was asked of it. Needs an operator.
    Unsupported,
    /// A transport that stores events for later delivery has no room. The event was not accepted.
    /// Retryable.
    Full,
    /// A transport that stores events for later delivery could not store this one. The event was not
    /// accepted. Needs an operator.
    Storage,
    /// A transport that stores events for later delivery has been shut down. The event was not
    /// accepted. Needs an operator.
    Closed,
}

/// One error of those that Intercom listed in its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// What kind of error; an open set.
    pub code: String,
    /// What Intercom says about it.
    pub message: Option<String>,
    /// The field that is wrong.
    pub field: Option<String>,
}

impl ApiError {
    /// An error of this code.
    pub fn new(code: impl Into<String>) -> Self {
        ApiError { code: code.into(), message: None, field: None }
    }

    /// Adds what Intercom says about it.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Adds the field that is wrong.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// Making errors: for transports.
impl SendError {
    /// An error of this kind, of which nothing more is known.
    pub fn new(kind: ErrorKind) -> Self {
        SendError(Box::new(Inner {
            kind,
            event: None,
            status: None,
            answers: Vec::new(),
            request_id: None,
            retry_after: None,
            rate_limit: None,
            detail: None,
            source: None,
        }))
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds the errors that Intercom listed. They must not hold the contact or a value.
    #[must_use]
    pub fn with_answers(mut self, answers: Vec<ApiError>) -> Self {
        self.0.answers = answers;
        self
    }

    /// Adds the id that Intercom gave the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<Box<str>>) -> Self {
        self.0.request_id = Some(request_id.into());
        self
    }

    /// Adds how long to wait before sending again.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds what Intercom said about its rate limit.
    #[must_use]
    pub fn with_rate_limit(mut self, rate_limit: RateLimit) -> Self {
        self.0.rate_limit = Some(rate_limit);
        self
    }

    /// Adds a few words on what happened. They must not hold a token, the contact or a value.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the error behind this one. What it says, and what is behind it, is stored and logged by deliveries: it must
    /// not hold a token, the contact or a value.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Names the event, if none is named yet. [`Tracker`](crate::Tracker) does this; whoever sends in
    /// another way may.
    #[must_use]
    pub fn with_event(mut self, name: EventName) -> Self {
        self.0.event.get_or_insert(name);
        self
    }
}

/// Asking what happened.
impl SendError {
    /// Which kind of fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the fault may pass, so that the same event can be sent again.
    ///
    /// Its time stays what it was: Intercom knows the repetition by it.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{Connection, Full, RateLimited, Timeout, Unavailable};
        matches!(self.0.kind, RateLimited | Unavailable | Timeout | Connection | Full)
    }

    /// Whether this event will never be taken as it is.
    pub fn is_permanent(&self) -> bool {
        use ErrorKind::{AmbiguousContact, EventNameLimit, InvalidContact, InvalidEvent, Rejected};
        matches!(
            self.0.kind,
            InvalidEvent | InvalidContact | Rejected | EventNameLimit | AmbiguousContact
        )
    }

    /// Whether no event can pass until somebody mends the token, the plan, a permission, the address, or what lies on the way:
    /// a proxy or a certificate.
    pub fn needs_operator(&self) -> bool {
        use ErrorKind::*;
        matches!(
            self.0.kind,
            Unauthorized
                | Forbidden
                | Certificate
                | Proxy
                | UnexpectedAnswer
                | Unsupported
                | Storage
                | Closed
        )
    }

    /// The name of the event that was to be sent.
    pub fn event(&self) -> Option<&str> {
        self.0.event.as_deref()
    }

    /// The HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The errors that Intercom listed in its answer.
    pub fn answers(&self) -> &[ApiError] {
        &self.0.answers
    }

    /// The id that Intercom gave the request, for questions to its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long Intercom asks to wait before the next request, counted from the moment of its answer.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What Intercom said about its rate limit.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.0.rate_limit
    }

    /// What is wrong with the event, when it was found invalid before anything was sent.
    pub fn invalid_event(&self) -> Option<&InvalidEvent> {
        self.0.source.as_deref()?.downcast_ref()
    }
}

impl From<InvalidEvent> for SendError {
    fn from(invalid: InvalidEvent) -> Self {
        let name = invalid.event_name().clone();
        SendError::new(ErrorKind::InvalidEvent).with_source(invalid).with_event(name)
    }
}

impl ErrorKind {
    /// What happened, and what to do.
    fn explain(self) -> (&'static str, Option<&'static str>) {
        match self {
            ErrorKind::InvalidEvent => ("it is invalid", None),
            ErrorKind::InvalidContact => (
                "the contact cannot be created",
                Some("name it by a user id or an email address; Intercom gives contact ids itself"),
            ),
            ErrorKind::Rejected => ("Intercom refused it", None),
            ErrorKind::EventNameLimit => (
                "Intercom takes no new event name",
                Some("archive event names in Intercom's settings, or use one that it knows"),
            ),
            ErrorKind::UnknownContact => (
                "Intercom does not know the contact",
                Some("create the contact first, then send the event again"),
            ),
            ErrorKind::AmbiguousContact => (
                "several contacts in Intercom answer to this identifier",
                Some("name the contact by user id or contact id"),
            ),
            ErrorKind::Unauthorized => (
                "Intercom did not accept the credentials",
                Some("check the access token, and that it belongs to this region"),
            ),
            ErrorKind::Forbidden => (
                "Intercom's plan or the app's permissions do not allow it",
                Some("check the workspace's plan and what the access token may do"),
            ),
            ErrorKind::RateLimited => ("Intercom takes no more requests for now", None),
            ErrorKind::Unavailable => ("Intercom cannot answer now", None),
            ErrorKind::Timeout => ("no answer came in time", None),
            ErrorKind::Connection => ("the connection failed", None),
            ErrorKind::Certificate => ("the server's certificate is not trusted", None),
            ErrorKind::Proxy => ("a proxy refused the connection", None),
            ErrorKind::UnexpectedAnswer => {
                ("the answer is none of Intercom's", Some("check the base URL and any proxy"))
            }
            ErrorKind::Unsupported => ("the transport cannot do this", None),
            ErrorKind::Full => (
                "there is no room to store another event",
                Some(
                    "send it again when pending events have been delivered, or raise the capacity",
                ),
            ),
            ErrorKind::Storage => (
                "the event could not be stored",
                Some("check the disk and the file that events are stored in"),
            ),
            ErrorKind::Closed => (
                "the transport has been shut down",
                Some("send events before the shutdown, or start another"),
            ),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(invalid) = self.invalid_event() {
            return write!(f, "not sent: {invalid}");
        }
        let Inner { event, status, answers, request_id, retry_after, detail, .. } = &*self.0;
        let (happened, advice) = self.0.kind.explain();
        match event {
            Some(event) => write!(f, "event `{event}` was not taken: {happened}")?,
            None => write!(f, "{happened}")?,
        }
        if let Some(status) = status {
            write!(f, " (HTTP {status})")?;
        }
        if let Some(detail) = detail {
            write!(f, ": {detail}")?;
        }
        for ApiError { code, message, field } in answers {
            write!(f, ": {code}")?;
            if let Some(field) = field {
                write!(f, " in {field}")?;
            }
            if let Some(message) = message {
                write!(f, ", {message:?}")?;
            }
        }
        if let Some(advice) = advice {
            write!(f, "; {advice}")?;
        }
        if let Some(wait) = retry_after {
            write!(f, "; again after {} s", wait.as_secs_f64().ceil())?;
        }
        if let Some(request_id) = request_id {
            write!(f, " [request {request_id}]")?;
        }
        Ok(())
    }
}

/// Writes the sentence of an error, and of what it comes from. It is for the `Debug` of errors of ours, which is what a
/// `main` shows that ends with one.
#[doc(hidden)]
pub fn write_with_sources(f: &mut fmt::Formatter<'_>, error: &dyn StdError) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

/// The same sentence, and what it comes from.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_sources(f, self)
    }
}

impl StdError for SendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message of an invalid event is part of this error's own.
        match self.invalid_event() {
            Some(_) => None,
            None => self.0.source.as_deref().map(|source| source as _),
        }
    }
}
