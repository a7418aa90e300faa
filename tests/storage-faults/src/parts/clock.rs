//! A wall clock that is two hours fast for a moment, by libfaketime. The monotonic clock stays as
//! it is.

use std::fs;
use std::path::Path;

use tests::Summary;

use crate::ledger::Ledger;
use crate::worker::clock::FILE;
use crate::worker::{THROUGH, Work};

const NAME: &str = "a step of the system's clock";

/// The paths of Debian's package.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

pub(crate) fn part(summary: &mut Summary) {
    let Some(library) = LIBRARIES.into_iter().find(|library| Path::new(library).exists()) else {
        return summary.skip(NAME, "there is no libfaketime: `apt-get install faketime`");
    };
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    fs::write(&clock, "+0").unwrap();
    let mut command = Work::Clock.command(&folder.path().join("events.db"), 0);
    command.env("LD_PRELOAD", library).env(FILE, clock);
    let output = command
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .output()
        .unwrap();
    let mut ledger = Ledger::default();
    String::from_utf8(output.stdout).unwrap().lines().for_each(|line| ledger.read(line));
    let mut complaints = ledger.notes;
    match complaints.pop() {
        Some(last) if last == THROUGH => {}
        last => complaints.push(format!(
            "the worker did not finish: {last:?} {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
    summary.add(NAME, complaints);
}
