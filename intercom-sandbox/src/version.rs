//! The API version that a request names.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, StatusCode};

use crate::refusal::Refusal;

const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");

/// Both names of the unnumbered version, which Intercom has renamed.
const PREVIEW: [&str; 2] = ["Preview", "Unstable"];

/// A version, in order of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ApiVersion {
    Numbered(u8, u8),
    Preview,
}

impl ApiVersion {
    /// The version of a request without the header. At Intercom the app's setting decides.
    pub(crate) const DEFAULT: Self = Self::Numbered(2, 16);

    /// The oldest version whose description has these rules.
    const OLDEST_WITH_THESE_RULES: Self = Self::Numbered(2, 7);

    /// Returns the version that the headers name.
    ///
    /// # Errors
    /// `400` if Intercom does not know the version.
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

    /// Parses `2.16`, `Preview` or `Unstable`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if PREVIEW.contains(&text) {
            return Some(Self::Preview);
        }
        let (major, minor) = text.split_once('.')?;
        // Integer parsing alone would accept `2.+9` and `2.09`.
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

    /// Returns a warning about this version, if there is one.
    pub(crate) fn warning(self) -> Option<String> {
        (self < Self::OLDEST_WITH_THESE_RULES).then(|| {
            format!(
                "`Intercom-Version: {self}` is older than the rules of this sandbox, which are \
                 those of 2.7 to 2.17: Intercom may answer otherwise."
            )
        })
    }

    /// Returns whether a contact's owner id is an integer. From 2.16 on it is a string.
    pub(crate) fn has_integer_owner(self) -> bool {
        self < Self::Numbered(2, 16)
    }

    /// Returns whether the version shows merge histories and where a merged contact went.
    pub(crate) fn has_merge_history(self) -> bool {
        self >= Self::Numbered(2, 16)
    }

    /// Returns whether a search compares dates to the second. Numbered versions compare calendar
    /// days.
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
