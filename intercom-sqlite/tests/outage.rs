//! A long outage with a restart, and with more pending events than memory may hold. This test has
//! its own process, because it measures the process's memory.
//!
//! During the outage, the engine and the outbox run in virtual time.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use intercom_core::{
    Contact, ContactCreation, DataEvent, DynamicEvent, ErrorKind, Receipt, SendError, Timestamp,
    Transport, async_trait,
};
use intercom_delivery::Delivery;
use intercom_sqlite::SqliteOutbox;
use tokio::runtime::Handle;
use tokio::time::{Instant, advance, pause, resume};

/// The number of waiting events, of 2.4 kB each. In memory they would take 77 MB.
const EVENTS: u64 = 32_000;

const OUTAGE: Duration = Duration::from_secs(6 * 3600);

/// The limit of the process's growth.
const GROWTH: u64 = 64 << 20;

/// Accepts or fails events, and counts the attempts of each.
#[derive(Clone)]
struct Intercom(Arc<State>);

struct State {
    up: AtomicBool,
    asked: AtomicU64,
    taken: AtomicU64,
    times: Vec<AtomicU8>,
}

impl Intercom {
    fn new() -> Self {
        Intercom(Arc::new(State {
            up: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            times: (0..EVENTS).map(|_| AtomicU8::new(0)).collect(),
        }))
    }
}

#[async_trait]
impl Transport for Intercom {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        self.0.asked.fetch_add(1, SeqCst);
        if !self.0.up.load(SeqCst) {
            return Err(SendError::new(ErrorKind::Unavailable).with_status(503));
        }
        let number: usize = event.contact().as_user_id().unwrap().parse().unwrap();
        self.0.times[number].fetch_add(1, SeqCst);
        self.0.taken.fetch_add(1, SeqCst);
        Ok(Receipt::delivered(202))
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

fn event(number: u64) -> DataEvent {
    let mut event = DynamicEvent::new("report_made").unwrap();
    for key in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        event = event.with(key, "x".repeat(250)).unwrap();
    }
    let second = Timestamp::from_unix_seconds(1_700_000_000);
    DataEvent::new(&event, Contact::user_id(number), second).unwrap()
}

/// Returns the process's present and peak memory in bytes, including SQLite's and shared pages.
fn resident() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[tokio::test]
async fn more_events_than_fit_in_memory_wait_for_hours_and_are_each_delivered_once() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("events.db");
    let (runtime, began, began_at) = (Handle::current(), Instant::now(), SystemTime::now());
    // The outbox reads this clock on its own thread, because the virtual time belongs to this
    // runtime.
    let clock = move || {
        let _within = runtime.enter();
        began_at + began.elapsed()
    };
    let intercom = Intercom::new();
    // Resets the peak.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, _) = resident();

    let open = |clock| SqliteOutbox::builder(&path).clock(clock).open().unwrap();
    let delivery = Delivery::builder(intercom.clone()).outbox(open(clock.clone())).start().unwrap();
    for first in (0..EVENTS).step_by(500) {
        let some: Vec<_> = (first..(first + 500).min(EVENTS)).map(event).collect();
        delivery.send_all(&some).await.unwrap();
    }
    pause();
    let outage = Instant::now();
    while outage.elapsed() < OUTAGE || intercom.0.asked.load(SeqCst) < 50 {
        advance(Duration::from_secs(1)).await;
    }
    assert!(
        matches!(delivery.status().state, intercom_delivery::State::Outage { .. }),
        "{}",
        delivery.status()
    );
    let ledger = delivery.ledger().await.unwrap();
    assert!(ledger.is_balanced(), "{ledger}");
    assert_eq!((ledger.pending, ledger.delivered, ledger.dead), (EVENTS, 0, 0));

    // The process ends during the outage, and a new one starts.
    resume();
    assert_eq!(delivery.shutdown(Duration::ZERO).await.pending, EVENTS);
    drop(delivery);
    intercom.0.up.store(true, SeqCst);
    let delivery = Delivery::builder(intercom.clone()).outbox(open(clock)).start().unwrap();
    let _ = delivery.flush(OUTAGE).await;
    let ledger = delivery.ledger().await.unwrap();
    assert_eq!((ledger.delivered, ledger.dead, ledger.pending), (EVENTS, 0, 0));
    assert!(ledger.is_balanced(), "{ledger}");
    assert!(intercom.0.times.iter().all(|times| times.load(SeqCst) == 1));

    let (_, most) = resident();
    let growth = most.saturating_sub(before);
    assert!(growth < GROWTH, "the process grew by {} MiB", growth >> 20);
}
