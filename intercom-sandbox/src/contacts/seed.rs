//! Contacts that are there because somebody wants them to be, and not because they were created.

use std::sync::Arc;

use serde_json::Value;

use super::details::{Details, Role};

/// A contact to start with: see [`SandboxBuilder::contact`](crate::SandboxBuilder::contact).
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
    /// A user with the application's own id.
    pub fn user_id(user_id: impl Into<String>) -> Self {
        Self::nobody().with_user_id(user_id)
    }

    /// A user with an email address.
    pub fn email(email: impl Into<String>) -> Self {
        Self::nobody().with_email(email)
    }

    /// A user with this contact id, which is Intercom's own id.
    pub fn contact_id(contact_id: impl Into<String>) -> Self {
        Self::nobody().with_contact_id(contact_id)
    }

    /// Gives it the application's own id. Default: none.
    #[must_use]
    pub fn with_user_id(mut self, user_id: impl Into<String>) -> Self {
        self.details.user_id = Some(user_id.into().into());
        self
    }

    /// Gives it an email address. Several users can be given the same one, which at Intercom cannot
    /// be reached by creating them: an event that names one of them by it is ambiguous. Default: none.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.details.email = Some(email.into().into());
        self
    }

    /// Gives it a contact id, which is Intercom's own id; it takes the place of a contact that has it.
    /// Default: one that the sandbox makes.
    #[must_use]
    pub fn with_contact_id(mut self, contact_id: impl Into<String>) -> Self {
        self.id = Some(contact_id.into().into());
        self
    }

    /// Gives it a name. Default: none.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.details.name = Some(name.into());
        self
    }

    /// Gives it a phone number. Default: none.
    #[must_use]
    pub fn with_phone(mut self, phone: impl Into<String>) -> Self {
        self.details.phone = Some(phone.into());
        self
    }

    /// Gives it a custom attribute; call it once for each. Default: none.
    #[must_use]
    pub fn with_custom_attribute(
        mut self,
        name: impl Into<String>,
        value: impl Into<Value>,
    ) -> Self {
        self.details.custom_attributes.insert(name.into(), value.into());
        self
    }

    /// Makes it a lead, which an event can name by its contact id alone. That rule is Intercom's.
    /// Default: a user.
    #[must_use]
    pub fn lead(mut self) -> Self {
        self.details.role = Role::Lead;
        self
    }

    /// Makes it an archived one: no event reaches it, and yet it is in the way of a new contact with
    /// its details. Default: not archived.
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
