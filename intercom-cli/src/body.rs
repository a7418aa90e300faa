//! The printed body of an event: members in wire order, without sensitive values.

use std::fmt;

use intercom_core::DataEvent;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::lock_file::same;

/// The mask of a sensitive value.
pub(crate) const MASK: &str = "[sensitive]";

/// The members of a JSON object, in their order, with their values as written.
#[derive(Debug, Default)]
pub(crate) struct Members(pub(crate) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;

        impl<'de> Visitor<'de> for Ordered {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Ordered)
    }
}

/// Metadata that hides its sensitive values.
#[derive(Default)]
pub(crate) struct MaskedMetadata<'a> {
    members: Members,
    sensitive: Vec<&'a str>,
}

impl<'a> MaskedMetadata<'a> {
    /// Reads metadata with these sensitive keys.
    ///
    /// # Errors
    ///
    /// Fails when the JSON is not an object.
    pub(crate) fn read(
        json: &str,
        sensitive: impl Iterator<Item = &'a str>,
    ) -> serde_json::Result<Self> {
        let members = serde_json::from_str(json)?;
        Ok(MaskedMetadata { members, sensitive: sensitive.collect() })
    }

    /// Returns each key with its value, as JSON has it; `None` for a sensitive value.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Option<&RawValue>)> {
        self.members.0.iter().map(|(key, value)| {
            let is_sensitive = self.sensitive.iter().any(|sensitive| same(sensitive, key));
            (key.as_str(), (!is_sensitive).then_some(&**value))
        })
    }
}

impl Serialize for MaskedMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.0.len()))?;
        for (key, value) in self.members() {
            match value {
                Some(value) => map.serialize_entry(key, value)?,
                None => map.serialize_entry(key, MASK)?,
            }
        }
        map.end()
    }
}

/// The printed body of an event.
pub(crate) struct MaskedBody<'a>(pub(crate) &'a DataEvent);

impl Serialize for MaskedBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body: Members =
            serde_json::from_slice(self.0.body()).map_err(serde::ser::Error::custom)?;
        let mut map = serializer.serialize_map(Some(body.0.len()))?;
        for (member, value) in &body.0 {
            match member.as_str() {
                "metadata" => {
                    let metadata = MaskedMetadata::read(value.get(), self.0.sensitive_keys())
                        .map_err(serde::ser::Error::custom)?;
                    map.serialize_entry(member, &metadata)?;
                }
                _ => map.serialize_entry(member, value)?,
            }
        }
        map.end()
    }
}

/// Prints a line for each member.
impl fmt::Display for MaskedBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?)
    }
}
