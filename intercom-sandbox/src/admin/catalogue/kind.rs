//! The kinds of metadata values as Intercom sees them, by value and by key.

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ValueKind {
    Text,
    Number,
    Boolean,
    Date,
    Link,
    #[serde(rename = "rich link")]
    RichLink,
    Money,
    Stripe,
    /// A kind that Intercom does not accept.
    Other,
}

impl ValueKind {
    pub(super) fn of(key: &str, value: &Value) -> Self {
        match value {
            Value::String(_) if is_stripe(key) => Self::Stripe,
            Value::String(text) if is_link(text) => Self::Link,
            Value::String(_) => Self::Text,
            Value::Number(number) if is_date(key) && !number.is_f64() => Self::Date,
            Value::Number(_) => Self::Number,
            Value::Bool(_) => Self::Boolean,
            Value::Object(members) if members.contains_key("url") => Self::RichLink,
            Value::Object(members) if members.contains_key("amount") => Self::Money,
            Value::Object(_) | Value::Array(_) | Value::Null => Self::Other,
        }
    }

    /// Returns the kind with its article, for a sentence.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Date => "a date",
            Self::Link => "a link",
            Self::RichLink => "a rich link",
            Self::Money => "an amount of money",
            Self::Stripe => "an id of Stripe's",
            Self::Other => "something else",
        }
    }
}

fn is_stripe(key: &str) -> bool {
    const KEYS: [&str; 3] = ["stripe_customer", "stripe_invoice", "stripe_charge"];
    KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

fn is_date(key: &str) -> bool {
    const SUFFIX: &[u8] = b"_date";
    let key = key.as_bytes();
    key.len() >= SUFFIX.len() && key[key.len() - SUFFIX.len()..].eq_ignore_ascii_case(SUFFIX)
}

fn is_link(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
            && !rest.is_empty()
            && !text.contains(char::is_whitespace)
    })
}
