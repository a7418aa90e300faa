//! Paths in the derives' output. Do not use them by hand: any version may change them.

pub use core;
pub use core::primitive::{bool, str};
pub use intercom_derive::__catalogue as catalogue;
pub use std::fmt::Display;
pub use std::sync::Arc;

pub use crate::catalogue::{Catalogue, Entry, TypeDescription};
pub use crate::check::{Part, count_is_allowed, group_is_distinct};
pub use crate::contact::{Contact, ToContactId, ToEmail, ToUserId};
pub use crate::derived_events::{DerivedEvents, Gives, derive, describe};
pub use crate::description::{
    __converted as converted, AlsoDescription, EventDescription, FieldDescription,
    GroupDescription, Role, ValueDescription, event_description, group_description,
    text_description,
};
pub use crate::event::{EventMetadata, IdentifiedEvent, IntercomEvent};
pub use crate::event_name::EventName;
pub use crate::metadata::MetadataEncoder;
pub use crate::role::{ContactIdRole, CreatedAtRole, EmailRole, UserIdRole};
pub use crate::value::kind::{self, DateKey, PlainKey, StripeKey, Truncate};
pub use crate::value::{
    MetadataValue, Timestamp, ToTimestamp, ValueEncoder, ValueError, ValueKind, Written,
};

/// A field type that is sent as its `Display` text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `Display` text that could be sent",
    label = "does not implement `Display`",
    note = "implement `std::fmt::Display` for it, or make a value of it with `#[event(with = path)]` instead"
)]
pub trait HasText: Display {}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> HasText for T {}

/// Wraps a field that is sent as its `Display` text, or is absent.
pub fn display<T: HasText + ?Sized>(value: Option<&T>) -> Displayed<'_, T> {
    Displayed(value)
}

#[doc(hidden)]
#[derive(Debug)]
pub struct Displayed<'a, T: ?Sized>(Option<&'a T>);

impl<T: HasText + ?Sized> MetadataValue for Displayed<'_, T> {
    type Kind = kind::Text;

    fn encode(&self, encoder: ValueEncoder<'_, kind::Text>) -> Result<Written, ValueError> {
        match self.0 {
            Some(value) => encoder.display(value),
            None => encoder.absent(),
        }
    }
}

/// Renames `MetadataValue` for the types of other crates, one name for each kind of key. Without
/// that crate's feature, the name is a trait whose message names the feature.
macro_rules! foreign {
    ($($feature:literal $(#[$diagnostic:meta])* $krate:ident;)*) => {$(
        #[cfg(feature = $feature)]
        pub mod $krate {
            pub use crate::value::MetadataValue as Plain;
            pub use crate::value::MetadataValue as Date;
            pub use crate::value::MetadataValue as Stripe;
            pub use crate::value::MetadataValue as Truncated;
        }

        #[cfg(not(feature = $feature))]
        pub mod $krate {
            foreign!(@trait Plain __plain PlainKey $(#[$diagnostic])*);
            foreign!(@trait Date __date DateKey $(#[$diagnostic])*);
            foreign!(@trait Stripe __stripe StripeKey $(#[$diagnostic])*);
            foreign!(@trait Truncated __truncated Truncate $(#[$diagnostic])*);
        }
    )*};
    (@trait $name:ident $method:ident $kinds:ident $(#[$diagnostic:meta])*) => {
        $(#[$diagnostic])*
        pub trait $name {
            const __DESCRIPTION: super::ValueDescription;

            fn $method(&self, out: &mut super::MetadataEncoder<'_>, key: &'static str);
        }

        // The user's own type may have the same name.
        impl<T: super::MetadataValue + ?Sized> $name for T
        where
            T::Kind: super::$kinds,
        {
            const __DESCRIPTION: super::ValueDescription = T::__DESCRIPTION;

            #[inline]
            fn $method(&self, out: &mut super::MetadataEncoder<'_>, key: &'static str) {
                super::MetadataValue::$method(self, out, key);
            }
        }
    };
}

/// What the derives name where a type is a list.
pub mod list {
    macro_rules! list {
        ($($name:ident $method:ident $kinds:ident)*) => {$(
            foreign! {
                @trait $name $method $kinds
                #[diagnostic::on_unimplemented(
                    message = "`{Self}` cannot be an event metadata value: Intercom takes no lists",
                    label = "make one text or number of it with `#[event(with = path)]`, or leave it out with `#[event(skip)]`",
                    note = "such as `fn count(tags: &Vec<String>) -> usize`, or a function that returns `tags.join(\", \")`"
                )]
            }
        )*};
    }
    list! {
        Plain __plain PlainKey
        Date __date DateKey
        Stripe __stripe StripeKey
        Truncated __truncated Truncate
    }
}

foreign! {
    "chrono"
    #[diagnostic::on_unimplemented(
        message = "`{Self}` can be an event metadata value with the feature `chrono` of `intercom-core`",
        label = "add `features = [\"chrono\"]` to `intercom-core` in Cargo.toml"
    )]
    chrono;

    "jiff"
    #[diagnostic::on_unimplemented(
        message = "`{Self}` can be an event metadata value with the feature `jiff` of `intercom-core`",
        label = "add `features = [\"jiff\"]` to `intercom-core` in Cargo.toml"
    )]
    jiff;

    "rust_decimal"
    #[diagnostic::on_unimplemented(
        message = "`{Self}` can be an event metadata value with the feature `rust_decimal` of `intercom-core`",
        label = "add `features = [\"rust_decimal\"]` to `intercom-core` in Cargo.toml"
    )]
    rust_decimal;

    "time"
    #[diagnostic::on_unimplemented(
        message = "`{Self}` can be an event metadata value with the feature `time` of `intercom-core`",
        label = "add `features = [\"time\"]` to `intercom-core` in Cargo.toml"
    )]
    time;

    "url"
    #[diagnostic::on_unimplemented(
        message = "`{Self}` can be an event metadata value with the feature `url` of `intercom-core`",
        label = "add `features = [\"url\"]` to `intercom-core` in Cargo.toml"
    )]
    url;

    "uuid"
    #[diagnostic::on_unimplemented(
        message = "`{Self}` can be an event metadata value with the feature `uuid` of `intercom-core`",
        label = "add `features = [\"uuid\"]` to `intercom-core` in Cargo.toml"
    )]
    uuid;
}
