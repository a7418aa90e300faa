//! Runs the conformance suite over a real server.

use std::time::Duration;

use intercom_delivery::conformance::{Profile, run_admission, run_with};
use intercom_postgres::PostgresOutbox;
use tokio::runtime::{Builder, Runtime};

use super::support::Place;

/// The interval at which a waiting call looks at the test's clock.
const POLL: Duration = Duration::from_millis(5);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Each sequence has its own schema, whose clock is the database's plus what the test adds. A tick
/// is long, because the database's clock goes on while a busy machine runs the sequence.
fn profile() -> Profile {
    Profile::new().tick(Duration::from_secs(120))
}

fn run(profile: &Profile, capacity: Option<u64>) {
    run_with(profile, &runtime(), async || {
        let place = Place::new();
        let mut builder = place.builder().poll_interval(POLL);
        if let Some(capacity) = capacity {
            builder = builder.capacity(capacity);
        }
        let outbox = builder.connect().await.unwrap();
        let advance = async move |by: Duration| place.advance(by);
        (outbox, advance)
    });
}

#[test]
fn an_unbounded_outbox_conforms() {
    run(&profile().cases(96), None);
}

#[test]
fn a_bounded_outbox_conforms() {
    run(&profile().capacity(12).cases(64), Some(12));
    run(&profile().capacity(3).cases(32), Some(3));
}

/// A crash ends all handles. Its lease has ended when the next process begins.
#[test]
fn admission_over_crashes_sends_no_event_that_intercom_ignores() {
    run_admission(24, &runtime(), async || {
        let place = Place::new();
        let outbox = place.builder().poll_interval(POLL).connect().await.unwrap();
        let again = place.clone();
        let crash = async move |outbox: PostgresOutbox| {
            drop(outbox);
            again.run("UPDATE {s}.deliverer SET released = true").await;
            again.builder().poll_interval(POLL).connect().await.unwrap()
        };
        let advance = async move |by: Duration| place.advance(by);
        (outbox, crash, advance)
    });
}
