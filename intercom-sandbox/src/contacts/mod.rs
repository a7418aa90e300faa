//! The contacts of the workspace.
//!
//! `store` stores and indexes contacts, and `changes` is what the API does to them. `search` and
//! `pages` list them, and `hints` says why an event found no contact.

mod changes;
mod contact;
mod details;
mod error;
mod hints;
mod key;
mod merge;
pub(crate) mod pages;
pub(crate) mod search;
mod seed;
mod store;
mod stored;
mod wire;

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Add;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

pub use contact::Contact;
pub(crate) use details::{Change, Changes, Role};
pub(crate) use error::ContactError;
use key::UNKNOWN_CONTACT;
pub(crate) use key::{ContactKey, ContactMatch};
pub(crate) use pages::{Cursor, DEFAULT_PER_PAGE, MAX_PER_PAGE, PageRequest};
pub use seed::SeedContact;
use store::ContactStore;
pub(crate) use stored::StoredContacts;
pub(crate) use wire::{ContactFormat, FormattedContact, MergeHistory, MergeRecord};

use crate::clock::{Clock, unix_seconds};
pub(crate) use crate::identifier::Identifier;
use crate::limits::Limits;
use crate::reading::Reading;
use crate::sync::{read, write};

/// The options about contacts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) know_everybody: bool,
    /// How long events do not find a new contact.
    pub(crate) settle_after: Duration,
    pub(crate) max_contacts: usize,
    pub(crate) max_bytes: usize,
}

impl Settings {
    pub(crate) fn new(know_everybody: bool, settle_after: Duration, limits: &Limits) -> Self {
        let (max_contacts, max_bytes) = (limits.max_contacts, limits.max_contact_bytes);
        Self { know_everybody, settle_after, max_contacts, max_bytes }
    }
}

/// All contacts.
pub(crate) struct Directory {
    settings: Settings,
    rules: Arc<Reading>,
    workspace_id: Arc<str>,
    unknown_keys: RandomState,
    store: RwLock<ContactStore>,
}

impl Directory {
    pub(crate) fn new(settings: Settings, rules: Arc<Reading>, workspace_id: &str) -> Self {
        Self {
            settings,
            rules,
            workspace_id: workspace_id.into(),
            unknown_keys: RandomState::new(),
            store: RwLock::default(),
        }
    }

    /// Adds a contact, even over the limit. Replaces a contact with the same contact id, and the
    /// user with the same user id, because Intercom keeps both unique.
    pub(crate) fn add(&self, seed: SeedContact, now: SystemTime) -> Contact {
        let mut store = write(&self.store);
        let contact = self.seeded(&mut store, seed, now);
        insert_or_replace(&mut store, contact)
    }

    /// Adds a contact as `add` does, within the limit.
    pub(crate) fn add_within_limit(
        &self,
        seed: SeedContact,
        now: SystemTime,
    ) -> Result<Contact, ContactError> {
        let mut store = write(&self.store);
        let contact = self.seeded(&mut store, seed, now);
        let same_id =
            store.by_id(contact.contact_id()).filter(|other| other.key() != contact.key());
        let replaced = [store.by_key(contact.key()), same_id];
        let replaced: Option<usize> =
            replaced.into_iter().flatten().map(Contact::size).reduce(Add::add);
        match replaced {
            Some(bytes) => self.check_growth(&store, bytes, contact.size())?,
            None => self.check_capacity(&store, contact.size())?,
        }
        Ok(insert_or_replace(&mut store, contact))
    }

    /// Returns the contact for a seed.
    fn seeded(&self, store: &mut ContactStore, seed: SeedContact, now: SystemTime) -> Contact {
        let (id, details, archived) = seed.into_parts();
        let same_user = match &details.user_id {
            Some(user_id) if details.role == Role::User => {
                store.users(Identifier::UserId, user_id).next()
            }
            _ => None,
        };
        let (key, same_id) = match same_user {
            Some(user) => (user.key(), Some(user.contact_id().into())),
            None => (store.next_key(), None),
        };
        let id = id.or(same_id).unwrap_or_else(|| store.unused_id(key));
        let workspace_id = Arc::clone(&self.workspace_id);
        let mut contact = Contact::new(key, id, workspace_id, details, unix_seconds(now));
        contact.data_mut().archived = archived;
        contact
    }

    /// Checks that a new contact of `bytes` bytes is within the limits.
    fn check_capacity(&self, store: &ContactStore, bytes: usize) -> Result<(), ContactError> {
        let limit = self.settings.max_contacts;
        if store.len() < limit {
            self.check_growth(store, 0, bytes)
        } else {
            Err(ContactError::Full { limit })
        }
    }

    /// Checks that a contact can grow from `old` to `new` bytes. A contact that does not grow
    /// always passes.
    fn check_growth(
        &self,
        store: &ContactStore,
        old: usize,
        new: usize,
    ) -> Result<(), ContactError> {
        let limit = self.settings.max_bytes;
        if new <= old || store.bytes() - old + new <= limit {
            Ok(())
        } else {
            Err(ContactError::FullOfBytes { limit })
        }
    }

    /// Returns all contacts in order of arrival, including archived ones.
    pub(crate) fn all(&self) -> Vec<Contact> {
        read(&self.store).all().cloned().collect()
    }

    /// Returns the contacts that Intercom lists: the active ones, in order of arrival.
    pub(crate) fn listed(&self) -> Vec<Contact> {
        read(&self.store).all().filter(|contact| !contact.is_archived()).cloned().collect()
    }

    /// Returns the contact with this contact id, or the contact that absorbed it.
    pub(crate) fn get(&self, contact_id: &str) -> Option<Contact> {
        read(&self.store).follow(contact_id).cloned()
    }

    /// Returns the active user with this user id.
    pub(crate) fn user(&self, user_id: &str) -> Option<Contact> {
        read(&self.store).users(Identifier::UserId, user_id).next().cloned()
    }

    /// Returns the contact with this key. The key of an unknown contact has none.
    pub(crate) fn by_key(&self, key: ContactKey) -> Option<Contact> {
        read(&self.store).by_key(key).cloned()
    }

    /// Returns the contact that this identifier names for events. Archived contacts get no events,
    /// nor do contacts so new that not all of Intercom's servers know them.
    pub(crate) fn resolve(&self, kind: Identifier, value: &str, clock: &dyn Clock) -> ContactMatch {
        let found = read(&self.store).resolve(kind, value, |contact| {
            // Only an unsettled contact needs the clock.
            contact
                .data()
                .settles_at
                .is_none_or(|settles_at| self.settings.know_everybody || settles_at <= clock.now())
        });
        match found {
            ContactMatch::Unknown if self.settings.know_everybody => {
                ContactMatch::One(self.unknown_key(kind, value))
            }
            found => found,
        }
    }

    /// Returns the keys of this contact's events: its own, and those of contacts merged into it.
    pub(crate) fn keys_of(&self, key: ContactKey) -> Vec<ContactKey> {
        let mut keys = vec![key];
        keys.extend(read(&self.store).merged_into(key));
        keys
    }

    /// Returns the key of an unknown contact for this identifier. Two keys collide with a
    /// probability of 2^-63, and the random hash key keeps clients from forcing that.
    fn unknown_key(&self, kind: Identifier, value: &str) -> ContactKey {
        ContactKey(self.unknown_keys.hash_one((kind, value)) | UNKNOWN_CONTACT)
    }
}

/// Inserts a contact, or replaces the one with its key.
fn insert_or_replace(store: &mut ContactStore, contact: Contact) -> Contact {
    store.take(contact.key());
    store.insert(contact.clone());
    contact
}
