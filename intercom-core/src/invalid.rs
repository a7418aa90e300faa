//! What is wrong with an event that is not sent: found before any I/O.

use std::fmt;

use crate::contact::ContactError;
use crate::event_name::EventName;
use crate::rules::{KeyError, NameError};
use crate::value::ValueError;

/// An event that Intercom would refuse or misread, found out before anything was sent.
///
/// It names the event and the key, and never holds a value or a contact.
///
/// ```
/// use intercom_core::{DynamicEvent, Reason, ValueError};
///
/// let error = DynamicEvent::new("invoice_paid").unwrap().with("share", f64::NAN).unwrap_err();
/// assert_eq!((error.event(), error.key()), ("invoice_paid", Some("share")));
/// assert_eq!(error.reason(), &Reason::Value(ValueError::NotFinite));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidEvent {
    event: EventName,
    key: Option<Box<str>>,
    reason: Reason,
}

/// Why an event is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Its name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A key of its metadata.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A value of its metadata.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Whose event it is.
    #[error(transparent)]
    Contact(#[from] ContactError),
    /// Its time is in the range of milliseconds.
    #[error(
        "its time is in the range of milliseconds, and Intercom takes seconds; divide it by 1000"
    )]
    CreatedAtMilliseconds,
}

impl InvalidEvent {
    pub(crate) fn new(event: EventName, key: Option<Box<str>>, reason: Reason) -> Self {
        InvalidEvent { event, key, reason }
    }

    pub(crate) fn event_name(&self) -> &EventName {
        &self.event
    }

    /// The name of the event.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// The metadata key whose value is wrong, when it is one key's fault.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What is wrong.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names known only at run time may hold anything, also line breaks.
        write!(f, "event `{}`", self.event.escape_debug())?;
        if let Some(key) = &self.key {
            write!(f, ", key `{}`", key.escape_debug())?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// The same sentence: it is what a `main` shows that ends with an error.
impl fmt::Debug for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for InvalidEvent {}
