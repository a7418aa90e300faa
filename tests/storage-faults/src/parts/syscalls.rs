//! Each system call that writes or syncs fails once, fails from then on, or is the last one before
//! `kill -9`.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use intercom_delivery::outbox::Outbox as _;
use intercom_sqlite::SqliteOutbox;
use tests::Summary;
use tokio::runtime::Builder;

use crate::events::{self, PER_PROCESS};
use crate::file::Contents;
use crate::ledger::{FAILED, Ledger};
use crate::parts::start::{Place, Start};
use crate::parts::{long, strace, try_all};
use crate::verdict;
use crate::worker::load::STATUS;
use crate::worker::script::NOT_OPENED;
use crate::worker::{THROUGH, Work};

/// The calls that change the disk.
const WATCHED: &str = "trace=fsync,fdatasync,pwrite64,ftruncate,fallocate,unlink";

/// The error, the work, whether all later calls fail too, and the number of faults to try.
const ERRORS: [(&str, Work, bool, usize); 6] = [
    ("error=EIO", Work::Script, false, 30),
    ("error=EIO", Work::Script, true, 15),
    ("error=EIO", Work::ScriptUntilRefused, false, 30),
    ("error=EIO", Work::ScriptUntilRefused, true, 15),
    ("error=ENOSPC", Work::Script, false, 15),
    ("error=ENOSPC", Work::Script, true, 15),
];

/// A fault.
struct Case<'a> {
    start: &'a Start,
    work: Work,
    call: String,
    number: usize,
    /// The option for strace.
    effect: &'static str,
    lasts: bool,
}

impl Case<'_> {
    fn name(&self) -> String {
        let Case { start, work, call, number, effect, lasts } = self;
        let on = if *lasts { " and all after" } else { "" };
        format!("{}, {work:?}: {effect} at {call} number {number}{on}", start.name)
    }

    fn run(&self) -> (Place, std::process::ExitStatus) {
        let mut place = self.start.copy();
        let Case { call, number, effect, lasts, .. } = self;
        let inject =
            format!("inject={call}:{effect}:when={number}{}", if *lasts { "+" } else { "" });
        let options = ["-e".to_owned(), format!("trace={call}"), "-e".to_owned(), inject];
        let status = strace::run(self.work, &mut place, &options);
        (place, status)
    }
}

/// Returns how often each call is made from this start: in total, and by the thread that opens the
/// file.
fn calls(start: &Start) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let mut place = start.copy();
    let status = strace::run(Work::Script, &mut place, &["-e".to_owned(), WATCHED.to_owned()]);
    assert!(status.success() && place.ledger.notes.iter().any(|note| note == THROUGH), "{status}");
    let calls = strace::calls(&place);
    let opening = calls.first().map(|call| call.thread);
    let all = strace::most(&calls);
    let (opening, _): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|call| Some(call.thread) == opening);
    (all, strace::most(&opening))
}

/// Returns `most` numbers up to `number`, evenly spaced, or ten times as many in a long run.
fn some_of(number: usize, most: usize) -> Vec<usize> {
    let most = if long() { 10 * most } else { most };
    let step = number.div_ceil(most).max(1);
    (1..=number).step_by(step).collect()
}

/// Lets calls fail.
pub(crate) fn errors(summary: &mut Summary) {
    if let Some(why) = strace::missing() {
        return summary.skip("errors of system calls", &why);
    }
    let starts = [Start::fresh(), Start::crashed()];
    let mut cases = Vec::new();
    for start in &starts {
        for (call, number) in calls(start).0 {
            println!("   {}: {number} of {call}", start.name);
            for (effect, work, lasts, most) in ERRORS {
                // Many similar calls write the events, so a few of them suffice.
                let most = if call == "pwrite64" { most / 3 } else { most };
                for number in some_of(number, most) {
                    let call = call.clone();
                    cases.push(Case { start, work, call, number, effect, lasts });
                }
            }
        }
    }
    let (refused, not_opened) = (AtomicUsize::new(0), AtomicUsize::new(0));
    try_all(summary, &cases, Case::name, |case| {
        let (place, status) = case.run();
        refused.fetch_add(place.ledger.refused.len(), Ordering::Relaxed);
        not_opened.fetch_add(place.ledger.noted(NOT_OPENED).len(), Ordering::Relaxed);
        let mut complaints = after(&place);
        complaints.extend(unclear(&place.ledger));
        let aborted = case.work == Work::ScriptUntilRefused && status.signal() == Some(6);
        if !status.success() && !aborted {
            complaints.push(format!("the worker ended with {status}"));
        }
        if case.work == Work::Script && !case.lasts {
            complaints.extend(did_not_go_on(&place.ledger));
        }
        complaints
    });
    let (refused, not_opened) = (refused.into_inner(), not_opened.into_inner());
    println!("   {} faults, {refused} events refused, {not_opened} times not opened", cases.len());
    at_stake(summary, "errors of system calls", &[refused, not_opened]);
}

