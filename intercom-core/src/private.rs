//! What the derives' output names. Not for use by hand: it may change in any version.

pub use core;
pub use core::primitive::{bool, str};
pub use std::fmt::Display;
pub use std::sync::Arc;

pub use crate::check::{Part, count_is_allowed, group_is_distinct};
pub use crate::contact::{Contact, ToContactId, ToEmail, ToUserId};
pub use crate::description::{
    __converted as converted, EventDescription, FieldDescription, ValueDescription,
};
pub use crate::event::{EventMetadata, IdentifiedEvent, IntercomEvent};
pub use crate::event_name::EventName;
pub use crate::metadata::MetadataEncoder;
pub use crate::role::{ContactIdRole, CreatedAtRole, EmailRole, UserIdRole};
pub use crate::value::kind::{self, DateKey, PlainKey, StripeKey, Truncate};
pub use crate::value::{
    MetadataValue, Timestamp, ToTimestamp, ValueEncoder, ValueError, ValueKind, Written,
};

/// What a field may hold that is sent as its `Display` text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `Display` text that could be sent",
    label = "does not implement `Display`",
    note = "implement `std::fmt::Display` for it, or make a value of it with `#[event(with = path)]` instead"
)]
pub trait HasText: Display {}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> HasText for T {}

/// A field that is sent as its `Display` text, unless it is absent.
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
