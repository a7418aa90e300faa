//! The conformance suite for shared outboxes, over a real server.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use intercom_core::{Contact, DataEvent, Timestamp, async_trait};
use intercom_delivery::conformance::many::{self, Fleet, FleetProfile, Transaction};
use intercom_delivery::outbox::{
    AcceptError, Admission, Counts, DeadLetter, Epoch, ErasedEvents, EventId, Operate, Outbox,
    OutboxError, Selection, Settlement, Standing, Tenure, Turn,
};
use intercom_postgres::PostgresOutbox;
use tests::Summary;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio_postgres::{Client, NoTls};

use super::{is_long, server};

/// Short enough to wait for its end, and long enough for a busy machine.
const LEASE: Duration = Duration::from_millis(2_500);

/// The time in which another process must begin after a release: less than a lease.
const HANDOVER: Duration = Duration::from_millis(2_000);

/// The time in which another process must begin after the end of a lease.
const TAKEOVER: Duration = Duration::from_secs(8);

/// Each history has its own schema.
static SCHEMAS: AtomicU64 = AtomicU64::new(0);

pub(super) fn part(runtime: &Runtime, summary: &mut Summary) {
    let Some(server) = server("many", &[], summary) else { return };
    let histories = if is_long() { 40 } else { 3 };
    let profile = FleetProfile::new()
        .histories(histories)
        .steps(if is_long() { 150 } else { 100 })
        .handover(HANDOVER)
        .takeover(TAKEOVER);
    let make = async || Machines {
        url: server.url(),
        schema: format!("many_{}", SCHEMAS.fetch_add(1, Ordering::SeqCst)),
        skew: Arc::default(),
        started: 0,
    };
    let done = catch_unwind(AssertUnwindSafe(|| many::run(&profile, runtime, make)));
    let complaints = match done {
        Ok(report) => {
            println!("       {report}");
            let nothing = report.takeovers() == 0 || !report.skipped().is_empty();
            if nothing { vec!["the run had nothing to lose".to_owned()] } else { Vec::new() }
        }
        Err(panicked) => match panicked.downcast::<String>() {
            Ok(words) => vec![*words],
            Err(_) => vec!["it panicked".to_owned()],
        },
    };
    summary.add("many", &complaints);
}

/// Processes on one schema.
struct Machines {
    url: String,
    schema: String,
    /// The offset of the database's clock.
    skew: Arc<AtomicI64>,
    started: usize,
}

impl Fleet for Machines {
    type Process = Machine;

    async fn start(&mut self) -> Machine {
        self.started += 1;
        let thread = Thread::start();
        let connect = PostgresOutbox::builder(&self.url)
            .schema(&self.schema)
            .name(format!("process {}", self.started))
            .clock_skew(self.skew.clone())
            .lease_time(LEASE)
            .poll_interval(Duration::from_millis(20))
            .connect();
        let outbox = thread.handle.spawn(connect).await.unwrap().unwrap();
        let outbox = Remote { outbox, handle: thread.handle.clone() };
        Machine { url: self.url.clone(), schema: self.schema.clone(), outbox, thread }
    }

    async fn advance(&mut self, by: Duration) {
        self.skew.fetch_add(by.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }
}

/// One process. Its outbox runs on one thread, which the test can stop.
struct Machine {
    url: String,
    schema: String,
    outbox: Remote,
    thread: Thread,
}

impl many::Process for Machine {
    type Outbox = Remote;
    type Transaction = Open;

    fn outbox(&self) -> &Remote {
        &self.outbox
    }

    async fn begin(&self, events: Vec<DataEvent>) -> Open {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("BEGIN").await.unwrap();
        let bodies: Vec<&str> =
            events.iter().map(|event| std::str::from_utf8(event.body()).unwrap()).collect();
        let accept = format!("SELECT {}.accept($1::text[]::json[])", self.schema);
        client.query(&accept, &[&bodies]).await.unwrap();
        Open(client)
    }

