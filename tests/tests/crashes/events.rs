//! The events. An event's number determines its bytes, so both processes know them.

use intercom_core::{Contact, DataEvent};
pub(crate) use tests::numbered::{PER_PROCESS, event, time};

/// Each event has its own contact, so that admission moves none to another second.
pub(crate) fn contact(number: u64) -> Contact {
    Contact::user_id(number)
}

/// Returns the bytes of this event's request.
pub(crate) fn body(number: u64) -> Vec<u8> {
    DataEvent::new(&event(number), contact(number), time(number)).unwrap().body().to_vec()
}
