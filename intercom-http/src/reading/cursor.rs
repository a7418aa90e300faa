//! Addresses of pages. This follows only the cursor of `pages.next`, so that no other host sees the
//! token, and no page names another contact.

use intercom_core::Contact;
use reqwest::Url;
use serde_json::Value;

/// Parameters that this crate always sets itself, whatever a page says.
const OWN: [&str; 5] = ["type", "user_id", "email", "intercom_user_id", "per_page"];

/// Returns the address of a contact's events. Intercom takes exactly one identifier. Its own id
/// comes first, because no other contact ever has it.
pub(super) fn address(events: &Url, contact: &Contact) -> Url {
    let identifiers = [
        ("intercom_user_id", contact.as_contact_id()),
        ("user_id", contact.as_user_id()),
        ("email", contact.as_email()),
    ];
    let mut url = events.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("type", "user");
    if let Some((name, value)) =
        identifiers.into_iter().find_map(|(name, value)| Some((name, value?)))
    {
        query.append_pair(name, value);
    }
    drop(query);
    url
}

/// The start of a page: the query parameters by which the previous page names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cursor(Vec<(String, String)>);

impl Cursor {
    /// Reads `pages.next`: an address, whose host and path are ignored, or an object as in
    /// Intercom's other lists.
    ///
    /// # Errors
    ///
    /// Fails when the value is present but has no cursor.
    pub(super) fn read(next: &Value) -> Result<Option<Self>, &'static str> {
        let pairs = match next {
            Value::Null => return Ok(None),
            Value::String(text) if text.trim().is_empty() => return Ok(None),
            Value::String(text) => pairs(text),
            Value::Object(next) => match next.get("starting_after") {
                Some(Value::String(after)) => vec![("starting_after".to_owned(), after.clone())],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        match pairs.is_empty() {
            true => Err("`pages.next` has no cursor in it"),
            false => Ok(Some(Cursor(pairs))),
        }
    }

    /// Adds the cursor to the address of the list.
    pub(super) fn append_to(&self, url: &mut Url) {
        url.query_pairs_mut().extend_pairs(&self.0);
    }
}

/// Returns the parameters of an address that this crate does not set itself. The address may be
/// malformed: Intercom's own example has a blank in it.
fn pairs(address: &str) -> Vec<(String, String)> {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let query: String = query.split('#').next().unwrap_or_default().split_whitespace().collect();
    // Borrows the URL parser to decode the query. Only the query is used.
    let Ok(mut parsed) = Url::parse("http://localhost/") else { return Vec::new() };
    parsed.set_query(Some(&query));
    parsed
        .query_pairs()
        .filter(|(name, _)| !name.is_empty() && !OWN.contains(&&**name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn next(next: &Value) -> Result<Option<String>, &'static str> {
        let mut url = Url::parse("https://api.intercom.io/events?type=user&user_id=42").unwrap();
        Ok(Cursor::read(next)?.map(|cursor| {
            cursor.append_to(&mut url);
            url.to_string()
        }))
    }

    #[test]
    fn only_the_cursor_is_followed() {
        let ours =
            |rest| Ok(Some(format!("https://api.intercom.io/events?type=user&user_id=42{rest}")));
        for (address, expected) in [
            (
                "https://api.intercom.io/events?type=user&user_id=42&before=1700",
                ours("&before=1700"),
            ),
            ("http://evil.example/steal?before=1700&user_id=7&per_page=9", ours("&before=1700")),
            ("/events?before=17%2B0&since=a%20b#user_id=7", ours("&before=17%2B0&since=a+b")),
            ("https://api. intercom.io/events?before=17 00 &type=user", ours("&before=1700")),
            ("//evil.example?email=eve%40example.com&before=1", ours("&before=1")),
        ] {
            assert_eq!(next(&json!(address)), expected, "{address}");
        }
        assert_eq!(
            next(&json!({ "page": 2, "starting_after": "x&y" })),
            ours("&starting_after=x%26y")
        );
    }

    #[test]
    fn a_cursor_without_a_page_is_the_end_or_an_error() {
        for end in [json!(null), json!(""), json!(" ")] {
            assert_eq!(next(&end), Ok(None), "{end}");
        }
        for broken in
            [json!(7), json!({}), json!([]), json!("https://x/events?user_id=7"), json!("x")]
        {
            assert!(next(&broken).is_err(), "{broken}");
        }
    }
}
