//! Metadata values: the trait, its encoder, and the types that are values from the start.

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
/// Text, numbers, `bool`, [`Timestamp`] and [`SystemTime`](std::time::SystemTime), [`Money`],
/// [`RichLink`], and `Option`, references and smart pointers of these are values already. A newtype and an enum of
/// unit variants become one with [`#[derive(MetadataValue)]`](derive@crate::MetadataValue). Any other type becomes one by
/// naming its [kind] and handing its value to the encoder, which offers what that kind allows:
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
    label = "mark the field with `#[event(display)]`, `with = path`, `flatten` or `skip`; a type of yours can derive or implement `MetadataValue`"
)]
pub trait MetadataValue {
    /// What Intercom takes this value for: one of the types in [`kind`].
    type Kind: Kind;

    /// Whether a value of this type may be absent, so that its key is left out.
    const OPTIONAL: bool = false;

    /// Every text that a value of this type can be, where they are known: those of an enum of unit variants. Empty
    /// where it can be any text, or is no text. The description of the event has them, and rules are checked against
    /// them.
    const TEXTS: &'static [&'static str] = &[];

    /// Writes the value by calling one method of the encoder.
    ///
    /// # Errors
    ///
    /// Fails when this value, unlike others of its type, is one that Intercom would refuse or
    /// misread: the encoder's methods say when. The event is then not sent.
    fn encode(&self, encoder: ValueEncoder<'_, Self::Kind>) -> Result<Written, ValueError>;

    // What the derive calls. Methods of this trait, so that a type that is no value is reported
    // once, as that, wherever the derive mentions it.

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

/// Why one value cannot be sent. It never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// A float that is `NaN` or infinite, for which JSON has no number.
    #[error(
        "the number is not finite (NaN or infinite), and JSON has no such number; send an `Option` that is `None` instead"
    )]
    NotFinite,
    /// A number of more than 64 bits, which would be rounded on the way.
    #[error("the number does not fit 64 bits and would be rounded; send it as text")]
    TooLarge,
    /// A text of more than 255 characters.
    #[error(
        "the text has {chars} characters, and Intercom takes {MAX_TEXT_CHARS}; shorten it, or let `#[event(truncate)]` cut it in a derived event"
    )]
    TooLong {
        /// How many characters the text has.
        chars: usize,
    },
    /// A date in milliseconds' range.
    #[error(
        "the date is in the range of milliseconds, and Intercom takes seconds; divide it by 1000"
    )]
    Milliseconds,
    /// A link that is not an `http` or `https` URL.
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
    /// A value that is no date, under a key that ends in `_date`.
    #[error(
        "Intercom shows what stands under a key that ends in `_date` as a date, and this is none; choose another key, or send a `Timestamp`"
    )]
    NotADate,
    /// A date under a key that does not end in `_date`.
    #[error(
        "Intercom shows a date as a bare number unless its key ends in `_date`; choose such a key"
    )]
    DateWithoutSuffix,
    /// A value that is no text, under one of the keys for Stripe ids.
    #[error(
        "Intercom takes what stands under this key for a Stripe id, which is text, and this is none; choose another key"
    )]
    NotAStripeId,
    /// The value's own `Display` failed.
    #[error("the value's own `Display` implementation reported an error")]
    Display,
    /// A reason of a value type outside this crate.
    #[error("{0}")]
    Custom(Box<str>),
}

impl ValueError {
    /// A reason of your own, for a [`MetadataValue`] of your own.
    ///
    /// Say what is wrong and what to do, and leave the value itself out: errors are logged.
    pub fn custom(reason: impl Into<Box<str>>) -> Self {
        ValueError::Custom(reason.into())
    }
}
