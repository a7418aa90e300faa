//! Intercom's query language for contacts: what a query is, and whom it matches.

mod attribute;
mod field;

use std::time::Duration;

pub(crate) use attribute::Attribute;
pub(crate) use field::{Field, Kind};

use super::Contact;

/// The length of a day, by which times are searched.
const DAY: f64 = Duration::from_hours(24).as_secs() as f64;

/// What contacts must be to be found.
#[derive(Debug)]
pub(crate) enum Query {
    Filter(Filter),
    All(Vec<Query>),
    Any(Vec<Query>),
}

/// One comparison of a field with a value.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) field: Field,
    pub(crate) operator: Operator,
    /// One, but for `IN` and `NIN`.
    pub(crate) operands: Vec<Operand>,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equals,
    Differs,
    In,
    NotIn,
    Greater,
    Less,
    Contains,
    ContainsNot,
    StartsWith,
    EndsWith,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Null,
    Text(String),
    Number(f64),
    Flag(bool),
}

/// In which order contacts are listed: by a field, or as they came.
#[derive(Debug, Default)]
pub(crate) struct Sort {
    pub(crate) field: Option<Field>,
    pub(crate) descending: bool,
}

impl Operator {
    /// All of them, as they are written.
    pub(crate) const ALL: [(&str, Self); 10] = [
        ("=", Self::Equals),
        ("!=", Self::Differs),
        ("IN", Self::In),
        ("NIN", Self::NotIn),
        (">", Self::Greater),
        ("<", Self::Less),
        ("~", Self::Contains),
        ("!~", Self::ContainsNot),
        ("^", Self::StartsWith),
        ("$", Self::EndsWith),
    ];

    /// Whether it compares with one of several values.
    pub(crate) fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }

    /// Whether Intercom lets it compare fields of this kind.
    pub(crate) fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Equals | Self::Differs | Self::In | Self::NotIn => true,
            Self::Greater | Self::Less => matches!(kind, Kind::Date | Kind::Custom),
            Self::Contains | Self::ContainsNot | Self::StartsWith | Self::EndsWith => {
                matches!(kind, Kind::Text | Kind::Role | Kind::Owner | Kind::Custom)
            }
        }
    }
}

impl Query {
    pub(crate) fn matches(&self, contact: &Contact) -> bool {
        match self {
            Self::Filter(filter) => filter.matches(contact),
            Self::All(queries) => queries.iter().all(|query| query.matches(contact)),
            Self::Any(queries) => queries.iter().any(|query| query.matches(contact)),
        }
    }
}

impl Filter {
    fn matches(&self, contact: &Contact) -> bool {
        let attribute = self.field.read(contact);
        let by_day = self.field.kind() == Kind::Date;
        let any = |compare: fn(Attribute<'_>, &Operand, bool) -> bool| {
            self.operands.iter().any(|operand| compare(attribute, operand, by_day))
        };
        match self.operator {
            Operator::Equals | Operator::In => any(equals),
            Operator::Differs | Operator::NotIn => !any(equals),
            Operator::Greater => any(|attribute, operand, by_day| {
                numbers(attribute, operand, by_day).is_some_and(|(one, other)| one > other)
            }),
            Operator::Less => any(|attribute, operand, by_day| {
                numbers(attribute, operand, by_day).is_some_and(|(one, other)| one < other)
            }),
            Operator::Contains => any(contains),
            Operator::ContainsNot => !any(contains),
            Operator::StartsWith => any(|attribute, operand, _| {
                texts(attribute, operand).is_some_and(|(text, part)| text.starts_with(part))
            }),
            Operator::EndsWith => any(|attribute, operand, _| {
                texts(attribute, operand).is_some_and(|(text, part)| text.ends_with(part))
            }),
        }
    }
}

fn equals(attribute: Attribute<'_>, operand: &Operand, by_day: bool) -> bool {
    match (attribute, operand) {
        (Attribute::Absent, Operand::Null) => true,
        (Attribute::Text(text), Operand::Text(other)) => text == other,
        (Attribute::Flag(flag), Operand::Flag(other)) => flag == *other,
        _ => numbers(attribute, operand, by_day).is_some_and(|(one, other)| one == other),
    }
}

fn contains(attribute: Attribute<'_>, operand: &Operand, _: bool) -> bool {
    texts(attribute, operand).is_some_and(|(text, part)| text.contains(part))
}

/// Intercom does not say whether upper and lower case differ in a search; here they do.
fn texts<'a>(attribute: Attribute<'a>, operand: &'a Operand) -> Option<(&'a str, &'a str)> {
    match (attribute, operand) {
        (Attribute::Text(text), Operand::Text(part)) => Some((text, part)),
        _ => None,
    }
}

/// Times count by the UTC day that they are in: that is Intercom's rule.
fn numbers(attribute: Attribute<'_>, operand: &Operand, by_day: bool) -> Option<(f64, f64)> {
    match (attribute, operand) {
        (Attribute::Number(one), Operand::Number(other)) if by_day => {
            Some(((one / DAY).floor(), (other / DAY).floor()))
        }
        (Attribute::Number(one), Operand::Number(other)) => Some((one, *other)),
        _ => None,
    }
}
