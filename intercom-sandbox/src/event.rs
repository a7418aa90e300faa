//! An event as Intercom would have understood it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::request::ReceivedRequest;

/// What an accepted body says.
pub(crate) struct EventData {
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) contact_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) dropped_keys: Vec<String>,
}

/// An event that was accepted, with the request that brought it. Cheap to clone.
#[derive(Clone)]
pub struct ReceivedEvent {
    pub(crate) data: Arc<EventData>,
    pub(crate) request: ReceivedRequest,
}

impl ReceivedEvent {
    /// The name, as Intercom files it: `.` and `$` are turned into `-`. Upper and lower case are
    /// kept here as they were sent, though they make no difference to Intercom.
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// When it happened, in Unix seconds.
    pub fn created_at(&self) -> i64 {
        self.data.created_at
    }

    /// The application's own id of the user, where it was sent.
    pub fn user_id(&self) -> Option<&str> {
        self.data.user_id.as_deref()
    }

    /// The contact's email address, where it was sent.
    pub fn email(&self) -> Option<&str> {
        self.data.email.as_deref()
    }

    /// Intercom's own id of the contact, `id` on the wire, where it was sent.
    pub fn contact_id(&self) -> Option<&str> {
        self.data.contact_id.as_deref()
    }

    /// The metadata that Intercom would have kept, in the order sent.
    pub fn metadata(&self) -> &[(String, Value)] {
        &self.data.metadata
    }

    /// The metadata value of this key. Case makes no difference, as it makes none to Intercom.
    pub fn metadata_value(&self, key: &str) -> Option<&Value> {
        let key = key.to_lowercase();
        self.metadata()
            .iter()
            .find_map(|(name, value)| (name.to_lowercase() == key).then_some(value))
    }

    /// The keys beyond the limit of [metadata keys](crate::SandboxBuilder::metadata_keys), in the
    /// order sent: Intercom would have dropped them and said nothing.
    pub fn dropped_keys(&self) -> &[String] {
        &self.data.dropped_keys
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &Bytes {
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
