//! Accepts events. Calls that arrive while all connections are in use share the next commit.
//!
//! A caller's task that finds an idle connection drives its call itself, because each switch to another
//! task takes time. One connection is for the outbox's own tasks alone. So calls proceed although
//! some callers poll theirs no more.
//!
//! A batch is one statement, and stores its number in the same transaction. If a batch has no
//! answer, the process sends the statement again with the same number. If the first copy has
//! committed, the second one reports that, and otherwise it accepts. A later copy accepts nothing.
//! This also holds over a failover: a standby gets the number and the events together, or neither.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, OutboxError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::{Instant, sleep};
use tokio_postgres::types::Type;

use crate::clock::Skew;
use crate::error::Fault;
use crate::link::{Link, Param, Prepared};
use crate::notifier::Notifier;
use crate::own;
use crate::schema::Schema;

/// The limit of connections that accept. PostgreSQL writes several commits to the disk at once.
const CONNECTIONS: usize = 3;

/// The limit of connections that callers drive.
const DRIVEN: usize = CONNECTIONS - 1;

/// The limit of calls in one commit, and the approximate limit of bytes.
const MAX_CALLS: usize = 1024;
const MAX_BYTES: usize = 4 << 20;

/// The limit of a body, the same as in the function `accept`.
pub(crate) const MAX_BODY: usize = 65_536;

/// The pause between two attempts to reach the server.
const REST: Duration = Duration::from_millis(100);

/// The columns of events. The caller's task fills them.
pub(crate) struct NewEvents {
    seconds: Vec<i64>,
    bodies: Vec<String>,
    /// The names of each event's sensitive keys as a JSON array, if it has any.
    sensitive: Vec<Option<String>>,
}

impl NewEvents {
    /// # Errors
    ///
    /// Fails when a body is not UTF-8, which no event's is, or is too large for the outbox.
    pub(crate) fn of(events: &[DataEvent]) -> Result<Self, AcceptError> {
        let body = |event: &DataEvent| {
            if event.body().len() > MAX_BODY {
                return Err(OutboxError::new(format!(
                    "the event `{}` has a body of more than 64 KiB; send fewer or shorter values",
                    event.event_name().escape_debug()
                )));
            }
            let body = str::from_utf8(event.body());
            body.map(str::to_owned).map_err(|_| {
                OutboxError::new("the body of an event is not UTF-8, and cannot be stored")
            })
        };
        Ok(NewEvents {
            seconds: events.iter().map(|event| event.created_at().unix_seconds()).collect(),
            bodies: events.iter().map(body).collect::<Result<_, _>>()?,
            sensitive: events.iter().map(sensitive).collect(),
        })
    }

    /// Returns the columns of the events and their derived events, which one commit accepts
    /// together.
    #[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9", feature = "tokio-postgres"))]
    pub(crate) fn with_derived(events: &[DataEvent]) -> Result<Self, AcceptError> {
        let split = events.iter().map(|event| event.clone().split_derived());
        let flat = split.flat_map(|(event, derived)| std::iter::once(event).chain(derived));
        NewEvents::of(&flat.collect::<Vec<_>>())
    }

    #[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9", feature = "tokio-postgres"))]
    pub(crate) fn into_bodies(self) -> (Vec<String>, Vec<Option<String>>) {
        (self.bodies, self.sensitive)
    }

    fn bytes(&self) -> usize {
        self.bodies.iter().map(String::len).sum()
    }
}

/// Returns the names of an event's sensitive keys as a JSON array, if it has any.
pub(crate) fn sensitive(event: &DataEvent) -> Option<String> {
    let mut keys = event.sensitive_keys().peekable();
    keys.peek()?;
    Some(serde_json::Value::from_iter(keys).to_string())
}

/// The connections that accept, and the calls that wait for one.
pub(crate) struct Acceptors {
    make: Box<dyn Fn() -> Acceptor + Send + Sync>,
    /// Runs the batches.
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Arc<Acceptor>>,
    /// The number of connections, idle or in use.
    connections: usize,
    /// The number of connections that callers drive.
    driven: usize,
    /// Calls in the order of their arrival. They wait only while all connections are in use.
    waiting: VecDeque<Call>,
}

/// A call that waits for a connection.
struct Call {
    events: NewEvents,
    reply: oneshot::Sender<Result<(), AcceptError>>,
}

impl Acceptors {
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub(crate) fn new(make: impl Fn() -> Acceptor + Send + Sync + 'static) -> Self {
        Acceptors { make: Box::new(make), runtime: Handle::current(), state: Mutex::default() }
    }

