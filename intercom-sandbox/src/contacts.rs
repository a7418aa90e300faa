//! The contacts of the workspace: who is known, who is archived, who cannot be told apart.

use std::collections::HashMap;
use std::sync::RwLock;

use serde::{Serialize, Serializer};

use crate::event::EventData;
use crate::rules::contact::NewContact;
use crate::sync::{read, write};

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
    contact: Contact,
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
        self.contact.user_id = Some(user_id.into());
        self
    }

    /// Gives it an email address. Default: none.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.contact.email = Some(email.into());
        self
    }

    /// Gives it a contact id, which is Intercom's own id. Default: one that the sandbox makes.
    #[must_use]
    pub fn with_contact_id(mut self, contact_id: impl Into<String>) -> Self {
        self.contact.id = contact_id.into();
        self
    }

    /// Makes it a lead, which an event can name by its contact id alone. That rule is Intercom's.
    /// Default: a user.
    #[must_use]
    pub fn lead(mut self) -> Self {
        self.contact.role = Role::Lead;
        self
    }

    /// Makes it an archived one: no event reaches it, and yet it is in the way of a new contact with
    /// its details. Default: not archived.
    #[must_use]
    pub fn archived(mut self) -> Self {
        self.contact.archived = true;
        self
    }

    fn nobody() -> Self {
        Self {
            contact: Contact {
                id: String::new(),
                role: Role::User,
                user_id: None,
                email: None,
                name: None,
                archived: false,
                created_at: 0,
            },
        }
    }
}

/// A contact of the workspace.
#[derive(Debug, Clone)]
pub struct Contact {
    id: String,
    role: Role,
    user_id: Option<String>,
    email: Option<String>,
    name: Option<String>,
    archived: bool,
    created_at: u64,
}

impl Contact {
    /// Intercom's own id of it.
    pub fn contact_id(&self) -> &str {
        &self.id
    }

    /// The application's own id, `external_id` on the wire.
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// Its email address.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Whether it is a lead, and not a user.
    pub fn is_lead(&self) -> bool {
        self.role == Role::Lead
    }

    /// Whether it is archived.
    pub fn is_archived(&self) -> bool {
        self.archived
    }
}

/// What Intercom takes a contact for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    User,
    Lead,
}

/// The contact object of Intercom's API, as far as it says anything here.
impl Serialize for Contact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            id: &'a str,
            external_id: Option<&'a str>,
            role: Role,
            email: Option<&'a str>,
            name: Option<&'a str>,
            created_at: u64,
            updated_at: u64,
        }

        let wire = Wire {
            kind: "contact",
            id: &self.id,
            external_id: self.user_id(),
            role: self.role,
            email: self.email(),
            name: self.name.as_deref(),
            created_at: self.created_at,
            updated_at: self.created_at,
        };
        wire.serialize(serializer)
    }
}

/// Whom an event names.
pub(crate) enum Found {
    Nobody,
    One,
    /// Several contacts, between which the event does not decide.
    Several,
}

/// All contacts, found by any of their details.
pub(crate) struct Directory {
    know_everybody: bool,
    book: RwLock<Book>,
}

#[derive(Default)]
struct Book {
    contacts: Vec<Contact>,
    by_id: HashMap<String, Vec<usize>>,
    by_user_id: HashMap<String, Vec<usize>>,
    by_email: HashMap<String, Vec<usize>>,
}

impl Directory {
    pub(crate) fn new(know_everybody: bool) -> Self {
        Self { know_everybody, book: RwLock::default() }
    }

    pub(crate) fn add(&self, seed: SeedContact, now: u64) {
        let mut contact = seed.contact;
        contact.created_at = now;
        write(&self.book).insert(contact);
    }

    pub(crate) fn all(&self) -> Vec<Contact> {
        read(&self.book).contacts.clone()
    }

    /// Whom the event names. Where it carries several identifiers the first of contact id, user id
    /// and email decides: Intercom does not say which of them wins.
    pub(crate) fn find(&self, event: &EventData) -> Found {
        let book = read(&self.book);
        let matching = if let Some(id) = &event.contact_id {
            book.living(book.by_id.get(id)).count()
        } else if let Some(user_id) = &event.user_id {
            book.users(book.by_user_id.get(user_id)).count()
        } else if let Some(email) = &event.email {
            book.users(book.by_email.get(email)).count()
        } else {
            0
        };
        match matching {
            0 if self.know_everybody => Found::One,
            0 => Found::Nobody,
            1 => Found::One,
            _ => Found::Several,
        }
    }

    /// Creates a contact, unless there is one of its role with its external id or its email; that
    /// one is the error, a living one before an archived one.
    pub(crate) fn create(&self, new: NewContact, now: u64) -> Result<Contact, Contact> {
        let mut book = write(&self.book);
        let matching = {
            let by_user_id = new.external_id.as_ref().and_then(|id| book.by_user_id.get(id));
            let by_email = new.email.as_ref().and_then(|email| book.by_email.get(email));
            let same_role = |contact: &&Contact| contact.role == new.role;
            book.entries(by_user_id)
                .chain(book.entries(by_email))
                .filter(same_role)
                .min_by_key(|contact| contact.archived)
                .cloned()
        };
        if let Some(existing) = matching {
            return Err(existing);
        }
        Ok(book.insert(Contact {
            id: String::new(),
            role: new.role,
            user_id: new.external_id,
            email: new.email,
            name: new.name,
            archived: false,
            created_at: now,
        }))
    }
}

impl Book {
    /// Takes a contact in, and gives it an id where it has none.
    fn insert(&mut self, mut contact: Contact) -> Contact {
        let place = self.contacts.len();
        if contact.id.is_empty() {
            // Of the length and the alphabet of Intercom's.
            contact.id = format!("5ba682d2{:016x}", place + 1);
        }
        let index = |map: &mut HashMap<String, Vec<usize>>, key: Option<&String>| {
            if let Some(key) = key {
                map.entry(key.clone()).or_default().push(place);
            }
        };
        index(&mut self.by_id, Some(&contact.id));
        index(&mut self.by_user_id, contact.user_id.as_ref());
        index(&mut self.by_email, contact.email.as_ref());
        self.contacts.push(contact.clone());
        contact
    }

    fn entries<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Contact> {
        places.into_iter().flatten().filter_map(|&place| self.contacts.get(place))
    }

    fn living<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Contact> {
        self.entries(places).filter(|contact| !contact.archived)
    }

    /// A user id and an email name users only: Intercom lets a lead be named by its contact id alone.
    fn users<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Contact> {
        self.living(places).filter(|contact| contact.role == Role::User)
    }
}
