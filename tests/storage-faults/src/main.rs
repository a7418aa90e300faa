//! Breaks the storage under the durable outbox in every way that a machine can, and looks what became of what was
//! accepted. `tests/storage-faults/run` installs what it takes, and runs it.
//!
//! Where something it takes is missing, that part is skipped, and the run has not passed: see `summary`.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that tells")]

mod disk;
mod engine;
mod events;
mod file;
mod ledger;
mod parts;
mod summary;
mod verdict;
mod worker;

use std::env;
use std::process::ExitCode;

use crate::summary::Summary;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some((worker::WORKER, told)) = arguments.split_first().map(|(a, b)| (a.as_str(), b)) {
        worker::work(told);
        return ExitCode::SUCCESS;
    }
    let mut summary = Summary::default();
    for (name, part) in parts::PARTS {
        if arguments.is_empty() || arguments.iter().any(|wanted| wanted == name) {
            println!("== {name}");
            part(&mut summary);
        }
    }
    summary.tell()
}
