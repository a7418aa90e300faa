//! The kinds of value that Intercom distinguishes, as types, so that the compiler knows a value's
//! kind.
//!
//! A [`MetadataValue`](super::MetadataValue) names its kind. Its encoder offers only that kind's
//! methods, and the derive checks that the kind suits the key.

/// The kinds of metadata value that Intercom distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// A JSON string of at most 255 characters.
    Text,
    /// A JSON number: whole or fractional, possibly negative.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Unix seconds under a key that ends in `_date`.
    Date,
    /// A JSON string with an `http` or `https` URL.
    Link,
    /// `{"url": "https://…", "value": "text"}`.
    RichLink,
    /// `{"amount": 34999, "currency": "eur"}`.
    Money,
}

impl ValueKind {
    /// Every kind.
    pub const ALL: &[ValueKind] = &[
        ValueKind::Text,
        ValueKind::Number,
        ValueKind::Boolean,
        ValueKind::Date,
        ValueKind::Link,
        ValueKind::RichLink,
        ValueKind::Money,
    ];

    /// Returns the kind's name, in lower case with `_` between words.
    ///
    /// ```
    /// # use intercom_core::ValueKind;
    /// assert_eq!(ValueKind::RichLink.as_str(), "rich_link");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            ValueKind::Text => "text",
            ValueKind::Number => "number",
            ValueKind::Boolean => "boolean",
            ValueKind::Date => "date",
            ValueKind::Link => "link",
            ValueKind::RichLink => "rich_link",
            ValueKind::Money => "money",
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A kind of value, as a type. Only the types of this module implement it.
pub trait Kind: sealed::Sealed {
    /// The same kind, as a value.
    const KIND: ValueKind;
}

/// A kind that is valid under a key that does not end in `_date`.
#[diagnostic::on_unimplemented(
    message = "a date needs a key that ends in `_date`",
    label = "this value is a date, and its key does not end in `_date`",
    note = "Intercom shows Unix seconds as a date only under such a key, and as a bare number under any other",
    note = "rename the field, or set its key: `#[event(rename = \"…_date\")]`"
)]
pub trait PlainKey: Kind {}

/// A kind that is valid under a key that ends in `_date`.
#[diagnostic::on_unimplemented(
    message = "only a date can have a key that ends in `_date`",
    label = "the key of this value ends in `_date`, but it is no date",
    note = "Intercom shows the value of such a key as a date",
    note = "make it a `Timestamp` or a `SystemTime`, or set another key: `#[event(rename = \"…\")]`"
)]
pub trait DateKey: Kind {}

/// A kind that is valid under `stripe_customer`, `stripe_invoice` and `stripe_charge`.
#[diagnostic::on_unimplemented(
    message = "a Stripe id is text",
    label = "the key of this value is one that Intercom keeps for Stripe ids, but it is no text",
    note = "Intercom looks up the values of `stripe_customer`, `stripe_invoice` and `stripe_charge` at Stripe",
    note = "make it text, or set another key: `#[event(rename = \"…\")]`"
)]
pub trait StripeKey: Kind {}

/// A kind that `#[event(truncate)]` can cut.
#[diagnostic::on_unimplemented(
    message = "only text can be cut with `truncate`",
    label = "this value is not text",
    note = "remove `truncate`, or send the value's `Display` text with `#[event(display, truncate)]`"
)]
pub trait Truncate: Kind {}

macro_rules! kinds {
    ($($name:ident)*) => {$(
        #[doc = concat!("See [`ValueKind::", stringify!($name), "`].")]
        #[derive(Debug)]
        pub enum $name {}
        impl sealed::Sealed for $name {}
        impl Kind for $name {
            const KIND: ValueKind = ValueKind::$name;
        }
    )*};
}

kinds!(Text Number Boolean Date Link RichLink Money);

// Keeps the compiler from listing kinds under each mistake. The messages above say what to do.
#[diagnostic::do_not_recommend]
impl PlainKey for Text {}
#[diagnostic::do_not_recommend]
impl StripeKey for Text {}
#[diagnostic::do_not_recommend]
impl Truncate for Text {}
#[diagnostic::do_not_recommend]
impl PlainKey for Number {}
#[diagnostic::do_not_recommend]
impl PlainKey for Boolean {}
#[diagnostic::do_not_recommend]
impl DateKey for Date {}
#[diagnostic::do_not_recommend]
impl PlainKey for Link {}
#[diagnostic::do_not_recommend]
impl PlainKey for RichLink {}
#[diagnostic::do_not_recommend]
impl PlainKey for Money {}
