//! The outbox of the engine and the application.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, Timestamp, async_trait};
use intercom_delivery::outbox::{
    AcceptError, Admission, Counts, DeadLetter, Epoch, ErasedEvents, EventId, Operate, Outbox,
    OutboxError, Selection, Settlement, Standing, Turn,
};
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::builder::SqliteOutboxBuilder;
use crate::clock::Clock;
use crate::error::{Fault, OpenError};
use crate::inspect::Inspection;
use crate::reader::{self, Reading};
use crate::shared::Shared;
use crate::store::accept::{NewEvent, OldestOwn};
use crate::store::dead;
use crate::writer::{Batch, Job, Next, Request};

/// Stores events in one SQLite file until their delivery. Accepted events survive crashes and power
/// cuts.
///
/// ```
/// use intercom_delivery::Delivery;
/// use intercom_sqlite::SqliteOutbox;
/// # use intercom_core::testing::RecordingTransport;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # std::env::set_current_dir(&folder)?;
/// # let transport = RecordingTransport::new();
/// let delivery = Delivery::builder(transport)
///     .outbox(SqliteOutbox::open("events.db")?)
///     .start()?;
/// # drop(delivery);
/// # Ok(())
/// # }
/// ```
///
/// Clones are handles of one outbox. Give one to the delivery, and keep another to
/// [`notify`](Self::notify) it. Dropping the last handle waits for queued writes, then closes the
/// file.
#[derive(Clone)]
pub struct SqliteOutbox(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) path: PathBuf,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) reading: Reading,
    /// The writing thread's runtime, for blocking work: a caller may have no runtime.
    pub(crate) runtime: Handle,
    /// Dropped after the channel, whose close ends the thread.
    pub(crate) _thread: Thread,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    pub(crate) poll_interval: Duration,
}

/// The writing thread. Dropping it joins the thread.
pub(crate) struct Thread(pub(crate) Option<JoinHandle<()>>);

impl Drop for Thread {
    fn drop(&mut self) {
        // The panic hook has already reported a panic.
        drop(self.0.take().map(JoinHandle::join));
    }
}

impl SqliteOutbox {
    /// Opens the outbox in this file with the default settings, and creates the file if it does not
    /// exist. This blocks for some milliseconds.
    ///
    /// The path is a file name, not a URI, and not `:memory:`. For events in memory use
    /// [`MemoryOutbox`](intercom_delivery::MemoryOutbox).
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened, or cannot keep events safe. The [error](OpenError)
    /// says what to do. The file keeps its events.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        SqliteOutbox::builder(path).open()
    }

    /// Returns a builder for the outbox in this file.
    pub fn builder(path: impl AsRef<Path>) -> SqliteOutboxBuilder {
        SqliteOutboxBuilder::new(path.as_ref())
    }

    /// Opens a file to inspect it: to read its events, to bury pending events, to redrive and purge
    /// dead letters, and to erase contacts. This blocks. It waits up to five seconds for another
    /// process's transaction.
    ///
    /// # Errors
    ///
    /// Fails when the file does not exist, cannot be opened, or has no outbox of this version. The
    /// [error](OpenError) says what to do.
    pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection, OpenError> {
        Inspection::open(path.as_ref())
    }

    /// Checks the file for other processes' writes now. Call it after you commit a transaction that
    /// [accepted](crate::accept_in) events. Otherwise the outbox notices them within the [poll
    /// interval](SqliteOutboxBuilder::poll_interval). Cheap, and never blocks.
    pub fn notify(&self) {
        // A full queue is in progress, and its writer checks before it goes on.
        let _ = self.0.requests.try_send(Request::Poll);
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns the number of commits: for tests of batching.
    #[cfg(feature = "test-util")]
    pub fn commits(&self) -> u64 {
        self.0.shared.commits()
    }

    /// Runs idle maintenance now: for tests.
    #[cfg(feature = "test-util")]
    pub async fn maintain(&self) {
        let (reply, done) = oneshot::channel();
        let _ = self.0.requests.send(Request::Maintain { reply }).await;
        let _ = done.await;
    }

    async fn write<T, E>(
        &self,
        takes_room: bool,
        write: impl FnMut(&mut Batch<'_>) -> rusqlite::Result<Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<OutboxError> + Send + 'static,
    {
        let (job, answered) = Job::new(takes_room, write);
        let _ = self.0.requests.send(Request::Write(Box::new(job))).await;
        answered.await.unwrap_or_else(|_| Err(Fault::ENDED.to_error().into()))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Connection, &mut OldestOwn) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let reading = self.0.reading.clone();
        let read = self.0.runtime.spawn_blocking(move || reading.read(read));
        read.await.unwrap_or_else(|_| Err(Fault::ENDED.to_error()))
    }
}

impl fmt::Debug for SqliteOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOutbox").field("path", &self.0.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        let events = NewEvent::all(events)?;
        self.write(true, move |batch| batch.accept(&events)).await
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        loop {
            // Created before the request, so that no notification after the response is missed.
            let news = self.0.shared.news.notified();
            let (reply, answered) = oneshot::channel();
            let _ = self.0.requests.send(Request::Lease { standing, limit, reply }).await;
            match answered.await.unwrap_or_else(|_| Err(Fault::ENDED.to_error()))? {
                Next::Began(tenure) => return Ok(Turn::Began(tenure)),
                Next::Standby(standby) => return Ok(Turn::Standby(standby)),
                Next::Leased(found) => {
                    let leased = found.read();
                    if !leased.events.is_empty() || leased.tombstones.is_some() {
                        return Ok(Turn::Leased(leased));
                    }
                }
                Next::Wait(time) => {
                    let _ = timeout(time.min(self.0.poll_interval), news).await;
                }
            }
        }
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        let all = admissions.iter().map(|one| Ok((one.clone(), NewEvent::all(&one.derived)?)));
        let admissions: Vec<_> = all.collect::<Result<_, OutboxError>>()?;
        self.write(false, move |batch| batch.admit(epoch, &admissions).map(Ok)).await
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let settlements = settlements.to_vec();
        self.write(false, move |batch| batch.settle(epoch, &settlements, forget_before).map(Ok))
            .await
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        self.write(false, move |batch| batch.release(epoch).map(Ok)).await
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        let clock = self.0.clock.clone();
        self.read(move |conn, oldest_own| reader::counts(conn, oldest_own, clock.now())).await
    }
}

#[async_trait]
impl Operate for SqliteOutbox {
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.read(move |conn, _| dead::read(conn, after, limit)).await
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let which = which.clone();
        self.write(false, move |batch| batch.redrive(&which).map(Ok)).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        let which = which.clone();
        self.write(false, move |batch| batch.purge(&which).map(Ok)).await
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        let which = which.clone();
        self.write(false, move |batch| batch.bury(&which).map(Ok)).await
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        let contact = contact.clone();
        self.write(false, move |batch| batch.erase(&contact).map(Ok)).await
    }

    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        let contact = contact.clone();
        self.write(false, move |batch| batch.forgive(&contact).map(Ok)).await
    }
}
