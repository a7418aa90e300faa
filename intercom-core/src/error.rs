//! The error of a failed send.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::event_name::EventName;
use crate::invalid::InvalidEvent;
use crate::receipt::RateLimit;

/// The error of a failed send, and what to do about it.
///
/// At most one of these methods returns `true`:
///
/// - [`is_retryable`](Self::is_retryable): the fault may pass. Send the same event again, not
///   before [`retry_after`](Self::retry_after).
/// - [`is_permanent`](Self::is_permanent): Intercom will not take this event, and no retry will
///   help.
/// - [`needs_operator`](Self::needs_operator): the access token, a permission, the address or
///   the store is wrong, for example. Other events fail too until a person fixes that.
///
/// An unknown contact is none of the three: give up, wait or create the contact, as you choose.
///
/// The error holds no token, contact or value. Where Intercom's own message repeats a value, the
/// error may hold it, if it is a boolean or has at most three characters.
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
    api_errors: Vec<ApiError>,
    request_id: Option<Box<str>>,
    retry_after: Option<Duration>,
    rate_limit: Option<RateLimit>,
    detail: Option<Cow<'static, str>>,
    in_doubt: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of fault. Later versions may add kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The event is invalid. Nothing was sent. Permanent.
    InvalidEvent,
    /// The contact cannot be created: an identifier is invalid, or there is neither a user id nor
    /// an email address. Nothing was sent. Permanent.
    InvalidContact,
    /// Intercom refused the event: 400, 406, 413, 415, 422 or another 4xx, with Intercom's error
    /// list. Permanent.
    Rejected,
    /// Intercom takes no new event name, because the workspace has its limit of 120. Archive event
    /// names in Intercom. Permanent.
    EventNameLimit,
    /// Intercom does not know the contact: 404 with a code such as `not_found`. The caller decides
    /// what to do.
    UnknownContact,
    /// Several contacts match this identifier: the code `conflict`, or 409. Permanent.
    AmbiguousContact,
    /// The access token is wrong or revoked: 401. Needs an operator.
    Unauthorized,
    /// The plan or a permission does not allow the request: 402 or 403. Needs an operator.
    Forbidden,
    /// Too many requests: 429. Retryable.
    RateLimited,
    /// Intercom, or a server on the way, is unavailable: 408, 425 or 5xx. Retryable.
    Unavailable,
    /// No response came in time. The event may have arrived. Retryable.
    Timeout,
    /// The connection failed or broke. The event may have arrived. Retryable.
    Connection,
    /// The server's certificate is not trusted: it has an unknown issuer, for example, or another
    /// host's name. Needs an operator.
    Certificate,
    /// A proxy refuses to connect to Intercom, or requires credentials. Needs an operator.
    Proxy,
    /// The response did not come from Intercom: a redirect, a proxy's page, or a 4xx without
    /// Intercom's error list. Needs an operator. If only one event fails so, a firewall may refuse
    /// that event's body.
    UnexpectedAnswer,
    /// The transport does not support the call. Needs an operator.
    Unsupported,
    /// A transport that stores events is full, and did not accept the event. Retryable.
    Full,
    /// A transport that stores events failed to store this event. It did not accept the event, unless
    /// the error is [in doubt](SendError::is_in_doubt). Needs an operator.
    Storage,
    /// A transport that stores events cannot reach its store now, and did not accept the event.
    /// Retryable.
    StoreUnavailable,
    /// A transport that stores events is shut down, and did not accept the event. Needs an
    /// operator.
    Closed,
}

/// An error from the list in Intercom's response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The error's code. Intercom may add codes.
    pub code: String,
    /// Intercom's message.
    pub message: Option<String>,
    /// The member of the request that is wrong.
    pub field: Option<String>,
}

impl ApiError {
    /// Creates an error of this code.
    pub fn new(code: impl Into<String>) -> Self {
        ApiError { code: code.into(), message: None, field: None }
    }

    /// Adds Intercom's message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Adds the member of the request that is wrong.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// Constructors for transports.
impl SendError {
    /// Creates an error of this kind, without details.
    pub fn new(kind: ErrorKind) -> Self {
        SendError(Box::new(Inner {
            kind,
            event: None,
            status: None,
            api_errors: Vec::new(),
            request_id: None,
            retry_after: None,
            rate_limit: None,
            detail: None,
            in_doubt: false,
            source: None,
        }))
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds the errors that Intercom listed. They must hold neither the contact nor a value.
    #[must_use]
    pub fn with_api_errors(mut self, api_errors: Vec<ApiError>) -> Self {
        self.0.api_errors = api_errors;
        self
    }

    /// Adds the id that Intercom gave the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<Box<str>>) -> Self {
        self.0.request_id = Some(request_id.into());
        self
    }

