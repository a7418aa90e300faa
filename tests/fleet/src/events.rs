//! The events. An event's number determines its bytes, so every process knows them.

use intercom_core::{Contact, DataEvent};
pub(crate) use tests::numbered::{PER_PROCESS, event, time};

/// The number of [shared](Contacts::Shared) contacts that have events of the same second.
const SHARED: u64 = 4;

/// The contacts of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Contacts {
    /// Each event has its own contact, so that admission moves none to another second.
    Own,
    /// The events of all processes share few contacts and seconds.
    Shared,
}

pub(crate) fn contact(number: u64, contacts: Contacts) -> Contact {
    match contacts {
        Contacts::Own => Contact::user_id(number),
        Contacts::Shared => Contact::user_id(number % SHARED),
    }
}

/// Returns the accepted bytes of this event.
pub(crate) fn accepted(number: u64, contacts: Contacts) -> DataEvent {
    DataEvent::new(&event(number), contact(number, contacts), time(number)).unwrap()
}

/// Returns the number of an event, from its body.
pub(crate) fn number(body: &[u8]) -> Option<u64> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body["metadata"]["number"].as_u64()
}

/// Returns whether this body is the accepted one, or the accepted one in a later second.
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
