//! Tests of the checks themselves: they must find faulty processes.

use crate::events::{PER_PROCESS, body};
use crate::plan::{CONCURRENCY, OutboxKind, Work};
use crate::rig::Rig;
use crate::verdict::{AGAIN, Arrival, Evidence};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verdict_finds_a_deliverer_in_memory() {
    let mut rig = Rig::start(OutboxKind::Memory).await;
    for work in [Work::Accepting, Work::Both, Work::Accepting] {
        rig.kill_while(work);
    }
    let evidence = rig.finish();
    let (lost, complaints) = (evidence.lost(), evidence.complaints());
    assert!(!lost.is_empty(), "nothing of {} events is lost", evidence.accepted.len());
    for number in lost {
        assert!(complaints.contains(&format!("event {number} was accepted, and is lost")));
    }
}

/// Evidence of a killed first run. These events were accepted, and arrived in these runs.
fn arrivals(arrivals: impl IntoIterator<Item = (u64, u64)>) -> Evidence {
    let arrival = |(number, run)| Arrival { number, run, body: body(number) };
    let arrived: Vec<_> = arrivals.into_iter().map(arrival).collect();
    let accepted = arrived.iter().map(|arrival| arrival.number).collect();
    Evidence { killed: [0].into(), accepted, arrived, dead: Vec::new(), file_counts: None }
}

#[test]
fn an_event_may_come_again_after_a_kill_and_not_before() {
    assert_eq!(arrivals([(0, 0), (1, 0), (1, 1)]).complaints(), [""; 0]);
    assert_eq!(arrivals([(0, 0), (0, 0)]).complaints(), ["event 0 was sent twice by run 0"]);
    // The second run was not killed.
    assert_eq!(arrivals([(0, 1), (0, 2)]).complaints(), ["1 events of run 1 were sent again"]);
}

#[test]
fn the_verdict_finds_a_deliverer_that_acknowledges_nothing() {
    let all = |run| (0..=AGAIN as u64).map(move |number| (number, run));
    let complaints = arrivals(all(0).chain(all(1))).complaints();
    assert_eq!(complaints, [format!("{} events of run 0 were sent again", AGAIN + 1)]);
}

#[test]
fn the_verdict_finds_a_deliverer_that_changes_an_event() {
    let mut evidence = arrivals([(0, 0)]);
    evidence.arrived.push(Arrival { number: 0, run: 1, body: body(1) });
    assert_eq!(evidence.complaints(), ["event 0 arrived with other bytes than accepted"]);
    let mut evidence = arrivals([(0, 0)]);
    evidence.dead = vec![body(1), body(1)];
    assert_eq!(evidence.complaints(), ["event 1 is two dead letters"]);
}

#[test]
fn unrecorded_events_are_at_most_one_a_producer() {
    let mut evidence = arrivals((0..40).map(|number| (number, 0)));
    evidence.accepted.clear();
    assert_eq!(evidence.complaints(), ["run 0 accepted 40 events without a record"]);
    // The second run was not killed.
    let mut evidence = arrivals([(PER_PROCESS, 1)]);
    evidence.accepted.clear();
    assert_eq!(evidence.complaints(), ["run 1 accepted 1 events without a record"]);
}

#[test]
fn two_processes_that_deliver_at_once_are_found_out() {
    // Requests in flight at a kill may arrive late.
    let in_flight = (1..=CONCURRENCY as u64).map(|number| (number, 0));
    assert_eq!(arrivals([(0, 1)].into_iter().chain(in_flight)).complaints(), [""; 0]);
    let both = (0..200).map(|number| (number, number % 2));
    let complaints = arrivals(both).complaints();
    assert_eq!(complaints, ["run 0 sent 99 events after a later run began to send"]);
}
