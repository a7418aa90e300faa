//! Decodes metadata by kind: the reverse of the encoder.

use std::fmt;

use intercom_core::{Currency, Money, Timestamp, rules};
use serde_core::Deserializer as _;
use serde_core::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// A value of a past event's metadata, by Intercom's kinds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PastValue {
    /// Text.
    Text(String),
    /// A number. Beyond `i64` and `u64` it is a float, and may be inexact.
    Number(Number),
    /// A boolean.
    Boolean(bool),
    /// A date: a whole number whose key ends in `_date`.
    Date(Timestamp),
    /// A link: text that is an `http` or `https` URL.
    Link(String),
    /// A link with a label.
    RichLink {
        /// The URL.
        url: String,
        /// The label.
        text: String,
    },
    /// An amount of money.
    Money(Money),
    /// A value of no documented kind. Programs in other languages can send it.
    Other(Value),
}

impl PastValue {
    /// Parses the JSON of this key's value.
    pub(super) fn of(key: &str, json: &str) -> Self {
        match serde_json::from_str(json).unwrap_or_default() {
            Value::String(text) if is_link(&text) => PastValue::Link(text),
            Value::String(text) => PastValue::Text(text),
            Value::Bool(value) => PastValue::Boolean(value),
            Value::Number(number) => match number.as_i64() {
                Some(seconds) if rules::is_date_key(key) => {
                    PastValue::Date(Timestamp::from_unix_seconds(seconds))
                }
                _ => PastValue::Number(number),
            },
            Value::Object(object) => match (object.get("url"), object.get("value")) {
                (Some(Value::String(url)), Some(Value::String(text))) if object.len() == 2 => {
                    PastValue::RichLink { url: url.clone(), text: text.clone() }
                }
                _ => match money(&object) {
                    Some(money) => PastValue::Money(money),
                    None => PastValue::Other(Value::Object(object)),
                },
            },
            other => PastValue::Other(other),
        }
    }
}

fn is_link(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

fn money(object: &serde_json::Map<String, Value>) -> Option<Money> {
    let (amount, currency) = (object.get("amount")?.as_i64()?, object.get("currency")?.as_str()?);
    let currency: Currency = currency.parse().ok()?;
    (object.len() == 2).then(|| Money::new(amount, currency))
}

/// Returns the members of a JSON object in their order, unparsed. Returns none for other JSON.
pub(super) fn members(json: &str) -> Vec<(String, &RawValue)> {
    struct MemberVisitor;

    impl<'de> Visitor<'de> for MemberVisitor {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }

    serde_json::Deserializer::from_str(json).deserialize_map(MemberVisitor).unwrap_or_default()
}
