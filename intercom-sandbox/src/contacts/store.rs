//! The store of contacts, with an index for each identifier.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;

use super::contact::Contact;
use super::key::{ContactKey, ContactMatch};
use crate::identifier::{Identifier, fold_email};

#[derive(Default)]
pub(super) struct ContactStore {
    last_key: u64,
    /// The number of changes.
    revision: u64,
    /// The bytes of all details.
    bytes: usize,
    /// In order of arrival, since keys only grow.
    contacts: BTreeMap<ContactKey, Contact>,
    /// The index holds the contacts themselves, so that an event needs one look-up.
    by_id: HashMap<Arc<str>, Contact>,
    by_user_id: HashMap<Arc<str>, Vec<Contact>>,
    /// Indexed by email in lower case.
    by_email: HashMap<Arc<str>, Vec<Contact>>,
    /// Merged contacts, by id.
    merged: HashMap<Arc<str>, Merged>,
}

/// The record of a merged contact.
pub(super) struct Merged {
    pub(super) key: ContactKey,
    pub(super) user_id: Option<Arc<str>>,
    pub(super) into: ContactKey,
    /// In Unix seconds.
    pub(super) at: u64,
}

impl ContactStore {
    pub(super) fn next_key(&mut self) -> ContactKey {
        self.last_key += 1;
        ContactKey(self.last_key)
    }

    /// Returns an unused id with the length and alphabet of Intercom's.
    pub(super) fn unused_id(&self, key: ContactKey) -> Arc<str> {
        // The first number is free, unless a caller chose a similar id for a contact.
        (key.0..)
            .map(|number| Arc::from(format!("5ba682d2{number:016x}")))
            .find(|id| !self.by_id.contains_key(id) && !self.merged.contains_key(id))
            .unwrap_or_default()
    }

