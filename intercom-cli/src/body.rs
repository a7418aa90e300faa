//! Shows the body of an event: members in wire order, sensitive values masked.

use std::fmt;

use intercom_core::DataEvent;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

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

/// A body to show.
pub(crate) struct Shown<'a>(pub(crate) &'a DataEvent);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body: Members =
            serde_json::from_slice(self.0.body()).map_err(serde::ser::Error::custom)?;
        let mut map = serializer.serialize_map(Some(body.0.len()))?;
        for (member, value) in &body.0 {
            match member.as_str() {
                "metadata" => map.serialize_entry(member, &Metadata(self.0, value))?,
                _ => map.serialize_entry(member, value)?,
            }
        }
        map.end()
    }
}

struct Metadata<'a>(&'a DataEvent, &'a RawValue);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metadata: Members =
            serde_json::from_str(self.1.get()).map_err(serde::ser::Error::custom)?;
        let is_sensitive = |key: &str| self.0.sensitive_keys().any(|sensitive| sensitive == key);
        let mut map = serializer.serialize_map(Some(metadata.0.len()))?;
        for (key, value) in &metadata.0 {
            match is_sensitive(key) {
                true => map.serialize_entry(key, MASK)?,
                false => map.serialize_entry(key, value)?,
            }
        }
        map.end()
    }
}

/// With a line for each member.
impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?)
    }
}
