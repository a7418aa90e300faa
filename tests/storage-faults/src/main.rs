//! Breaks the storage under the durable outbox in many ways, and checks the accepted events after
//! each. `tests/storage-faults/run` installs the tools, and runs it.
//!
//! A run skips the parts whose tools are missing. Then it has not passed: see `tests::Summary`.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the program prints its results")]

mod disk;
mod engine;
mod events;
mod file;
mod ledger;
mod parts;
mod verdict;
mod worker;

use std::env;
use std::process::ExitCode;

use tests::Summary;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some((worker::WORKER, arguments)) = arguments.split_first().map(|(a, b)| (a.as_str(), b))
    {
        worker::work(arguments);
        return ExitCode::SUCCESS;
    }
    let mut summary = Summary::default();
    for (name, part) in parts::PARTS {
        if arguments.is_empty() || arguments.iter().any(|wanted| wanted == name) {
            println!("== {name}");
            part(&mut summary);
        }
    }
    summary.finish()
}
