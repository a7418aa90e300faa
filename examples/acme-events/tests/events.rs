//! The events of Acme are those of `events.lock`, and the catalogue lists all of them.
//!
//! ```sh
//! UPDATE_EVENTS_LOCK=1 cargo test -p acme-events
//! ```

use acme_events::ACME;
use intercom_catalogue::Plan;

#[test]
fn the_events_are_those_of_the_lock() {
    Plan::of(&ACME).assert_lock("events.lock");
}

#[test]
fn the_catalogue_is_complete() {
    Plan::of(&ACME).assert_complete(env!("CARGO_MANIFEST_DIR"));
}
