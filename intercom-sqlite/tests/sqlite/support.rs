//! A folder and a clock.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intercom_sqlite::rusqlite::Connection;
use intercom_sqlite::{SqliteOutbox, SqliteOutboxBuilder};
use tempfile::TempDir;
pub(crate) use tests::outbox::{
    EARLY, LONG, NOON, accept, bury, delivered, event, events, put_back, turn_now, used,
};

pub(crate) type Engine = tests::outbox::Engine<SqliteOutbox>;

/// A clock that a test moves. A stopped clock does not answer, which holds the writing thread at
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

    pub(crate) fn set_back(&self, by: Duration) {
        self.0.millis.fetch_sub(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
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

    /// Opens the file, and begins to deliver.
    pub(crate) async fn engine(&self) -> Engine {
        Engine::begin(&self.open()).await
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
