//! Values of metadata in the forms that people write. Numbers never pass through floating point.

use intercom_core::value::{ValueEncoder, Written, kind};
use intercom_core::{
    Currency, DynamicEvent, InvalidEvent, MetadataValue, Money, RichLink, Timestamp, ValueError,
    ValueKind, rules,
};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::time;

/// A value and its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(Decimal),
    Boolean(bool),
    Date(Timestamp),
    Link(String),
    RichLink(RichLink),
    Money(Money),
}

/// The largest whole number that counts as a number by its form alone, 2⁵³. A float cannot hold
/// larger ones, which are mostly identifiers.
const LARGEST_BY_FORM: i64 = 1 << 53;

impl Value {
    /// Reads a value of this kind.
    ///
    /// # Errors
    ///
    /// Fails, with a sentence that does not repeat the value, when it is of another kind.
    pub(crate) fn of_kind(kind: ValueKind, text: &str) -> Result<Self, String> {
        match kind {
            ValueKind::Text => Ok(Value::Text(text.to_owned())),
            ValueKind::Number => number(text)
                .map(Value::Number)
                .ok_or_else(|| "not a number; write 7, -3 or 349.99".to_owned()),
            ValueKind::Boolean => match text {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                _ => Err("not a boolean; write true or false".to_owned()),
            },
            ValueKind::Date => time::parse(text).map(Value::Date),
            ValueKind::Link => Ok(Value::Link(text.to_owned())),
            ValueKind::RichLink => rich_link(text).map(Value::RichLink).ok_or_else(|| {
                "not a link with a text; write [the text](https://example.com)".to_owned()
            }),
            ValueKind::Money => match money(text) {
                Some(Ok(money)) => Ok(Value::Money(money)),
                Some(Err(error)) => Err(error),
                None => Err("not an amount of money; write 349.99EUR".to_owned()),
            },
            kind => Err(format!(
                "this version cannot write a value of the kind {}; install the current version",
                kind.as_str()
            )),
        }
    }

    /// Reads a value by its form: `true`, `349.99`, `349.99EUR`, a day or time if the key is for a
    /// date, and text otherwise.
    ///
    /// # Errors
    ///
    /// Fails when the key needs a date and the value is none, or when an amount of money is not
    /// exact. The error does not repeat the value.
    pub(crate) fn of_form(key: &str, text: &str) -> Result<Self, String> {
        if rules::is_date_key(key) {
            return Value::of_kind(ValueKind::Date, text);
        }
        if rules::is_stripe_key(key) {
            return Ok(Value::Text(text.to_owned()));
        }
        if let "true" | "false" = text {
            return Ok(Value::Boolean(text == "true"));
        }
        if is_plain_number(text)
            && let Some(number) = number(text)
            && (number.scale() > 0 || number.abs() <= LARGEST_BY_FORM.into())
        {
            return Ok(Value::Number(number));
        }
        let is_upper = text.ends_with(|letter: char| letter.is_ascii_uppercase());
        if is_upper && let Some(money) = money(text) {
            return money.map(Value::Money);
        }
        Ok(Value::Text(text.to_owned()))
    }

    /// Reads a value from JSON, of this kind if the kind is known. `null` is no value.
    ///
    /// # Errors
    ///
    /// Fails, with a sentence that does not repeat the value, when it is of another kind, or of
    /// none.
    pub(crate) fn of_json(
        key: &str,
        kind: Option<ValueKind>,
        json: &RawValue,
    ) -> Result<Option<Self>, String> {
        let text = json.get();
        let is_date = kind.map_or(rules::is_date_key(key), |kind| kind == ValueKind::Date);
        let value = match text.as_bytes()[0] {
            b'n' => return Ok(None),
            b't' | b'f' => Value::Boolean(text == "true"),
            b'"' => {
                let text: String = serde_json::from_str(text).map_err(|error| error.to_string())?;
                let of_form = if is_date { ValueKind::Date } else { ValueKind::Text };
                Value::of_kind(kind.unwrap_or(of_form), &text)?
            }
            b'{' => of_object(text)?,
            b'[' => return Err("a list, which Intercom does not take; write one value".to_owned()),
            _ if is_date => Value::of_kind(ValueKind::Date, text)?,
            _ => Value::of_kind(ValueKind::Number, text)?,
        };
        match kind {
            Some(kind) if kind != value.kind() => Err(another_kind(kind, value.kind())),
            _ => Ok(Some(value)),
        }
    }

    /// Adds the value to an event.
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread it.
    pub(crate) fn add_to(
        &self,
        event: DynamicEvent,
        key: &str,
        is_sensitive: bool,
    ) -> Result<DynamicEvent, InvalidEvent> {
        macro_rules! add {
            ($value:expr) => {
                if is_sensitive {
                    event.with_sensitive(key, $value)
                } else {
                    event.with(key, $value)
                }
            };
        }
        match self {
            Value::Text(text) => add!(text.as_str()),
            Value::Number(number) => add!(number),
            Value::Boolean(boolean) => add!(*boolean),
            Value::Date(time) => add!(*time),
            Value::Link(url) => add!(Link(url)),
            Value::RichLink(link) => add!(link),
            Value::Money(money) => add!(*money),
        }
    }

    fn kind(&self) -> ValueKind {
        match self {
            Value::Text(_) => ValueKind::Text,
            Value::Number(_) => ValueKind::Number,
            Value::Boolean(_) => ValueKind::Boolean,
            Value::Date(_) => ValueKind::Date,
            Value::Link(_) => ValueKind::Link,
            Value::RichLink(_) => ValueKind::RichLink,
            Value::Money(_) => ValueKind::Money,
        }
    }
}

