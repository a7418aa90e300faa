//! Events whose names and keys are known only at run time: tools, imports, scripts.

use std::fmt;

use serde_json::Value as Json;

use crate::description::EventDescription;
use crate::event::IntercomEvent;
use crate::event_name::EventName;
use crate::invalid::{InvalidEvent, Reason};
use crate::json;
use crate::metadata::MetadataEncoder;
use crate::rules::{self, DEFAULT_MAX_KEYS, KeyError, MAX_MAX_KEYS};
use crate::sensitive::SensitiveKeys;
use crate::value::{
    Currency, MetadataValue, Money, RichLink, Timestamp, ValueEncoder, ValueError, ValueKind,
};

/// An event whose name or keys are known only at run time.
///
/// Each method checks at run time what the derive [`IntercomEvent`](derive@crate::IntercomEvent)
/// checks at compile time. Prefer the derive where the program's source can name event and keys.
///
/// ```
/// use intercom_core::testing::RecordingTransport;
/// use intercom_core::{Contact, DynamicEvent, Tracker};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), intercom_core::SendError> {
/// let event = DynamicEvent::new("project_created")?
///     .with("project_id", 7)?
///     .with("price", json!({ "amount": 34999, "currency": "eur" }))?;
///
/// let tracker = Tracker::new(RecordingTransport::new());
/// tracker.for_contact(Contact::email("ada@example.com")).send(&event).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DynamicEvent {
    name: EventName,
    max_keys: usize,
    keys: Vec<String>,
    /// The metadata's members in wire form, each after a comma.
    members: Vec<u8>,
    sensitive: Vec<String>,
}

impl DynamicEvent {
    /// Creates an event of this name, without metadata.
    ///
    /// # Errors
    ///
    /// Fails when the name is blank, begins or ends with white space, or has more than 255
    /// characters. Fails when it has a `.`, a `$` or an invisible character.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidEvent> {
        let name = name.as_ref();
        match EventName::new(name) {
            Ok(name) => Ok(DynamicEvent {
                name,
                max_keys: DEFAULT_MAX_KEYS,
                keys: Vec::new(),
                members: Vec::new(),
                sensitive: Vec::new(),
            }),
            Err(error) => {
                Err(InvalidEvent::new(EventName::unchecked(name), None, Reason::Name(error)))
            }
        }
    }

    /// Raises the limit of metadata keys to a number from 11 to 20. The default is 10.
    ///
    /// # Errors
    ///
    /// Fails when the number is not between 11 and 20.
    pub fn max_keys(mut self, max_keys: usize) -> Result<Self, InvalidEvent> {
        if !(DEFAULT_MAX_KEYS + 1..=MAX_MAX_KEYS).contains(&max_keys) {
            let reason = Reason::Key(KeyError::LimitOutOfRange(max_keys));
            return Err(InvalidEvent::new(self.name, None, reason));
        }
        self.max_keys = max_keys;
        Ok(self)
    }

    /// Adds a key. An absent value (`None`, or JSON's `null`) omits the key.
    ///
    /// # Errors
    ///
    /// Fails when the key is invalid: [`KeyError`] lists the reasons. Fails when
    /// the event has this key already, or no room for another. Fails when Intercom would refuse or
    /// misread the value. Fails when the value under a key that ends in `_date` is not a date, or
    /// when a date is under another key.
    pub fn with(
        mut self,
        key: impl AsRef<str>,
        value: impl DynamicValue,
    ) -> Result<Self, InvalidEvent> {
        let key = key.as_ref();
        match self.add(key, &value) {
            Ok(()) => Ok(self),
            Err(reason) => Err(InvalidEvent::new(self.name, Some(key.into()), reason)),
        }
    }

    /// Adds a sensitive key, as [`with`](Self::with) does. The request carries its value. The
    /// program masks the value wherever it shows the event.
    ///
    /// # Errors
    ///
    /// Fails as [`with`](Self::with) does.
    pub fn with_sensitive(
        self,
        key: impl AsRef<str>,
        value: impl DynamicValue,
    ) -> Result<Self, InvalidEvent> {
        let key = key.as_ref();
        let mut event = self.with(key, value)?;
        event.sensitive.push(key.into());
        Ok(event)
    }

    fn add(&mut self, key: &str, value: &impl DynamicValue) -> Result<(), Reason> {
        rules::check_key(key)?;
        let folded = rules::fold(key);
        if self.keys.contains(&folded) {
            return Err(KeyError::Duplicate.into());
        }
        let start = self.members.len();
        self.members.push(b',');
        json::text(&mut self.members, key);
        self.members.push(b':');
        let bare = self.members.len();
        value.write(key, &mut self.members)?;
        if self.members.len() == bare {
            self.members.truncate(start);
            return Ok(());
        }
        if self.keys.len() == self.max_keys {
            return Err(KeyError::TooMany { max: self.max_keys }.into());
        }
        self.keys.push(folded);
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl IntercomEvent for DynamicEvent {
    const EVENTS: &'static [EventDescription] = &[];
    const __IS_DYNAMIC: bool = true;

    fn event_name(&self) -> EventName {
        self.name.clone()
    }

    fn encode_metadata(&self, out: &mut MetadataEncoder<'_>) {
        out.members(&self.members);
    }

    fn sensitive_keys(&self) -> SensitiveKeys {
        SensitiveKeys::named(self.sensitive.iter().map(String::as_str))
    }
}

impl fmt::Debug for DynamicEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicEvent").field("name", &self.name).field("keys", &self.keys).finish()
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A value that [`DynamicEvent`] takes: any [`MetadataValue`], or a [`serde_json::Value`] of an
/// allowed shape.
///
/// Allowed JSON values are strings, numbers, booleans and `null`, which omits the key. So are
/// `{"url": …, "value": …}` (a rich link) and `{"amount": …, "currency": …}` (money). A whole
/// number under a key that ends in `_date` is a date, in Unix seconds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a metadata key",
    label = "neither a metadata value nor a `serde_json::Value`",
    note = "values are flat: text, numbers, `bool`, dates, `Money`, `RichLink`, `Option`, references and smart pointers of these, and a `serde_json::Value` of one of their shapes",
    note = "make one of these of it first, such as its number of entries or its text; a type of your own can implement `MetadataValue`"
)]
pub trait DynamicValue: sealed::Sealed {
    /// Writes the value, or nothing when the value is absent.
    #[doc(hidden)]
    fn write(&self, key: &str, buffer: &mut Vec<u8>) -> Result<(), Reason>;
}