    /// Adds the shortest wait before the next attempt.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds the rate limit that Intercom reported.
    #[must_use]
    pub fn with_rate_limit(mut self, rate_limit: RateLimit) -> Self {
        self.0.rate_limit = Some(rate_limit);
        self
    }

    /// Adds a few words on what happened. They must hold no token, contact or value.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Marks the error as in doubt: a store may have accepted the event.
    #[must_use]
    pub fn with_doubt(mut self) -> Self {
        self.0.in_doubt = true;
        self
    }

    /// Adds the source of this error. Deliveries store and log the source's chain, so it must hold
    /// no token, contact or value.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Names the event, unless it is named already. [`Tracker`](crate::Tracker) calls this. Callers
    /// without a tracker may call it too.
    #[must_use]
    pub fn with_event_name(mut self, name: EventName) -> Self {
        self.0.event.get_or_insert(name);
        self
    }
}

/// Questions about the fault.
impl SendError {
    /// Returns the kind of fault.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether the fault may pass. Then the caller can send the same event again.
    ///
    /// The event keeps its time, by which Intercom recognizes the repetition.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{Connection, Full, RateLimited, StoreUnavailable, Timeout, Unavailable};
        matches!(
            self.0.kind,
            RateLimited | Unavailable | Timeout | Connection | Full | StoreUnavailable
        )
    }

    /// Returns whether Intercom will never take this event unchanged.
    pub fn is_permanent(&self) -> bool {
        use ErrorKind::{AmbiguousContact, EventNameLimit, InvalidContact, InvalidEvent, Rejected};
        matches!(
            self.0.kind,
            InvalidEvent | InvalidContact | Rejected | EventNameLimit | AmbiguousContact
        )
    }

    /// Returns whether a person must fix the cause: the token, the plan, a permission, the address,
    /// a proxy, a certificate, the transport or its store.
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

    /// Returns whether a store may have accepted the event: its connection broke during the commit,
    /// and no server has answered since. Sending the event again may send it twice.
    pub fn is_in_doubt(&self) -> bool {
        self.0.in_doubt
    }

    /// Returns the name of the event that failed.
    pub fn event_name(&self) -> Option<&EventName> {
        self.0.event.as_ref()
    }

    /// Returns the HTTP status of the response, if one came.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the errors that Intercom listed in its response.
    pub fn api_errors(&self) -> &[ApiError] {
        &self.0.api_errors
    }

    /// Returns the id that Intercom gave the request. Intercom's support asks for it.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns how long to wait before the next request, if the response says so. The time counts
    /// from the response.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the rate limit that Intercom reported.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.0.rate_limit
    }

    /// Returns what is wrong with an event that failed the check before sending.
    pub fn invalid_event(&self) -> Option<&InvalidEvent> {
        self.0.source.as_deref()?.downcast_ref()
    }
}

impl From<InvalidEvent> for SendError {
    fn from(invalid: InvalidEvent) -> Self {
        let name = invalid.event_name().clone();
        SendError::new(ErrorKind::InvalidEvent).with_source(invalid).with_event_name(name)
    }
}

impl ErrorKind {
    /// Returns what happened, and what to do.
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
                Some("check the disk, the file or the database in which events are stored"),
            ),
            ErrorKind::StoreUnavailable => {
                ("the store of events cannot be reached now", Some("send it again later"))
            }
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
        let Inner { event, status, api_errors, request_id, retry_after, detail, .. } = &*self.0;
        let (happened, advice) = match self.is_in_doubt() {
            true => ("its store did not answer", Some("sending it again may send it twice")),
            false => self.0.kind.explain(),
        };
        match event {
            Some(event) if self.is_in_doubt() => {
                write!(f, "event `{event}` may have been accepted: {happened}")?;
            }
            Some(event) => write!(f, "event `{event}` was not taken: {happened}")?,
            None => write!(f, "{happened}")?,
        }
        if let Some(status) = status {
            write!(f, " (HTTP {status})")?;
        }
        if let Some(detail) = detail {
            write!(f, ": {detail}")?;
        }
        for ApiError { code, message, field } in api_errors {
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

/// Writes the sentence of an error, and of its sources. `Debug` of this project's errors calls it,
/// because a `main` that returns an error prints its `Debug`.
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

/// The sentence and its sources, because a `main` that returns this error prints its `Debug`.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_sources(f, self)
    }
}

impl StdError for SendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // This error's own sentence includes the message of an invalid event.
        match self.invalid_event() {
            Some(_) => None,
            None => self.0.source.as_deref().map(|source| source as _),
        }
    }
}
