//! The API's changes to contacts, each under one lock.

use std::sync::Arc;
use std::time::SystemTime;

use super::details::{Changes, Details, Role};
use super::store::ContactStore;
use super::{Contact, ContactError, ContactKey, Directory, Identifier};
use crate::clock::unix_seconds;
use crate::sync::{read, write};

/// The limit of custom attributes of a contact, which is Intercom's.
const MAX_ATTRIBUTES: usize = 250;

impl Directory {
    /// Returns the contact with this id, archived or not.
    pub(crate) fn show(&self, id: &str) -> Result<Contact, ContactError> {
        self.known(&read(&self.store), id).cloned()
    }

    /// Returns the active user with this user id. A user id does not name a lead.
    pub(crate) fn show_user(&self, user_id: &str) -> Result<Contact, ContactError> {
        let store = read(&self.store);
        if let Some(contact) = store.users(Identifier::UserId, user_id).next() {
            return Ok(contact.clone());
        }
        Err(self.merged_or_unknown(store.merged_user(user_id)))
    }

    /// Creates a contact, unless one with its role has its user id or email.
    pub(crate) fn create(
        &self,
        changes: Changes,
        now: SystemTime,
    ) -> Result<Contact, ContactError> {
        let mut details = Details::default();
        changes.apply(&mut details);
        let mut store = write(&self.store);
        check(&store, &details, None)?;
        let key = store.next_key();
        let id = store.unused_id(key);
        let workspace_id = Arc::clone(&self.workspace_id);
        let mut contact = Contact::new(key, id, workspace_id, details, unix_seconds(now));
        self.check_capacity(&store, contact.size())?;
        if !self.settings.settle_after.is_zero() {
            contact.data_mut().settles_at = now.checked_add(self.settings.settle_after);
        }
        store.insert(contact.clone());
        Ok(contact)
    }

    /// Updates a contact, unless another contact with its role has the new identifiers.
    pub(crate) fn update(
        &self,
        id: &str,
        changes: Changes,
        now: SystemTime,
    ) -> Result<Contact, ContactError> {
        let mut store = write(&self.store);
        let mut contact = self.known(&store, id)?.clone();
        let mut details = contact.data().details.clone();
        changes.apply(&mut details);
        check(&store, &details, Some(contact.key()))?;
        self.check_growth(&store, contact.data().details.size(), details.size())?;
        let data = contact.data_mut();
        data.details = details;
        data.updated_at = unix_seconds(now);
        replace(&mut store, &contact);
        Ok(contact)
    }

    /// Archives or unarchives a contact.
    pub(crate) fn set_archived(
        &self,
        id: &str,
        archived: bool,
        now: SystemTime,
    ) -> Result<Contact, ContactError> {
        let mut store = write(&self.store);
        let mut contact = self.known(&store, id)?.clone();
        let data = contact.data_mut();
        data.archived = archived;
        data.updated_at = unix_seconds(now);
        replace(&mut store, &contact);
        Ok(contact)
    }

    /// Deletes a contact, and the records of contacts merged into it.
    pub(crate) fn delete(&self, id: &str) -> Result<Contact, ContactError> {
        let mut store = write(&self.store);
        let contact = self.known(&store, id)?.clone();
        store.remove(contact.key());
        Ok(contact)
    }

    pub(super) fn known<'a>(
        &self,
        store: &'a ContactStore,
        id: &str,
    ) -> Result<&'a Contact, ContactError> {
        store.by_id(id).ok_or_else(|| self.merged_or_unknown(store.merged_to(id)))
    }

    fn merged_or_unknown(&self, into: Option<&Contact>) -> ContactError {
        match into {
            Some(into) if !self.rules.merged_contact_is_404 => {
                ContactError::Merged { into: Arc::clone(&into.data().id) }
            }
            _ => ContactError::Unknown,
        }
    }
}

/// Checks that a user has an identifier, and that no other contact of the same role shares one. Of
/// several conflicting contacts, the error names an active one before an archived one.
fn check(
    store: &ContactStore,
    details: &Details,
    itself: Option<ContactKey>,
) -> Result<(), ContactError> {
    if details.role == Role::User && details.user_id.is_none() && details.email.is_none() {
        return Err(ContactError::NoIdentifier);
    }
    if details.custom_attributes.len() > MAX_ATTRIBUTES {
        return Err(ContactError::TooManyAttributes { limit: MAX_ATTRIBUTES });
    }
    let named = [(Identifier::UserId, &details.user_id), (Identifier::Email, &details.email)];
    let conflicting = named
        .into_iter()
        .filter_map(|(kind, value)| Some((kind, value.as_deref()?)))
        .flat_map(|(kind, value)| store.with(kind, value))
        .filter(|contact| contact.data().details.role == details.role)
        .filter(|contact| Some(contact.key()) != itself)
        .min_by_key(|contact| contact.is_archived());
    conflicting.map_or(Ok(()), |contact| Err(ContactError::Exists(contact.clone())))
}

/// Replaces a changed contact, and indexes its identifiers again.
pub(super) fn replace(store: &mut ContactStore, contact: &Contact) {
    store.take(contact.key());
    store.insert(contact.clone());
}
