//! The rules that read and show a body: the open rules, and the lock if there is one.

use std::borrow::Cow;
use std::ops::Deref;

use serde_json::Value;

use crate::events_lock::{EventsLock, MASK};
use crate::json::Json;
use crate::open_rules::OpenRules;

/// Shared with the kept requests, whose events these rules read again.
pub(crate) struct Reading {
    pub(crate) rules: OpenRules,
    pub(crate) lock: Option<EventsLock>,
}

impl Deref for Reading {
    type Target = OpenRules;

    fn deref(&self) -> &OpenRules {
        &self.rules
    }
}

impl Reading {
    /// Returns metadata for display, with the values of sensitive keys masked.
    pub(crate) fn shown_metadata<'a>(
        &self,
        name: &str,
        metadata: Cow<'a, [(String, Value)]>,
    ) -> Cow<'a, [(String, Value)]> {
        let Some(lock) = &self.lock else { return metadata };
        let is_sensitive = |key: &str| lock.is_sensitive(name, key);
        if !metadata.iter().any(|(key, _)| is_sensitive(key)) {
            return metadata;
        }
        let mut shown = metadata.into_owned();
        for (_, value) in shown.iter_mut().filter(|(key, _)| is_sensitive(key)) {
            *value = MASK.into();
        }
        shown.into()
    }

    /// Returns a body for display: as received, with the values of sensitive keys masked.
    pub(crate) fn shown_body<'a>(&self, body: &'a [u8]) -> Cow<'a, str> {
        self.masked(body).map_or_else(|| String::from_utf8_lossy(body), Cow::Owned)
    }

    fn masked(&self, body: &[u8]) -> Option<String> {
        let lock = self.lock.as_ref()?;
        let Json::Object(members) = serde_json::from_slice(body).ok()? else { return None };
        let name = members.iter().find_map(|member| match member {
            (key, Json::String(name)) if key == "event_name" => Some(name.to_string()),
            _ => None,
        })?;
        let mut is_masked = false;
        let members = members.into_iter().map(|(member, value)| {
            let text = match value {
                Json::Object(metadata) if member == "metadata" => {
                    object(metadata.into_iter().map(|(key, value)| {
                        let is_sensitive = lock.is_sensitive(&name, &key);
                        is_masked |= is_sensitive;
                        let value = if is_sensitive { MASK.into() } else { Value::from(value) };
                        (key, value.to_string())
                    }))
                }
                value => Value::from(value).to_string(),
            };
            (member, text)
        });
        let text = object(members);
        is_masked.then_some(text)
    }
}

/// Returns an object of serialized members, in their order.
fn object<'a>(members: impl Iterator<Item = (Cow<'a, str>, String)>) -> String {
    let members: Vec<_> =
        members.map(|(key, value)| format!("{}:{value}", Value::from(key.into_owned()))).collect();
    format!("{{{}}}", members.join(","))
}
