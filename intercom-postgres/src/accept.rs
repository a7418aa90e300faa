//! Accepts events. Calls that arrive during one commit share the next.
//!
//! A batch is one statement, and stores its number in the same transaction. If a batch has no
//! answer, the process sends the statement again with the same number. If the first copy has
//! committed, the second one reports that, and otherwise it accepts. A later copy accepts nothing.
//! This also holds over a failover: a standby gets the number and the events together, or neither.

use std::time::Duration;

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, OutboxError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_postgres::types::Type;

use crate::clock::Skew;
use crate::error::Fault;
use crate::link::{Link, Param};
use crate::notifier::Notifier;
use crate::own;
use crate::schema::Schema;

/// The limit of calls that wait for the next commit. More callers wait for room in the queue.
pub(crate) const QUEUE: usize = 1024;

/// The limit of calls in one commit, and the approximate limit of bytes.
const MAX_CALLS: usize = 1024;
const MAX_BYTES: usize = 4 << 20;

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

/// The limit of a body, the same as in the function `accept`.
pub(crate) const MAX_BODY: usize = 65_536;

/// A call of `accept`.
pub(crate) struct Call {
    pub(crate) events: NewEvents,
    pub(crate) reply: oneshot::Sender<Result<(), AcceptError>>,
}

/// A connection that accepts.
pub(crate) struct Acceptor {
    link: Link,
    sql: AcceptSql,
    skew: Skew,
    timeout: Duration,
    /// Notifies the deliverer after each commit.
    notifier: Notifier,
    /// A unique number of this acceptor.
    id: i64,
    /// The number of the last batch.
    number: i64,
}

struct AcceptSql {
    accept: String,
    last_id: String,
}

/// The outcome of a batch.
enum BatchOutcome {
    Committed,
    /// The store has none of the events.
    Failed(Fault),
    /// The store may have them or not.
    InDoubt(Fault),
}

/// The connections that accept. If all of them wait for their commits, a call opens another one,
/// because PostgreSQL writes several commits to the disk at once.
pub(crate) struct Acceptors {
    make: Box<dyn Fn() -> Acceptor + Send>,
    idle: Vec<Acceptor>,
    busy: JoinSet<Acceptor>,
}

/// The limit of connections that accept.
const CONNECTIONS: usize = 3;

impl Acceptors {
    pub(crate) fn new(make: impl Fn() -> Acceptor + Send + 'static) -> Self {
        Acceptors { make: Box::new(make), idle: Vec::new(), busy: JoinSet::new() }
    }

    /// Accepts until the last handle is dropped and the queue is empty.
    pub(crate) async fn run(mut self, mut calls: mpsc::Receiver<Call>) {
        let mut next = None;
        while let Some(first) = match next.take() {
            Some(call) => Some(call),
            None => calls.recv().await,
        } {
            let mut acceptor = self.acceptor().await;
            let mut bytes = first.events.bytes();
            let mut batch = vec![first];
            while batch.len() < MAX_CALLS && bytes < MAX_BYTES {
                let Ok(call) = calls.try_recv() else { break };
                bytes += call.events.bytes();
                batch.push(call);
                if bytes > MAX_BYTES {
                    next = batch.pop();
                }
            }
            self.busy.spawn(async move {
                acceptor.serve(batch).await;
                acceptor
            });
        }
        while self.busy.join_next().await.is_some() {}
    }

    /// Waits for an idle connection. A connection whose task panicked is gone for good.
    async fn acceptor(&mut self) -> Acceptor {
        loop {
            while let Some(done) = self.busy.try_join_next() {
                self.idle.extend(done.ok());
            }
            if let Some(acceptor) = self.idle.pop() {
                return acceptor;
            }
            if self.busy.len() < CONNECTIONS {
                return (self.make)();
            }
            if let Some(Ok(acceptor)) = self.busy.join_next().await {
                return acceptor;
            }
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
            accept: schema.sql("SELECT {schema}.accept_once($1, $2, $3, $4, $5, $6, $7)"),
            last_id: schema.last_id(),
        };
        Acceptor { link, sql, skew, timeout, notifier, id: fastrand::i64(..), number: 0 }
    }

