//! Conditions on the metadata of an event.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Not;

use intercom_core::{Money, Timestamp};

use crate::evaluate::is_same_key;

/// Begins a condition on a metadata key.
///
/// ```
/// use intercom_core::{Currency, Money};
/// use intercom_rules::key;
///
/// let big = key("amount").at_least(Money::new(100_000, Currency::EUR));
/// let condition = big & !key("plan").is("free");
/// assert_eq!(condition.to_string(), r#"amount at_least 1000.00 EUR and not (plan is "free")"#);
/// ```
pub fn key(key: impl Into<String>) -> Key {
    Key(key.into())
}

/// A metadata key that a condition tests. [`key`] returns it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Key(String);

impl Key {
    /// Holds where the value is this. Text is case-sensitive: see [`Condition::ignore_case`].
    pub fn is(self, value: impl Into<Operand>) -> Condition {
        self.test(Test::Is(value.into()))
    }

    /// Holds where the value has the same kind as this, such as text or money, and differs. It does
    /// not hold where the event lacks the key.
    pub fn not(self, value: impl Into<Operand>) -> Condition {
        self.test(Test::Not(value.into()))
    }

    /// Holds where the value is one of these.
    pub fn one_of<T: Into<Operand>>(self, values: impl IntoIterator<Item = T>) -> Condition {
        self.test(Test::OneOf(values.into_iter().map(Into::into).collect()))
    }

    /// Holds where the text contains this.
    pub fn contains(self, text: impl Into<String>) -> Condition {
        self.test(Test::Contains(text.into()))
    }

    /// Holds where the text starts with this.
    pub fn starts_with(self, text: impl Into<String>) -> Condition {
        self.test(Test::StartsWith(text.into()))
    }

    /// Holds where the number, date or amount is this or more.
    pub fn at_least(self, limit: impl Into<Operand>) -> Condition {
        self.test(Test::AtLeast(limit.into()))
    }

    /// Holds where the number, date or amount is this or less.
    pub fn at_most(self, limit: impl Into<Operand>) -> Condition {
        self.test(Test::AtMost(limit.into()))
    }

    /// Holds where the number, date or amount is more than this.
    pub fn above(self, limit: impl Into<Operand>) -> Condition {
        self.test(Test::Above(limit.into()))
    }

    /// Holds where the number, date or amount is less than this.
    pub fn below(self, limit: impl Into<Operand>) -> Condition {
        self.test(Test::Below(limit.into()))
    }

    /// Holds where the number, date or amount is between these. Both limits are included.
    pub fn between(self, low: impl Into<Operand>, high: impl Into<Operand>) -> Condition {
        self.test(Test::Between(low.into(), high.into()))
    }

    /// Holds where the event has the key.
    pub fn present(self) -> Condition {
        self.test(Test::Present)
    }

    /// Holds where the event does not have the key.
    pub fn absent(self) -> Condition {
        self.test(Test::Absent)
    }

    fn test(self, test: Test) -> Condition {
        Condition(Expression::Leaf(Leaf::new(self.0, test, None)))
    }
}

/// The condition of a rule. Start with [`key`], and combine with `&`, `|` and `!`.
///
/// `Display` shows the condition in words, with its own values and none of an event.
#[derive(Clone, Debug)]
#[must_use]
pub struct Condition(pub(crate) Expression);

impl Condition {
    /// Holds where all of these hold. An empty list holds.
    pub fn all(conditions: impl IntoIterator<Item = Condition>) -> Self {
        Condition(Expression::All(conditions.into_iter().map(|one| one.0).collect()))
    }

    /// Holds where one or more of these hold. An empty list does not hold.
    pub fn any(conditions: impl IntoIterator<Item = Condition>) -> Self {
        Condition(Expression::Any(conditions.into_iter().map(|one| one.0).collect()))
    }

    /// Ignores case in all of this condition: compares texts in lower case, character by character.
    /// Loading refuses it for a test of anything but text.
    pub fn ignore_case(mut self) -> Self {
        self.0.leaves_mut(&mut |leaf| leaf.ignore_case());
        self
    }
}

impl std::ops::BitAnd for Condition {
    type Output = Condition;

    fn bitand(self, other: Condition) -> Condition {
        Condition::all([self, other])
    }
}

impl std::ops::BitOr for Condition {
    type Output = Condition;

    fn bitor(self, other: Condition) -> Condition {
        Condition::any([self, other])
    }
}

impl Not for Condition {
    type Output = Condition;

