//! The events: all of an event follows from its number, so that every process knows its bytes.

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};

/// Each process numbers its events from a multiple of this on.
pub(crate) const OF_A_PROCESS: u64 = 1_000_000;

/// How many contacts have events of the same second, where contacts are [shared](Contacts::Shared).
const SHARED: u64 = 4;

/// Whose events they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Contacts {
    /// Each event has a contact of its own, so that none is moved to another second.
    Own,
    /// Events of all processes share few contacts and seconds.
    Shared,
}

pub(crate) fn contact(number: u64, contacts: Contacts) -> Contact {
    match contacts {
        Contacts::Own => Contact::user_id(number),
        Contacts::Shared => Contact::user_id(number % SHARED),
    }
}

pub(crate) fn event(number: u64) -> DynamicEvent {
    DynamicEvent::new("project_created").unwrap().with("number", number).unwrap()
}

pub(crate) fn time(number: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + (number % OF_A_PROCESS) as i64)
}

/// What is accepted for this event, byte for byte.
pub(crate) fn accepted(number: u64, contacts: Contacts) -> DataEvent {
    DataEvent::new(&event(number), contact(number, contacts), time(number)).unwrap()
}

/// The number of an event, from its body.
pub(crate) fn number(body: &[u8]) -> Option<u64> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body["metadata"]["number"].as_u64()
}

/// Whether this body is what was accepted, moved to a later second at most.
pub(crate) fn is_right(number: u64, contacts: Contacts, body: &[u8]) -> bool {
    let accepted = accepted(number, contacts);
    match contacts {
        Contacts::Own => accepted.body()[..] == *body,
        Contacts::Shared => DataEvent::from_body(body.to_vec()).is_ok_and(|arrived| {
            arrived.created_at() >= accepted.created_at()
                && accepted.moved_to(arrived.created_at()).body()[..] == *body
        }),
    }
}
