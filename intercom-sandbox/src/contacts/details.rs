//! The details of a contact that the API sets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The role of a contact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    #[default]
    User,
    Lead,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Lead => "lead",
        }
    }
}

/// The details of a contact.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Details {
    pub(super) role: Role,
    pub(super) user_id: Option<Arc<str>>,
    pub(super) email: Option<Arc<str>>,
    pub(super) phone: Option<String>,
    pub(super) name: Option<String>,
    pub(super) avatar: Option<String>,
    pub(super) owner_id: Option<String>,
    pub(super) signed_up_at: Option<i64>,
    pub(super) last_seen_at: Option<i64>,
    pub(super) unsubscribed_from_emails: bool,
    pub(super) custom_attributes: Map<String, Value>,
}

impl Details {
    /// Returns the bytes of all details.
    pub(super) fn size(&self) -> usize {
        let identifiers = [&self.user_id, &self.email].into_iter().flatten().map(|text| text.len());
        let texts = [&self.phone, &self.name, &self.avatar, &self.owner_id];
        let texts = texts.into_iter().flatten().map(String::len);
        let attributes =
            self.custom_attributes.iter().map(|(name, value)| name.len() + size_of_value(value));
        identifiers.chain(texts).chain(attributes).sum()
    }
}

fn size_of_value(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(size_of_value).sum(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| name.len() + size_of_value(value)).sum()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

/// The change of one detail.
#[derive(Debug, Default)]
pub(crate) enum Change<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Change<T> {
    fn apply<U: From<T>>(self, detail: &mut Option<U>) {
        match self {
            Self::Keep => {}
            Self::Clear => *detail = None,
            Self::Set(value) => *detail = Some(value.into()),
        }
    }
}

/// The changes of a contact; for a new contact, all its details.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) role: Option<Role>,
    pub(crate) external_id: Change<String>,
    pub(crate) email: Change<String>,
    pub(crate) phone: Change<String>,
    pub(crate) name: Change<String>,
    pub(crate) avatar: Change<String>,
    pub(crate) owner_id: Change<String>,
    pub(crate) signed_up_at: Change<i64>,
    pub(crate) last_seen_at: Change<i64>,
    pub(crate) unsubscribed_from_emails: Option<bool>,
    /// Set to a value, or removed if there is no value.
    pub(crate) custom_attributes: Vec<(String, Option<Value>)>,
}

impl Changes {
    pub(super) fn apply(self, details: &mut Details) {
        details.role = self.role.unwrap_or(details.role);
        self.external_id.apply(&mut details.user_id);
        self.email.apply(&mut details.email);
        self.phone.apply(&mut details.phone);
        self.name.apply(&mut details.name);
        self.avatar.apply(&mut details.avatar);
        self.owner_id.apply(&mut details.owner_id);
        self.signed_up_at.apply(&mut details.signed_up_at);
        self.last_seen_at.apply(&mut details.last_seen_at);
        if let Some(unsubscribed) = self.unsubscribed_from_emails {
            details.unsubscribed_from_emails = unsubscribed;
        }
        for (key, value) in self.custom_attributes {
            match value {
                Some(value) => details.custom_attributes.insert(key, value),
                None => details.custom_attributes.remove(&key),
            };
        }
    }
}
