//! The outbox, as the engine and the application see it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use intercom_core::{DataEvent, async_trait};
use intercom_delivery::outbox::{
    AcceptError, Collisions, Counts, DeadLetter, EventId, Leased, Outbox, OutboxError, Selection,
    Settlement, Wake,
};
use tokio::sync::{mpsc, oneshot};

use crate::builder::SqliteOutboxBuilder;
use crate::error::{Fault, OpenError};
use crate::inspect::Inspection;
use crate::open::Lock;
use crate::reader::Read;
use crate::shared::Shared;
use crate::store::accept::Incoming;
use crate::writer::{Answer, Request, Write};

/// Holds events in one SQLite file until they are delivered: what it has accepted survives crashes and power cuts.
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
/// A clone is another handle of the same outbox: give one to the delivery, and keep the other to
/// [`nudge`](Self::nudge) it. A delivery holds one until it has ended and its last tracker is dropped. Dropping the last
/// handle waits for what is being written; then the file is closed, and somebody else may open it.
#[derive(Clone)]
pub struct SqliteOutbox(Arc<Inner>);

struct Inner {
    path: PathBuf,
    requests: Option<mpsc::Sender<Request>>,
    reads: Option<mpsc::Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// Dropped last: when nothing uses the file any more.
    _lock: Lock,
}

impl SqliteOutbox {
    /// Opens the outbox in this file, with the default settings, and makes it where there is none. It blocks for some
    /// milliseconds.
    ///
    /// The path is a file's name and nothing else, no URI, and not `:memory:`. What needs no file uses a
    /// [`MemoryOutbox`](intercom_delivery::MemoryOutbox).
    ///
    /// # Errors
    ///
    /// Fails when the file is not fit to keep events safe, or in use by somebody else. The [error](OpenError) says what
    /// to do, and nothing was changed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        SqliteOutbox::builder(path).open()
    }

    /// Opens the outbox in this file with other settings.
    pub fn builder(path: impl AsRef<Path>) -> SqliteOutboxBuilder {
        SqliteOutboxBuilder::new(path.as_ref())
    }

    /// Opens a file to look into it and to deal with its dead letters, while another process may deliver from it.
    ///
    /// # Errors
    ///
    /// Fails when there is no such file, or it is none that this version knows.
    pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection, OpenError> {
        Inspection::open(path.as_ref())
    }

    /// Says that events may be due that others put into the file: call it after the commit of a transaction in which
    /// events were [accepted](crate::accept_in). Without it they are noticed within the
    /// [poll interval](SqliteOutboxBuilder::poll_interval). Cheap, and never blocks.
    pub fn nudge(&self) {
        // A full queue is at work, and looks before it goes on.
        if let Some(requests) = &self.0.requests {
            let _ = requests.try_send(Request::Look);
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// How many transactions were committed: for tests of how many events share one.
    #[doc(hidden)]
    pub fn commits(&self) -> u64 {
        self.0.shared.commits()
    }

    /// Does at once what is done when there is time: for tests of the space that is given back.
    #[doc(hidden)]
    pub async fn tidy(&self) {
        let (reply, done) = oneshot::channel();
        if self.ask(Request::Tidy { reply }).await.is_ok() {
            let _ = done.await;
        }
    }

    pub(crate) fn new(
        path: PathBuf,
        requests: mpsc::Sender<Request>,
        reads: mpsc::Sender<Read>,
        threads: Vec<JoinHandle<()>>,
        shared: Arc<Shared>,
        lock: Lock,
    ) -> Self {
        let (requests, reads) = (Some(requests), Some(reads));
        SqliteOutbox(Arc::new(Inner { path, requests, reads, threads, shared, _lock: lock }))
    }

    async fn ask(&self, request: Request) -> Result<(), OutboxError> {
        let sent = match &self.0.requests {
            Some(requests) => requests.send(request).await.ok(),
            None => None,
        };
        sent.ok_or_else(|| Fault::ENDED.to_error())
    }

    async fn change<T>(
        &self,
        write: Write,
        answered: oneshot::Receiver<Result<T, OutboxError>>,
    ) -> Result<T, OutboxError> {
        self.ask(Request::Write(write)).await?;
        answered.await.unwrap_or_else(|_| Err(Fault::ENDED.to_error()))
    }
}

impl fmt::Debug for SqliteOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOutbox")
            .field("path", &self.0.path)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.requests = None;
        self.reads = None;
        for thread in self.threads.drain(..) {
            // A panic in it has been told already.
            let _ = thread.join();
        }
    }
}

/// There is no `try_accept`: nothing here is safe without waiting for the disk.
#[async_trait]
impl Outbox for SqliteOutbox {
    async fn accept(
        &self,
        events: &[DataEvent],
        collisions: Collisions,
    ) -> Result<(), AcceptError> {
        let events = Incoming::all(events)?;
        let (answer, answered) = Answer::new();
        self.ask(Request::Write(Write::Accept { events, collisions, answer })).await?;
        match answered.await {
            Ok(accepted) => accepted.map(drop),
            Err(_) => Err(Fault::ENDED.to_error().into()),
        }
    }

    async fn lease(&self, most: usize, term: Duration) -> Result<Leased, OutboxError> {
        let (reply, answered) = oneshot::channel();
        self.ask(Request::Lease { most, term, reply }).await?;
        let leased = answered.await.unwrap_or_else(|_| Err(Fault::ENDED.to_error()));
        leased.map(|leased| leased.look_into())
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<EventId>, OutboxError> {
        let (answer, answered) = Answer::new();
        let settlements = settlements.to_vec();
        self.change(Write::Settle { settlements, answer }, answered).await
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let (reply, answered) = oneshot::channel();
        let sent = match &self.0.reads {
            Some(reads) => reads.send(Read { after, most, reply }).await.ok(),
            None => None,
        };
        sent.ok_or_else(|| Fault::ENDED.to_error())?;
        answered.await.unwrap_or_else(|_| Err(Fault::ENDED.to_error()))
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let (answer, answered) = Answer::new();
        self.change(Write::Redrive { which: which.clone(), answer }, answered).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        let (answer, answered) = Answer::new();
        self.change(Write::Purge { which: which.clone(), answer }, answered).await
    }

    fn counts(&self) -> Counts {
        self.0.shared.counts()
    }

    fn attach(&self, wake: Wake) {
        self.0.shared.attach(wake);
    }
}
