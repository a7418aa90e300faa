//! Several processes share one file. All of them accept, one delivers, and the test kills any of
//! them.

use std::sync::Arc;
use std::time::Duration;

use intercom_core::DataEvent;
use intercom_delivery::conformance::many::{
    Fleet, FleetProfile, Process, Promise, Transaction, run,
};
use intercom_delivery::outbox::Tenure;
use intercom_sqlite::rusqlite::TransactionBehavior;
use intercom_sqlite::{SqliteOutbox, accept_in};
use tokio::runtime::Builder;

use super::support::Place;

struct Machine(Arc<Place>);

impl Fleet for Machine {
    type Process = Handle;

    async fn start(&mut self) -> Handle {
        let builder = self.0.builder().poll_interval(Duration::from_millis(1));
        Handle { place: self.0.clone(), outbox: builder.open().unwrap() }
    }

    async fn advance(&mut self, by: Duration) {
        self.0.clock.advance(by);
    }
}

struct Handle {
    place: Arc<Place>,
    outbox: SqliteOutbox,
}

impl Process for Handle {
    type Outbox = SqliteOutbox;
    type Transaction = Deferred;

    fn outbox(&self) -> &SqliteOutbox {
        &self.outbox
    }

    async fn begin(&self, events: Vec<DataEvent>) -> Deferred {
        Deferred { place: self.place.clone(), events }
    }

    async fn pause(&mut self) {
        unreachable!("a stopped process keeps its file");
    }

    async fn resume(&mut self) {}

    async fn kill(self, tenure: Option<Tenure>) {
        drop(self);
        drop(tenure);
    }
}

/// SQLite has one writer at a time, so this inserts the events of a longer transaction at its end.
struct Deferred {
    place: Arc<Place>,
    events: Vec<DataEvent>,
}

impl Transaction for Deferred {
    async fn commit(self) {
        let mut conn = self.place.sqlite();
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        accept_in(&transaction, &self.events).unwrap();
        transaction.commit().unwrap();
    }

    async fn roll_back(self) {}
}

#[test]
fn many_processes_conform_except_when_one_is_stopped() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let reason = "a lock on the file ends with its process, and a stopped process keeps it";
    // The long suite runs more histories, from a drawn seed on.
    let number = |name, or| std::env::var(name).map_or(or, |number| number.parse().unwrap());
    let (histories, seed) = (number("MANY_HISTORIES", 16), number("MANY_SEED", 0));
    let profile = FleetProfile::new().histories(histories).seed(seed).accepts_at_commit();
    let profile = profile.skip(Promise::StoppedProcess, reason);
    let report = run(&profile, &runtime, async || Machine(Arc::new(Place::new())));
    assert_eq!(report.skipped(), [Promise::StoppedProcess]);
    assert!(report.takeovers() > histories && report.moved() > histories, "{report}");
    assert!(report.removed() > histories && report.sent_after_removal() > 0, "{report}");
}
