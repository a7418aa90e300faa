//! Redacts Intercom's texts, which may repeat the contact, values or secrets.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use intercom_core::{Contact, DataEvent};
use serde_json::Value;

/// The replacement of a contact's identifier.
const CONTACT: &str = "[contact]";

/// The replacement of an event's value.
const VALUE: &str = "[value]";

/// The replacement of the token or the API key.
const SECRET: &str = "[secret]";

/// The limit of characters kept of a text.
const MAX_CHARS: usize = 500;

/// A shorter identifier is replaced only if it stands alone: the id `7` must not replace every
/// 7. A shorter value is not replaced.
const SHORT: usize = 4;

/// Redacts the texts of a response. Built only when there is a text to show.
#[derive(Default)]
pub(crate) struct Redactor {
    /// Lower-case texts and their replacements, the longest first: an id may be the beginning of
    /// the email address.
    private: Vec<(String, &'static str)>,
    /// The values of the event. Only messages repeat values. A code may equal a value by chance.
    values: Vec<(String, &'static str)>,
}

impl Redactor {
    /// Creates a redactor for responses to requests with these headers.
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        let mut redactor = Redactor::default();
        let authorization = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let secret = authorization.and_then(|value| str::from_utf8(value).ok());
        let secret = secret.and_then(|value| value.split_once(' '));
        redactor.private.extend(secret.map(|(_, secret)| (secret.to_ascii_lowercase(), SECRET)));
        redactor
    }

    /// Adds the contact of the request.
    pub(crate) fn with_contact(mut self, contact: &Contact) -> Self {
        let identifiers = [contact.as_user_id(), contact.as_email(), contact.as_contact_id()];
        for identifier in identifiers.into_iter().flatten() {
            let identifier = identifier.trim().to_ascii_lowercase();
            let encoded = identifier.replace('@', "%40");
            if !identifier.is_empty() {
                self.private.extend([(identifier, CONTACT), (encoded, CONTACT)]);
            }
        }
        self.private.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        self
    }

    /// Adds the event of the request.
    pub(crate) fn with_event(mut self, event: &DataEvent) -> Self {
        let metadata = event.metadata().and_then(|json| serde_json::from_slice::<Value>(json).ok());
        if let Some(metadata) = metadata {
            collect(&metadata, &mut self.values);
        }
        self.values.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        self.with_contact(event.contact())
    }

    /// Returns the text without identifiers, secrets and control characters, at a bounded length.
    pub(crate) fn clean(&self, text: &str) -> String {
        bounded(&replace_all(text, &self.private))
    }

    /// Cleans a message, which may repeat the event's values too.
    pub(crate) fn clean_message(&self, text: &str) -> String {
        bounded(&replace_all(&replace_all(text, &self.private), &self.values))
    }
}

/// Collects the values of metadata.
fn collect(json: &Value, values: &mut Vec<(String, &'static str)>) {
    let text = match json {
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        Value::Object(members) => return members.values().for_each(|json| collect(json, values)),
        Value::Array(_) | Value::Bool(_) | Value::Null => return,
    };
    if text.chars().count() >= SHORT {
        values.push((text, VALUE));
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn replace_all(text: &str, private: &[(String, &'static str)]) -> String {
    private.iter().fold(text.to_owned(), |text, (private, label)| replace(&text, private, label))
}

/// Replaces a private text, ignoring case.
fn replace(text: &str, private: &str, label: &str) -> String {
    let short = private.chars().count() < SHORT;
    // Folds ASCII only, so that offsets agree in both texts.
    let folded = text.to_ascii_lowercase();
    let mut replaced = String::with_capacity(text.len());
    let mut done = 0;
    for (start, _) in folded.match_indices(private) {
        let end = start + private.len();
        if short && !stands_alone(&folded[..start], &folded[end..]) {
            continue;
        }
        replaced.push_str(&text[done..start]);
        replaced.push_str(label);
        done = end;
    }
    replaced.push_str(&text[done..]);
    replaced
}

fn stands_alone(before: &str, after: &str) -> bool {
    let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !joined(before.chars().next_back()) && !joined(after.chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_replaced() {
        let ada = Contact::email("Ada@example.com").with_user_id("ada@").with_contact_id("7");
        let redactor = Redactor::default().with_contact(&ada);
        for (text, clean) in [
            ("User ada@example.com not found", "User [contact] not found"),
            ("ada%40example.com", "[contact]"),
            ("<ADA@EXAMPLE.COM>,ada@example.com", "<[contact]>,[contact]"),
            ("id=7, not 77 or 7a", "id=[contact], not 77 or 7a"),
            ("ада и ada@elsewhere.com", "ада и [contact]elsewhere.com"),
            ("one\r\ntwo", "one  two"),
            ("", ""),
        ] {
            assert_eq!(redactor.clean(text), clean);
        }
    }

    #[test]
    fn an_identifier_is_not_cut_before_it_is_found() {
        let redactor = Redactor::default().with_contact(&Contact::email("ada@example.com"));
        let clean = redactor.clean(&format!("{}ada@example.com", "x".repeat(MAX_CHARS - 3)));
        assert_eq!(clean.chars().count(), MAX_CHARS);
        assert!(clean.ends_with("x[co"), "{clean}");
    }
}
