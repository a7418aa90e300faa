//! The value of a field, to compare and sort by.

use std::cmp::Ordering;

use serde_json::Value;

/// A contact's value in one field.
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

    /// A float holds seconds exactly.
    pub(super) fn seconds(value: Option<i64>) -> Self {
        value.map_or(Self::Absent, |seconds| Self::Number(seconds as f64))
    }

    /// Custom attributes have no other JSON kinds.
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

    /// Orders values by kind, then by value.
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