    async fn pause(&mut self) {
        self.thread.pause().await;
    }

    async fn resume(&mut self) {
        self.thread.gate.open();
    }

    async fn kill(self, tenure: Option<Tenure>) {
        let Machine { outbox, thread, .. } = self;
        thread.end();
        drop((outbox, tenure));
    }
}

/// A transaction of the application. The end of its connection rolls it back.
struct Open(Client);

impl Transaction for Open {
    async fn commit(self) {
        self.0.batch_execute("COMMIT").await.unwrap();
    }

    async fn roll_back(self) {
        self.0.batch_execute("ROLLBACK").await.unwrap();
    }
}

/// A thread with its own runtime.
struct Thread {
    handle: Handle,
    /// Blocks the thread while it is paused. Each pause has its own: the thread may wake only after
    /// the next one has begun.
    gate: Arc<Gate>,
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Thread {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let _ = runtime.block_on(ended);
            // Its tasks stop wherever they are.
            runtime.shutdown_background();
        });
        Thread { handle, gate: Arc::default(), end, thread }
    }

    /// Stops the thread, and returns when it stands still.
    async fn pause(&mut self) {
        self.gate = Arc::default();
        let (gate, (stands, stood)) = (self.gate.clone(), oneshot::channel());
        // Nothing else runs on the thread while this task blocks it.
        self.handle.spawn(async move {
            let _ = stands.send(());
            gate.wait();
        });
        let _ = stood.await;
    }

    fn end(self) {
        let _ = self.end.send(());
        let _ = self.thread.join();
    }
}

#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let is_open = self.is_open.lock().unwrap();
        drop(self.opened.wait_while(is_open, |is_open| !*is_open).unwrap());
    }
}

/// An outbox that runs its calls on the thread of a process.
struct Remote {
    outbox: PostgresOutbox,
    handle: Handle,
}

impl Remote {
    /// Runs a call on that thread. Dropping the future drops the call.
    async fn run<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<OutboxError> + Send + 'static,
    {
        let mut task = AbortOnDrop(self.handle.spawn(call));
        match (&mut task.0).await {
            Ok(done) => done,
            Err(_) => Err(OutboxError::new("the process has ended").into()),
        }
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[async_trait]
impl Outbox for Remote {
    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        let (outbox, events) = (self.outbox.clone(), events.to_vec());
        self.run(async move { outbox.accept(&events).await }).await
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        let outbox = self.outbox.clone();
        self.run(async move { outbox.lease(standing, limit).await }).await
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        let (outbox, admissions) = (self.outbox.clone(), admissions.to_vec());
        self.run(async move { outbox.admit(epoch, &admissions).await }).await
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let (outbox, settlements) = (self.outbox.clone(), settlements.to_vec());
        self.run(async move { outbox.settle(epoch, &settlements, forget_before).await }).await
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        let outbox = self.outbox.clone();
        self.run(async move { outbox.release(epoch).await }).await
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        let outbox = self.outbox.clone();
        self.run(async move { outbox.counts().await }).await
    }
}

#[async_trait]
impl Operate for Remote {
    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let outbox = self.outbox.clone();
        self.run(async move { outbox.dead_letters(after, limit).await }).await
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        let (outbox, which) = (self.outbox.clone(), which.clone());
        self.run(async move { outbox.redrive(&which).await }).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        let (outbox, which) = (self.outbox.clone(), which.clone());
        self.run(async move { outbox.purge(&which).await }).await
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        let (outbox, which) = (self.outbox.clone(), which.clone());
        self.run(async move { outbox.bury(&which).await }).await
    }

    async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        let (outbox, contact) = (self.outbox.clone(), contact.clone());
        self.run(async move { outbox.erase(&contact).await }).await
    }

    async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        let (outbox, contact) = (self.outbox.clone(), contact.clone());
        self.run(async move { outbox.forgive(&contact).await }).await
    }
}
