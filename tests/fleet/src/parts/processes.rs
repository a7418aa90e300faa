//! Killed, stopped and replaced processes.

use std::time::Instant;

use nix::sys::signal::Signal;
use tests::Summary;
use tokio::runtime::Runtime;

use super::{disturbed, rounds, server};
use crate::events::Contacts;
use crate::pause::{PATIENCE, until};
use crate::process::Process;
use crate::rig::{Rig, Setup};
use crate::worker::{BEGUN, ENDED, STANDS_BY};

/// Kills the deliverer.
pub(super) fn kill(runtime: &Runtime, summary: &mut Summary) {
    disturbed(runtime, summary, "kill", 3, async |rig, _| {
        for _ in 0..rounds(1) {
            let Some(deliverer) = rig.deliverer() else { return };
            let number = rig.processes[deliverer].number;
            rig.disturb("the test killed the deliverer", async |rig| {
                rig.kill(deliverer);
                rig.taken_over(number, Instant::now()).await;
                rig.arrive(20).await;
            })
            .await;
            rig.start_processes(1).await;
        }
    });
}

/// Stops the deliverer, and lets it go on after another process has taken over.
pub(super) fn stop(runtime: &Runtime, summary: &mut Summary) {
    disturbed(runtime, summary, "stop", 3, async |rig, _| {
        for _ in 0..rounds(1) {
            let Some(deliverer) = rig.deliverer() else { return };
            let number = rig.processes[deliverer].number;
            rig.disturb("the test stopped the deliverer", async |rig| {
                rig.processes[deliverer].signal(Signal::SIGSTOP);
                rig.taken_over(number, Instant::now()).await;
                rig.arrive(20).await;
                let goes_on = Instant::now();
                rig.processes[deliverer].signal(Signal::SIGCONT);
                let is_told = |process: &Process| process.said(STANDS_BY, Some(goes_on)).is_some();
                let told = until(PATIENCE, || is_told(&rig.processes[deliverer])).await;
                rig.expect(told, "the stopped process does not learn that another one took over");
            })
            .await;
            // It must go on accepting.
            rig.arrive_from(deliverer).await;
        }
    });
}

/// Replaces all processes one after the other by orderly ends: no event is sent twice.
pub(super) fn deploy(runtime: &Runtime, summary: &mut Summary) {
    disturbed(runtime, summary, "deploy", 3, async |rig, _| {
        for _ in 0..3 * rounds(1) {
            let setup = rig.setup.clone();
            rig.start_process(&setup);
            let newest = rig.processes.len() - 1;
            let begun = until(PATIENCE, || rig.processes[newest].said(BEGUN, None).is_some()).await;
            rig.expect(begun, "a new process does not begin");
            let told = Instant::now();
            let was_deliverer = rig.processes[0].delivers();
            let number = rig.processes[0].number;
            rig.processes[0].tell_to_end();
            if was_deliverer {
                rig.taken_over(number, told).await;
            }
            let ended = until(PATIENCE, || rig.processes[0].said(ENDED, None).is_some()).await;
            rig.expect(ended, "a process does not end");
            let mut process = rig.processes.remove(0);
            rig.complaints.extend(process.ended(PATIENCE));
            rig.gone.push(process);
            rig.arrive(20).await;
        }
    });
}

/// Twenty processes accept events of the same contacts and seconds. The test kills some.
pub(super) fn twenty(runtime: &Runtime, summary: &mut Summary) {
    let Some(server) = server("twenty", &[], summary) else { return };
    let complaints = runtime.block_on(async {
        let setup = Setup {
            producers: 1,
            pace: 250,
            contacts: Contacts::Shared,
            ..Setup::new(&server.url())
        };
        let mut rig = Rig::start(setup).await;
        rig.start_processes(20).await;
        rig.arrive(100).await;
        for _ in 0..rounds(1) {
            let Some(deliverer) = rig.deliverer() else { break };
            let number = rig.processes[deliverer].number;
            rig.disturb("the test killed the deliverer", async |rig| {
                rig.kill(deliverer);
                rig.taken_over(number, Instant::now()).await;
                rig.arrive(100).await;
            })
            .await;
            let standby = (0..rig.processes.len()).find(|index| !rig.processes[*index].delivers());
            standby.into_iter().for_each(|standby| rig.kill(standby));
            rig.start_processes(2).await;
        }
        // Intercom ignores a second event of a contact, name and second. Only repetitions of the
        // same bytes may meet that.
        let ignored = rig.sandbox.duplicates();
        let (evidence, mut complaints) = rig.finish(&server).await;
        complaints.extend(evidence.complaints());
        if evidence.counts.moved == 0 {
            complaints.push("admission moved no event, so the run proves nothing".to_owned());
        }
        if evidence.counts.collided > 0 {
            complaints.push(format!("{} events collided", evidence.counts.collided));
        }
        let again = evidence.repetitions();
        if ignored.len() > again {
            let ignored = ignored.len();
            complaints
                .push(format!("Intercom ignored {ignored} events, and {again} arrived again"));
        }
        complaints
    });
    summary.add("twenty", &complaints);
}