    fn not(self) -> Condition {
        Condition(Expression::Not(Box::new(self.0)))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Leaf(Leaf),
}

impl Expression {
    pub(crate) fn leaves_mut(&mut self, visit: &mut impl FnMut(&mut Leaf)) {
        match self {
            Expression::All(inner) | Expression::Any(inner) => {
                inner.iter_mut().for_each(|one| one.leaves_mut(visit));
            }
            Expression::Not(inner) => inner.leaves_mut(visit),
            Expression::Leaf(leaf) => visit(leaf),
        }
    }

    pub(crate) fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Expression::All(inner) | Expression::Any(inner) => {
                inner.iter().flat_map(Expression::leaves).collect()
            }
            Expression::Not(inner) => inner.leaves(),
            Expression::Leaf(leaf) => vec![leaf],
        }
    }

    /// Returns whether every matching event has the key.
    pub(crate) fn implies_present(&self, key: &str) -> bool {
        self.implies(key, true)
    }

    /// Returns whether every event for which the condition has this result has the key.
    fn implies(&self, key: &str, holds: bool) -> bool {
        match (self, holds) {
            (Expression::Leaf(leaf), _) => {
                is_same_key(&leaf.key, key) && matches!(leaf.test, Test::Absent) != holds
            }
            (Expression::Not(inner), _) => inner.implies(key, !holds),
            (Expression::All(inner), true) | (Expression::Any(inner), false) => {
                inner.iter().any(|one| one.implies(key, holds))
            }
            (Expression::All(inner), false) | (Expression::Any(inner), true) => {
                !inner.is_empty() && inner.iter().all(|one| one.implies(key, holds))
            }
        }
    }

    /// Evaluates the condition, with `leaf` for each leaf.
    pub(crate) fn holds(&self, leaf: &impl Fn(&Leaf) -> bool) -> bool {
        match self {
            Expression::All(inner) => inner.iter().all(|one| one.holds(leaf)),
            Expression::Any(inner) => inner.iter().any(|one| one.holds(leaf)),
            Expression::Not(inner) => !inner.holds(leaf),
            Expression::Leaf(one) => leaf(one),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inner, word) = match self {
            Expression::Leaf(leaf) => return leaf.fmt(f),
            Expression::Not(inner) => return write!(f, "not ({inner})"),
            Expression::All(inner) if inner.is_empty() => return f.write_str("always"),
            Expression::All(inner) => (inner, "and"),
            Expression::Any(inner) => (inner, "or"),
        };
        for (number, one) in inner.iter().enumerate() {
            if number > 0 {
                write!(f, " {word} ")?;
            }
            match one {
                Expression::All(_) | Expression::Any(_) => write!(f, "({one})")?,
                _ => one.fmt(f)?,
            }
        }
        Ok(())
    }
}

/// A test of one key.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) key: String,
    pub(crate) test: Test,
    pub(crate) ignores_case: bool,
    /// Its offset in the text.
    pub(crate) spot: Option<usize>,
    /// The index of its key among the tested keys.
    pub(crate) slot: usize,
}

impl Leaf {
    pub(crate) fn new(key: String, test: Test, spot: Option<usize>) -> Self {
        Leaf { key, test, ignores_case: false, spot, slot: 0 }
    }

    pub(crate) fn ignore_case(&mut self) {
        self.ignores_case = true;
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.test)?;
        if self.ignores_case { f.write_str(" (in any case)") } else { Ok(()) }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Test {
    Is(Operand),
    Not(Operand),
    OneOf(Vec<Operand>),
    Contains(String),
    StartsWith(String),
    AtLeast(Operand),
    AtMost(Operand),
    Above(Operand),
    Below(Operand),
    Between(Operand, Operand),
    Present,
    Absent,
}

impl Test {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Test::Is(_) => "is",
            Test::Not(_) => "not",
            Test::OneOf(_) => "one_of",
            Test::Contains(_) => "contains",
            Test::StartsWith(_) => "starts_with",
            Test::AtLeast(_) => "at_least",
            Test::AtMost(_) => "at_most",
            Test::Above(_) => "above",
            Test::Below(_) => "below",
            Test::Between(..) => "between",
            Test::Present => "present",
            Test::Absent => "absent",
        }
    }

    /// Returns the operands.
    pub(crate) fn operands(&self) -> Vec<&Operand> {
        match self {
            Test::Is(one) | Test::Not(one) => vec![one],
            Test::AtLeast(one) | Test::AtMost(one) | Test::Above(one) | Test::Below(one) => {
                vec![one]
            }
            Test::OneOf(all) => all.iter().collect(),
            Test::Between(low, high) => vec![low, high],
            Test::Contains(_) | Test::StartsWith(_) | Test::Present | Test::Absent => Vec::new(),
        }
    }

    pub(crate) fn orders(&self) -> bool {
        matches!(
            self,
            Test::AtLeast(_)
                | Test::AtMost(_)
                | Test::Above(_)
                | Test::Below(_)
                | Test::Between(..)
        )
    }

    pub(crate) fn searches(&self) -> bool {
        matches!(self, Test::Contains(_) | Test::StartsWith(_))
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Test::Contains(text) | Test::StartsWith(text) => write!(f, " {text:?}"),
            Test::Between(low, high) => write!(f, " {low} and {high}"),
            _ => {
                let all: Vec<_> = self.operands().iter().map(ToString::to_string).collect();
                if all.is_empty() { Ok(()) } else { write!(f, " {}", all.join(", ")) }
            }
        }
    }
}

