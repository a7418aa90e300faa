//! The events. An event's number determines its bytes, so every process knows them.

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};

/// Events from this number on, up to a million, are so large that a few hundred fill a disk.
pub(crate) const LARGE: u64 = 1_000;

/// Each run of a worker numbers its events from a multiple of this number on.
pub(crate) const OF_A_RUN: u64 = 1_000_000;

/// Makes an event. Each has its own contact, so that admission moves none to another second.
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

/// Returns the number of an event, or a complaint if its bytes differ from those made for it.
pub(crate) fn number(found: &DataEvent) -> Result<u64, String> {
    let number = found.to_json()["metadata"]["number"].as_u64();
    let number = number.ok_or_else(|| format!("an event without a number: {found:?}"))?;
    match event(number).body() == found.body() {
        true => Ok(number),
        false => Err(format!("event {number} has other bytes than made")),
    }
}
