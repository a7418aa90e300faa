//! placeholder
#[doc(hidden)]
pub mod __private {
    pub use crate::private::*;
}
mod check;
pub mod contact;
mod data_event;
pub mod description;
mod dynamic;
mod encode;
mod error;
mod event;
mod invalid;
mod json;
mod private;
mod receipt;
mod role;
pub mod rules;
pub mod testing;
mod tracker;
mod transport;
pub mod value;
pub use async_trait::async_trait;
pub use check::assert_distinct_names;
pub use contact::{Contact, ContactError};
pub use data_event::DataEvent;
pub use description::{EventDescription, FieldDescription, KeyDescription};
pub use dynamic::{DynamicEvent, DynamicValue};
pub use encode::MetadataEncoder;
pub use error::{ApiError, ErrorKind, SendError};
pub use event::{EventMetadata, EventName, IdentifiedEvent, IntercomEvent};
pub use intercom_derive::{EventMetadata, IntercomEvent};
pub use invalid::{InvalidEvent, Reason};
pub use receipt::{RateLimit, Receipt};
pub use tracker::{ContactTracker, Tracker};
pub use transport::{ContactCreation, Transport};
pub use value::{
    Currency, MetadataValue, Money, RichLink, Timestamp, ToTimestamp, UnknownCurrency,
    ValueEncoder, ValueError, ValueKind, Written,
};
