//! A million events in a durable outbox, pending until Intercom is back.
//!
//! The delivery accepts them while the transport fails with a wrong token. Then the bench closes
//! and opens the outbox, as another process would, and a transport that succeeds at once delivers
//! all of them.
//!
//! Bounds: the process grows by at most 64 MiB. Opening takes at most 0.1 s, also after a crash,
//! when SQLite has to read the WAL. Of ten slices of the delivery, none takes more than 1.25 times
//! the CPU time of the median slice. The last half takes at most 1.1 times the CPU time of the
//! first half. The wall-clock times have no bound, because they include the disk. The transport
//! gets every event once.
//!
//! The bench measures the whole process by `/proc`: SQLite's memory and shared memory count too.
//!
//! Command: `cargo bench -p benches --bench outage`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use benches::{Bound, Cost, Cpu, Report, file_size, microseconds, seconds, table};
use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, IntercomEvent, Receipt, SendError, Timestamp,
    Transport, async_trait,
};
use intercom_delivery::Delivery;
use intercom_sqlite::SqliteOutbox;
use tokio::runtime::Builder;
use tokio::sync::Notify;

const EVENTS: usize = 1_000_000;

const SLICES: usize = 10;

/// The limit of every wait. A bench that reaches it hangs, and fails.
const HANGS: Duration = Duration::from_secs(600);

const RIGHT: &str = "the settings are right";
const WORKS: &str = "the disk works";

#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid {
    invoice_id: usize,
    plan: &'static str,
    seats: u32,
}

/// Takes every event at once, or none, and counts how often it got each.
#[derive(Clone)]
struct Intercom(Arc<State>);

struct State {
    up: AtomicBool,
    times: Vec<AtomicU8>,
    taken: AtomicUsize,
    slice: Notify,
}

impl Intercom {
    fn new() -> Intercom {
        Intercom(Arc::new(State {
            up: AtomicBool::new(false),
            times: (0..EVENTS).map(|_| AtomicU8::new(0)).collect(),
            taken: AtomicUsize::new(0),
            slice: Notify::new(),
        }))
    }
}

#[async_trait]
impl Transport for Intercom {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        let state = &*self.0;
        if !state.up.load(Relaxed) {
            return Err(SendError::new(ErrorKind::Unauthorized).with_status(401));
        }
        let number = event.contact().as_user_id().and_then(|id| id.parse::<usize>().ok());
        state.times[number.expect("it is a number")].fetch_add(1, Relaxed);
        if (state.taken.fetch_add(1, Relaxed) + 1).is_multiple_of(EVENTS / SLICES) {
            state.slice.notify_one();
        }
        Ok(Receipt::delivered(202))
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

fn event(number: usize) -> DataEvent {
    let event = InvoicePaid { invoice_id: number, plan: "premium", seats: 12 };
    // Puts about as many events into one second as the outbox accepts in it.
    let time = Timestamp::from_unix_seconds(1_700_000_000 + (number / 100_000) as i64);
    DataEvent::new(&event, Contact::user_id(number), time).expect("the event is valid")
}

fn main() -> ExitCode {
    let mut report = Report::from_args();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    runtime.block_on(outage(&mut report));
    report.finish()
}

async fn outage(report: &mut Report) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect(WORKS);
    let path = folder.path().join("events.db");
    let intercom = Intercom::new();
    let before = Resident::reset();

    let start = |outbox| Delivery::builder(intercom.clone()).outbox(outbox).start().expect(RIGHT);
    let (outbox, _) = open(&path);
    let delivery = start(outbox);
    let accepting = Cost::of_async(Cpu::Process, async || {
        for first in (0..EVENTS).step_by(1_000) {
            let some: Vec<_> = (first..first + 1_000).map(event).collect();
            delivery.send_all(&some).await.expect("there is room");
        }
    });
    let accepting = accepting.await;
    let sizes = || [file_size(&path), file_size(&beside(&path, "-wal"))];
    let pending = sizes();

