//! Errors of reading back.

use std::fmt;

use intercom_core::{ContactError, ErrorKind, SendError, Timestamp};

use super::summary::SummaryError;

/// The reason that reading events or summaries failed, or submitting summaries.
///
/// The error holds no token, contact or value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Intercom does not know the contact: 404 with the code `not_found`. A known contact without
    /// events has an empty list.
    #[error(
        "Intercom does not know the contact (HTTP 404); check the identifier and the workspace{}",
        Request(.request_id.as_deref())
    )]
    UnknownContact {
        /// The id that Intercom gave the request. Intercom's support asks for it.
        request_id: Option<Box<str>>,
    },
    /// The contact has no valid identifier. Nothing was sent.
    #[error("the request was not sent: {0}")]
    InvalidContact(#[source] ContactError),
    /// The contact has no user id, which Intercom requires for summaries. Nothing was sent.
    #[error(
        "nothing was sent: summaries are submitted by user id, and the contact has none; \
         name it by `Contact::user_id`"
    )]
    NoUserId,
    /// A summary is invalid. Nothing was sent.
    #[error("nothing was sent: the summary of `{name}` cannot be submitted: {reason}")]
    InvalidSummary {
        /// The event name of the summary.
        name: Box<str>,
        /// What is wrong with it.
        #[source]
        reason: SummaryError,
    },
    /// One event of a page is unreadable. The stream goes on with the next event.
    #[error(transparent)]
    BadEvent(BadEvent),
    /// The next page that a page names was read already. The stream ends.
    #[error(
        "page {page} names a next page that was read before, so the rest of the list cannot be \
         read; report it to Intercom"
    )]
    RepeatedCursor {
        /// The number of the page that names it, counted from 1.
        page: u64,
    },
    /// The response is JSON of another shape. The stream ends.
    #[error("the response cannot be read: {reason}; check the base URL and any proxy")]
    UnreadableAnswer {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The request failed. After the retries of a read, the stream ends.
    #[error(transparent)]
    Request(SendError),
}

impl ReadError {
    /// Returns whether the contact is unknown to Intercom.
    pub fn is_unknown_contact(&self) -> bool {
        matches!(self, ReadError::UnknownContact { .. })
    }

    /// Returns whether one event alone is unreadable, so that the stream goes on.
    pub fn is_bad_event(&self) -> bool {
        matches!(self, ReadError::BadEvent(_))
    }

    /// Returns whether the same call may succeed later. After a failed
    /// [`submit_summaries`](crate::HttpTransport::submit_summaries), Intercom may have the
    /// summaries already.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ReadError::Request(error) if error.is_retryable())
    }

    /// Returns whether a person must fix the cause: the token, the plan, a permission, the address,
    /// a proxy or a certificate.
    pub fn needs_operator(&self) -> bool {
        match self {
            ReadError::Request(error) => error.needs_operator(),
            ReadError::UnreadableAnswer { .. } => true,
            _ => false,
        }
    }

    /// Returns the HTTP status of the response, if one came.
    pub fn status(&self) -> Option<u16> {
        match self {
            ReadError::UnknownContact { .. } => Some(404),
            ReadError::Request(error) => error.status(),
            _ => None,
        }
    }

    /// Returns the id that Intercom gave the request. Intercom's support asks for it.
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

/// An unreadable event of a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {} of page {page}{} cannot be read: {reason}", index + 1, Named(.name.as_deref()))]
#[non_exhaustive]
pub struct BadEvent {
    /// The number of its page, counted from 1.
    pub page: u64,
    /// Its index in the page, counted from 0.
    pub index: usize,
    /// Its name, if readable.
    pub name: Option<Box<str>>,
    /// Its `created_at`, if readable.
    pub created_at: Option<Timestamp>,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Metadata that does not have the requested type.
///
/// The error names the key, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metadata of `{event}` does not have the type `{requested}`: at `{key}`{}", Expected(.expected.as_deref()))]
#[non_exhaustive]
pub struct MetadataMismatch {
    /// The name of the event.
    pub event: Box<str>,
    /// The requested type.
    pub requested: &'static str,
    /// The key that differs. `.` means the whole metadata.
    pub key: Box<str>,
    /// The type that the key expects, if known.
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
