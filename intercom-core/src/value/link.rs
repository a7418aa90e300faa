//! Links.

use super::{MetadataValue, ValueEncoder, ValueError, Written, kind};

/// A link with the label that Intercom shows for it.
///
/// `send` fails if the URL is not an `http` or `https` URL, or if a text has over 255 characters.
///
/// ```
/// use intercom_core::RichLink;
///
/// let order = RichLink::new("https://example.com/orders/1123", "Order #1123");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RichLink {
    url: Box<str>,
    text: Box<str>,
}

impl RichLink {
    /// Creates a link to `url`, shown as `text`.
    pub fn new(url: impl Into<Box<str>>, text: impl Into<Box<str>>) -> Self {
        RichLink { url: url.into(), text: text.into() }
    }

    /// Returns the URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the label.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[diagnostic::do_not_recommend]
impl MetadataValue for RichLink {
    type Kind = kind::RichLink;

    fn encode(&self, encoder: ValueEncoder<'_, kind::RichLink>) -> Result<Written, ValueError> {
        encoder.rich_link(&self.url, &self.text)
    }
}

/// Returns the URL if Intercom would show it as a link.
///
/// This is not a URL parser. It refuses only text that is certainly not a web link. For a parsed
/// URL, enable the feature `url`, which makes `url::Url` a value.
pub(super) fn checked(url: &str) -> Result<&str, ValueError> {
    let after_scheme = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let host_starts = |rest: &str| !rest.starts_with(['/', '?', '#', ':', '@']) && !rest.is_empty();
    let unprintable = |c: char| c.is_whitespace() || c.is_control();
    match after_scheme {
        Some(rest) if host_starts(rest) && !url.contains(unprintable) => Ok(url),
        _ => Err(ValueError::InvalidLink),
    }
}