    let after_a_crash = open_after_a_crash(&path, &folder.path().join("crashed.db"));
    assert_eq!(delivery.shutdown(Duration::ZERO).await.pending, EVENTS as u64);
    drop(delivery);
    let (outbox, opening) = open(&path);

    intercom.0.up.store(true, Relaxed);
    let handle = outbox.clone();
    let delivery = start(outbox);
    let mut slices = Vec::new();
    for _ in 0..SLICES {
        let slice = Cost::of_async(Cpu::Process, async || intercom.0.slice.notified().await);
        slices.push(slice.await);
    }
    let ended = delivery.flush(HANGS).await;
    assert_eq!((ended.delivered, ended.dead, ended.pending), (EVENTS as u64, 0, 0));
    assert!(intercom.0.times.iter().all(|times| times.load(Relaxed) == 1), "each one once");
    handle.maintain().await;

    println!("{EVENTS} pending events");
    let an_event = |bytes: u64| format!("{:.0} B an event", bytes as f64 / EVENTS as f64);
    let row = |name: &str, [file, log]: [u64; 2]| [name.to_owned(), an_event(file), an_event(log)];
    table(["on the disk", "file", "log"], &[row("pending", pending), row("delivered", sizes())]);
    println!("  CPU time of accepting: {} an event", microseconds(accepting.cpu / EVENTS as f64));
    let slice = |(number, cost): (usize, &Cost)| {
        let an_event = |seconds: f64| microseconds(seconds * SLICES as f64 / EVENTS as f64);
        [format!("slice {}", number + 1), an_event(cost.cpu), an_event(cost.wall)]
    };
    let rows: Vec<_> = slices.iter().enumerate().map(slice).collect();
    table(["delivering an event", "CPU", "wall"], &rows);
    let total = slices.iter().map(|slice| slice.wall).sum();
    println!("  all of them: {}", seconds(total));

    let grown = Resident::peak().saturating_sub(before) as f64 / f64::from(1 << 20);
    report.number("MiB of growth of the process", grown, Bound::AtMost(64.0));
    report.number("milliseconds to open it", opening * 1e3, Bound::AtMost(100.0));
    report.number(
        "milliseconds to open it after a crash",
        after_a_crash * 1e3,
        Bound::AtMost(100.0),
    );
    let cpu: Vec<f64> = slices.iter().map(|slice| slice.cpu).collect();
    let (first, last) = cpu.split_at(SLICES / 2);
    let halves = last.iter().sum::<f64>() / first.iter().sum::<f64>();
    report.number("CPU time of the last half to the first", halves, Bound::AtMost(1.1));
    let mut sorted = cpu;
    sorted.sort_by(f64::total_cmp);
    let slowest = sorted[SLICES - 1] / sorted[SLICES / 2];
    report.number("CPU time of the slowest slice to the median", slowest, Bound::AtMost(1.25));
}

/// Opens the outbox, and returns how long that took.
fn open(path: &Path) -> (SqliteOutbox, f64) {
    let begun = Instant::now();
    let outbox = SqliteOutbox::open(path).expect(RIGHT);
    (outbox, begun.elapsed().as_secs_f64())
}

/// Returns how long it takes to open what a crash would leave now: the file as it is, and a WAL.
/// The median of three times.
fn open_after_a_crash(path: &Path, crashed: &Path) -> f64 {
    let mut times = Vec::new();
    for _ in 0..3 {
        for name in ["", "-wal"] {
            fs::copy(beside(path, name), beside(crashed, name)).expect(WORKS);
        }
        let (outbox, time) = open(crashed);
        drop(outbox);
        times.push(time);
    }
    times.sort_by(f64::total_cmp);
    times[1]
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The resident memory of the process, in bytes.
struct Resident;

impl Resident {
    /// Returns the present figure, and restarts the peak from it.
    fn reset() -> u64 {
        fs::write("/proc/self/clear_refs", "5").expect("Linux has it");
        Resident::read("VmRSS:")
    }

    /// Returns the peak.
    fn peak() -> u64 {
        Resident::read("VmHWM:")
    }

    fn read(name: &str) -> u64 {
        let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>();
        kilobytes.expect("it is a number") * 1024
    }
}
