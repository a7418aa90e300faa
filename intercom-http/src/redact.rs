//! What Intercom says, made fit to be shown: it may repeat whose event it was.

use intercom_core::Contact;

/// What stands where an identifier of the contact stood.
const CONTACT: &str = "[contact]";

/// The most characters that are kept of one text.
const MAX_CHARS: usize = 500;

/// An identifier of fewer characters is replaced only where it stands alone: the id `7` is no reason to
/// replace every 7.
const SHORT: usize = 4;

/// Makes texts of an answer fit to be shown.
pub(crate) struct Redactor {
    /// In lower case, the longest first: an id may be the beginning of the email address.
    identifiers: Vec<String>,
}

impl Redactor {
    pub(crate) fn new(contact: Option<&Contact>) -> Self {
        let mut identifiers: Vec<String> = contact
            .into_iter()
            .flat_map(|contact| [contact.as_user_id(), contact.as_email(), contact.as_contact_id()])
            .flatten()
            .map(|identifier| identifier.trim().to_ascii_lowercase())
            .filter(|identifier| !identifier.is_empty())
            .collect();
        identifiers.sort_by_key(|identifier| std::cmp::Reverse(identifier.len()));
        Redactor { identifiers }
    }

    /// The text without the contact's identifiers and control characters, and not too long.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for identifier in &self.identifiers {
            text = replace(&text, identifier);
        }
        text.chars().take(MAX_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// Replaces an identifier, in upper or lower case.
fn replace(text: &str, identifier: &str) -> String {
    let short = identifier.chars().count() < SHORT;
    // ASCII alone is folded, so that places in the one are places in the other.
    let folded = text.to_ascii_lowercase();
    let mut replaced = String::with_capacity(text.len());
    let mut done = 0;
    for (start, _) in folded.match_indices(identifier) {
        let end = start + identifier.len();
        if short && !stands_alone(&folded[..start], &folded[end..]) {
            continue;
        }
        replaced.push_str(&text[done..start]);
        replaced.push_str(CONTACT);
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
        let redactor = Redactor::new(Some(&ada));
        for (text, clean) in [
            ("User ada@example.com not found", "User [contact] not found"),
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
        let redactor = Redactor::new(Some(&Contact::email("ada@example.com")));
        let clean = redactor.clean(&format!("{}ada@example.com", "x".repeat(MAX_CHARS - 3)));
        assert_eq!(clean.chars().count(), MAX_CHARS);
        assert!(clean.ends_with("x[co"), "{clean}");
    }
}
