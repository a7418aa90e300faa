//! The events: all of an event follows from its number, so that every process knows its bytes.

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};

/// Events from this number on, up to a million, are so large that a few hundred of them fill a disk.
pub(crate) const LARGE: u64 = 1_000;

/// Each run of a worker numbers its events from a multiple of this on.
pub(crate) const OF_A_RUN: u64 = 1_000_000;

/// An event of a contact of its own, so that none is moved to another second.
pub(crate) fn event(number: u64) -> DataEvent {
    let event = DynamicEvent::new("project_created").unwrap().with("number", number).unwrap();
    let large = number % OF_A_RUN >= LARGE;
    let event = ["a", "b", "c", "d", "e", "f", "g", "h"]
        .into_iter()
        .filter(|_| large)
        .fold(event, |event, key| event.with(key, key.repeat(250)).unwrap());
    let second = Timestamp::from_unix_seconds(1_700_000_000 + (number % OF_A_RUN) as i64);
    DataEvent::new(&event, Contact::user_id(number), second).unwrap()
}

/// The number of an event, if it is what it was made as, byte for byte.
pub(crate) fn number(found: &DataEvent) -> Result<u64, String> {
    let number = found.to_json()["metadata"]["number"].as_u64();
    let number = number.ok_or_else(|| format!("an event without a number: {found:?}"))?;
    match event(number).body() == found.body() {
        true => Ok(number),
        false => Err(format!("event {number} is not what it was made as")),
    }
}
