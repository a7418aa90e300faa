//! An event as Intercom would have understood it.

use std::fmt;
use std::ops::Deref;

use serde_json::Value;

use crate::contacts::{ContactKey, Identifier};
use crate::event_names::NameId;
use crate::request::ReceivedRequest;

/// What an accepted body says.
pub(crate) struct EventData {
    pub(crate) name: String,
    pub(crate) identifiers: Identifiers<String>,
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) dropped_keys: Vec<String>,
}

/// By what an event names its contact.
#[derive(Default)]
pub(crate) struct Identifiers<T> {
    pub(crate) contact_id: Option<T>,
    pub(crate) user_id: Option<T>,
    pub(crate) email: Option<T>,
}

impl<T: Deref<Target = str>> Identifiers<T> {
    /// The one that tells whose it is: the first in this order that is there.
    pub(crate) fn first(&self, order: [Identifier; 3]) -> Option<(Identifier, &str)> {
        order.into_iter().find_map(|kind| {
            let value = match kind {
                Identifier::ContactId => &self.contact_id,
                Identifier::UserId => &self.user_id,
                Identifier::Email => &self.email,
            };
            Some((kind, value.as_deref()?))
        })
    }
}

/// Under what an event is filed: no two kept events share it where duplicates are swallowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Filing {
    pub(crate) contact: ContactKey,
    pub(crate) name: NameId,
    pub(crate) created_at: i64,
}

/// An event that was accepted, with the request that brought it. Cheap to clone.
#[derive(Clone)]
pub struct ReceivedEvent {
    pub(crate) filing: Filing,
    pub(crate) request: ReceivedRequest,
}

impl ReceivedEvent {
    fn data(&self) -> &EventData {
        self.request.event_data()
    }

    /// The name, as Intercom files it: `.` and `$` are
    /// [turned](crate::SandboxBuilder::fold_punctuation) into `-`. Upper and lower case are kept here
    /// as they were sent, though they make no difference to Intercom.
    pub fn name(&self) -> &str {
        &self.data().name
    }

    /// When it happened, in Unix seconds.
    pub fn created_at(&self) -> i64 {
        self.filing.created_at
    }

    /// The application's own id of the user, where it was sent.
    pub fn user_id(&self) -> Option<&str> {
        self.data().identifiers.user_id.as_deref()
    }

    /// The contact's email address, where it was sent.
    pub fn email(&self) -> Option<&str> {
        self.data().identifiers.email.as_deref()
    }

    /// Intercom's own id of the contact, `id` on the wire, where it was sent.
    pub fn contact_id(&self) -> Option<&str> {
        self.data().identifiers.contact_id.as_deref()
    }

    /// The metadata that Intercom would have kept, in the order sent.
    pub fn metadata(&self) -> &[(String, Value)] {
        &self.data().metadata
    }

    /// The metadata value of this key. Case makes no difference, as it makes none to Intercom.
    pub fn metadata_value(&self, key: &str) -> Option<&Value> {
        let key = key.to_lowercase();
        self.metadata()
            .iter()
            .find_map(|(name, value)| (name.to_lowercase() == key).then_some(value))
    }

    /// The metadata keys that Intercom would have dropped and said nothing, in the order sent: those
    /// beyond the [limit](crate::SandboxBuilder::metadata_keys), and those whose values the builder
    /// says to drop.
    pub fn dropped_keys(&self) -> &[String] {
        &self.data().dropped_keys
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &[u8] {
        self.request.body()
    }

    /// A header of the request: see [`ReceivedRequest::header`].
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    /// The request that brought the event.
    pub fn request(&self) -> &ReceivedRequest {
        &self.request
    }
}

impl fmt::Debug for ReceivedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedEvent")
            .field("name", &self.name())
            .field("created_at", &self.created_at())
            .field("contact_id", &self.contact_id())
            .field("user_id", &self.user_id())
            .field("email", &self.email())
            .field("metadata", &self.metadata())
            .field("dropped_keys", &self.dropped_keys())
            .finish_non_exhaustive()
    }
}