/// Returns the message for a value of another kind than in the lock.
pub(crate) fn another_kind(planned: ValueKind, given: ValueKind) -> String {
    let [planned, given] = [planned, given].map(ValueKind::as_str);
    format!("a value of the kind {given}, and the lock says {planned}; correct the value")
}

/// A link with a text, or an amount of money, in its wire form.
fn of_object(json: &str) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Object {
        RichLink { url: String, value: String },
        Money { amount: i64, currency: String },
    }

    match serde_json::from_str(json) {
        Ok(Object::RichLink { url, value }) => Ok(Value::RichLink(RichLink::new(url, value))),
        Ok(Object::Money { amount, currency }) => {
            let currency: Currency = currency.parse().map_err(|error| format!("{error}"))?;
            Ok(Value::Money(Money::new(amount, currency)))
        }
        Err(_) => Err(
            "an object of unknown members; write {\"url\": …, \"value\": …}, or {\"amount\": …, \
                       \"currency\": …} with the amount in whole minor units"
                .to_owned(),
        ),
    }
}

/// Returns the kind of this name.
pub(crate) fn kind_of_name(name: &str) -> Option<ValueKind> {
    ValueKind::ALL.iter().copied().find(|kind| kind.as_str() == name)
}

/// Returns the message for a text that is not the name of a kind.
pub(crate) fn not_a_kind(name: &str) -> String {
    let kinds: Vec<_> = ValueKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let name = name.escape_debug();
    format!("`{name}` is not a kind of value; the kinds are {}", kinds.join(", "))
}

/// The address of a link. The encoder checks it.
struct Link<'a>(&'a str);

impl MetadataValue for Link<'_> {
    type Kind = kind::Link;

    fn encode(&self, encoder: ValueEncoder<'_, kind::Link>) -> Result<Written, ValueError> {
        encoder.link(self.0)
    }
}

/// A number, with all of its digits.
fn number(text: &str) -> Option<Decimal> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if !unsigned.starts_with(|digit: char| digit.is_ascii_digit()) {
        return None;
    }
    if unsigned.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let ends_well = unsigned.ends_with(|digit: char| digit.is_ascii_digit());
    let is_number = ends_well && unsigned.bytes().all(is_number);
    is_number.then(|| Decimal::from_str_exact(text).ok()).flatten()
}

/// Whether the text is a number as JSON writes it, without an exponent: neither `007` nor `1e5` is.
fn is_plain_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let whole = unsigned.split('.').next().unwrap_or_default();
    let has_padding = whole.len() > 1 && whole.starts_with('0');
    !has_padding && !unsigned.contains(['e', 'E'])
}

/// An amount and a currency's code behind it, with or without a space.
fn money(text: &str) -> Option<Result<Money, String>> {
    let (amount, code) = text.split_at_checked(text.len().checked_sub(3)?)?;
    let currency: Currency = code.parse().ok()?;
    let amount = amount.trim_end();
    number(amount)?;
    Some(Money::from_major(amount, currency).map_err(|error| error.to_string()))
}

/// `[text](url)`.
fn rich_link(text: &str) -> Option<RichLink> {
    let (shown, url) = text.strip_prefix('[')?.strip_suffix(')')?.split_once("](")?;
    Some(RichLink::new(url, shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(key: &str, text: &str) -> ValueKind {
        Value::of_form(key, text).unwrap().kind()
    }

    #[test]
    fn the_form_of_a_value_tells_its_kind() {
        use ValueKind::{Boolean, Date, Money, Number, Text};
        let forms = [
            ("349.99", Number),
            ("-7", Number),
            ("0", Number),
            ("9007199254740992", Number),
            // Such numbers are mostly identifiers and telephone numbers.
            ("9007199254740993", Text),
            ("1234567890123456789012345678901234567890", Text),
            ("007", Text),
            ("+49301234567", Text),
            ("1e5", Text),
            ("1.", Text),
            (".5", Text),
            ("1.2.3", Text),
            ("", Text),
            ("349.99EUR", Money),
            ("349.99 EUR", Money),
            ("-5 JPY", Money),
            // "ALL" is a word here, not the currency lek.
            ("5all", Text),
            ("EUR", Text),
            ("true", Boolean),
            ("yes", Text),
        ];
        for (text, kind) in forms {
            assert_eq!(form("key", text), kind, "{text}");
        }
        assert_eq!(form("due_date", "2026-12-01"), Date);
        assert_eq!(form("stripe_invoice", "12"), Text);
        assert!(Value::of_form("due_date", "soon").is_err());
        assert!(Value::of_form("amount", "0.005EUR").is_err());
    }

    #[test]
    fn a_number_keeps_its_digits() {
        let event = |text| {
            let value = Value::of_kind(ValueKind::Number, text).unwrap();
            let event = DynamicEvent::new("n").unwrap();
            let event = value.add_to(event, "key", false).unwrap();
            let contact = intercom_core::Contact::user_id("42");
            let time = Timestamp::from_unix_seconds(1);
            let event = intercom_core::DataEvent::new(&event, contact, time).unwrap();
            let body = String::from_utf8(event.body().to_vec()).unwrap();
            body.split_once("\"key\":").unwrap().1.trim_end_matches('}').to_owned()
        };
        assert_eq!(event("0.10000000000000000000000001"), "0.10000000000000000000000001");
        assert_eq!(event("18446744073709551615"), "18446744073709551615");
        assert_eq!(event("-12.50"), "-12.50");
        assert_eq!(event("1.5e3"), "1500");
    }
}
