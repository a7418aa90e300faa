//! Setting an outbox up.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::error::OpenError;
use crate::open::{self, Opened, Settings};
use crate::outbox::SqliteOutbox;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::writer::Writer;

/// How many bytes the bodies of pending events may have together, unless told otherwise: 1 GiB.
pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;

/// How often the owner looks for what others wrote to the file, unless told otherwise.
pub const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long the outbox waits for another program's transaction, unless told otherwise.
pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// SQLite takes milliseconds of 32 bits.
const LONGEST_LOCK_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// How many requests may wait for the writing thread. Who comes then waits for room, without blocking.
const QUEUE: usize = 1024;

/// Sets up a [`SqliteOutbox`]. Made by [`SqliteOutbox::builder`].
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
            settings: Settings {
                max_bytes: Some(DEFAULT_MAX_BYTES),
                lock_timeout: DEFAULT_LOCK_TIMEOUT,
                ..Settings::default()
            },
            poll_interval: DEFAULT_POLL_INTERVAL,
            clock: Clock::system(),
        }
    }

    /// How many events may be pending, leased ones included. The default is any number.
    ///
    /// When it is full it accepts nothing more, and never drops what it has accepted. Dead letters take no room, and
    /// are kept until they are purged.
    pub fn capacity(mut self, events: u64) -> Self {
        self.settings.capacity = Some(events);
        self
    }

    /// How many bytes the bodies of pending events may have together. The default is [`DEFAULT_MAX_BYTES`], 1 GiB.
    ///
    /// The file is larger, by about 150 bytes an event and, for a while, by its log.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = Some(bytes);
        self
    }

    /// The file is one in which your application has tables of its own, so that an event can be accepted in the same
    /// transaction in which they change: [`accept_in`](crate::accept_in). The outbox then makes its tables beside them,
    /// and leaves `application_id`, `user_version` and `auto_vacuum` alone. The journal mode becomes WAL, which stays
    /// with the file. The default is a file of the outbox alone.
    pub fn in_application_file(mut self) -> Self {
        self.settings.in_application_file = true;
        self
    }

    /// How often the owner looks for what others wrote to the file: an application in a transaction of its own, or a
    /// tool that redrives. The default is [`DEFAULT_POLL_INTERVAL`], one second.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// How long the outbox waits for another program's transaction on the file before it fails: 24 days at the most. The
    /// default is [`DEFAULT_LOCK_TIMEOUT`], five seconds.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lock_timeout = timeout.min(LONGEST_LOCK_TIMEOUT);
        self
    }

    /// What time it is: for tests. The default is the system's clock, which is taken not to run backwards.
    ///
    /// It is asked from the writing thread. Times that it gives out of order count as the latest.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::given(now);
        self
    }

    /// How many pages the file may have: to see in a test what a full disk does.
    #[doc(hidden)]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.settings.max_pages = Some(pages);
        self
    }

    /// Commits without a sync: the control of a test that cuts the power, which must see events get lost.
    #[doc(hidden)]
    pub fn lose_events_in_a_power_cut(mut self) -> Self {
        self.settings.loses_events_in_a_power_cut = true;
        self
    }

    /// Opens the outbox, and makes the file where there is none. It blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// Fails when the file is not fit to keep events safe, or in use by somebody else. The [error](OpenError) says what
    /// to do, and nothing was changed.
    pub fn open(self) -> Result<SqliteOutbox, OpenError> {
        let SqliteOutboxBuilder { path, settings, poll_interval, clock } = self;
        let Opened { path, conn, lock } = open::to_own(&path, &settings)?;
        let shared = Arc::new(Shared::default());
        let reader = Reader::new(path.clone(), settings.clone())?;
        let reading = reader.reading();
        let writer = Writer::new(path.clone(), conn, reading, settings, clock, shared.clone())?;
        let (requests, asked) = mpsc::channel(QUEUE);
        let (reads, wanted) = mpsc::channel(QUEUE);
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let threads = vec![
            reader.start(wanted).map_err(failed)?,
            writer.start(asked, poll_interval).map_err(failed)?,
        ];
        Ok(SqliteOutbox::new(path, requests, reads, threads, shared, lock))
    }
}

impl fmt::Debug for SqliteOutboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOutboxBuilder")
            .field("path", &self.path)
            .field("settings", &self.settings)
            .field("poll_interval", &self.poll_interval)
            .field("clock", &self.clock)
            .finish()
    }
}
