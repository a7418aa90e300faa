//! A store that several processes share: a correct one, and one for each fault. The suite must
//! notice each of them.

mod faulty;
mod shared;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use intercom_core::Timestamp;
use intercom_core::testing::RecordingTransport;
use intercom_delivery::conformance::many::{
    Fleet, FleetProfile, FleetReport, Process, Promise, Transaction, run,
};
use intercom_delivery::{Delivery, Outbox};
use tokio::runtime::{Builder, Runtime};

use self::faulty::{FAULTS, Fault};
use self::shared::SharedFleet;
use super::support::event;

/// The limit of histories until a fault shows.
const HISTORIES: u64 = 200;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn try_out(profile: &FleetProfile, fault: Option<Fault>) -> FleetReport {
    run(profile, &runtime(), async || SharedFleet::new(fault))
}

#[test]
fn a_store_that_keeps_all_promises() {
    let report = try_out(&FleetProfile::new().histories(HISTORIES), None);
    assert_eq!(report.skipped(), []);
    // Without these the run proves nothing.
    let numbers = [report.events(), report.takeovers(), report.moved(), report.late_settlements()];
    assert!(numbers.iter().all(|number| *number > HISTORIES), "{report}");
    assert!(report.removed() > HISTORIES && report.sent_after_removal() > 0, "{report}");
}

/// The long suite runs more histories, from a drawn seed on.
#[test]
fn more_processes_and_longer_histories() {
    let number = |name, or| std::env::var(name).map_or(or, |number| number.parse().unwrap());
    let (histories, seed) = (number("MANY_HISTORIES", 20), number("MANY_SEED", 0));
    let profile = FleetProfile::new().histories(histories).seed(seed);
    let _ = try_out(&profile.clone().processes(8).steps(600), None);
    let _ = try_out(&profile.processes(2), None);
}

/// A transaction accepts an event and commits three minutes later. Meanwhile another event of the same
/// contact, name and second was delivered, and the engine had reason to forget that second.
#[test]
fn the_second_of_an_event_is_kept_while_its_transaction_is_open() {
    let moved = |fault| {
        runtime().block_on(async move {
            let mut fleet = SharedFleet::new(fault);
            let (process, deliverer) = (fleet.start().await, fleet.start().await);
            let transport = RecordingTransport::new();
            let delivery = Delivery::builder(transport.clone()).outbox(deliverer.into_outbox());
            let delivery = delivery.start().unwrap();
            let now = Timestamp::now();
            let open = process.begin(vec![event("same", 0).moved_to(now)]).await;
            process.outbox().accept(&[event("same", 1).moved_to(now)]).await.unwrap();
            for number in 2..6 {
                fleet.advance(Duration::from_secs(45)).await;
                process.outbox().accept(&[event("other", number)]).await.unwrap();
            }
            open.commit().await;
            fleet.advance(Duration::from_secs(1)).await;
            let ledger = delivery.ledger().await.unwrap();
            assert_eq!(ledger.delivered, 6, "{ledger}");
            let same = transport.events().into_iter().filter(|sent| sent.event_name() == "same");
            let seconds: HashSet<_> = same.map(|sent| sent.created_at()).collect();
            (ledger.moved, seconds.len())
        })
    };
    assert_eq!(moved(None), (1, 2));
    // Intercom ignores the second of two events of one second.
    assert_eq!(moved(Some(Fault::ForgetsOpenTransactions)), (0, 1));
}

#[test]
fn every_fault_is_found() {
    let profile = FleetProfile::new().histories(HISTORIES);
    let misjudged: Vec<_> = FAULTS
        .iter()
        .map(|(fault, promises)| (fault, promises, report(&profile, *fault)))
        .filter(|(_, promises, found)| {
            let first = found.as_ref().and_then(|found| found.lines().next());
            let names = |first: &str, promise: &Promise| first.contains(&format!("({promise})"));
            !first.is_some_and(|first| promises.iter().any(|promise| names(first, promise)))
        })
        .collect();
    assert!(misjudged.is_empty(), "{misjudged:#?}");
}

/// Returns the suite's report, if it finds a fault.
fn report(profile: &FleetProfile, fault: Fault) -> Option<String> {
    let panicked = catch_unwind(AssertUnwindSafe(|| try_out(profile, Some(fault)))).err()?;
    Some(*panicked.downcast::<String>().unwrap())
}

#[test]
fn a_skipped_promise_is_named() {
    let reason = "it holds its lock until it ends";
    let profile = FleetProfile::new().histories(HISTORIES).skip(Promise::StoppedProcess, reason);
    // This fault shows only with stopped processes.
    let report = try_out(&profile, Some(Fault::KeepsTheLockWhileStopped));
    assert_eq!(report.skipped(), [Promise::StoppedProcess]);
    let line = report.to_string();
    assert!(line.contains("NOT TESTED: stopped process, because it holds its lock"), "{line}");
}

#[test]
#[should_panic(expected = "every outbox must keep the promise `fencing`")]
fn fencing_cannot_be_skipped() {
    let _ = FleetProfile::new().skip(Promise::Fencing, "it is slow");
}
