//! Tell [Intercom](https://www.intercom.com) what your users do, with events that are Rust types.
//!
//! ```
//! use intercom_core::testing::RecordingTransport;
//! use intercom_core::{Contact, IntercomEvent, Tracker};
//!
//! #[derive(IntercomEvent)]
//! #[event(name = "project_created")]
//! struct ProjectCreated {
//!     project_id: u64,
//!     project_name: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), intercom_core::SendError> {
//! let tracker = Tracker::new(RecordingTransport::new()); // `HttpTransport` in earnest
//! tracker
//!     .for_contact(Contact::email("ada@example.com"))
//!     .send(&ProjectCreated { project_id: 7, project_name: "Apollo".into() })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! What Intercom would refuse, drop or misread does not compile: a name it would rewrite, an eleventh
//! key, a date under a key that it shows as a number, a list where a value must be flat. Where only a
//! value can tell, sending fails at once, before any I/O, with a sentence that says what to do.
//!
//! This crate is what an application's domain code depends on. It has no runtime and does no I/O; events
//! leave through a [`Transport`], such as `HttpTransport` of the crate `intercom-http`.
//!
//! # Events
//!
//! [`#[derive(IntercomEvent)]`](derive@IntercomEvent) makes a struct an event, or an enum one event a
//! variant. Its documentation lists the attributes. Fields that are not marked otherwise are the event's
//! *metadata*, in the order in which they stand. [`#[derive(EventMetadata)]`](derive@EventMetadata) makes
//! a group of keys that events share. [`DynamicEvent`] is for names known only at run time.
//!
//! # Values
//!
//! Text, numbers, `bool`; [`Timestamp`] and [`SystemTime`](std::time::SystemTime);
//! [`Duration`](std::time::Duration); [`IpAddr`](std::net::IpAddr); [`Money`]; [`RichLink`]; and `Option`, references and smart pointers of these are values. So are, under the
//! feature of that name, types of `url`, `uuid`, `jiff`, `chrono`, `time` and `rust_decimal`. A type of
//! your own becomes one with [`#[derive(MetadataValue)]`](derive@MetadataValue), or by implementing
//! [`MetadataValue`](trait@MetadataValue).
//!
//! | Rust | on the wire | Intercom shows |
//! |---|---|---|
//! | `String`, `&str`, `char`, `IpAddr`, `Uuid`, … | a string of at most 255 characters | text |
//! | integers and floats of any size, `NonZero`, `Decimal` | a number | a number |
//! | `Duration`, `chrono::TimeDelta`, `jiff::SignedDuration`, … | seconds, with a fraction where there is one | a number |
//! | `bool` | `true`, `false` | a boolean |
//! | `Timestamp`, `SystemTime`, `jiff::Timestamp`, … | Unix seconds under a key that ends in `_date` | a date |
//! | `chrono::NaiveDate`, `jiff::civil::Date`, `time::Date` | the same, of the day's midnight in UTC | a date |
//! | `url::Url` | a string with an `http` or `https` URL | a link |
//! | `RichLink` | `{"url": …, "value": …}` | a link with a text of its own |
//! | `Money` | `{"amount": …, "currency": …}`, in the minor unit | an amount of money |
//! | `Option` that is `None` | the key is left out | nothing |
//!
//! # Catalogues
//!
//! [`catalogue!`] lists the events of a program as a constant. Two events that have one name to Intercom do not
//! compile, nor do more names than a workspace takes. The crate `intercom-catalogue` locks the list in a file, and makes
//! documentation of it.
//!
//! # Contacts
//!
//! An event belongs to a [`Contact`], named when sending ([`Tracker::for_contact`]) or by the event's own
//! fields (`#[event(user_id)]` and others; then [`Tracker::send`] suffices).
//!
//! # Sending
//!
//! A [`Tracker`] turns an event into a [`DataEvent`], the finished bytes of a request, and hands it to its
//! [`Transport`]. A [`Receipt`] or a [`SendError`] says how that went. What `send` gives is a [`Sending`]: it
//! sends when it is awaited, and logs a warning where it is dropped instead.
//!
//! # Testing
//!
//! [`testing`] has a transport that records and one that fails as told. [`LoggingTransport`] is for environments
//! without an access token: it logs events and sends none.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod catalogue;
mod check;
pub mod contact;
mod data_event;
mod derived_events;
mod description;
mod dynamic;
mod encode;
mod error;
mod event;
mod event_name;
mod invalid;
mod json;
mod logging;
mod metadata;
mod receipt;
mod role;
pub mod rules;
mod sending;
mod sensitive;
pub mod testing;
mod tracker;
mod transport;
pub mod value;

/// Lets a type implement [`Transport`]: the attribute of the crate `async-trait`.
pub use async_trait::async_trait;
pub use catalogue::{Catalogue, TypeDescription};
pub use contact::{Contact, ContactError};
pub use data_event::{DataEvent, UnreadableBody};
#[doc(hidden)]
pub use derived_events::DerivedEvents;
pub use description::{
    AlsoDescription, EventDescription, FieldDescription, GroupDescription, KeyDescription, Role,
    ValueDescription,
};
pub use dynamic::{DynamicEvent, DynamicValue};
#[doc(hidden)]
pub use error::write_with_sources;
pub use error::{ApiError, ErrorKind, SendError};
pub use event::{EventMetadata, IdentifiedEvent, IntercomEvent};
pub use event_name::EventName;
#[doc = include_str!("derive_event_metadata.md")]
pub use intercom_derive::EventMetadata;
#[doc = include_str!("derive_intercom_event.md")]
pub use intercom_derive::IntercomEvent;
#[doc = include_str!("derive_metadata_value.md")]
pub use intercom_derive::MetadataValue;
pub use invalid::{InvalidEvent, Reason};
pub use logging::LoggingTransport;
#[doc(hidden)]
pub use metadata::MetadataEncoder;
pub use receipt::{RateLimit, Receipt};
pub use sending::Sending;
#[doc(hidden)]
pub use sensitive::SensitiveKeys;
pub use tracker::{ContactTracker, Tracker};
pub use transport::{ContactCreation, Transport};
pub use value::{
    Currency, MetadataValue, Money, RichLink, Timestamp, ToTimestamp, ValueError, ValueKind,
};
