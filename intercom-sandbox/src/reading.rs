//! The rules that read and show a body: the open rules, and the lock if there is one.

use std::borrow::Cow;
use std::ops::Deref;

use serde_json::Value;

use crate::events_lock::{EventsLock, MASK};
use crate::json::{Json, JsonMember};
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

    /// Returns a body or an answer for display, with the values of sensitive keys masked.
    pub(crate) fn shown_text<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(bytes);
        let Some(lock) = &self.lock else { return text };
        let mut masking = Masking { lock, has_masked: false };
        let masked = match serde_json::from_str(&text) {
            Ok(json) => masking.text(json),
            // Text that is not JSON can have a value too: a fault cuts answers off.
            Err(_) if lock.mentions_sensitive_key(&text) => return MASK.into(),
            Err(_) => return text,
        };
        if masking.has_masked { masked.into() } else { text }
    }
}

/// Serializes JSON with the values of sensitive keys masked.
struct Masking<'a> {
    lock: &'a EventsLock,
    has_masked: bool,
}

impl Masking<'_> {
    /// Masks the metadata of each event, at any depth. An event is an object with `metadata`.
    fn text(&mut self, json: Json<'_>) -> String {
        match json {
            Json::Array(items) => {
                let items: Vec<_> = items.into_iter().map(|item| self.text(item)).collect();
                format!("[{}]", items.join(","))
            }
            Json::Object(members) => {
                let name = members.iter().find_map(|member| match member {
                    (key, Json::String(name)) if key == "event_name" => Some(name.to_string()),
                    _ => None,
                });
                let name = name.unwrap_or_default();
                object(members.into_iter().map(|(member, value)| {
                    let text = match value {
                        Json::Object(metadata) if member == "metadata" => {
                            self.metadata(&name, metadata)
                        }
                        value => self.text(value),
                    };
                    (member, text)
                }))
            }
            value => Value::from(value).to_string(),
        }
    }

    fn metadata(&mut self, name: &str, metadata: Vec<JsonMember<'_>>) -> String {
        object(metadata.into_iter().map(|(key, value)| {
            let is_sensitive = self.lock.is_sensitive(name, &key);
            self.has_masked |= is_sensitive;
            let value = if is_sensitive { MASK.into() } else { Value::from(value) };
            (key, value.to_string())
        }))
    }
}

/// Returns an object of serialized members, in their order.
fn object<'a>(members: impl Iterator<Item = (Cow<'a, str>, String)>) -> String {
    let members: Vec<_> =
        members.map(|(key, value)| format!("{}:{value}", Value::from(key.into_owned()))).collect();
    format!("{{{}}}", members.join(","))
}
