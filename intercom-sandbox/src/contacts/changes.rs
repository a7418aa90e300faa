//! The API's changes to contacts, each under one lock.

use std::sync::Arc;
use std::time::SystemTime;

use super::book::Book;
use super::details::{Changes, Details, Role};
use super::{Contact, ContactKey, Denied, Directory, Identifier};
use crate::clock::unix_seconds;
use crate::sync::{read, write};

/// The limit of custom attributes of a contact, which is Intercom's limit for people.
const MAX_ATTRIBUTES: usize = 250;

impl Directory {
    /// Returns the contact with this id, archived or not.
    pub(crate) fn show(&self, id: &str) -> Result<Contact, Denied> {
        self.known(&read(&self.book), id).cloned()
    }

    /// Returns the user with this user id, unless it is archived. A user id does not name a lead.
    pub(crate) fn show_user(&self, user_id: &str) -> Result<Contact, Denied> {
        let book = read(&self.book);
        if let Some(contact) = book.users(Identifier::UserId, user_id).next() {
            return Ok(contact.clone());
        }
        Err(self.merged_or_unknown(book.merged_user(user_id)))
    }

    /// Creates a contact, unless one with its role has its user id or email.
    pub(crate) fn create(&self, changes: Changes, now: SystemTime) -> Result<Contact, Denied> {
        let mut details = Details::default();
        changes.apply(&mut details);
        let mut book = write(&self.book);
        check(&book, &details, None)?;
        let key = book.draw_key();
        let id = book.draw_id(key);
        let workspace_id = Arc::clone(&self.workspace_id);
        let mut contact = Contact::new(key, id, workspace_id, details, unix_seconds(now));
        self.check_room(&book, contact.size())?;
        if !self.settings.settle_after.is_zero() {
            contact.data_mut().settles_at = now.checked_add(self.settings.settle_after);
        }
        book.insert(contact.clone());
        Ok(contact)
    }

    /// Updates a contact, unless another contact with its role has the new identifiers.
    pub(crate) fn update(
        &self,
        id: &str,
        changes: Changes,
        now: SystemTime,
    ) -> Result<Contact, Denied> {
        let mut book = write(&self.book);
        let mut contact = self.known(&book, id)?.clone();
        let mut details = contact.data().details.clone();
        changes.apply(&mut details);
        check(&book, &details, Some(contact.key()))?;
        self.check_growth(&book, contact.data().details.size(), details.size())?;
        let data = contact.data_mut();
        data.details = details;
        data.updated_at = unix_seconds(now);
        replace(&mut book, &contact);
        Ok(contact)
    }

    /// Archives or unarchives a contact.
    pub(crate) fn set_archived(
        &self,
        id: &str,
        archived: bool,
        now: SystemTime,
    ) -> Result<Contact, Denied> {
        let mut book = write(&self.book);
        let mut contact = self.known(&book, id)?.clone();
        let data = contact.data_mut();
        data.archived = archived;
        data.updated_at = unix_seconds(now);
        replace(&mut book, &contact);
        Ok(contact)
    }

    /// Deletes a contact, and the remains of contacts merged into it.
    pub(crate) fn delete(&self, id: &str) -> Result<Contact, Denied> {
        let mut book = write(&self.book);
        let contact = self.known(&book, id)?.clone();
        book.remove(contact.key());
        Ok(contact)
    }

    pub(super) fn known<'a>(&self, book: &'a Book, id: &str) -> Result<&'a Contact, Denied> {
        book.by_id(id).ok_or_else(|| self.merged_or_unknown(book.merged_to(id)))
    }

    fn merged_or_unknown(&self, into: Option<&Contact>) -> Denied {
        match into {
            Some(into) if !self.rules.merged_contact_is_404 => {
                Denied::Merged { into: Arc::clone(&into.data().id) }
            }
            _ => Denied::Unknown,
        }
    }
}

/// Checks that a user has an identifier, and that no other contact of the same role shares one. Of
/// several conflicting contacts, the error names an active one before an archived one.
fn check(book: &Book, details: &Details, itself: Option<ContactKey>) -> Result<(), Denied> {
    if details.role == Role::User && details.user_id.is_none() && details.email.is_none() {
        return Err(Denied::Nameless);
    }
    if details.custom_attributes.len() > MAX_ATTRIBUTES {
        return Err(Denied::TooManyAttributes { limit: MAX_ATTRIBUTES });
    }
    let named = [(Identifier::UserId, &details.user_id), (Identifier::Email, &details.email)];
    let in_the_way = named
        .into_iter()
        .filter_map(|(kind, value)| Some((kind, value.as_deref()?)))
        .flat_map(|(kind, value)| book.with(kind, value))
        .filter(|contact| contact.data().details.role == details.role)
        .filter(|contact| Some(contact.key()) != itself)
        .min_by_key(|contact| contact.is_archived());
    in_the_way.map_or(Ok(()), |contact| Err(Denied::Exists(contact.clone())))
}

/// Replaces a changed contact, and indexes its identifiers again.
pub(super) fn replace(book: &mut Book, contact: &Contact) {
    book.take(contact.key());
    book.insert(contact.clone());
}
