//! What an event says, and under what it is filed.

use std::ops::Deref;

use serde_json::Value;

use crate::contacts::ContactKey;
use crate::event_names::NameId;
use crate::identifier::Identifier;

/// What an accepted body says.
pub(crate) struct EventData {
    pub(crate) name: String,
    /// As it was sent, where that is another.
    pub(crate) sent_name: Option<String>,
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

/// Under what an event is filed: no two kept events share it where duplicates are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Filing {
    pub(crate) contact: ContactKey,
    pub(crate) name: NameId,
    pub(crate) created_at: i64,
}
