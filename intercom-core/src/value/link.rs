//! Links.

use super::{MetadataValue, ValueEncoder, ValueError, Written, kind};

/// A link with the text that Intercom shows for it.
///
/// The URL is checked when the event is sent: it must be `http` or `https`.
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
    /// A link to `url`, shown as `text`.
    pub fn new(url: impl Into<Box<str>>, text: impl Into<Box<str>>) -> Self {
        RichLink { url: url.into(), text: text.into() }
    }

    /// Where the link leads.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is shown for it.
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

/// Gives the URL back when Intercom would take it for a link.
///
/// This is no URL parser: it refuses what is certainly no web link, and leaves the rest to the user
/// (`url::Url` is a value under the feature `url`).
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