#[diagnostic::do_not_recommend]
impl<V: MetadataValue> sealed::Sealed for V {}

#[diagnostic::do_not_recommend]
impl<V: MetadataValue> DynamicValue for V {
    fn write(&self, key: &str, buffer: &mut Vec<u8>) -> Result<(), Reason> {
        match (V::__DESCRIPTION.kind == ValueKind::Date, rules::is_date_key(key)) {
            (true, false) => return Err(ValueError::DateWithoutSuffix.into()),
            (false, true) => return Err(ValueError::NotADate.into()),
            _ => {}
        }
        if rules::is_stripe_key(key) && V::__DESCRIPTION.kind != ValueKind::Text {
            return Err(ValueError::NotAStripeId.into());
        }
        self.encode(ValueEncoder::new(buffer, false))?;
        Ok(())
    }
}

/// 2⁶³. A JSON number that fits neither `i64` nor `u64` has a fraction below this, and was rounded
/// above.
const BEYOND_64_BITS: f64 = 9_223_372_036_854_775_808.0;

impl sealed::Sealed for Json {}

impl DynamicValue for Json {
    fn write(&self, key: &str, buffer: &mut Vec<u8>) -> Result<(), Reason> {
        match self {
            Json::Null => Ok(()),
            Json::Bool(value) => value.write(key, buffer),
            Json::String(text) => text.write(key, buffer),
            Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                // JSON has no dates: a whole number under such a key is a date.
                (Some(seconds), ..) if rules::is_date_key(key) => {
                    Timestamp::from_unix_seconds(seconds).write(key, buffer)
                }
                (Some(number), ..) => number.write(key, buffer),
                (_, Some(number), _) => number.write(key, buffer),
                // The JSON parser has rounded whole numbers of more than 64 bits.
                (_, _, Some(number)) if number.abs() >= BEYOND_64_BITS => {
                    Err(ValueError::TooLarge.into())
                }
                (_, _, Some(number)) => number.write(key, buffer),
                _ => Err(ValueError::TooLarge.into()),
            },
            Json::Object(object) => {
                let member = |name| object.get(name).filter(|_| object.len() == 2);
                match (member("url"), member("value"), member("amount"), member("currency")) {
                    (Some(Json::String(url)), Some(Json::String(text)), ..) => {
                        RichLink::new(url.as_str(), text.as_str()).write(key, buffer)
                    }
                    (_, _, Some(Json::Number(amount)), Some(Json::String(currency))) => {
                        let mistake = || match amount.as_f64() {
                            Some(amount) if amount.abs() >= BEYOND_64_BITS => ValueError::TooLarge,
                            _ => ValueError::FractionalAmount,
                        };
                        let amount = amount.as_i64().ok_or_else(mistake)?;
                        let currency: Currency =
                            currency.parse().map_err(|_| ValueError::InvalidCurrency)?;
                        Money::new(amount, currency).write(key, buffer)
                    }
                    _ => Err(ValueError::Nested.into()),
                }
            }
            Json::Array(_) => Err(ValueError::Nested.into()),
        }
    }
}

impl sealed::Sealed for &Json {}

impl DynamicValue for &Json {
    fn write(&self, key: &str, buffer: &mut Vec<u8>) -> Result<(), Reason> {
        Json::write(self, key, buffer)
    }
}
