//! The events. An event's number determines its bytes, so every process knows them.

use intercom_core::{Contact, DataEvent};
use tests::numbered;
pub(crate) use tests::numbered::PER_PROCESS;

/// Events from this number on, up to a million, are so large that a few hundred fill a disk.
pub(crate) const LARGE: u64 = 1_000;

/// Makes an event. Each has its own contact, so that admission moves none to another second.
pub(crate) fn event(number: u64) -> DataEvent {
    let large = number % PER_PROCESS >= LARGE;
    let event = ["a", "b", "c", "d", "e", "f", "g", "h"]
        .into_iter()
        .filter(|_| large)
        .fold(numbered::event(number), |event, key| event.with(key, key.repeat(250)).unwrap());
    DataEvent::new(&event, Contact::user_id(number), numbered::time(number)).unwrap()
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
