//! The parts of a run: each breaks one thing.

mod bouncer;
mod clocks;
mod failover;
mod many;
mod network;
mod processes;
mod server;
mod snapshot;

use std::env;

use test_postgres::Server;
use tests::Summary;
use tokio::runtime::Runtime;

use crate::rig::{Rig, Setup};

/// One part.
pub(crate) struct Part {
    /// The name on the command line.
    pub(crate) name: &'static str,
    /// Breaks it, and reports the result.
    pub(crate) run: fn(&Runtime, &mut Summary),
}

const fn part(name: &'static str, run: fn(&Runtime, &mut Summary)) -> Part {
    Part { name, run }
}

pub(crate) const PARTS: &[Part] = &[
    part("many", many::part),
    part("crash", server::crash),
    part("immediate", server::immediate),
    part("failover", failover::part),
    part("commit", network::commit),
    part("crash-in-commit", network::crash_in_commit),
    part("half-open", network::half_open),
    part("kill", processes::kill),
    part("stop", processes::stop),
    part("deploy", processes::deploy),
    part("twenty", processes::twenty),
    part("clocks", clocks::part),
    part("snapshot", snapshot::part),
    part("bouncer", bouncer::part),
];

/// Returns whether this is a long run.
fn is_long() -> bool {
    env::var("FLEET").is_ok_and(|how| how == "long")
}

/// Returns the number of rounds: ten times `few` in a long run.
fn rounds(few: usize) -> usize {
    if is_long() { 10 * few } else { few }
}

/// Starts a server, if this machine has PostgreSQL.
fn server(name: &str, settings: &[(&str, &str)], summary: &mut Summary) -> Option<Server> {
    match Server::with(settings) {
        Ok(server) => Some(server),
        Err(error) => {
            summary.skip(name, &error.to_string());
            None
        }
    }
}

/// Starts a server and some processes, disturbs them, and judges the result.
fn disturbed(
    runtime: &Runtime,
    summary: &mut Summary,
    name: &str,
    processes: usize,
    disturb: impl AsyncFnOnce(&mut Rig, &mut Server),
) {
    let Some(mut server) = server(name, &[], summary) else { return };
    let complaints = runtime.block_on(async {
        let mut rig = Rig::start(Setup::new(&server.url())).await;
        rig.start_processes(processes).await;
        rig.arrive(40).await;
        rig.refuse(&server, 3).await;
        disturb(&mut rig, &mut server).await;
        rig.arrive(40).await;
        judged(rig, &server).await
    });
    summary.add(name, &complaints);
}

/// Ends the rig, and returns all complaints.
async fn judged(rig: Rig, server: &Server) -> Vec<String> {
    let (evidence, mut complaints) = rig.finish(server).await;
    complaints.extend(evidence.complaints());
    if evidence.ledger.accepted.len() < 50 {
        complaints.push("the run accepted too few events to prove anything".to_owned());
    }
    if evidence.dead.is_empty() {
        complaints.push("no event is a dead letter, although Intercom refused some".to_owned());
    }
    complaints
}
