//! What is broken, one way after the other.

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

/// A way to break it.
pub(crate) struct Part {
    /// By which it can be asked for.
    pub(crate) name: &'static str,
    /// Breaks it, and says what became of it.
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

/// Whether there is time to try more.
fn is_long() -> bool {
    env::var("FLEET").is_ok_and(|how| how == "long")
}

/// How often something is done: so often, or ten times as often if there is time.
fn rounds(few: usize) -> usize {
    if is_long() { 10 * few } else { few }
}

/// A server, if there can be one here.
fn server(name: &str, settings: &[(&str, &str)], summary: &mut Summary) -> Option<Server> {
    match Server::with(settings) {
        Ok(server) => Some(server),
        Err(error) => {
            summary.skip(name, &error.to_string());
            None
        }
    }
}

/// Starts a server and some processes, has them disturbed, and judges what became of it.
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

/// Ends it, and says everything that was wrong.
async fn judged(rig: Rig, server: &Server) -> Vec<String> {
    let (evidence, mut complaints) = rig.finish(server).await;
    complaints.extend(evidence.complaints());
    if evidence.ledger.accepted.len() < 50 {
        complaints.push("hardly anything was accepted, so nothing was at stake".to_owned());
    }
    if evidence.dead.is_empty() {
        complaints.push("no event is a dead letter, though some were refused".to_owned());
    }
    complaints
}