    /// Accepts all of these events or none.
    pub(crate) async fn accept(self: &Arc<Self>, events: NewEvents) -> Result<(), AcceptError> {
        match self.enter(events) {
            Entry::Driven(call) => call.await.answer(),
            // A batch that has begun drops its calls if its runtime ends. It may have committed.
            Entry::Waiting(answered) => {
                answered.await.unwrap_or_else(|_| BatchOutcome::InDoubt(Fault::ended()).answer())
            }
        }
    }

    fn enter(self: &Arc<Self>, events: NewEvents) -> Entry {
        let mut state = self.state();
        if state.idle.is_empty() && state.connections < CONNECTIONS {
            state.connections += 1;
            state.idle.push(Arc::new((self.make)()));
        }
        let idle = state.idle.pop();
        if let Some(acceptor) = &idle
            && state.driven < DRIVEN
            && self.runs_caller()
        {
            state.driven += 1;
            drop(state);
            let acceptor = acceptor.clone();
            let connection = InUse { acceptor, acceptors: self.clone(), is_driven: true };
            let call = async move {
                let InUse { acceptor, .. } = &connection;
                acceptor.accept(&[&events]).await
            };
            return Entry::Driven(Driven {
                call: Some(Box::pin(call)),
                runtime: self.runtime.clone(),
            });
        }
        let (reply, answered) = oneshot::channel();
        state.waiting.push_back(Call { events, reply });
        // While the server hangs, callers may come and give up.
        if state.waiting.len().is_multiple_of(MAX_CALLS) {
            state.waiting.retain(|call| !call.reply.is_closed());
        }
        if let Some(acceptor) = idle {
            self.start_batch(acceptor, state);
        }
        Entry::Waiting(answered)
    }

    /// Returns whether the caller is a task of the outbox's runtime. Such a caller ends with it.
    fn runs_caller(&self) -> bool {
        task::try_id().is_some()
            && Handle::try_current().is_ok_and(|present| present.id() == self.runtime.id())
    }

    /// Accepts the waiting calls by this connection, or keeps it for the next call.
    fn start_batch(self: &Arc<Self>, acceptor: Arc<Acceptor>, mut state: MutexGuard<'_, State>) {
        let batch = state.next_batch();
        if batch.is_empty() {
            return state.idle.push(acceptor);
        }
        drop(state);
        let connection = InUse { acceptor, acceptors: self.clone(), is_driven: false };
        let batch = Batch(batch);
        self.runtime.spawn(async move {
            let InUse { acceptor, .. } = &connection;
            acceptor.serve(batch.begin()).await;
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes waiting calls for one commit. Skips those whose callers wait no more.
    fn next_batch(&mut self) -> Vec<Call> {
        let mut batch: Vec<Call> = Vec::new();
        let mut bytes = 0;
        while batch.len() < MAX_CALLS
            && let Some(call) = self.waiting.pop_front()
        {
            if call.reply.is_closed() {
                continue;
            }
            bytes += call.events.bytes();
            if bytes > MAX_BYTES && !batch.is_empty() {
                self.waiting.push_front(call);
                break;
            }
            batch.push(call);
        }
        batch
    }
}

/// The calls of a batch that has not begun. Its drop refuses them: its runtime has ended.
struct Batch(Vec<Call>);

impl Batch {
    fn begin(mut self) -> Vec<Call> {
        mem::take(&mut self.0)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for call in self.0.drain(..) {
            let _ = call.reply.send(Err(Fault::ended().to_error().into()));
        }
    }
}

/// A connection in use. Its drop begins the next batch, even if the task panicked.
struct InUse {
    acceptor: Arc<Acceptor>,
    acceptors: Arc<Acceptors>,
    is_driven: bool,
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut state = self.acceptors.state();
        state.driven -= usize::from(self.is_driven);
        self.acceptors.start_batch(self.acceptor.clone(), state);
    }
}

/// How a call proceeds.
enum Entry {
    Driven(Driven),
    Waiting(oneshot::Receiver<Result<(), AcceptError>>),
}

/// A call that its caller drives, in the runtime of the outbox. After its drop, a task continues it.
struct Driven {
    call: Option<Pin<Box<dyn Future<Output = BatchOutcome> + Send>>>,
    runtime: Handle,
}

impl Future for Driven {
    type Output = BatchOutcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<BatchOutcome> {
        let Driven { call: slot, runtime } = &mut *self;
        let mut call = slot.take().expect("nobody polls a future after its end");
        // Another runtime may poll a call that began in this one.
        let _within = runtime.enter();
        let end = call.as_mut().poll(context);
        if end.is_pending() {
            *slot = Some(call);
        }
        end
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.runtime.spawn(call);
        }
    }
}

/// A connection that accepts. One task uses it at a time.
pub(crate) struct Acceptor {
    link: Link,
    sql: AcceptSql,
    skew: Skew,
    timeout: Duration,
    /// Notifies the deliverer after each commit.
    notifier: Notifier,
    last_batch: Mutex<BatchId>,
    /// Whether it recorded that all events of this process have higher ids.
    has_lowest: AtomicBool,
}

/// The key of a batch in the store.
#[derive(Clone, Copy)]
struct BatchId {
    /// A random number.
    acceptor: i64,
    number: i64,
}

impl BatchId {
    /// The key before the first batch. No store has a batch of the same acceptor.
    fn unused() -> Self {
        BatchId { acceptor: fastrand::i64(..), number: 0 }
    }

