//! The content of an event, and its key.

use std::ops::Deref;

use serde_json::Value;

use crate::contacts::ContactKey;
use crate::event_names::NameId;
use crate::identifier::Identifier;

/// The content of an accepted body.
pub(crate) struct EventData {
    pub(crate) name: String,
    /// The name as sent, if different.
    pub(crate) sent_name: Option<String>,
    pub(crate) identifiers: Identifiers<String>,
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) dropped_keys: Vec<String>,
}

/// The identifiers of an event's contact.
#[derive(Default)]
pub(crate) struct Identifiers<T> {
    pub(crate) contact_id: Option<T>,
    pub(crate) user_id: Option<T>,
    pub(crate) email: Option<T>,
}

impl<T: Deref<Target = str>> Identifiers<T> {
    /// Returns the first identifier present in this order, which decides the contact.
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

/// The key of an event in de-duplication: Intercom ignores a second event with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EventKey {
    pub(crate) contact: ContactKey,
    pub(crate) name: NameId,
    pub(crate) created_at: i64,
}
