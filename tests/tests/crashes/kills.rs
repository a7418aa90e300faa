//! `kill -9`, over and over.

use crate::plan::{OutboxKind, Work};
use crate::rig::{Rig, kills};
use crate::verdict::Evidence;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_events_survive_every_kill() {
    let mut rig = Rig::start(OutboxKind::Sqlite).await;
    for work in Work::KILLED.into_iter().cycle().take(kills()) {
        // Dead letters must survive as well.
        rig.refuse(3);
        rig.kill_while(work);
    }
    let found = rig.found;
    let evidence = rig.finish();
    show(&evidence, found);
    let complaints = evidence.complaints();
    assert!(complaints.is_empty(), "{} complaints: {complaints:#?}", complaints.len());

    // Without pending events the kills prove nothing.
    assert!(found > 0, "no start found a pending event");
    assert!(evidence.accepted.len() > kills(), "{} events", evidence.accepted.len());
    assert!(!evidence.dead.is_empty(), "there are no dead letters");
    // Some kill falls between a response and its settlement. Otherwise the test overlooks repeated
    // arrivals.
    assert!(evidence.repetitions() > 0, "nothing was sent again");
}

#[allow(clippy::print_stderr, reason = "the output explains a failure")]
fn show(evidence: &Evidence, found: u64) {
    let (kills, accepted) = (evidence.killed.len(), evidence.accepted.len());
    let (again, dead) = (evidence.repetitions(), evidence.dead.len());
    eprintln!("{kills} kills, {accepted} accepted, {found} found, {again} again, {dead} dead");
}
