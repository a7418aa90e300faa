//! The regions where Intercom keeps data.

use std::fmt;

use serde::{Serialize, Serializer};

/// A region of Intercom, as `GET /me` returns it: see
/// [`SandboxBuilder::region`](crate::SandboxBuilder::region). Displayed as `US`, `EU` or `AU`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Region {
    /// The United States of America.
    #[default]
    Us,
    /// Europe.
    Eu,
    /// Australia.
    Au,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Us => "US",
            Self::Eu => "EU",
            Self::Au => "AU",
        })
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
