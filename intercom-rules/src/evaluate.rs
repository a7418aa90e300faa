//! Evaluates conditions over encoded metadata, in one pass and without an allocation.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use intercom_core::rules::{MAX_MAX_KEYS, fold};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::condition::{Leaf, Number, Operand, Test};

/// The most keys that the conditions of one event can test: as many as an event can have.
pub(crate) const MAX_KEYS: usize = MAX_MAX_KEYS;

/// The values of the tested keys, as JSON. Absent ones are `None`.
pub(crate) type Values<'a> = [Option<&'a str>; MAX_KEYS];

/// Finds the values of these keys. The last of two equal keys counts.
pub(crate) fn values<'a>(metadata: Option<&'a [u8]>, keys: &[String]) -> Values<'a> {
    let mut found = [None; MAX_KEYS];
    if let Some(metadata) = metadata.filter(|_| !keys.is_empty()) {
        let visitor = Members { keys, found: &mut found };
        // The metadata of a `DataEvent` is an object.
        let _ = serde_json::Deserializer::from_slice(metadata).deserialize_map(visitor);
    }
    found
}

struct Members<'k, 'v, 'a> {
    keys: &'k [String],
    found: &'v mut Values<'a>,
}

impl<'a> Visitor<'a> for Members<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(KeyText(key)) = members.next_key::<KeyText<'a>>()? {
            match self.keys.iter().position(|wanted| is_same_key(wanted, &key)) {
                Some(place) => {
                    let value: &RawValue = members.next_value()?;
                    self.found[place] = Some(value.get()).filter(|json| *json != "null");
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
struct KeyText<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for KeyText<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'a> Visitor<'a> for KeyVisitor {
            type Value = KeyText<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<KeyText<'a>, E> {
                Ok(KeyText(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<KeyText<'a>, E> {
                Ok(KeyText(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Compares keys and names as Intercom does: ignores case, and the encoding of accents.
pub(crate) fn is_same_key(one: &str, other: &str) -> bool {
    one == other
        || one.eq_ignore_ascii_case(other)
        || (!one.is_ascii() && !other.is_ascii() && fold(one) == fold(other))
}

/// Returns whether a condition holds for a value.
pub(crate) fn holds(leaf: &Leaf, value: Option<&str>) -> bool {
    let Some(json) = value else { return matches!(leaf.test, Test::Absent) };
    let fold = leaf.ignores_case;
    let order = |limit: &Operand| order(&leaf.key, json, limit);
    match &leaf.test {
        Test::Present => true,
        Test::Absent => false,
        Test::Is(operand) => equals(&leaf.key, json, operand, fold) == Some(true),
        Test::Not(operand) => equals(&leaf.key, json, operand, fold) == Some(false),
        Test::OneOf(all) => {
            all.iter().any(|operand| equals(&leaf.key, json, operand, fold) == Some(true))
        }
        Test::Contains(text) => Text::of(json).is_some_and(|value| value.contains(text, fold)),
        Test::StartsWith(text) => Text::of(json).is_some_and(|value| value.starts_with(text, fold)),
        Test::AtLeast(limit) => order(limit).is_some_and(Ordering::is_ge),
        Test::AtMost(limit) => order(limit).is_some_and(Ordering::is_le),
        Test::Above(limit) => order(limit).is_some_and(Ordering::is_gt),
        Test::Below(limit) => order(limit).is_some_and(Ordering::is_lt),
        Test::Between(low, high) => {
            order(low).is_some_and(Ordering::is_ge) && order(high).is_some_and(Ordering::is_le)
        }
    }
}

/// Returns whether a value of the operand's kind equals the operand.
fn equals(key: &str, json: &str, operand: &Operand, fold: bool) -> Option<bool> {
    match operand {
        Operand::Text(text) => Text::of(json).map(|value| value.equals(text, fold)),
        Operand::Boolean(boolean) => match json {
            "true" => Some(*boolean),
            "false" => Some(!*boolean),
            _ => None,
        },
        Operand::Money(_) => {
            let money = money(json)?;
            Some(order_money(&money, operand).is_some_and(Ordering::is_eq))
        }
        _ => order(key, json, operand).map(Ordering::is_eq),
    }
}

/// Compares a value of the operand's kind with the operand.
fn order(key: &str, json: &str, operand: &Operand) -> Option<Ordering> {
    match operand {
        Operand::Integer(_) | Operand::Float(_) => number(json)?.order(Number::of(operand)?),
        Operand::Date(date) => {
            let is_date = key.len() >= 5 && is_same_key(key.get(key.len() - 5..)?, "_date");
            let seconds = i128::from(date.unix_seconds());
            number(json).filter(|_| is_date)?.order(Number::Integer(seconds))
        }
        Operand::Money(_) => order_money(&money(json)?, operand),
        Operand::Text(_) | Operand::Boolean(_) => None,
    }
}

fn number(json: &str) -> Option<Number> {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        .then(|| Number::read(json))?
}

/// An amount of money, as an event encodes it.
#[derive(serde::Deserialize)]
struct RawMoney<'a> {
    #[serde(borrow)]
    amount: &'a RawValue,
    #[serde(borrow)]
    currency: &'a RawValue,
}

fn money(json: &str) -> Option<RawMoney<'_>> {
    if json.starts_with('{') { serde_json::from_str(json).ok() } else { None }
}

fn order_money(money: &RawMoney<'_>, operand: &Operand) -> Option<Ordering> {
    let Operand::Money(limit) = operand else { return None };
    let is_same = Text::of(money.currency.get())?.equals(limit.currency().code(), true);
    let amount = number(money.amount.get()).filter(|_| is_same)?;
    amount.order(Number::Integer(i128::from(limit.amount())))
}

/// A JSON text, between its quotes.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// Returns the text of a string, or the URL of a rich link.
    fn of(json: &'a str) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct RichLink<'a> {
            #[serde(borrow)]
            url: &'a RawValue,
        }
        let string = match json.as_bytes().first()? {
            b'{' => serde_json::from_str::<RichLink<'a>>(json).ok()?.url.get(),
            _ => json,
        };
        string.strip_prefix('"')?.strip_suffix('"').map(Text)
    }

    /// Returns the text, if it has no escapes.
    fn plain(self) -> Option<&'a str> {
        (!self.0.contains('\\')).then_some(self.0)
    }

    fn equals(self, text: &str, fold: bool) -> bool {
        match self.plain() {
            Some(plain) if !fold => plain == text,
            _ if fold => folded(self.chars()).eq(folded(text.chars())),
            _ => self.chars().eq(text.chars()),
        }
    }

    fn starts_with(self, text: &str, fold: bool) -> bool {
        match self.plain() {
            Some(plain) if !fold => plain.starts_with(text),
            _ if fold => begins(folded(self.chars()), folded(text.chars())),
            _ => begins(self.chars(), text.chars()),
        }
    }

    fn contains(self, text: &str, fold: bool) -> bool {
        if let (Some(plain), false) = (self.plain(), fold) {
            return plain.contains(text);
        }
        if fold {
            return holds_within(folded(self.chars()), folded(text.chars()));
        }
        holds_within(self.chars(), text.chars())
    }

    fn chars(self) -> Unescaped<'a> {
        Unescaped(self.0.chars())
    }
}

fn folded<I: Iterator<Item = char> + Clone>(chars: I) -> impl Iterator<Item = char> + Clone {
    chars.flat_map(char::to_lowercase)
}

fn begins(mut text: impl Iterator<Item = char>, mut prefix: impl Iterator<Item = char>) -> bool {
    prefix.all(|expected| text.next() == Some(expected))
}

fn holds_within<I, J>(mut text: I, part: J) -> bool
where
    I: Iterator<Item = char> + Clone,
    J: Iterator<Item = char> + Clone,
{
    loop {
        if begins(text.clone(), part.clone()) {
            return true;
        }
        if text.next().is_none() {
            return false;
        }
    }
}

/// The characters of a JSON string.
#[derive(Clone)]
struct Unescaped<'a>(std::str::Chars<'a>);

impl Unescaped<'_> {
    /// Reads four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| Some(unit * 16 + self.0.next()?.to_digit(16)?))
    }
}

impl Iterator for Unescaped<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let escaped = match self.0.next()? {
            '\\' => self.0.next()?,
            plain => return Some(plain),
        };
        Some(match escaped {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.unit()?;
                let is_first_half = (0xD800..0xDC00).contains(&first);
                if is_first_half && self.0.as_str().starts_with("\\u") {
                    let mut rest = Unescaped(self.0.as_str()[2..].chars());
                    let second = rest.unit().filter(|unit| (0xDC00..0xE000).contains(unit));
                    if let Some(second) = second {
                        self.0 = rest.0;
                        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                        return Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                }
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => other,
        })
    }
}