/// Kills the worker at a call.
pub(crate) fn kills(summary: &mut Summary) {
    if let Some(why) = strace::missing() {
        return summary.skip("kills at system calls", &why);
    }
    let starts = [Start::fresh(), Start::version_zero(), Start::crashed()];
    let mut cases = Vec::new();
    for start in &starts {
        let (all, opening) = calls(start);
        for (call, number) in all {
            let opening = opening.get(&call).copied().unwrap_or_default();
            // Each call during the creation of the tables, and some later ones.
            let mut numbers: Vec<_> = (1..=opening).collect();
            numbers.extend(some_of(number, if call == "pwrite64" { 25 } else { 60 }));
            numbers.sort_unstable();
            numbers.dedup();
            for number in numbers {
                let (work, call) = (Work::Script, call.clone());
                cases.push(Case { start, work, call, number, effect: "signal=KILL", lasts: false });
            }
        }
    }
    let killed = AtomicUsize::new(0);
    try_all(summary, &cases, Case::name, |case| {
        let (place, status) = case.run();
        if status.signal() == Some(9) {
            killed.fetch_add(1, Ordering::Relaxed);
        }
        after(&place)
    });
    let killed = killed.into_inner();
    println!("   {} faults, {killed} kills", cases.len());
    at_stake(summary, "kills at system calls", &[killed * 10 / 9 / cases.len().max(1)]);
}

/// The status of a delivery names the fault of its outbox.
pub(crate) fn status(summary: &mut Summary) {
    const NAME: &str = "the status while the disk fails";
    if let Some(why) = strace::missing() {
        return summary.skip(NAME, &why);
    }
    let start = Start::closed();
    for call in ["fsync", "fdatasync"] {
        let (work, effect) = (Work::Load, "error=EIO");
        let case =
            Case { start: &start, work, call: call.to_owned(), number: 40, effect, lasts: true };
        // SQLite's build decides which of them it makes.
        if !calls(&start).0.contains_key(call) {
            continue;
        }
        let (place, status) = case.run();
        let mut complaints = after(&place);
        complaints.extend(unclear(&place.ledger));
        if !status.success() {
            complaints.push(format!("the worker ended with {status}"));
        }
        let said = place.ledger.noted(STATUS);
        if !said.iter().any(|said| said.contains("the disk of the outbox failed")) {
            complaints.push(format!("the status is {said:?}"));
        }
        summary.add(NAME, complaints);
    }
}

/// Returns what is wrong with the file after the fault. It must also accept events again.
fn after(place: &Place) -> Vec<String> {
    let mut complaints = verdict::complaints(&place.ledger, &Contents::of(&place.path()));
    let runtime = Builder::new_current_thread().build().unwrap();
    let again =
        SqliteOutbox::open(place.path()).map_err(|error| error.to_string()).and_then(|outbox| {
            let events = [events::event(9 * PER_PROCESS)];
            let accepted = runtime.block_on(outbox.accept(&events));
            accepted.map_err(|error| error.to_string())
        });
    complaints.extend(again.err().map(|error| format!("the file does not work again: {error}")));
    complaints
}

/// Complains of errors that do not say what to do.
fn unclear(ledger: &Ledger) -> Vec<String> {
    let errors = [ledger.noted(FAILED), ledger.noted(NOT_OPENED)].concat();
    let clear = |error: &&str| {
        ["the disk of the outbox failed", "the disk failed while", "disk I/O error", "make room"]
            .iter()
            .any(|words| error.contains(words))
    };
    let unclear = errors.into_iter().filter(|error| !clear(error));
    unclear.map(|error| format!("an error says no more than: {error}")).collect()
}

/// Complains if a short fault outlasts the calls that it hit.
fn did_not_go_on(ledger: &Ledger) -> Vec<String> {
    // strace counts for each thread, so one fault may hit the opening thread, and another the
    // writing one.
    let failed = |note: &String| note.starts_with(FAILED);
    let mut complaints = Vec::new();
    if ledger.notes.windows(2).any(|pair| pair.iter().all(failed)) {
        complaints.push(format!("the worker did not go on after the fault: {:?}", ledger.notes));
    }
    if !ledger.notes.iter().any(|note| note == THROUGH) {
        complaints.push("the worker did not finish".to_owned());
    }
    complaints
}

/// Complains if a fault could break nothing.
fn at_stake(summary: &mut Summary, name: &str, seen: &[usize]) {
    let proves = seen.iter().all(|seen| *seen > 0);
    let complaints = if proves { Vec::new() } else { vec![format!("it proves nothing: {seen:?}")] };
    summary.add(&format!("{name}: the fault had something to break"), complaints);
}
