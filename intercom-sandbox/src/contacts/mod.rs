//! The contacts of the workspace: which are known, archived, or ambiguous.
//!
//! `book` stores and indexes contacts, and `changes` is what the API does to them. `search` and
//! `pages` list them, and `hints` says why an event found no contact.

mod book;
mod changes;
mod contact;
mod denied;
mod details;
mod hints;
mod key;
mod merge;
pub(crate) mod pages;
pub(crate) mod search;
mod seed;
mod stored;
mod wire;

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Add;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use book::Book;
pub use contact::Contact;
pub(crate) use denied::Denied;
pub(crate) use details::{Change, Changes, Role};
use key::UNKNOWN_CONTACT;
pub(crate) use key::{ContactKey, Found};
pub(crate) use pages::{Cursor, DEFAULT_PER_PAGE, MAX_PER_PAGE, PageRequest};
pub use seed::SeedContact;
pub(crate) use stored::StoredContacts;
pub(crate) use wire::{Form, InForm, MergeHistory, MergeRecord};

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
    strangers: RandomState,
    book: RwLock<Book>,
}

impl Directory {
    pub(crate) fn new(settings: Settings, rules: Arc<Reading>, workspace_id: &str) -> Self {
        Self {
            settings,
            rules,
            workspace_id: workspace_id.into(),
            strangers: RandomState::new(),
            book: RwLock::default(),
        }
    }

    /// Adds a contact, even over the limit. It replaces a contact with the same contact id, and the
    /// user with the same user id, which Intercom keeps unique.
    pub(crate) fn add(&self, seed: SeedContact, now: SystemTime) -> Contact {
        let mut book = write(&self.book);
        let contact = self.planted(&mut book, seed, now);
        plant(&mut book, contact)
    }

    /// Adds a contact as `add` does, within the limit.
    pub(crate) fn add_within_limit(
        &self,
        seed: SeedContact,
        now: SystemTime,
    ) -> Result<Contact, Denied> {
        let mut book = write(&self.book);
        let contact = self.planted(&mut book, seed, now);
        let same_id = book.by_id(contact.contact_id()).filter(|other| other.key() != contact.key());
        let replaced = [book.by_key(contact.key()), same_id];
        let replaced: Option<usize> =
            replaced.into_iter().flatten().map(Contact::size).reduce(Add::add);
        match replaced {
            Some(bytes) => self.check_growth(&book, bytes, contact.size())?,
            None => self.check_room(&book, contact.size())?,
        }
        Ok(plant(&mut book, contact))
    }

    /// Returns the contact for a seed.
    fn planted(&self, book: &mut Book, seed: SeedContact, now: SystemTime) -> Contact {
        let (id, details, archived) = seed.into_parts();
        let same_user = match &details.user_id {
            Some(user_id) if details.role == Role::User => {
                book.users(Identifier::UserId, user_id).next()
            }
            _ => None,
        };
        let (key, same_id) = match same_user {
            Some(user) => (user.key(), Some(user.contact_id().into())),
            None => (book.draw_key(), None),
        };
        let id = id.or(same_id).unwrap_or_else(|| book.draw_id(key));
        let workspace_id = Arc::clone(&self.workspace_id);
        let mut contact = Contact::new(key, id, workspace_id, details, unix_seconds(now));
        contact.data_mut().archived = archived;
        contact
    }

    /// Checks that a new contact of `bytes` bytes has room.
    fn check_room(&self, book: &Book, bytes: usize) -> Result<(), Denied> {
        let limit = self.settings.max_contacts;
        if book.len() < limit {
            self.check_growth(book, 0, bytes)
        } else {
            Err(Denied::Full { limit })
        }
    }

    /// Checks that a contact can grow from `old` to `new` bytes. A contact that does not grow
    /// always passes.
    fn check_growth(&self, book: &Book, old: usize, new: usize) -> Result<(), Denied> {
        let limit = self.settings.max_bytes;
        if new <= old || book.bytes() - old + new <= limit {
            Ok(())
        } else {
            Err(Denied::FullOfBytes { limit })
        }
    }

    /// Returns all contacts in order of arrival, including archived ones.
    pub(crate) fn all(&self) -> Vec<Contact> {
        read(&self.book).all().cloned().collect()
    }

    /// Returns the contacts that Intercom lists, in order of arrival: all that are not archived.
    pub(crate) fn listed(&self) -> Vec<Contact> {
        read(&self.book).all().filter(|contact| !contact.is_archived()).cloned().collect()
    }

    /// Returns the contact with this contact id, or the contact that absorbed it.
    pub(crate) fn get(&self, contact_id: &str) -> Option<Contact> {
        read(&self.book).follow(contact_id).cloned()
    }

    /// Returns the user with this user id, unless it is archived.
    pub(crate) fn user(&self, user_id: &str) -> Option<Contact> {
        read(&self.book).users(Identifier::UserId, user_id).next().cloned()
    }

    /// Returns the contact with this key. A stranger has no contact.
    pub(crate) fn by_key(&self, key: ContactKey) -> Option<Contact> {
        read(&self.book).by_key(key).cloned()
    }

    /// Returns the contact that this identifier names for events. Archived contacts get no events,
    /// nor do contacts so new that not all of Intercom's servers know them.
    pub(crate) fn resolve(&self, kind: Identifier, value: &str, clock: &dyn Clock) -> Found {
        let found = read(&self.book).resolve(kind, value, |contact| {
            // Only an unsettled contact needs the clock.
            contact
                .data()
                .settles_at
                .is_none_or(|settles_at| self.settings.know_everybody || settles_at <= clock.now())
        });
        match found {
            Found::Nobody if self.settings.know_everybody => Found::One(self.stranger(kind, value)),
            found => found,
        }
    }

    /// Returns the keys of this contact's events: its own, and those of contacts merged into it.
    pub(crate) fn keys_of(&self, key: ContactKey) -> Vec<ContactKey> {
        let mut keys = vec![key];
        keys.extend(read(&self.book).merged_into(key));
        keys
    }

    /// Returns a stranger's key for this identifier. Two strangers collide with a probability of
    /// 2^-63, and the random hash key keeps clients from forcing that.
    fn stranger(&self, kind: Identifier, value: &str) -> ContactKey {
        ContactKey(self.strangers.hash_one((kind, value)) | UNKNOWN_CONTACT)
    }
}

/// Inserts a contact at the place of the one with its key, or at the end.
fn plant(book: &mut Book, contact: Contact) -> Contact {
    book.take(contact.key());
    book.insert(contact.clone());
    contact
}
