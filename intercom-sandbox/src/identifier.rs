//! By what a contact is named.

use std::borrow::Cow;

/// What names a contact. Intercom does not say whether upper and lower case differ in one. Here they differ in ids, and
/// not in an email.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identifier {
    /// Intercom's own id of the contact: `id` of an event, `intercom_user_id` of a query for events.
    ContactId,
    /// The application's own id of the user: `user_id` of an event, `external_id` of a contact.
    UserId,
    /// The email address.
    Email,
}

/// The form in which emails are compared.
pub(crate) fn fold_email(email: &str) -> Cow<'_, str> {
    match email.chars().all(|c| c.is_ascii() && !c.is_ascii_uppercase()) {
        true => Cow::Borrowed(email),
        false => Cow::Owned(email.to_lowercase()),
    }
}

impl Identifier {
    /// The member of an event that it is.
    pub(crate) fn member(self) -> &'static str {
        match self {
            Self::ContactId => "id",
            Self::UserId => "user_id",
            Self::Email => "email",
        }
    }
}
