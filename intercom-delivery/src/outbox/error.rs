//! Errors of an outbox.

use std::error::Error as StdError;
use std::fmt;

/// Why an outbox accepted no event, or does not know whether it did.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The outbox is full.
    #[error("the outbox is full")]
    Full,
    /// One call has more events, or more bytes, than the outbox can ever hold.
    #[error("this is more at once than the outbox can ever hold")]
    ExceedsCapacity,
    /// The store failed, and has none of the events.
    #[error(transparent)]
    Storage(#[from] OutboxError),
    /// The store cannot be reached now, and has none of the events. The same call may work later.
    #[error(transparent)]
    Unavailable(OutboxError),
    /// The connection to a remote store broke during the commit. The store has all of the events,
    /// or none.
    #[error("the events may have been accepted or not: {0}")]
    InDoubt(#[source] OutboxError),
}

/// The same message, with its sources.
impl fmt::Debug for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcceptError::Storage(error) | AcceptError::Unavailable(error) => {
                fmt::Debug::fmt(error, f)
            }
            AcceptError::InDoubt(error) => write!(f, "in doubt: {error:?}"),
            _ => fmt::Display::fmt(self, f),
        }
    }
}

/// A fault of the store behind an outbox: what the outbox tried, and what the store answered.
pub struct OutboxError {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl OutboxError {
    /// Creates a fault. The message must not hold a contact or a value of an event.
    pub fn new(message: impl Into<String>) -> Self {
        OutboxError { message: message.into(), source: None }
    }

    /// Sets the error that caused it. The default is none.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for OutboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The same message, with its sources.
impl fmt::Debug for OutboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        intercom_core::write_with_sources(f, self)
    }
}

impl StdError for OutboxError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
