//! Workers whose system calls fail or end them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::parts::start::{FIRST, Place};
use crate::worker::Work;

/// Returns what is missing here, if something is.
pub(crate) fn missing() -> Option<String> {
    match Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(_) => Some("there is no strace: `apt-get install strace`".to_owned()),
    }
}

/// Runs a worker under strace with these options, and adds the worker's lines to the ledger.
pub(crate) fn run(work: Work, place: &mut Place, options: &[String]) -> ExitStatus {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(log(&place.path())).args(options);
    command.args(work.words(&place.path(), FIRST));
    let output = command.output().unwrap();
    let mut ledger = std::mem::take(&mut place.ledger);
    ledger.notes.clear();
    String::from_utf8(output.stdout).unwrap().lines().for_each(|line| ledger.read(line));
    place.ledger = ledger;
    output.status
}

/// A system call.
pub(crate) struct Call {
    pub(crate) thread: u32,
    pub(crate) name: String,
}

/// Returns the traced calls of the last run, in order.
pub(crate) fn calls(place: &Place) -> Vec<Call> {
    let lines = fs::read_to_string(log(&place.path())).unwrap();
    let call = |line: &str| {
        let (thread, rest) = line.split_once(' ')?;
        let (name, _) = rest.trim_start().split_once('(')?;
        let name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)?;
        Some(Call { thread: thread.parse().ok()?, name: name.to_owned() })
    };
    lines.lines().filter_map(call).collect()
}

/// Returns how often each call is made, by the thread that makes it most often: strace counts for
/// each thread by itself.
pub(crate) fn most(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut by_thread: BTreeMap<(&str, u32), usize> = BTreeMap::new();
    for call in calls {
        *by_thread.entry((&call.name, call.thread)).or_default() += 1;
    }
    let mut most = BTreeMap::new();
    for ((name, _), calls) in by_thread {
        let known: &mut usize = most.entry(name.to_owned()).or_default();
        *known = calls.max(*known);
    }
    most
}

fn log(path: &Path) -> std::path::PathBuf {
    path.with_extension("strace")
}