    /// The key after which another acceptor's batches begin. The first batch of a connection deletes
    /// what other outboxes left. These do not.
    fn after_loss() -> Self {
        BatchId { number: 1, ..BatchId::unused() }
    }
}

struct AcceptSql {
    accept_once: Prepared,
    accept_one: Prepared,
    last_id: String,
}

/// Accepts the first copy of a batch of one event: without a function, in about three quarters of the
/// time. The transaction has its own id before it takes an id of an event, as in `accept_once`.
///
/// The planner expects one row of it. So it takes one plan for all values, and does not plan each call.
const ACCEPT_ONE: &str = "
WITH batch AS (
    INSERT INTO {schema}.batches
    SELECT $1, $2, {schema}.now_millis() + $4
     WHERE (SELECT capacity FROM {schema}.settings WHERE only_row) IS NULL OR {schema}.expect_room(1)
    RETURNING accepted_at
)
INSERT INTO {schema}.events (created_at, accepted_at, origin, body, sensitive)
SELECT $5[1], accepted_at, $3, $6[1]::json, {schema}.key_names($7[1]::json) FROM batch
RETURNING true";

/// The outcome of a batch.
enum BatchOutcome {
    Committed,
    /// The store has none of the events.
    Failed(Fault),
    /// The store may have them or not.
    InDoubt(Fault),
}

impl BatchOutcome {
    fn answer(&self) -> Result<(), AcceptError> {
        match self {
            BatchOutcome::Committed => Ok(()),
            BatchOutcome::Failed(fault) => Err(fault.to_accept_error()),
            BatchOutcome::InDoubt(fault) => Err(AcceptError::InDoubt(fault.to_error())),
        }
    }
}

impl Acceptor {
    pub(crate) fn new(
        link: Link,
        schema: &Schema,
        skew: Skew,
        timeout: Duration,
        notifier: Notifier,
    ) -> Self {
        let sql = AcceptSql {
            accept_once: Prepared(
                schema.sql("SELECT {schema}.accept_once($1, $2, $3, $4, $5, $6, $7)"),
            ),
            accept_one: Prepared(schema.sql(ACCEPT_ONE)),
            last_id: schema.last_id(),
        };
        let last_batch = Mutex::new(BatchId::unused());
        Acceptor { link, sql, skew, timeout, notifier, last_batch, has_lowest: false.into() }
    }

    fn last_batch(&self) -> MutexGuard<'_, BatchId> {
        self.last_batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, calls: Vec<Call>) {
        let all: Vec<&NewEvents> = calls.iter().map(|call| &call.events).collect();
        let end = self.accept(&all).await;
        // PostgreSQL refused one of the calls, so each call gets its own batch.
        let refused = calls.len() > 1 && matches!(end, BatchOutcome::Failed(Fault::Refused { .. }));
        for Call { events, reply } in calls {
            let answer = match refused {
                true => self.accept(&[&events]).await.answer(),
                false => end.answer(),
            };
            // The caller may have stopped waiting.
            let _ = reply.send(answer);
        }
    }

    /// Accepts all of these events or none.
    async fn accept(&self, calls: &[&NewEvents]) -> BatchOutcome {
        let seconds: Vec<i64> = calls.iter().flat_map(|events| &events.seconds).copied().collect();
        let bodies: Vec<&str> =
            calls.iter().flat_map(|events| &events.bodies).map(String::as_str).collect();
        let sensitive = calls.iter().flat_map(|events| &events.sensitive);
        let sensitive: Vec<_> = sensitive.map(Option::as_deref).collect();
        let batch = {
            let mut last = self.last_batch();
            last.number += 1;
            *last
        };
        let rows = Rows { seconds: &seconds, bodies: &bodies, sensitive: &sensitive };
        let end = self.decide(batch, rows).await;
        if !matches!(end, BatchOutcome::Failed(_)) {
            self.notifier.notify();
        }
        end
    }

