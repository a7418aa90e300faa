//! The parts of a run: each breaks one thing.

mod clock;
mod forgotten;
mod full;
mod power;
mod start;
mod strace;
mod syscalls;
mod thin;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, thread};

use tests::Summary;

/// Breaks something, and reports the result.
type Part = fn(&mut Summary);

/// The parts, with their names on the command line.
pub(crate) const PARTS: &[(&str, Part)] = &[
    ("errors", syscalls::errors),
    ("kills", syscalls::kills),
    ("status", syscalls::status),
    ("forgotten", forgotten::part),
    ("power", power::part),
    ("thin", thin::part),
    ("full", full::part),
    ("read-only", full::read_only),
    ("mounted", full::mounted),
    ("clock", clock::part),
];

/// Returns whether this is a long run.
fn long() -> bool {
    env::var("STORAGE_FAULTS").is_ok_and(|how| how == "long")
}

/// Runs all cases, some at the same time, and adds the complaints of each.
fn try_all<T: Sync>(
    summary: &mut Summary,
    cases: &[T],
    name: impl Fn(&T) -> String + Sync,
    attempt: impl Fn(&T) -> Vec<String> + Sync,
) {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let complaints = attempt(case);
                    done.lock().unwrap().push((name(case), complaints));
                }
            });
        }
    });
    for (name, complaints) in done.into_inner().unwrap() {
        summary.add(&name, complaints);
    }
}
