//! Metadata values: the trait, its encoder, and the types that implement it.

pub mod kind;

mod currency;
mod encoder;
mod foreign;
mod link;
mod money;
mod number;
mod pointer;
mod text;
mod timestamp;

pub use currency::{Currency, UnknownCurrency};
pub use encoder::{ValueEncoder, Written};
pub use kind::ValueKind;
pub use link::RichLink;
pub use money::{Money, MoneyError};
pub use timestamp::{Timestamp, ToTimestamp};

use std::marker::PhantomData;

use crate::description::{__DescriptionOf, ValueDescription};
use crate::metadata::MetadataEncoder;
use crate::rules::MAX_TEXT_CHARS;
use kind::{DateKey, Kind, PlainKey, StripeKey, Truncate};

/// A type whose values can stand under a metadata key.
///
/// Text, numbers, `bool`, [`Timestamp`] and [`SystemTime`](std::time::SystemTime), [`Money`] and
/// [`RichLink`] are values. So are `Option`s, references and smart pointers of values. Derive
/// [`MetadataValue`](derive@crate::MetadataValue) for a newtype or an enum of unit variants. Any
/// other type names its [kind] and calls the encoder, which offers that kind's methods:
///
/// ```
/// use intercom_core::value::{MetadataValue, ValueEncoder, ValueError, Written, kind};
///
/// /// A share of the whole, sent as a number of percent.
/// struct Share { part: u32, whole: u32 }
///
/// impl MetadataValue for Share {
///     type Kind = kind::Number;
///
///     fn encode(&self, encoder: ValueEncoder<'_, kind::Number>) -> Result<Written, ValueError> {
///         if self.whole == 0 {
///             return encoder.absent();
///         }
///         encoder.float(100.0 * f64::from(self.part) / f64::from(self.whole))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an event metadata value",
    label = "derive `MetadataValue` on a type of your own, and mark the field `#[event(user_id)]` if it identifies the contact; else mark it `display`, `with = path`, `flatten` or `skip`"
)]
pub trait MetadataValue {
    /// The kind that Intercom shows: one of the types in [`kind`].
    type Kind: Kind;

    /// Whether a value of this type may be absent, so that the event omits its key.
    const OPTIONAL: bool = false;

    /// Every text that an enum of unit variants can be. Empty for other types. The event's
    /// description lists them. A rule that compares the value with another text does not load.
    const TEXTS: &'static [&'static str] = &[];

    /// Writes the value by calling one method of the encoder.
    ///
    /// # Errors
    ///
    /// Fails when Intercom would refuse or misread this value, as the encoder's methods document.
    /// The event is then not sent.
    fn encode(&self, encoder: ValueEncoder<'_, Self::Kind>) -> Result<Written, ValueError>;

    // The derive calls these methods. They belong to this trait, so that the compiler reports a
    // type that is no value once, wherever the derive mentions it.

    #[doc(hidden)]
    const __DESCRIPTION: ValueDescription =
        ValueDescription::new(<Self::Kind as Kind>::KIND, Self::OPTIONAL, Self::TEXTS);

    #[doc(hidden)]
    const __DESCRIPTION_OF: __DescriptionOf<Self> =
        __DescriptionOf(Self::__DESCRIPTION, PhantomData);

    #[doc(hidden)]
    fn __plain(&self, out: &mut MetadataEncoder<'_>, key: &'static str)
    where
        Self::Kind: PlainKey,
    {
        out.field(key, self, false);
    }

    #[doc(hidden)]
    fn __date(&self, out: &mut MetadataEncoder<'_>, key: &'static str)
    where
        Self::Kind: DateKey,
    {
        out.field(key, self, false);
    }

    #[doc(hidden)]
    fn __stripe(&self, out: &mut MetadataEncoder<'_>, key: &'static str)
    where
        Self::Kind: StripeKey,
    {
        out.field(key, self, false);
    }

    #[doc(hidden)]
    fn __truncated(&self, out: &mut MetadataEncoder<'_>, key: &'static str)
    where
        Self::Kind: Truncate,
    {
        out.field(key, self, true);
    }
}

/// The reason that one value cannot be sent. The error never holds the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// A float that is `NaN` or infinite, for which JSON has no number.
    #[error(
        "the number is not finite (NaN or infinite), and JSON has no such number; send an `Option` that is `None` instead"
    )]
    NotFinite,
    /// A number of more than 64 bits, which JSON parsers would round.
    #[error("the number does not fit 64 bits and would be rounded; send it as text")]
    TooLarge,
    /// A text of more than 255 characters.
    #[error(
        "the text has {chars} characters, and Intercom takes {MAX_TEXT_CHARS}; shorten it, or let `#[event(truncate)]` cut it in a derived event"
    )]
    TooLong {
        /// The number of characters.
        chars: usize,
    },
    /// A date so large that it must be milliseconds: a number of over 100,000,000,000.
    #[error(
        "the date is in the range of milliseconds, and Intercom takes seconds; divide it by 1000"
    )]
    Milliseconds,
    /// A link that is not an `http` or `https` URL with a host and without spaces.
    #[error("the link is not an `http://` or `https://` URL with a host and without spaces")]
    InvalidLink,
    /// A currency that is not one of ISO 4217.
    #[error("the currency is not a code of ISO 4217, such as `EUR`")]
    InvalidCurrency,
    /// A monetary amount that is not a whole number of minor units.
    #[error("a monetary amount is a whole number of the currency's minor unit, such as cents")]
    FractionalAmount,
    /// A nested object or an array.
    #[error(
        "a metadata value is text, a number, a boolean, a rich link (`url` and `value`) or money (`amount` and `currency`), never another object or an array"
    )]
    Nested,
    /// A value that is not a date, under a key that ends in `_date`.
    #[error(
        "Intercom shows the value of a key that ends in `_date` as a date, and this value is none; choose another key, or send a `Timestamp`"
    )]
    NotADate,
    /// A date under a key that does not end in `_date`.
    #[error(
        "Intercom shows a date as a bare number unless its key ends in `_date`; choose such a key"
    )]
    DateWithoutSuffix,
    /// A value that is not text, under a key for Stripe ids.
    #[error(
        "Intercom looks up the text of this key as a Stripe id, and this value is no text; choose another key"
    )]
    NotAStripeId,
    /// The value's own `Display` failed.
    #[error("the value's own `Display` implementation reported an error")]
    Display,
    /// A reason from a value type outside this crate.
    #[error("{0}")]
    Custom(Box<str>),
}

impl ValueError {
    /// Creates a reason for your own [`MetadataValue`].
    ///
    /// Say what is wrong and what to do. Leave the value out, because errors are logged.
    pub fn custom(reason: impl Into<Box<str>>) -> Self {
        ValueError::Custom(reason.into())
    }
}
