//! By what a contact is named.

/// What names a contact. Intercom does not say whether upper and lower case differ in one; here they
/// do, in an email too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identifier {
    /// Intercom's own id of the contact: `id` of an event, `intercom_user_id` of a query for events.
    ContactId,
    /// The application's own id of the user: `user_id` of an event, `external_id` of a contact.
    UserId,
    /// The email address.
    Email,
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
