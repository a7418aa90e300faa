//! Sets up an outbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::error::OpenError;
use crate::open::{self, DEFAULT_LOCK_TIMEOUT, Settings};
use crate::outbox::{Inner, SqliteOutbox, Thread};
use crate::reader::Reading;
use crate::shared::Shared;
use crate::writer::{Database, Writer};

/// The default interval of checks for other processes' writes to the file.
pub(crate) const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// SQLite's lock timeout is a 32-bit number of milliseconds.
const LONGEST_LOCK_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// The capacity of the writer's queue. Further callers wait without blocking.
const QUEUE: usize = 1024;

/// Builds a [`SqliteOutbox`]. [`SqliteOutbox::builder`] returns it.
#[derive(Debug)]
#[must_use = "a builder does nothing until `open` is called"]
pub struct SqliteOutboxBuilder {
    path: PathBuf,
    settings: Settings,
    poll_interval: Duration,
    clock: Clock,
}

impl SqliteOutboxBuilder {
    pub(crate) fn new(path: &Path) -> Self {
        SqliteOutboxBuilder {
            path: path.to_owned(),
            settings: Settings { lock_timeout: DEFAULT_LOCK_TIMEOUT, ..Settings::default() },
            poll_interval: DEFAULT_POLL_INTERVAL,
            clock: Clock::system(),
        }
    }

    /// Sets the maximum number of pending events, leased ones included. The default is the limit
    /// that the file has. A new file has none.
    ///
    /// The file keeps the limit, for all processes that accept in it. At the limit, the outbox
    /// accepts nothing more. Dead letters do not count: see
    /// [`max_dead_letters`](Self::max_dead_letters).
    pub fn capacity(mut self, events: u64) -> Self {
        self.settings.capacity = Some(events);
        self
    }

    /// Sets the maximum total size of the request bodies of pending events, in bytes. The default
    /// is the limit that the file has: 1 GiB in a new file.
    ///
    /// The file keeps this limit, too. The file itself has about 150 bytes more for each event, and
    /// has a WAL.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = Some(bytes);
        self
    }

    /// Sets the maximum number of dead letters. Beyond it, the outbox purges and counts the oldest.
    /// The default is the limit that the file has: 100,000 in a new file.
    ///
    /// The file keeps this limit, too.
    pub fn max_dead_letters(mut self, letters: u64) -> Self {
        self.settings.max_dead_letters = Some(letters);
        self
    }

    /// Sets the age at which the outbox purges and counts a dead letter. The default is the limit
    /// that the file has. A new file has none.
    ///
    /// The file keeps this limit, too. The process that delivers applies it about once a minute.
    pub fn max_dead_letter_age(mut self, age: Duration) -> Self {
        self.settings.max_dead_age = Some(age);
        self
    }

    /// Allows a file with your application's tables, so that [`accept_in`](crate::accept_in) can
    /// accept an event in your own transaction. By default, the file is the outbox's alone.
    ///
    /// The outbox creates its tables beside yours. It does not change `application_id`,
    /// `user_version` and `auto_vacuum`. It sets the journal mode to WAL, which the file keeps.
    pub fn in_application_file(mut self) -> Self {
        self.settings.in_application_file = true;
        self
    }

    /// Sets the interval of checks for other processes' writes, such as accepted events, redriven
    /// dead letters, and the turn of another process. The default is one second.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Sets how long a call waits for another process's transaction before it fails. The default is
    /// five seconds. The outbox shortens more than 24 days to that.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lock_timeout = timeout.min(LONGEST_LOCK_TIMEOUT);
        self
    }

    /// Sets the clock, for tests. The outbox calls it on several threads. By default, the outbox
    /// reads the system's clock once, and then adds the elapsed time of the monotonic clock. So a
    /// change of the system's clock does not matter.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::given(now);
        self
    }

    /// Limits the number of pages of the file: for tests of a full disk.
    #[cfg(feature = "test-util")]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.settings.max_pages = Some(pages);
        self
    }

    /// Commits without fsync, to show that a test of power cuts finds lost events.
    #[cfg(feature = "test-util")]
    pub fn lose_events_in_a_power_cut(mut self) -> Self {
        self.settings.loses_events_in_a_power_cut = true;
        self
    }

    /// Opens the outbox, and creates the file if it does not exist. This blocks for some
    /// milliseconds, and longer to migrate a file of an earlier version.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened, or cannot keep events safe: see [`OpenError`]. The
    /// error says what to do. The file keeps its events.
    pub fn open(self) -> Result<SqliteOutbox, OpenError> {
        let SqliteOutboxBuilder { path, settings, poll_interval, clock } = self;
        let (path, conn) = open::open(&path, &settings)?;
        let shared = Arc::new(Shared::default());
        let reading = Reading::new(path.clone(), settings.clone())?;
        let database = Database::new(path.clone(), settings, conn, reading.clone());
        let writer = Writer::new(database, clock.clone(), shared.clone(), poll_interval);
        let (requests, requested) = mpsc::channel(QUEUE);
        let started = writer.start(requested);
        let (thread, runtime) = started.map_err(|source| OpenError::io(&path, source))?;
        let _thread = Thread(Some(thread));
        let inner =
            Inner { path, requests, reading, runtime, _thread, shared, clock, poll_interval };
        Ok(SqliteOutbox(Arc::new(inner)))
    }
}
