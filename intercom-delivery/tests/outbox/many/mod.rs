//! A store that several processes share: a correct one, and one for each fault. The suite must
//! notice each of them.

mod faulty;
mod shared;

use std::panic::{AssertUnwindSafe, catch_unwind};

use intercom_delivery::conformance::many::{FleetProfile, FleetReport, Promise, run};
use tokio::runtime::{Builder, Runtime};

use self::faulty::{FAULTS, Fault};
use self::shared::SharedFleet;

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

#[test]
fn more_processes_and_longer_histories() {
    let _ = try_out(&FleetProfile::new().histories(20).processes(8).steps(600), None);
    let _ = try_out(&FleetProfile::new().histories(20).processes(2), None);
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
