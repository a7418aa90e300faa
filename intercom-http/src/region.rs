//! The region of a workspace's data, and Intercom's host there.

use std::fmt;
use std::str::FromStr;

/// The region where Intercom stores a workspace's data. An access token works in its own region
/// only.
///
/// Its text is `us`, `eu` or `au`. Parsing ignores case and surrounding white space, and fails for
/// any other text. Later versions may add regions.
///
/// ```
/// use intercom_http::Region;
///
/// let region: Region = "EU".parse()?;
/// assert_eq!(region, Region::Eu);
/// assert_eq!(region.to_string(), "eu");
/// assert_eq!(region.base_url(), "https://api.eu.intercom.io");
/// # Ok::<(), intercom_http::UnknownRegion>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Region {
    /// The United States: `https://api.intercom.io`.
    #[default]
    Us,
    /// Europe: `https://api.eu.intercom.io`.
    Eu,
    /// Australia: `https://api.au.intercom.io`.
    Au,
}

impl Region {
    /// Returns the documented address of Intercom's API in this region.
    pub fn base_url(self) -> &'static str {
        match self {
            Region::Us => "https://api.intercom.io",
            Region::Eu => "https://api.eu.intercom.io",
            Region::Au => "https://api.au.intercom.io",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Region::Us => "us",
            Region::Eu => "eu",
            Region::Au => "au",
        })
    }
}

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        let text = text.trim();
        [Region::Us, Region::Eu, Region::Au]
            .into_iter()
            .find(|region| text.eq_ignore_ascii_case(&region.to_string()))
            .ok_or_else(|| UnknownRegion::new(text))
    }
}

/// A text that is not a region.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the region{} is unknown; it is one of `us`, `eu` and `au`", .shown.as_deref().map(|text| format!(" `{text}`")).unwrap_or_default())]
pub struct UnknownRegion {
    shown: Option<String>,
}

/// A `main` that returns this error prints its `Debug`, so `Debug` is the error's sentence.
impl fmt::Debug for UnknownRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl UnknownRegion {
    /// The longest text that the message repeats. A longer one may be a misplaced secret.
    const MAX_SHOWN: usize = 16;

    fn new(text: &str) -> Self {
        let harmless = text.len() <= Self::MAX_SHOWN && !text.chars().any(char::is_control);
        UnknownRegion { shown: harmless.then(|| text.to_owned()) }
    }
}
