//! The contact whose events a request reads.

use crate::contacts::{ContactKey, Identifier};
use crate::refusal::Refusal;
use crate::workspace::Workspace;

/// A contact, as the answers about its events show it.
pub(super) struct Person {
    /// The keys of its events: its own key, and those of contacts merged into it.
    pub(super) keys: Vec<ContactKey>,
    pub(super) contact_id: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) email: Option<String>,
}

impl Person {
    /// Returns the one contact that this identifier names.
    pub(super) fn find(
        workspace: &Workspace,
        kind: Identifier,
        value: &str,
    ) -> Result<Self, Refusal> {
        let key = super::find_contact(workspace, kind, value)?;
        let keys = workspace.contacts.keys_of(key);
        let Some(contact) = workspace.contacts.by_key(key) else {
            // Under `know_everybody`, an unknown contact has only this identifier.
            let only = |this: Identifier| (this == kind).then(|| value.to_owned());
            return Ok(Self {
                keys,
                contact_id: only(Identifier::ContactId),
                user_id: only(Identifier::UserId),
                email: only(Identifier::Email),
            });
        };
        Ok(Self {
            keys,
            contact_id: Some(contact.contact_id().to_owned()),
            user_id: contact.user_id().map(str::to_owned),
            email: contact.email().map(str::to_owned),
        })
    }
}
