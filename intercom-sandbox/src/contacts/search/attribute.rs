//! The value of a field, to be compared and sorted by.

use std::cmp::Ordering;

use serde_json::Value;

/// What a contact has in one field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attribute<'a> {
    Absent,
    Flag(bool),
    Number(f64),
    Text(&'a str),
}

impl<'a> Attribute<'a> {
    pub(super) fn text(value: Option<&'a str>) -> Self {
        value.map_or(Self::Absent, Self::Text)
    }

    /// Seconds are far below what a float tells apart.
    pub(super) fn seconds(value: Option<i64>) -> Self {
        value.map_or(Self::Absent, |seconds| Self::Number(seconds as f64))
    }

    /// Custom attributes are none of the other kinds of JSON.
    pub(crate) fn from_json(value: &'a Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => number.as_f64().map_or(Self::Absent, Self::Number),
            Value::String(text) => Self::Text(text),
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Absent,
        }
    }

    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::Absent => Value::Null,
            Self::Flag(flag) => flag.into(),
            Self::Number(number) => number.into(),
            Self::Text(text) => text.into(),
        }
    }

    /// Values of one kind by themselves, and kind after kind.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Flag(one), Self::Flag(other)) => one.cmp(&other),
            (Self::Number(one), Self::Number(other)) => one.total_cmp(&other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Flag(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
        }
    }
}
