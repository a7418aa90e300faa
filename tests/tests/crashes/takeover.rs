//! Several processes share one file. All of them accept, one delivers, and another takes over
//! without help.

use std::collections::BTreeSet;

use crate::child::{DELIVERS, STANDS_BY};
use crate::events::PER_PROCESS;
use crate::plan::{OutboxKind, Work};
use crate::rig::Rig;
use crate::verdict::Evidence;

/// The number of processes that deliver one after the other.
const PROCESSES: u64 = 5;

/// The end of a delivering process.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    Shutdown,
}

/// Lets each process deliver while the next one stands by and accepts, and then ends it.
async fn relay(end: End) -> Evidence {
    let mut rig = Rig::start(OutboxKind::Sqlite).await;
    let mut deliverer = rig.spawn(Work::Sharing);
    deliverer.wait_for_line(DELIVERS);
    for _ in 1..PROCESSES {
        let mut standby = rig.spawn(Work::Sharing);
        standby.wait_for_line(STANDS_BY);
        // Dead letters must survive as well.
        rig.refuse(3);
        rig.arrived_from(standby.number).await;
        let moment = rig.moment();
        match end {
            End::Kill => rig.kill(deliverer, moment),
            End::Shutdown => deliverer.end(),
        }
        standby.wait_for_line(DELIVERS);
        deliverer = standby;
    }
    deliverer.end();
    let evidence = rig.finish();
    show(end, &evidence);
    let complaints = evidence.complaints();
    assert!(complaints.is_empty(), "{} complaints: {complaints:#?}", complaints.len());

    // Without these the test proves nothing.
    let delivered: BTreeSet<_> = evidence.arrived.iter().map(|arrival| arrival.run).collect();
    assert!(delivered.is_superset(&(0..PROCESSES - 1).collect()), "{delivered:?} delivered");
    let accepted_for_it = |accepted_by: u64| {
        let by = |number| number / PER_PROCESS == accepted_by;
        evidence.arrived.iter().any(|arrival| by(arrival.number) && arrival.run < accepted_by)
    };
    assert!((1..PROCESSES).all(accepted_for_it), "a standby accepted nothing");
    assert!(!evidence.dead.is_empty(), "there are no dead letters");
    evidence
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stands_by_takes_over_from_one_that_is_killed() {
    let evidence = relay(End::Kill).await;
    assert_eq!(evidence.killed, (0..PROCESSES - 1).collect());
    // A kill falls between a response and its settlement, and the next process sends the same
    // bytes.
    assert!(evidence.repetitions() > 0, "nothing was sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stands_by_takes_over_from_one_that_shuts_down() {
    let evidence = relay(End::Shutdown).await;
    assert_eq!(evidence.repetitions(), 0);
}

#[allow(clippy::print_stderr, reason = "the output explains a failure")]
fn show(end: End, evidence: &Evidence) {
    let (accepted, again) = (evidence.accepted.len(), evidence.repetitions());
    eprintln!("{end:?}: {accepted} accepted, {again} again, {} dead", evidence.dead.len());
}