/// A value that a condition compares with the event's.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Operand {
    /// A text, or the URL of a link.
    Text(String),
    /// A whole number.
    Integer(i128),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date, under a key that ends in `_date`.
    Date(Timestamp),
    /// An amount of money. An amount of another currency is not equal, not more and not less. So of
    /// the comparisons, only [`Key::not`] holds for it.
    Money(Money),
}

impl Operand {
    /// Returns the kind in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Operand::Text(_) => "text",
            Operand::Integer(_) | Operand::Float(_) => "a number",
            Operand::Boolean(_) => "a boolean",
            Operand::Date(_) => "a date",
            Operand::Money(_) => "money",
        }
    }

    /// Compares two operands of one kind.
    pub(crate) fn order(&self, other: &Operand) -> Option<Ordering> {
        match (self, other) {
            (Operand::Date(one), Operand::Date(other)) => Some(one.cmp(other)),
            (Operand::Money(one), Operand::Money(other)) if one.currency() == other.currency() => {
                Some(one.amount().cmp(&other.amount()))
            }
            _ => Number::of(self)?.order(Number::of(other)?),
        }
    }
}

macro_rules! operands {
    ($($type:ty => $variant:ident,)*) => {$(
        impl From<$type> for Operand {
            fn from(value: $type) -> Self {
                Operand::$variant(value.into())
            }
        }
    )*};
}

operands! {
    &str => Text,
    String => Text,
    i32 => Integer,
    i64 => Integer,
    u32 => Integer,
    u64 => Integer,
    f64 => Float,
    bool => Boolean,
    Timestamp => Date,
    Money => Money,
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Text(text) => write!(f, "{text:?}"),
            Operand::Integer(number) => write!(f, "{number}"),
            Operand::Float(number) => write!(f, "{number}"),
            Operand::Boolean(boolean) => write!(f, "{boolean}"),
            Operand::Date(date) => write!(f, "{} s", date.unix_seconds()),
            Operand::Money(money) => {
                let digits = usize::from(money.currency().minor_unit_digits().unwrap_or_default());
                let minor =
                    format!("{:0>width$}", money.amount().unsigned_abs(), width = digits + 1);
                let (whole, fraction) = minor.split_at(minor.len() - digits);
                let sign = if money.amount() < 0 { "-" } else { "" };
                let point = if digits > 0 { "." } else { "" };
                write!(f, "{sign}{whole}{point}{fraction} {}", money.currency())
            }
        }
    }
}

/// A number of an event or a rule. Whole numbers compare exactly.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    pub(crate) fn of(operand: &Operand) -> Option<Self> {
        match operand {
            Operand::Integer(number) => Some(Number::Integer(*number)),
            Operand::Float(number) => Some(Number::Float(*number)),
            _ => None,
        }
    }

    /// Parses a JSON number.
    pub(crate) fn read(json: &str) -> Option<Self> {
        match json.parse() {
            Ok(number) => Some(Number::Integer(number)),
            Err(_) => json.parse().ok().map(Number::Float),
        }
    }

    pub(crate) fn order(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Integer(one), Number::Integer(other)) => Some(one.cmp(&other)),
            _ => self.float().partial_cmp(&other.float()),
        }
    }

    fn float(self) -> f64 {
        match self {
            Number::Integer(number) => number as f64,
            Number::Float(number) => number,
        }
    }
}
