//! A folder, a clock, events, and an engine without a transport.

use std::fs;
use std::future::ready;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{
    DeadLetterReason, Epoch, EventId, Failure, Lease, Leased, Operate, Outbox, OutboxError,
    Selection, Settlement, Slot, Standing, Tenure, Turn, UsedSlot, Verdict,
};
use intercom_sqlite::rusqlite::Connection;
use intercom_sqlite::{SqliteOutbox, SqliteOutboxBuilder};
use tempfile::TempDir;

pub(crate) const NOON: i64 = 1_700_000_000;

/// A clock that a test moves. A stopped clock does not answer the writing thread, which holds that at
/// the start of a batch.
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
        if thread::current().name() == Some("intercom-sqlite") {
            self.0.asked.store(true, Ordering::SeqCst);
            while self.0.stopped.load(Ordering::SeqCst) {
                thread::yield_now();
            }
        }
        let since_noon = Duration::from_millis(self.0.millis.load(Ordering::SeqCst));
        UNIX_EPOCH + Duration::from_secs(NOON.unsigned_abs()) + since_noon
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.millis.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Holds the writing thread until the guard is dropped.
    pub(crate) fn stop(&self, outbox: &SqliteOutbox) -> Stopped {
        self.0.stopped.store(true, Ordering::SeqCst);
        self.0.asked.store(false, Ordering::SeqCst);
        outbox.notify();
        while !self.0.asked.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        Stopped(self.clone())
    }
}

/// A stopped clock.
pub(crate) struct Stopped(Clock);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.0.stopped.store(false, Ordering::SeqCst);
    }
}

/// A folder with an outbox's file, and a clock.
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

    /// Opens a connection as an application or a person would.
    pub(crate) fn sqlite(&self) -> Connection {
        let conn = Connection::open(self.path()).unwrap();
        conn.busy_timeout(Duration::from_secs(5)).unwrap();
        conn
    }

    /// Copies the files to a new place, as a machine crash would leave them now.
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

/// Returns this many events, each with its own second.
pub(crate) fn events(number: i64) -> Vec<DataEvent> {
    (0..number).map(|second| event("project_created", second)).collect()
}

pub(crate) async fn accept(outbox: &SqliteOutbox, events: &[DataEvent]) {
    outbox.accept(events).await.unwrap();
}

/// An engine that delivers, with its last lease and its slots.
pub(crate) struct Engine {
    pub(crate) outbox: SqliteOutbox,
    pub(crate) tenure: Tenure,
}

impl Engine {
    /// Opens the file, and begins to deliver.
    pub(crate) async fn open(place: &Place) -> Self {
        Engine::begin(&place.open()).await
    }

    /// Begins to deliver, which must succeed at once.
    pub(crate) async fn begin(outbox: &SqliteOutbox) -> Self {
        match outbox.lease(Standing::Unknown, 0).await.unwrap() {
            Turn::Began(tenure) => Engine { outbox: outbox.clone(), tenure },
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.tenure.epoch
    }

    /// Leases the events that are due now.
    pub(crate) async fn leased(&self, limit: usize) -> Leased {
        match turn_now(&self.outbox, Standing::Delivering(self.epoch()), limit).await {
            None => Leased::default(),
            Some(Turn::Leased(leased)) => leased,
            Some(other) => panic!("{other:?}"),
        }
    }

    pub(crate) async fn lease(&self, limit: usize) -> Vec<Lease> {
        self.leased(limit).await.events
    }

    pub(crate) async fn lease_ids(&self, limit: usize) -> Vec<u64> {
        self.lease(limit).await.iter().map(|lease| lease.id.get()).collect()
    }

    /// Settles these leases, and returns those that came too late.
    pub(crate) async fn try_settle(
        &self,
        settlements: &[Settlement],
    ) -> Result<Vec<EventId>, OutboxError> {
        self.outbox.settle(self.epoch(), settlements, EARLY).await
    }

    /// Settles all leases in one way, which must succeed.
    pub(crate) async fn settle(&self, leases: &[Lease], verdict: impl Fn(&Lease) -> Verdict) {
        let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(verdict(lease))).collect();
        assert_eq!(self.try_settle(&settlements).await.unwrap(), []);
    }

    /// Leases and delivers this many events.
    pub(crate) async fn deliver(&self, limit: usize) {
        let leases = self.lease(limit).await;
        self.settle(&leases, delivered).await;
    }
}

/// Returns the result of `lease` without waiting.
pub(crate) async fn turn_now(
    outbox: &SqliteOutbox,
    standing: Standing,
    limit: usize,
) -> Option<Turn> {
    let mut lease = pin!(outbox.lease(standing, limit));
    let none = Selection::One(EventId::new(u64::MAX));
    // Requests are served in order, so this answer comes after the lease's.
    tokio::select! {
        biased;
        turn = &mut lease => return Some(turn.unwrap()),
        _ = outbox.purge(&none) => {}
    }
    tokio::select! {
        biased;
        turn = lease => Some(turn.unwrap()),
        () = ready(()) => None,
    }
}

/// Before all times that matter.
pub(crate) const EARLY: Timestamp = Timestamp::from_unix_seconds(0);

/// Returns the slot of an event, to be kept for two minutes after noon.
pub(crate) fn used(event: &DataEvent) -> UsedSlot {
    UsedSlot::new(Slot::of(event), Timestamp::from_unix_seconds(NOON + 120))
}

pub(crate) fn delivered(lease: &Lease) -> Verdict {
    Verdict::Delivered { used: used(&lease.event) }
}

/// Buries an event that Intercom refused.
pub(crate) fn bury(reason: DeadLetterReason) -> impl Fn(&Lease) -> Verdict {
    move |_| Verdict::Bury { reason, attempts: 1, failure: None, used: None }
}

pub(crate) fn put_back(after: Duration) -> impl Fn(&Lease) -> Verdict {
    let failure = Failure::new("it did not answer");
    move |_| Verdict::PutBack { after, attempts: 1, failure: Some(failure.clone()) }
}
