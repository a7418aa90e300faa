//! An event that Intercom lists.

use std::fmt;

use intercom_core::{Contact, Timestamp};
use serde_core::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::MetadataMismatch;
use super::past_value::{PastValue, members};

/// An event that Intercom lists.
///
/// `Debug` shows the keys of its metadata and never a value, because Intercom does not mark
/// sensitive values.
#[derive(Clone)]
pub struct PastEvent {
    pub(super) id: Option<String>,
    pub(super) name: Box<str>,
    pub(super) contact: Contact,
    pub(super) created_at: Timestamp,
    pub(super) metadata: Option<Box<RawValue>>,
}

impl PastEvent {
    /// Returns Intercom's id of the event, if Intercom gives one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the event's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the contact, with all identifiers that Intercom gives.
    pub fn contact(&self) -> &Contact {
        &self.contact
    }

    /// Returns when the event happened, in whole seconds.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Returns the metadata by kind, in Intercom's order. Each call parses it.
    ///
    /// ```no_run
    /// use intercom_http::PastValue;
    ///
    /// # fn show(event: intercom_http::PastEvent) {
    /// for (key, value) in event.metadata() {
    ///     if let PastValue::Money(amount) = value {
    ///         println!("{key}: {amount:?}");
    ///     }
    /// }
    /// # }
    /// ```
    pub fn metadata(&self) -> Vec<(String, PastValue)> {
        let json = self.metadata_json();
        members(json)
            .into_iter()
            .map(|(key, json)| {
                let value = PastValue::of(&key, json.get());
                (key, value)
            })
            .collect()
    }

    /// Returns the metadata as the JSON object that Intercom sent, or `{}`. Numbers stay as they
    /// came, even where no number type holds them exactly.
    pub fn metadata_json(&self) -> &str {
        self.metadata.as_ref().map_or("{}", |json| json.get())
    }

    /// Deserializes the metadata as a type of yours.
    ///
    /// # Errors
    ///
    /// Fails when the metadata does not have that type. The error names the key and the expected
    /// type, and no value.
    pub fn metadata_as<T: DeserializeOwned>(&self) -> Result<T, MetadataMismatch> {
        let mut json = serde_json::Deserializer::from_str(self.metadata_json());
        serde_path_to_error::deserialize(&mut json).map_err(|error| MetadataMismatch {
            event: self.name.clone(),
            requested: std::any::type_name::<T>(),
            key: error.path().to_string().into(),
            expected: expectation(&error.inner().to_string()).map(Into::into),
        })
    }
}

impl fmt::Debug for PastEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = members(self.metadata_json()).into_iter().map(|(key, _)| key);
        f.debug_struct("PastEvent")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("contact", &self.contact)
            .field("created_at", &self.created_at)
            .field("keys", &keys.collect::<Vec<_>>())
            .finish()
    }
}

/// Returns the part of serde's message with the expected type. The part before it repeats the
/// value.
fn expectation(message: &str) -> Option<&str> {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if message.starts_with("missing field `") {
        return Some(message);
    }
    let is_serdes = ["invalid type: ", "invalid value: ", "unknown variant ", "invalid length "]
        .iter()
        .any(|start| message.starts_with(start));
    let (start, _) = message.rmatch_indices("expected ").next().filter(|_| is_serdes)?;
    Some(&message[start..])
}

#[cfg(test)]
mod tests {
    use super::expectation;

    #[test]
    fn an_expectation_holds_no_value() {
        for (message, expected) in [
            (
                "invalid type: string \"secret, expected x\", expected u64 at line 1 column 9",
                Some("expected u64"),
            ),
            ("missing field `plan` at line 1 column 2", Some("missing field `plan`")),
            (
                "unknown variant `secret`, expected `free` or `pro`",
                Some("expected `free` or `pro`"),
            ),
            ("secret is no date, expected one", None),
            ("", None),
        ] {
            assert_eq!(expectation(message), expected, "{message}");
        }
    }
}
