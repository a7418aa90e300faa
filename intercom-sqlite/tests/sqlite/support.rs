//! A folder, a clock and events, and what is often done to an outbox.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{Collisions, Lease, Outbox, Verdict};
use intercom_delivery::{DeathReason, EventId, Failure};
use intercom_sqlite::rusqlite::Connection;
use intercom_sqlite::{SqliteOutbox, SqliteOutboxBuilder};
use tempfile::TempDir;

pub(crate) const TERM: Duration = Duration::from_secs(60);

pub(crate) const NOON: i64 = 1_700_000_000;

/// A time that moves when it is told to. Who asks for it while it is stopped waits: so the writing thread can be held up
/// at the beginning of a batch.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<State>);

#[derive(Default)]
struct State {
    millis: AtomicU64,
    stopped: AtomicBool,
    asked: AtomicBool,
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        self.0.asked.store(true, Ordering::SeqCst);
        while self.0.stopped.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let since_noon = Duration::from_millis(self.0.millis.load(Ordering::SeqCst));
        UNIX_EPOCH + Duration::from_secs(NOON.unsigned_abs()) + since_noon
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.millis.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Holds the writing thread up with something that does nothing.
    pub(crate) fn stop(&self, outbox: &SqliteOutbox) {
        self.0.stopped.store(true, Ordering::SeqCst);
        self.0.asked.store(false, Ordering::SeqCst);
        outbox.nudge();
        while !self.0.asked.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    }

    pub(crate) fn go_on(&self) {
        self.0.stopped.store(false, Ordering::SeqCst);
    }
}

/// A folder with a file for an outbox, and a clock.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) clock: Clock,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), clock: Clock::default() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("events.db")
    }

    pub(crate) fn builder(&self) -> SqliteOutboxBuilder {
        let clock = self.clock.clone();
        SqliteOutbox::builder(self.path()).clock(move || clock.now())
    }

    pub(crate) fn open(&self) -> SqliteOutbox {
        self.builder().open().unwrap()
    }

    /// A connection as an application or a person has one.
    pub(crate) fn sqlite(&self) -> Connection {
        let conn = Connection::open(self.path()).unwrap();
        conn.busy_timeout(Duration::from_secs(5)).unwrap();
        conn
    }

    /// The files as a crash of the machine would leave them now, in a place of their own.
    pub(crate) fn crashed(&self) -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap(), clock: self.clock.clone() };
        for name in ["events.db", "events.db-wal"] {
            fs::copy(self.folder.path().join(name), place.folder.path().join(name)).unwrap();
        }
        place
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.sqlite().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// An event of this name, of one contact, at this second after noon.
pub(crate) fn event(name: &str, second: i64) -> DataEvent {
    let event = DynamicEvent::new(name).unwrap().with("number", second).unwrap();
    DataEvent::new(&event, Contact::user_id(42), Timestamp::from_unix_seconds(NOON + second))
        .unwrap()
}

/// So many events, none of which collides.
pub(crate) fn events(number: i64) -> Vec<DataEvent> {
    (0..number).map(|second| event("project_created", second)).collect()
}

pub(crate) async fn accept(outbox: &dyn Outbox, events: &[DataEvent]) {
    outbox.accept(events, Collisions::Move).await.unwrap();
}

pub(crate) async fn lease(outbox: &dyn Outbox, most: usize) -> Vec<Lease> {
    outbox.lease(most, TERM).await.unwrap().events
}

pub(crate) async fn lease_ids(outbox: &dyn Outbox, most: usize) -> Vec<u64> {
    lease(outbox, most).await.iter().map(|lease| lease.id.0).collect()
}

/// Settles all of them in one way, which must be possible.
pub(crate) async fn settle(outbox: &dyn Outbox, leases: &[Lease], verdict: Verdict) {
    let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(verdict.clone())).collect();
    assert_eq!(outbox.settle(&settlements).await.unwrap(), Vec::<EventId>::new());
}

pub(crate) fn bury(reason: DeathReason) -> Verdict {
    Verdict::Bury { reason, attempts: 1, failure: None }
}

pub(crate) fn put_back(after: Duration) -> Verdict {
    Verdict::PutBack { after, attempts: 1, failure: Some(Failure::new("it did not answer")) }
}

/// Leases and delivers so many.
pub(crate) async fn deliver(outbox: &dyn Outbox, most: usize) {
    let leases = lease(outbox, most).await;
    settle(outbox, &leases, Verdict::Acknowledge).await;
}

/// The seconds after noon at which the pending events stand.
pub(crate) async fn seconds(outbox: &dyn Outbox) -> Vec<i64> {
    let leases = lease(outbox, usize::MAX).await;
    leases.iter().map(|lease| lease.event.created_at().unix_seconds() - NOON).collect()
}
