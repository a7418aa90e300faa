//! Why something could not be read back.

use std::fmt;

use intercom_core::{ContactError, ErrorKind, SendError, Timestamp};

use super::summary::SummaryError;

/// Why events or summaries could not be read back, or summaries not be submitted.
///
/// It holds no token, contact or value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Intercom does not know the contact: 404 with the code `not_found`. A known contact without events has an empty list.
    #[error(
        "Intercom does not know the contact (HTTP 404); check the identifier and the workspace{}",
        Request(.request_id.as_deref())
    )]
    UnknownContact {
        /// The id that Intercom gave the request, for questions to its support.
        request_id: Option<Box<str>>,
    },
    /// The contact names nobody whom Intercom can look up. Nothing was sent.
    #[error("nothing was asked: {0}")]
    InvalidContact(#[source] ContactError),
    /// Intercom takes summaries by user id alone, and the contact has none. Nothing was sent.
    #[error(
        "nothing was sent: summaries are submitted by user id, and the contact has none; name it by `Contact::user_id`"
    )]
    NoUserId,
    /// A summary cannot be submitted as it is. Nothing was sent.
    #[error("nothing was sent: the summary of `{name}` cannot be submitted: {reason}")]
    InvalidSummary {
        /// The event name of the summary.
        name: Box<str>,
        /// What is wrong with it.
        #[source]
        reason: SummaryError,
    },
    /// One event of a page cannot be read. The stream goes on with the next event.
    #[error(transparent)]
    BadEvent(BadEvent),
    /// A page names a next page that was read before. The stream ends.
    #[error(
        "page {page} names a next page that was read before, so the rest of the list cannot be read; report it to Intercom"
    )]
    RepeatedCursor {
        /// The number of the page that names it, from 1.
        page: u64,
    },
    /// The answer is JSON that is not what was asked for. The stream ends.
    #[error("the answer cannot be read: {reason}; check the base URL and any proxy")]
    UnreadableAnswer {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The request failed. After the retries of a read, the stream ends.
    #[error(transparent)]
    Request(SendError),
}

impl ReadError {
    /// Whether the contact is unknown to Intercom.
    pub fn is_unknown_contact(&self) -> bool {
        matches!(self, ReadError::UnknownContact { .. })
    }

    /// Whether one event alone cannot be read, so that the stream goes on.
    pub fn is_bad_event(&self) -> bool {
        matches!(self, ReadError::BadEvent(_))
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ReadError::Request(error) if error.is_retryable())
    }

    /// Whether no call can succeed before somebody fixes the token, the plan, a permission or the address.
    pub fn needs_operator(&self) -> bool {
        match self {
            ReadError::Request(error) => error.needs_operator(),
            ReadError::UnreadableAnswer { .. } => true,
            _ => false,
        }
    }

    /// Returns the HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            ReadError::UnknownContact { .. } => Some(404),
            ReadError::Request(error) => error.status(),
            _ => None,
        }
    }

    /// Returns the id that Intercom gave the request, for questions to its support.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            ReadError::UnknownContact { request_id } => request_id.as_deref(),
            ReadError::Request(error) => error.request_id(),
            _ => None,
        }
    }
}

impl From<SendError> for ReadError {
    fn from(error: SendError) -> Self {
        match error.kind() {
            ErrorKind::UnknownContact => {
                ReadError::UnknownContact { request_id: error.request_id().map(Into::into) }
            }
            _ => ReadError::Request(error),
        }
    }
}

/// An event of a page that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {} of page {page}{} cannot be read: {reason}", place + 1, Named(.name.as_deref()))]
#[non_exhaustive]
pub struct BadEvent {
    /// The number of its page, from 1.
    pub page: u64,
    /// Its index in the page, from 0.
    pub place: usize,
    /// Its name, if that can be read.
    pub name: Option<Box<str>>,
    /// Its second, if that can be read.
    pub created_at: Option<Timestamp>,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Metadata that is not of the type it was to be read as.
///
/// It names the key, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metadata of `{event}` is not of the type `{wanted}`: at `{key}`{}", Expected(.expected.as_deref()))]
#[non_exhaustive]
pub struct UnlikeMetadata {
    /// The name of the event.
    pub event: Box<str>,
    /// The type that was asked for.
    pub wanted: &'static str,
    /// The key at which it differs; `.` stands for all of the metadata.
    pub key: Box<str>,
    /// What the type expects there, if it says so.
    pub expected: Option<Box<str>>,
}

struct Request<'a>(Option<&'a str>);

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, " [request {id}]"))
    }
}

struct Named<'a>(Option<&'a str>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, ", `{name}`,"))
    }
}

struct Expected<'a>(Option<&'a str>);

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |expected| write!(f, ", {expected}"))
    }
}
