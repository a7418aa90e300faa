//! Intercom's query language for contacts: a query, and its matching.

mod attribute;
mod field;

use std::cmp::Ordering;
use std::time::Duration;

pub(crate) use attribute::Attribute;
pub(crate) use field::{Field, Kind};

use super::contact::Contact;
use crate::version::ApiVersion;

/// A day, the unit of searches by time.
const DAY: f64 = Duration::from_hours(24).as_secs() as f64;

/// The condition that a contact has to match.
#[derive(Debug)]
pub(crate) enum Query {
    Filter(Filter),
    All(Vec<Query>),
    Any(Vec<Query>),
}

/// A comparison of a field with a value.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) field: Field,
    pub(crate) operator: Operator,
    /// A single operand, except for `IN` and `NIN`.
    pub(crate) operands: Vec<Operand>,
    /// Whether to compare dates by calendar day.
    pub(crate) by_day: bool,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equals,
    Differs,
    In,
    NotIn,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Contains,
    ContainsNot,
    StartsWith,
    EndsWith,
}

/// The value to compare a field with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Null,
    Text(String),
    Number(f64),
    Flag(bool),
}

/// The order of a list: by a field, or by arrival.
#[derive(Debug, Default)]
pub(crate) struct Sort {
    pub(crate) field: Option<Field>,
    pub(crate) descending: bool,
}

impl Operator {
    /// All operators, as written in a query.
    pub(crate) const ALL: [(&str, Self); 12] = [
        ("=", Self::Equals),
        ("!=", Self::Differs),
        ("IN", Self::In),
        ("NIN", Self::NotIn),
        (">", Self::Greater),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        ("<=", Self::LessOrEqual),
        ("~", Self::Contains),
        ("!~", Self::ContainsNot),
        ("^", Self::StartsWith),
        ("$", Self::EndsWith),
    ];

    /// Returns whether the operator takes a list of values.
    pub(crate) fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }

    /// Returns whether the operator compares by order.
    pub(crate) fn is_ordered(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual)
    }

    /// Returns whether Intercom's descriptions allow the operator for this kind of field. In
    /// numbered versions dates take only `=`, `>` and `<`, and tags `=` and `!=`.
    pub(crate) fn fits(self, kind: Kind, version: ApiVersion) -> bool {
        let exact = version.searches_to_the_second();
        match (self, kind) {
            (Self::Equals, _) => true,
            (Self::Differs, Kind::Date) => exact,
            (Self::Differs, _) => true,
            (Self::In | Self::NotIn, Kind::Date | Kind::Tag) => false,
            (Self::In | Self::NotIn, _) => true,
            (Self::Greater | Self::Less, kind) => matches!(kind, Kind::Date | Kind::Custom),
            (Self::GreaterOrEqual | Self::LessOrEqual, Kind::Date) => exact,
            (Self::GreaterOrEqual | Self::LessOrEqual, kind) => kind == Kind::Custom,
            (Self::Contains | Self::ContainsNot | Self::StartsWith | Self::EndsWith, kind) => {
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
        let by_day = self.by_day && self.field.kind() == Kind::Date;
        let any = |compare: fn(Attribute<'_>, &Operand, bool) -> bool| {
            self.operands.iter().any(|operand| compare(attribute, operand, by_day))
        };
        let ordered = |fits: fn(Ordering) -> bool| {
            let compared = |operand| numbers(attribute, operand, by_day);
            let mut pairs = self.operands.iter().filter_map(compared);
            pairs.any(|(one, other)| one.partial_cmp(&other).is_some_and(fits))
        };
        match self.operator {
            Operator::Equals | Operator::In => any(equals),
            Operator::Differs | Operator::NotIn => !any(equals),
            Operator::Greater => ordered(Ordering::is_gt),
            Operator::GreaterOrEqual => ordered(Ordering::is_ge),
            Operator::Less => ordered(Ordering::is_lt),
            Operator::LessOrEqual => ordered(Ordering::is_le),
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

/// Returns the texts to compare. Intercom does not say whether case matters in a search; here it
/// does.
fn texts<'a>(attribute: Attribute<'a>, operand: &'a Operand) -> Option<(&'a str, &'a str)> {
    match (attribute, operand) {
        (Attribute::Text(text), Operand::Text(part)) => Some((text, part)),
        _ => None,
    }
}

/// Returns the numbers to compare. By day, a time counts as its calendar day in the workspace's
/// time zone, which `GET /me` reports as UTC.
fn numbers(attribute: Attribute<'_>, operand: &Operand, by_day: bool) -> Option<(f64, f64)> {
    match (attribute, operand) {
        (Attribute::Number(one), Operand::Number(other)) if by_day => {
            Some(((one / DAY).floor(), (other / DAY).floor()))
        }
        (Attribute::Number(one), Operand::Number(other)) => Some((one, *other)),
        _ => None,
    }
}
