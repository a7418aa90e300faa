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

/// How often an outbox looks by default for what other processes wrote to the file.
pub(crate) const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// SQLite takes milliseconds of 32 bits.
const LONGEST_LOCK_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// How many requests may wait for the writing thread. Callers beyond wait for room, without blocking.
const QUEUE: usize = 1024;

/// Sets up a [`SqliteOutbox`]. Made by [`SqliteOutbox::builder`].
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

    /// Sets how many events may be pending, leased ones included. The default is what the file has:
    /// any number, in a new file.
    ///
    /// The file keeps the bound, for all processes that accept in it. When it is reached, nothing
    /// more is accepted. Dead letters take no room: see
    /// [`max_dead_letters`](Self::max_dead_letters).
    pub fn capacity(mut self, events: u64) -> Self {
        self.settings.capacity = Some(events);
        self
    }

    /// Sets how many bytes the bodies of pending events may have together. The default is what the
    /// file has: 1 GiB, in a new file.
    ///
    /// The file keeps this bound too. It grows beyond it by about 150 bytes an event, and its WAL.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = Some(bytes);
        self
    }

    /// Sets how many dead letters are kept. Beyond that the oldest are purged, and counted. The default
    /// is what the file has: 100,000, in a new
    /// file.
    ///
    /// The file keeps this bound too.
    pub fn max_dead_letters(mut self, letters: u64) -> Self {
        self.settings.max_dead_letters = Some(letters);
        self
    }

    /// Sets how long a dead letter is kept before it is purged, and counted. The default is what the
    /// file has: any time, in a new file.
    ///
    /// The file keeps this bound too. The process that delivers goes by it about once a minute.
    pub fn max_dead_letter_age(mut self, age: Duration) -> Self {
        self.settings.max_dead_age = Some(age);
        self
    }

    /// Allows a file in which your application has tables, so that an event can be accepted in the
    /// transaction that it is about: [`accept_in`](crate::accept_in). The default is a file of the
    /// outbox alone.
    ///
    /// The outbox makes its tables beside yours. It leaves `application_id`, `user_version` and
    /// `auto_vacuum` alone. The journal mode becomes WAL, and stays so.
    pub fn in_application_file(mut self) -> Self {
        self.settings.in_application_file = true;
        self
    }

    /// Sets how often the outbox looks for what other processes wrote to the file: accepted events,
    /// redriven letters, another epoch. The default is one second.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Sets how long the outbox waits for a transaction of another process before it fails: up to 24
    /// days. The default is five seconds.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lock_timeout = timeout.min(LONGEST_LOCK_TIMEOUT);
        self
    }

    /// Sets the clock, for tests. The default begins at the system's time and goes on by the monotonic
    /// clock, so that a step of the system's clock moves nothing. It is asked in the writing thread.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::given(now);
        self
    }

    /// Sets how many pages the file may have: for tests of a full disk.
    #[doc(hidden)]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.settings.max_pages = Some(pages);
        self
    }

    /// Commits without a sync: for the control of a test that cuts the power.
    #[doc(hidden)]
    pub fn lose_events_in_a_power_cut(mut self) -> Self {
        self.settings.loses_events_in_a_power_cut = true;
        self
    }

    /// Opens the outbox, and makes the file if there is none. It blocks for some milliseconds, and
    /// longer to migrate a file of an earlier version.
    ///
    /// # Errors
    ///
    /// Fails when the file is not fit to keep events safe. The [error](OpenError) says what to do,
    /// and nothing was changed.
    pub fn open(self) -> Result<SqliteOutbox, OpenError> {
        let SqliteOutboxBuilder { path, settings, poll_interval, clock } = self;
        let (path, conn) = open::open(&path, &settings)?;
        let shared = Arc::new(Shared::default());
        let reading = Reading::new(path.clone(), settings.clone())?;
        let database = Database::new(path.clone(), settings, conn, reading.clone());
        let writer = Writer::new(database, clock, shared.clone(), poll_interval);
        let (requests, requested) = mpsc::channel(QUEUE);
        let started = writer.start(requested);
        let (thread, runtime) = started.map_err(|source| OpenError::io(&path, source))?;
        let _thread = Thread(Some(thread));
        let inner = Inner { path, requests, reading, runtime, _thread, shared, poll_interval };
        Ok(SqliteOutbox(Arc::new(inner)))
    }
}
