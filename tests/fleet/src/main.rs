//! Breaks PostgreSQL, the network, the clocks and the processes under a fleet that shares one
//! outbox, and compares the accepted events with the arrivals. `tests/fleet/run` installs the
//! tools, and runs it.
//!
//! A run skips the parts whose tools are missing. Then it has not passed: see `tests::Summary`.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the program prints its results")]

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

/// Several threads, so that the sandbox and the proxies run while a part blocks.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
