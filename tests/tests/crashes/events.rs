//! The events. An event's number determines its bytes, so both processes know them.

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};

/// Each run of the process numbers its events from a multiple of this number on.
pub(crate) const OF_A_RUN: u64 = 1_000_000;

/// Each event has its own contact, so that admission moves none to another second.
pub(crate) fn contact(number: u64) -> Contact {
    Contact::user_id(number)
}

pub(crate) fn event(number: u64) -> DynamicEvent {
    DynamicEvent::new("project_created").unwrap().with("number", number).unwrap()
}

pub(crate) fn time(number: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + (number % OF_A_RUN) as i64)
}

/// Returns the bytes of this event's request.
pub(crate) fn body(number: u64) -> Vec<u8> {
    DataEvent::new(&event(number), contact(number), time(number)).unwrap().body().to_vec()
}
