//! Contacts in a state file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Directory;
use super::contact::Contact;
use super::details::Details;
use super::key::ContactKey;
use super::store::Merged;
use crate::identifier::Identifier;
use crate::sync::{read, write};

/// All contacts in order of arrival, and the records of merged ones.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct StoredContacts {
    contacts: Vec<Stored>,
    merged: Vec<StoredMerge>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: Arc<str>,
    #[serde(flatten)]
    details: Details,
    archived: bool,
    created_at: u64,
    updated_at: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredMerge {
    id: Arc<str>,
    user_id: Option<Arc<str>>,
    into: Arc<str>,
    at: u64,
}

impl Directory {
    /// Returns a number that changes with every change of a contact.
    pub(crate) fn revision(&self) -> u64 {
        read(&self.store).revision()
    }

    /// Returns everything to restore.
    pub(crate) fn stored(&self) -> StoredContacts {
        let store = read(&self.store);
        let contacts = store.all().map(|contact| {
            let data = contact.data();
            Stored {
                id: Arc::clone(&data.id),
                details: data.details.clone(),
                archived: data.archived,
                created_at: data.created_at,
                updated_at: data.updated_at,
            }
        });
        let merged = store.merges().filter_map(|(id, merged)| {
            let into = Arc::clone(&store.by_key(merged.into)?.data().id);
            let user_id = merged.user_id.clone();
            Some(StoredMerge { id: Arc::clone(id), user_id, into, at: merged.at })
        });
        StoredContacts { contacts: contacts.collect(), merged: merged.collect() }
    }

    /// Restores stored contacts, under this run's keys.
    pub(crate) fn restore(&self, stored: &StoredContacts) {
        let mut store = write(&self.store);
        for one in &stored.contacts {
            let key = store.next_key();
            let (id, details) = (Arc::clone(&one.id), one.details.clone());
            let workspace_id = Arc::clone(&self.workspace_id);
            let mut contact = Contact::new(key, id, workspace_id, details, one.created_at);
            let data = contact.data_mut();
            data.archived = one.archived;
            data.updated_at = one.updated_at;
            store.insert(contact);
        }
        for one in &stored.merged {
            let key = store.next_key();
            let Some(into) = store.by_id(&one.into).map(Contact::key) else { continue };
            let merged = Merged { key, user_id: one.user_id.clone(), into, at: one.at };
            store.restore_merged(Arc::clone(&one.id), merged);
        }
    }

    /// Returns the key for the events of a kept request: that of the contact with the identifier,
    /// or of an unknown contact.
    pub(crate) fn restored_key(&self, kind: Identifier, value: &str) -> ContactKey {
        let store = read(&self.store);
        let found = match kind {
            Identifier::ContactId => store.follow(value),
            Identifier::UserId | Identifier::Email => {
                store.with(kind, value).min_by_key(|contact| contact.is_lead())
            }
        };
        found.map_or_else(|| self.unknown_key(kind, value), Contact::key)
    }
}
