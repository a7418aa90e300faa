//! A process that a test starts, to end or to kill it.

use std::io;
use std::{process, thread};

use tokio::sync::oneshot;

/// The line on standard input that asks the process for an orderly end.
pub const END: &str = "end";

/// Returns what completes when the test asks this process for an orderly end.
///
/// When the test itself ends, this process exits. So the test keeps the process's standard input
/// open until the process has ended.
pub fn told_to_end() -> oneshot::Receiver<()> {
    let (end, told_to_end) = oneshot::channel();
    thread::spawn(|| {
        let mut lines = io::stdin().lines();
        if lines.next().is_some_and(|line| line.is_ok_and(|line| line == END)) {
            let _ = end.send(());
        }
        // The test holds the other end of the input. The process must not outlive it.
        for _ in lines {}
        process::exit(1);
    });
    told_to_end
}
