//! Breaks PostgreSQL, the network, the clocks and the processes under a fleet that shares one outbox, and compares what
//! was accepted with what arrived. `tests/fleet/run` installs what it takes, and runs it.
//!
//! Where something it takes is missing, that part is skipped, and the run has not passed: see `tests::Summary`.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that tells")]

mod events;
mod ledger;
mod parts;
mod pause;
mod plan;
mod process;
mod proxy;
mod rig;
mod verdict;
mod worker;

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use tests::Summary;
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [name, plan] = &arguments[..]
        && name == worker::WORKER
    {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(worker::work(plan));
        return ExitCode::SUCCESS;
    }
    let mut summary = Summary::with_passed();
    for part in parts::PARTS {
        if arguments.is_empty() || arguments.iter().any(|wanted| wanted == part.name) {
            println!("== {}", part.name);
            let begun = Instant::now();
            (part.run)(&runtime(), &mut summary);
            println!("       {:.0} s", begun.elapsed().as_secs_f64());
        }
    }
    summary.finish()
}

/// The sandbox and the proxies run beside a part that blocks.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
