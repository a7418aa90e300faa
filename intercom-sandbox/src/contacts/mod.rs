//! The contacts of the workspace: who is known, who is archived, who cannot be told apart.
//!
//! `book` holds them and finds them by any of their details, `changes` is what the API does to them,
//! `search` and `pages` how it lists them, `hints` why an event found nobody.

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
use key::STRANGER;
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

/// What is settled about contacts before a sandbox starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) know_everybody: bool,
    /// For how long events find no contact that was just created.
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

/// All contacts, found by any of their details.
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

    /// Takes in a contact that somebody wants to be there, whatever the limit. It takes the place of
    /// one that has its contact id, and of the user that has its user id, which Intercom lets only one
    /// have.
    pub(crate) fn add(&self, seed: SeedContact, now: SystemTime) -> Contact {
        let mut book = write(&self.book);
        let contact = self.planted(&mut book, seed, now);
        plant(&mut book, contact)
    }

    /// Does the same as far as there is room.
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

    /// The contact that a seed becomes.
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

    /// Checks that one more contact of `bytes` bytes has room.
    fn check_room(&self, book: &Book, bytes: usize) -> Result<(), Denied> {
        let limit = self.settings.max_contacts;
        if book.len() < limit {
            self.check_growth(book, 0, bytes)
        } else {
            Err(Denied::Full { limit })
        }
    }

    /// Checks that a contact may grow from `old` to `new` bytes. One that does not grow always may.
    fn check_growth(&self, book: &Book, old: usize, new: usize) -> Result<(), Denied> {
        let limit = self.settings.max_bytes;
        if new <= old || book.bytes() - old + new <= limit {
            Ok(())
        } else {
            Err(Denied::FullOfBytes { limit })
        }
    }

    /// All contacts in the order they came, the archived ones too.
    pub(crate) fn all(&self) -> Vec<Contact> {
        read(&self.book).all().cloned().collect()
    }

    /// The contacts that Intercom lists, in the order they came: the archived ones are not among
    /// them.
    pub(crate) fn listed(&self) -> Vec<Contact> {
        read(&self.book).all().filter(|contact| !contact.is_archived()).cloned().collect()
    }

    /// The contact with this contact id, or the one that it was merged into.
    pub(crate) fn get(&self, contact_id: &str) -> Option<Contact> {
        read(&self.book).follow(contact_id).cloned()
    }

    /// The user that has this user id, and is not archived.
    pub(crate) fn user(&self, user_id: &str) -> Option<Contact> {
        read(&self.book).users(Identifier::UserId, user_id).next().cloned()
    }

    /// The contact with this key. A stranger has none.
    pub(crate) fn by_key(&self, key: ContactKey) -> Option<Contact> {
        read(&self.book).by_key(key).cloned()
    }

    /// Whom this identifier names, as far as they can get events: not those that are archived, nor
    /// those that were created so recently that Intercom's servers do not all know them.
    pub(crate) fn resolve(&self, kind: Identifier, value: &str, clock: &dyn Clock) -> Found {
        let found = read(&self.book).resolve(kind, value, |contact| {
            // A clock is not read for what was settled long ago.
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

    /// The keys under which events of this contact are filed: its own, and those of the contacts
    /// that were merged into it.
    pub(crate) fn keys_of(&self, key: ContactKey) -> Vec<ContactKey> {
        let mut keys = vec![key];
        keys.extend(read(&self.book).merged_into(key));
        keys
    }

    /// A key for somebody of whom nothing but this identifier is known. Keys of two strangers are the
    /// same once in 2^63, and nobody can choose them to be.
    fn stranger(&self, kind: Identifier, value: &str) -> ContactKey {
        ContactKey(self.strangers.hash_one((kind, value)) | STRANGER)
    }
}

/// Puts a contact where the one is that it replaces, or behind all others.
fn plant(book: &mut Book, contact: Contact) -> Contact {
    book.take(contact.key());
    book.insert(contact.clone());
    contact
}
