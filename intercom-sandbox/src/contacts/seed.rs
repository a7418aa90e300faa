//! Contacts that a caller adds without the API.

use std::sync::Arc;

use serde_json::Value;

use super::details::{Details, Role};

/// A contact to start with: see [`SandboxBuilder::contact`](crate::SandboxBuilder::contact).
///
/// As JSON it is an object with at least one of `id` (the contact id), `user_id` and `email`. It
/// can have `role` (`"user"` or `"lead"`), `name`, `phone`, `custom_attributes` and `archived`.
///
/// ```
/// use intercom_sandbox::SeedContact;
///
/// let ada = SeedContact::user_id("42").with_email("ada@example.com");
/// let visitor = SeedContact::contact_id("5ba682d23d7cf92bef87bfd4").lead();
/// let gone = SeedContact::email("gone@example.com").archived();
/// ```
#[derive(Debug, Clone)]
pub struct SeedContact {
    id: Option<Arc<str>>,
    details: Details,
    archived: bool,
}

impl SeedContact {
    /// Creates a user with the application's own id.
    pub fn user_id(user_id: impl Into<String>) -> Self {
        Self::nobody().with_user_id(user_id)
    }

    /// Creates a user with an email address.
    pub fn email(email: impl Into<String>) -> Self {
        Self::nobody().with_email(email)
    }

    /// Creates a user with this contact id, which is Intercom's own id.
    pub fn contact_id(contact_id: impl Into<String>) -> Self {
        Self::nobody().with_contact_id(contact_id)
    }

    /// Sets the application's own id. The contact replaces a user that has it. Default: none.
    #[must_use]
    pub fn with_user_id(mut self, user_id: impl Into<String>) -> Self {
        self.details.user_id = Some(user_id.into().into());
        self
    }

    /// Sets an email address. Several users can share one, which Intercom's API prevents. An event
    /// that names such a user by email is ambiguous. Default: none.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.details.email = Some(email.into().into());
        self
    }

    /// Sets the contact id, which is Intercom's own id. The contact replaces one that has it.
    /// Default: a generated id.
    #[must_use]
    pub fn with_contact_id(mut self, contact_id: impl Into<String>) -> Self {
        self.id = Some(contact_id.into().into());
        self
    }

    /// Sets the name. Default: none.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.details.name = Some(name.into());
        self
    }

    /// Sets the phone number. Default: none.
    #[must_use]
    pub fn with_phone(mut self, phone: impl Into<String>) -> Self {
        self.details.phone = Some(phone.into());
        self
    }

    /// Sets a custom attribute; call it once for each. Default: none.
    #[must_use]
    pub fn with_custom_attribute(
        mut self,
        name: impl Into<String>,
        value: impl Into<Value>,
    ) -> Self {
        self.details.custom_attributes.insert(name.into(), value.into());
        self
    }

    /// Makes the contact a lead. An event can name a lead only by its contact id; that rule is
    /// Intercom's. Default: a user.
    #[must_use]
    pub fn lead(mut self) -> Self {
        self.details.role = Role::Lead;
        self
    }

    /// Archives the contact. No event reaches it, but a new contact with its details still
    /// conflicts. Default: not archived.
    #[must_use]
    pub fn archived(mut self) -> Self {
        self.archived = true;
        self
    }

    pub(super) fn into_parts(self) -> (Option<Arc<str>>, Details, bool) {
        (self.id, self.details, self.archived)
    }

    fn nobody() -> Self {
        Self { id: None, details: Details::default(), archived: false }
    }
}
