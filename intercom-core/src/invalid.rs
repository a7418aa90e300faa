//! Errors of an event that fails the checks before any I/O.

use std::fmt;

use crate::contact::ContactError;
use crate::event_name::EventName;
use crate::rules::{KeyError, NameError};
use crate::value::ValueError;

/// The error of an event that Intercom would refuse or misread. Nothing was sent.
///
/// The error names the event and the key, and never holds a value or a contact.
///
/// ```
/// use intercom_core::{DynamicEvent, Reason, ValueError};
///
/// let error = DynamicEvent::new("invoice_paid").unwrap().with("share", f64::NAN).unwrap_err();
/// assert_eq!((error.event_name().as_str(), error.key()), ("invoice_paid", Some("share")));
/// assert_eq!(error.reason(), &Reason::Value(ValueError::NotFinite));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidEvent {
    event: EventName,
    key: Option<Box<str>>,
    reason: Reason,
}

/// The reason that an event is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The event's name is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A metadata key is invalid.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A metadata value is invalid.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The contact is invalid.
    #[error(transparent)]
    Contact(#[from] ContactError),
    /// The event's time is so large that it must be milliseconds: a number of over 100,000,000,000.
    #[error(
        "its time is in the range of milliseconds, and Intercom takes seconds; divide it by 1000"
    )]
    CreatedAtMilliseconds,
    /// The event has no time of its own, and this machine's clock is wrong: it shows a time before
    /// October 2026.
    #[error(
        "its time would be now, and the clock of this machine shows a time before this version of \
         the library was written; set the clock, or give the event a time"
    )]
    ClockNotSet,
}

impl InvalidEvent {
    pub(crate) fn new(event: EventName, key: Option<Box<str>>, reason: Reason) -> Self {
        InvalidEvent { event, key, reason }
    }

    /// Returns the name of the event.
    pub fn event_name(&self) -> &EventName {
        &self.event
    }

    /// Returns the metadata key at fault, if a single key is.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns what is wrong.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names known only at run time may hold line breaks.
        write!(f, "event `{}`", self.event.escape_debug())?;
        if let Some(key) = &self.key {
            write!(f, ", key `{}`", key.escape_debug())?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// A `main` that returns this error prints its `Debug`, so `Debug` is the error's sentence.
impl fmt::Debug for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for InvalidEvent {}
