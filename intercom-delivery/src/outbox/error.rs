//! What can go wrong in an outbox.

use std::error::Error as StdError;
use std::fmt;

/// Why an outbox accepted nothing, or cannot say.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// It holds as much as it may.
    #[error("the outbox is full")]
    Full,
    /// It is more at once than it can ever hold.
    #[error("this is more at once than the outbox can ever hold")]
    TooMuch,
    /// It could not keep the events safe.
    #[error(transparent)]
    Storage(#[from] OutboxError),
    /// The connection to a remote store broke within the commit, and nobody can tell its end: all of
    /// the events were accepted, or none.
    #[error("the events may have been accepted or not: {0}")]
    InDoubt(#[source] OutboxError),
}

/// The same sentence, and what it comes from.
impl fmt::Debug for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcceptError::Storage(error) => fmt::Debug::fmt(error, f),
            AcceptError::InDoubt(error) => write!(f, "in doubt: {error:?}"),
            _ => fmt::Display::fmt(self, f),
        }
    }
}

/// A fault of the store behind an outbox: what was tried, and what the store says.
pub struct OutboxError {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl OutboxError {
    /// A fault in these words. They must not hold a contact or a value of an event.
    pub fn new(message: impl Into<String>) -> Self {
        OutboxError { message: message.into(), source: None }
    }

    /// Adds the error behind it.
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

/// The same sentence, and what it comes from.
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
