#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Where to find it
//!
//! | subject | documentation |
//! |---|---|
//! | events | the derive [`IntercomEvent`](derive@crate::IntercomEvent), [`DynamicEvent`] |
//! | groups of keys | the derive [`EventMetadata`](derive@crate::EventMetadata) |
//! | values | [`value`], the derive [`MetadataValue`](derive@crate::MetadataValue) |
//! | contacts | [`Contact`] |
//! | sending and retrying | [`Tracker`], [`Sending`], [`DataEvent`] |
//! | results | [`Receipt`], [`SendError`], [`ErrorKind`] |
//! | your own destination | [`Transport`] |
//! | tests | [`testing`] |
//! | the list of a program's events | [`catalogue!`] |

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private_0_1_0;
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
// For the project's own crates. Semantic versioning does not cover it.
#[doc(hidden)]
pub mod rules;
mod sending;
mod sensitive;
pub mod testing;
mod tracker;
mod transport;
pub mod value;

/// The attribute of the crate `async-trait`, which an implementation of [`Transport`] needs.
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
pub use rules::{KeyError, NameError};
pub use sending::Sending;
#[doc(hidden)]
pub use sensitive::SensitiveKeys;
pub use tracker::{ContactTracker, Tracker};
pub use transport::{ContactCreation, Transport};
pub use value::{
    Currency, MetadataValue, Money, RichLink, Timestamp, ToTimestamp, ValueError, ValueKind,
};
