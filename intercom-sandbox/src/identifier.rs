//! The identifiers of a contact.

use std::borrow::Cow;

/// The kind of an identifier. Intercom does not say whether case matters. The sandbox ignores case
/// in emails, and not in ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identifier {
    /// Intercom's own id of the contact: `id` of an event, `intercom_user_id` of a query for
    /// events.
    ContactId,
    /// The application's own id of the user: `user_id` of an event, `external_id` of a contact.
    UserId,
    /// The email address.
    Email,
}

/// Returns an email in the form for comparisons.
pub(crate) fn fold_email(email: &str) -> Cow<'_, str> {
    match email.chars().all(|c| c.is_ascii() && !c.is_ascii_uppercase()) {
        true => Cow::Borrowed(email),
        false => Cow::Owned(email.to_lowercase()),
    }
}

impl Identifier {
    /// Returns the member of an event that has this identifier.
    pub(crate) fn member(self) -> &'static str {
        match self {
            Self::ContactId => "id",
            Self::UserId => "user_id",
            Self::Email => "email",
        }
    }
}
