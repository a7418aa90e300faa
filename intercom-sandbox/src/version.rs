//! The version of Intercom's API that a request asks for.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, StatusCode};

use crate::refusal::Refusal;

const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");

/// Both names of the version that is not a number yet: Intercom has renamed it.
const PREVIEW: [&str; 2] = ["Preview", "Unstable"];

/// A version, in order of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ApiVersion {
    Numbered(u8, u8),
    Preview,
}

impl ApiVersion {
    /// The one that a request without the header gets. At Intercom the app's own setting decides.
    pub(crate) const DEFAULT: Self = Self::Numbered(2, 16);

    /// The oldest one whose description the rules here were taken from.
    const OLDEST_WITH_THESE_RULES: Self = Self::Numbered(2, 7);

    /// The version that the headers ask for.
    ///
    /// # Errors
    /// `400` where Intercom does not know it.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(version) = headers.get(INTERCOM_VERSION) else {
            return Ok(Self::DEFAULT);
        };
        version.to_str().ok().and_then(Self::parse).ok_or_else(|| {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                "intercom_version_invalid",
                "The requested version could not be found",
            )
            .with_hint(
                "Send `Intercom-Version: 2.16`, another version from 1.0 to 2.17, `Preview`, or no \
                 such header.",
            )
        })
    }

    /// Reads `2.16`, `Preview` or `Unstable`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if PREVIEW.contains(&text) {
            return Some(Self::Preview);
        }
        let (major, minor) = text.split_once('.')?;
        // Parsing alone would let `2.+9` and `2.09` in.
        let minor: u8 = match minor.as_bytes() {
            [b'+', ..] | [b'0', _, ..] => return None,
            _ => minor.parse().ok()?,
        };
        match (major, minor) {
            ("1", 0..=4) => Some(Self::Numbered(1, minor)),
            ("2", 0..=17) => Some(Self::Numbered(2, minor)),
            _ => None,
        }
    }

    /// What to know about a request that asks for this version, where there is something.
    pub(crate) fn warning(self) -> Option<String> {
        (self < Self::OLDEST_WITH_THESE_RULES).then(|| {
            format!(
                "`Intercom-Version: {self}` is older than the rules of this sandbox, which are those \
                 of 2.7 to 2.17: Intercom may answer otherwise."
            )
        })
    }

    /// Whether the id of a contact's owner is an integer. It is a string from 2.16 on.
    pub(crate) fn has_integer_owner(self) -> bool {
        self < Self::Numbered(2, 16)
    }

    /// Whether it shows what was merged into a contact, and says where a merged contact went.
    pub(crate) fn has_merge_history(self) -> bool {
        self >= Self::Numbered(2, 16)
    }

    /// Whether a search compares dates to the second. Numbered versions compare calendar days.
    pub(crate) fn searches_to_the_second(self) -> bool {
        self == Self::Preview
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbered(major, minor) => write!(f, "{major}.{minor}"),
            Self::Preview => f.write_str(PREVIEW[0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ApiVersion::{self, Numbered, Preview};

    #[test]
    fn versions_are_read_as_intercom_writes_them() {
        for (text, version) in [
            ("1.0", Some(Numbered(1, 0))),
            ("1.4", Some(Numbered(1, 4))),
            ("1.5", None),
            ("2.0", Some(Numbered(2, 0))),
            ("2.17", Some(Numbered(2, 17))),
            ("2.18", None),
            ("2.09", None),
            ("2.+9", None),
            ("2", None),
            ("Preview", Some(Preview)),
            ("Unstable", Some(Preview)),
            ("preview", None),
        ] {
            assert_eq!(ApiVersion::parse(text), version, "{text}");
        }
        assert!(Preview > Numbered(2, 17) && Numbered(2, 16) > Numbered(2, 7));
    }
}
