//! Tests `intercom-core` through its public API.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod also;
mod catalogue;
mod contacts;
mod currencies;
mod derive;
mod derived_values;
mod description;
mod dynamic;
mod errors;
mod log;
mod logging;
mod money;
mod sending;
mod sensitive;
mod serde_beside;
mod testing;
mod tracker;
mod values;

use intercom_core::{Contact, DataEvent, IntercomEvent, InvalidEvent, Timestamp};

/// Encodes an event with a fixed contact and second.
fn encode(event: &impl IntercomEvent) -> Result<DataEvent, InvalidEvent> {
    DataEvent::new(event, Contact::user_id("1"), Timestamp::from_unix_seconds(1_700_000_000))
}

/// Returns the metadata of an event in wire form.
fn metadata(event: &impl IntercomEvent) -> String {
    let event = encode(event).unwrap();
    String::from_utf8(event.metadata().unwrap_or_default().to_vec()).unwrap()
}
