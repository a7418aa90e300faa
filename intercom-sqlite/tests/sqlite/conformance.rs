//! Runs the conformance suite over files.

use std::sync::Arc;
use std::time::Duration;

use intercom_delivery::conformance::{Profile, run_admission, run_with};
use intercom_sqlite::SqliteOutbox;
use tokio::runtime::Builder;

use super::support::Place;

/// Each sequence has its own file, in virtual time.
fn run(profile: &Profile, capacity: Option<u64>) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    run_with(profile, &runtime, async || {
        let place = Place::new();
        let mut builder = place.builder();
        if let Some(capacity) = capacity {
            builder = builder.capacity(capacity);
        }
        let outbox = builder.open().unwrap();
        let advance = async move |by: Duration| {
            // The folder must last as long as the outbox.
            let place = &place;
            place.clock.advance(by);
        };
        (outbox, advance)
    });
}

#[test]
fn an_unbounded_outbox_conforms() {
    run(&Profile::new().cases(96), None);
}

#[test]
fn a_bounded_outbox_conforms() {
    run(&Profile::new().capacity(12).cases(64), Some(12));
    run(&Profile::new().capacity(3).cases(32), Some(3));
}

/// A crash drops all handles, and reopens the file.
#[test]
fn admission_over_crashes_sends_no_event_that_intercom_ignores() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    run_admission(64, &runtime, async || {
        let place = Arc::new(Place::new());
        let outbox = place.open();
        let again = place.clone();
        let crash = async move |outbox: SqliteOutbox| {
            drop(outbox);
            again.open()
        };
        let advance = async move |by: Duration| place.clock.advance(by);
        (outbox, crash, advance)
    });
}