    /// Repeats the statement until its outcome is known, or the time is over.
    async fn decide(&self, batch: BatchId, rows: Rows<'_>) -> BatchOutcome {
        let mut deadline = Instant::now() + self.timeout;
        let mut doubt = None;
        let mut is_copy = false;
        loop {
            let sent = self.accept_once(batch, rows, is_copy).await;
            is_copy = true;
            let fault = match (sent, &doubt) {
                (Ok(_), _) => return BatchOutcome::Committed,
                (Err(fault @ Fault::Refused { .. }), None) => return BatchOutcome::Failed(fault),
                // After this answer, the server must accept no late copy.
                (Err(fault @ Fault::Refused { .. }), Some(_)) => {
                    match self.accept_once(batch, Rows::NONE, true).await {
                        Ok(Accepted::Before) => return BatchOutcome::Committed,
                        Ok(Accepted::Now) => return BatchOutcome::Failed(fault),
                        // A further copy could not tell the empty one from the first one.
                        Err(fault @ Fault::Lost(_)) => return BatchOutcome::InDoubt(fault),
                        Err(fault) => fault,
                    }
                }
                (Err(fault), _) => fault,
            };
            if let (Fault::Lost(_), None) = (&fault, &doubt) {
                // A commit may wait for the disk or a standby, even after its client has gone.
                deadline = deadline.max(Instant::now() + self.timeout);
                doubt = Some(fault.clone());
                // Later batches delete earlier ones of the same acceptor, and this one must stay.
                *self.last_batch() = BatchId::after_loss();
            }
            sleep(REST).await;
            // Checked after the wait, because a caller may poll its call much later. Nobody keeps the
            // batch's row for ever.
            if Instant::now() >= deadline {
                return doubt.map_or(BatchOutcome::Failed(fault), BatchOutcome::InDoubt);
            }
        }
    }

    /// Accepts a batch, unless the store has it already. `is_copy` says whether it was sent before.
    async fn accept_once(
        &self,
        batch: BatchId,
        Rows { seconds, bodies, sensitive }: Rows<'_>,
        is_copy: bool,
    ) -> Result<Accepted, Fault> {
        if !self.has_lowest.load(Ordering::Relaxed) {
            // Recorded before any event is visible.
            let last = self.link.query_one(&self.sql.last_id, &[]).await;
            let last: i64 = last.map_err(Fault::before_the_statement)?.get(0);
            own::accepted(&[last + 1]);
            self.has_lowest.store(true, Ordering::Relaxed);
        }
        let (origin, skew) = (own::origin(), self.skew.millis());
        let params: [Param<'_>; 7] = [
            (&batch.acceptor, Type::INT8),
            (&batch.number, Type::INT8),
            (&origin, Type::INT8),
            (&skew, Type::INT8),
            (&seconds, Type::INT8_ARRAY),
            (&bodies, Type::TEXT_ARRAY),
            (&sensitive, Type::TEXT_ARRAY),
        ];
        // The function also deletes what nobody needs, now and then. Behind a pooler it is cheaper,
        // because a session plans it once.
        let is_plain = !is_copy && bodies.len() == 1 && batch.number % 64 != 1;
        let sql = match is_plain && self.link.prepares() {
            true => &self.sql.accept_one,
            false => &self.sql.accept_once,
        };
        let rows = self.link.query(sql, &params).await?;
        match rows.first().map(|row| row.get(0)) {
            Some(true) => Ok(Accepted::Now),
            Some(false) => Ok(Accepted::Before),
            // Somebody's trigger may do so.
            None => Err(Fault::missing_row()),
        }
    }
}

/// Which statement accepted a batch.
enum Accepted {
    Now,
    /// An earlier statement, which had no answer.
    Before,
}

/// The events of several calls, column by column.
#[derive(Clone, Copy)]
struct Rows<'a> {
    seconds: &'a [i64],
    bodies: &'a [&'a str],
    sensitive: &'a [Option<&'a str>],
}

impl Rows<'_> {
    const NONE: Self = Rows { seconds: &[], bodies: &[], sensitive: &[] };
}
