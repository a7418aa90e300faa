//! Events whose bytes follow from a number, so that every process knows them.

use intercom_core::{DynamicEvent, Timestamp};

/// Each process numbers its events from a multiple of this number on.
pub const PER_PROCESS: u64 = 1_000_000;

/// Returns the event with this number.
pub fn event(number: u64) -> DynamicEvent {
    DynamicEvent::new("project_created").unwrap().with("number", number).unwrap()
}

/// Returns the second of the event with this number. Those of one process differ.
pub fn time(number: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + (number % PER_PROCESS) as i64)
}