    /// Returns the number of contacts, including merged ones, since those take memory too.
    pub(super) fn len(&self) -> usize {
        self.contacts.len() + self.merged.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Contact> {
        self.by_id.get(id)
    }

    pub(super) fn by_key(&self, key: ContactKey) -> Option<&Contact> {
        self.contacts.get(&key)
    }

    /// Returns the contact with this id, or the contact that absorbed it.
    pub(super) fn follow(&self, id: &str) -> Option<&Contact> {
        self.by_id(id).or_else(|| self.merged_to(id))
    }

    /// Returns the contact that absorbed this id.
    pub(super) fn merged_to(&self, id: &str) -> Option<&Contact> {
        self.contacts.get(&self.merged.get(id)?.into)
    }

    /// Returns the contact that absorbed this user id. Such look-ups are rare, so there is no
    /// index.
    pub(super) fn merged_user(&self, user_id: &str) -> Option<&Contact> {
        let merged = self.merged.values().find(|left| left.user_id.as_deref() == Some(user_id))?;
        self.contacts.get(&merged.into)
    }

    /// Returns the keys of the contacts merged into this one.
    pub(super) fn merged_into(&self, key: ContactKey) -> impl Iterator<Item = ContactKey> {
        self.merged.values().filter(move |left| left.into == key).map(|left| left.key)
    }

    /// Returns the ids of the contacts merged into this one, with their times, latest first.
    pub(super) fn merges_into(&self, key: ContactKey) -> Vec<(Arc<str>, u64)> {
        let mut merges: Vec<_> = self.merged.iter().filter(|(_, left)| left.into == key).collect();
        merges.sort_by_key(|(_, left)| Reverse((left.at, left.key)));
        merges.into_iter().map(|(id, left)| (Arc::clone(id), left.at)).collect()
    }

    /// Returns the contacts with this user id or email, of any role and state.
    pub(super) fn with(&self, kind: Identifier, value: &str) -> impl Iterator<Item = &Contact> {
        let contacts = match kind {
            Identifier::ContactId => self.by_id.get(value).map(std::slice::from_ref),
            Identifier::UserId => self.by_user_id.get(value).map(Vec::as_slice),
            Identifier::Email => self.by_email.get(&*fold_email(value)).map(Vec::as_slice),
        };
        contacts.unwrap_or_default().iter()
    }

    /// Returns the users with this identifier. Intercom lets only a contact id name a lead.
    pub(super) fn users(&self, kind: Identifier, value: &str) -> impl Iterator<Item = &Contact> {
        self.with(kind, value).filter(|contact| !contact.is_lead() && !contact.is_archived())
    }

    /// Returns the contact that an identifier names, among settled and active contacts.
    pub(super) fn resolve(
        &self,
        kind: Identifier,
        value: &str,
        mut is_settled: impl FnMut(&Contact) -> bool,
    ) -> ContactMatch {
        if kind == Identifier::ContactId {
            return match self.follow(value) {
                Some(contact) if !contact.is_archived() && is_settled(contact) => {
                    ContactMatch::One(contact.key())
                }
                _ => ContactMatch::Unknown,
            };
        }
        let mut users = self.users(kind, value).filter(|contact| is_settled(contact));
        match (users.next(), users.next()) {
            (None, _) => ContactMatch::Unknown,
            (Some(contact), None) => ContactMatch::One(contact.key()),
            (Some(_), Some(_)) => ContactMatch::Several,
        }
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the records of merged contacts, by id.
    pub(super) fn merges(&self) -> impl Iterator<Item = (&Arc<str>, &Merged)> {
        self.merged.iter()
    }

    /// Restores the record of a contact from its merge in an earlier run.
    pub(super) fn restore_merged(&mut self, id: Arc<str>, merged: Merged) {
        self.revision += 1;
        self.bytes += merged.size(&id);
        self.merged.insert(id, merged);
    }

    /// Inserts a contact, and replaces one with the same id.
    pub(super) fn insert(&mut self, contact: Contact) {
        self.revision += 1;
        let key = contact.key();
        if let Some(other) = self.by_id.get(contact.contact_id()) {
            self.remove(other.key());
        }
        let data = contact.data();
        if let Some(left) = self.merged.remove(&data.id) {
            self.bytes -= left.size(&data.id);
        }
        self.bytes += contact.size();
        self.by_id.insert(Arc::clone(&data.id), contact.clone());
        if let Some(user_id) = &data.details.user_id {
            self.by_user_id.entry(Arc::clone(user_id)).or_default().push(contact.clone());
        }
        if let Some(email) = &data.details.email {
            let folded = fold_email(email).into();
            self.by_email.entry(folded).or_default().push(contact.clone());
        }
        self.contacts.insert(key, contact);
    }

    /// Removes and returns a contact.
    pub(super) fn take(&mut self, key: ContactKey) -> Option<Contact> {
        let contact = self.contacts.remove(&key)?;
        self.revision += 1;
        let data = contact.data();
        self.bytes -= contact.size();
        self.by_id.remove(&data.id);
        remove_from_index(&mut self.by_user_id, data.details.user_id.as_ref(), key);
        let email = data.details.email.as_deref().map(|email| fold_email(email).into());
        remove_from_index(&mut self.by_email, email.as_ref(), key);
        Some(contact)
    }

    /// Deletes a contact, and the records of contacts merged into it.
    pub(super) fn remove(&mut self, key: ContactKey) {
        self.take(key);
        let bytes = &mut self.bytes;
        self.merged.retain(|id, left| {
            let stays = left.into != key;
            if !stays {
                *bytes -= left.size(id);
            }
            stays
        });
    }

    /// Replaces a contact by the record of its merge into the other.
    pub(super) fn record_merge(&mut self, from: ContactKey, into: ContactKey, at: u64) {
        let Some(contact) = self.take(from) else { return };
        for left in self.merged.values_mut().filter(|left| left.into == from) {
            left.into = into;
        }
        let data = contact.data();
        let left = Merged { key: from, user_id: data.details.user_id.clone(), into, at };
        self.bytes += left.size(&data.id);
        self.merged.insert(Arc::clone(&data.id), left);
    }
}

impl Merged {
    /// Returns the bytes of the record, including the old id.
    fn size(&self, id: &str) -> usize {
        id.len() + self.user_id.as_ref().map_or(0, |user_id| user_id.len())
    }
}

fn remove_from_index(
    index: &mut HashMap<Arc<str>, Vec<Contact>>,
    value: Option<&Arc<str>>,
    key: ContactKey,
) {
    let Some(value) = value else { return };
    if let Some(contacts) = index.get_mut(value) {
        contacts.retain(|contact| contact.key() != key);
        if contacts.is_empty() {
            index.remove(value);
        }
    }
}