    async fn serve(&mut self, calls: Vec<Call>) {
        let all: Vec<&NewEvents> = calls.iter().map(|call| &call.events).collect();
        let end = self.accept(&all).await;
        // PostgreSQL refused one of the calls, so each call gets its own batch.
        if calls.len() > 1 && matches!(end, BatchOutcome::Failed(Fault::Refused { .. })) {
            for call in calls {
                let end = self.accept(&[&call.events]).await;
                self.answer(vec![call], &end);
            }
            return;
        }
        self.answer(calls, &end);
    }

    fn answer(&self, calls: Vec<Call>, end: &BatchOutcome) {
        if !matches!(end, BatchOutcome::Failed(_)) {
            self.notifier.notify();
        }
        for call in calls {
            let answer = match end {
                BatchOutcome::Committed => Ok(()),
                BatchOutcome::Failed(fault) => Err(fault.to_accept_error()),
                BatchOutcome::InDoubt(fault) => Err(AcceptError::InDoubt(fault.to_error())),
            };
            // The caller may have stopped waiting.
            let _ = call.reply.send(answer);
        }
    }

    /// Accepts all of these events or none.
    async fn accept(&mut self, calls: &[&NewEvents]) -> BatchOutcome {
        let seconds: Vec<i64> = calls.iter().flat_map(|events| &events.seconds).copied().collect();
        let bodies: Vec<&str> =
            calls.iter().flat_map(|events| &events.bodies).map(String::as_str).collect();
        let sensitive = calls.iter().flat_map(|events| &events.sensitive);
        let sensitive: Vec<_> = sensitive.map(Option::as_deref).collect();
        let rows = Rows { seconds: &seconds, bodies: &bodies, sensitive: &sensitive };
        self.number += 1;
        let mut deadline = Instant::now() + self.timeout;
        let mut doubt = None;
        loop {
            let fault = match (self.accept_once(rows).await, &doubt) {
                (Ok(_), _) => return BatchOutcome::Committed,
                (Err(fault @ Fault::Refused { .. }), None) => return BatchOutcome::Failed(fault),
                // After this answer, the server must accept no late copy.
                (Err(fault @ Fault::Refused { .. }), Some(_)) => {
                    match self.accept_once(Rows::NONE).await {
                        Ok(Accepted::Before) => return BatchOutcome::Committed,
                        Ok(Accepted::Now) => return BatchOutcome::Failed(fault),
                        Err(fault) => fault,
                    }
                }
                (Err(fault), _) => fault,
            };
            if let (Fault::Lost(_), None) = (&fault, &doubt) {
                // A commit may wait for the disk or a standby, even after its client has gone.
                deadline = deadline.max(Instant::now() + self.timeout);
                doubt = Some(fault.clone());
            }
            if Instant::now() >= deadline {
                return doubt.map_or(BatchOutcome::Failed(fault), BatchOutcome::InDoubt);
            }
            sleep(REST).await;
        }
    }

    /// Accepts a batch under the present number, unless the store has it already.
    async fn accept_once(
        &self,
        Rows { seconds, bodies, sensitive }: Rows<'_>,
    ) -> Result<Accepted, Fault> {
        if self.number == 1 {
            // All events of this process have higher ids. Recorded before any event is visible.
            let last = self.link.query_one(&self.sql.last_id, &[]).await;
            let last: i64 = last.map_err(Fault::before_the_statement)?.get(0);
            own::accepted(&[last + 1]);
        }
        let (origin, skew) = (own::origin(), self.skew.millis());
        let params: [Param<'_>; 7] = [
            (&self.id, Type::INT8),
            (&self.number, Type::INT8),
            (&origin, Type::INT8),
            (&skew, Type::INT8),
            (&seconds, Type::INT8_ARRAY),
            (&bodies, Type::TEXT_ARRAY),
            (&sensitive, Type::TEXT_ARRAY),
        ];
        let rows = self.link.query(&self.sql.accept, &params).await?;
        let is_new = rows.first().is_some_and(|row| row.get(0));
        Ok(if is_new { Accepted::Now } else { Accepted::Before })
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
