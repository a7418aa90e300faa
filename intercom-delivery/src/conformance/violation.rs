//! What is told of an outbox that fails.

use std::fmt::Display;

/// A promise that an outbox broke, and where in the sequence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({place})")]
pub struct Violation {
    what: String,
    place: String,
}

impl Violation {
    pub(super) fn new(what: String, place: impl Display) -> Self {
        Violation { what, place: place.to_string() }
    }

    /// What is wrong, in words.
    pub fn what(&self) -> &str {
        &self.what
    }
}

/// What was checked, or what is wrong with it.
pub(super) type Checked<T = ()> = Result<T, String>;

/// Ends the check with these words, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}
pub(super) use ensure;
