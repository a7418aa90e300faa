//! The events: all of an event follows from its number, so that both processes know its bytes.

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};

/// Each run of the process numbers its events from a multiple of this on.
pub(crate) const OF_A_RUN: u64 = 1_000_000;

/// Each event has a contact of its own, so that none is moved to another second.
pub(crate) fn contact(number: u64) -> Contact {
    Contact::user_id(number)
}

pub(crate) fn event(number: u64) -> DynamicEvent {
    DynamicEvent::new("project_created").unwrap().with("number", number).unwrap()
}

pub(crate) fn time(number: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + (number % OF_A_RUN) as i64)
}

/// What is sent for this event, byte for byte.
pub(crate) fn body(number: u64) -> Vec<u8> {
    DataEvent::new(&event(number), contact(number), time(number)).unwrap().body().to_vec()
}
