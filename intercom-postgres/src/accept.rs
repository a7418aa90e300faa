//! Accepting events: what queues up during one commit shares the next.
//!
//! A transaction's own id is asked for before its commit. Where the answer to the commit is lost, a
//! new connection asks what became of that transaction.

use std::time::Duration;

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, OutboxError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::clock::Skew;
use crate::error::Fault;
use crate::link::Link;
use crate::nudge::Nudge;
use crate::own;
use crate::schema::Schema;

/// How many calls may wait for the next commit. Callers beyond wait for room in the queue.
pub(crate) const QUEUE: usize = 1024;

/// How many calls, and about how many bytes, share a commit at most.
const MAX_CALLS: usize = 1024;
const MAX_BYTES: usize = 4 << 20;

/// Between two questions about a transaction, or two attempts to reach the server.
const REST: Duration = Duration::from_millis(100);

/// How long a transaction may wait for this process: one that was stopped must not keep the
/// deliverer waiting for its events for ever.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// What is stored of events. Made in the caller's task.
pub(crate) struct NewEvents {
    seconds: Vec<i64>,
    bodies: Vec<String>,
    /// Of each, the names of its sensitive keys as a JSON array, if it has any.
    sensitive: Vec<Option<String>>,
}

impl NewEvents {
    /// # Errors
    ///
    /// Fails when a body is not text, which no event's is, or has a size that the outbox refuses.
    pub(crate) fn of(events: &[DataEvent]) -> Result<Self, AcceptError> {
        let body = |event: &DataEvent| {
            if event.body().len() > MAX_BODY {
                return Err(OutboxError::new(format!(
                    "the event `{}` has a body of more than 64 KiB; send fewer or shorter values",
                    event.name().escape_debug()
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

    /// The same with what is derived from the events, which is accepted with them.
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

/// The largest body, as the function `accept` has it, too.
pub(crate) const MAX_BODY: usize = 65_536;

/// A call of `accept`.
pub(crate) struct Call {
    pub(crate) events: NewEvents,
    pub(crate) reply: oneshot::Sender<Result<(), AcceptError>>,
}

/// Writes accepted events.
pub(crate) struct Acceptor {
    pub(crate) link: Link,
    pub(crate) sql: AcceptSql,
    pub(crate) skew: Skew,
    pub(crate) timeout: Duration,
    /// Rings after each commit.
    pub(crate) nudge: Nudge,
}

pub(crate) struct AcceptSql {
    /// Gives the id of the transaction, and fails when there is no room.
    begin: String,
    insert: String,
    status: &'static str,
    timeline: &'static str,
}

impl AcceptSql {
    pub(crate) fn new(schema: &Schema) -> Self {
        AcceptSql {
            begin: schema
                .sql("SELECT pg_current_xact_id()::text::bigint, {schema}.expect_room($1)"),
            insert: schema.sql(
                "INSERT INTO {schema}.events (created_at, accepted_at, origin, body, \
                                              sensitive) \
                 SELECT second, {schema}.now_millis() + $4, $3, body::json, \
                        {schema}.key_names(keys::json) \
                   FROM unnest($1, $2, $5) WITH ORDINALITY AS event (second, body, keys, place) \
                  ORDER BY place \
                 RETURNING id",
            ),
            status: "SELECT pg_xact_status($1::text::xid8)",
            // A crash can lose the last numbers of transactions, and the server then gives them again,
            // also without a new timeline. It forgets its statistics in each recovery.
            timeline: "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) || ' ' || \
                              pg_postmaster_start_time() || ' ' || coalesce(stats_reset::text, '') \
                         FROM pg_stat_bgwriter",
        }
    }
}

/// What became of a transaction.
enum End {
    Committed,
    /// Nothing was accepted.
    Failed(Fault),
    /// Nobody can tell.
    InDoubt(Fault),
}

impl Acceptor {
    /// Accepts until the last handle is dropped, and what is in the queue then.
    pub(crate) async fn run(self, mut calls: mpsc::Receiver<Call>) {
        let mut next = None;
        while let Some(first) = match next.take() {
            Some(call) => Some(call),
            None => calls.recv().await,
        } {
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
            self.serve(batch).await;
        }
    }

    async fn serve(&self, calls: Vec<Call>) {
        let all: Vec<&NewEvents> = calls.iter().map(|call| &call.events).collect();
        let end = self.accept(&all).await;
        // PostgreSQL refused one of the calls: each is accepted on its own.
        if calls.len() > 1 && matches!(end, End::Failed(Fault::Refused { .. })) {
            for call in calls {
                let end = self.accept(&[&call.events]).await;
                self.answer(vec![call], &end);
            }
            return;
        }
        self.answer(calls, &end);
    }

    fn answer(&self, calls: Vec<Call>, end: &End) {
        if !matches!(end, End::Failed(_)) {
            self.nudge.ring();
        }
        for call in calls {
            let answer = match end {
                End::Committed => Ok(()),
                End::Failed(fault) => Err(fault.to_accept_error()),
                End::InDoubt(fault) => Err(AcceptError::InDoubt(fault.to_error())),
            };
            // The caller may have stopped waiting.
            let _ = call.reply.send(answer);
        }
    }

    /// Accepts all of these events or none, and tries again where it is certain that none was.
    async fn accept(&self, calls: &[&NewEvents]) -> End {
        let seconds: Vec<i64> = calls.iter().flat_map(|events| &events.seconds).copied().collect();
        let bodies: Vec<&str> =
            calls.iter().flat_map(|events| &events.bodies).map(String::as_str).collect();
        let sensitive = calls.iter().flat_map(|events| &events.sensitive);
        let sensitive: Vec<_> = sensitive.map(Option::as_deref).collect();
        let rows = Rows { seconds: &seconds, bodies: &bodies, sensitive: &sensitive };
        let deadline = Instant::now() + self.timeout;
        loop {
            let end = self.accept_once(rows, deadline).await;
            let may_retry = matches!(&end, End::Failed(fault) if fault.is_lost());
            if !may_retry || Instant::now() >= deadline {
                return end;
            }
            sleep(REST).await;
        }
    }

    async fn accept_once(&self, rows: Rows<'_>, deadline: Instant) -> End {
        let begun = async {
            let client = self.link.client().await?;
            let transaction = self.link.run(&client, self.begin(&client, rows)).await;
            match transaction {
                Ok(transaction) => Ok((client, transaction)),
                Err(fault) => {
                    if !fault.is_lost() {
                        let _ = self.link.run(&client, client.batch_execute("ROLLBACK")).await;
                    }
                    Err(fault)
                }
            }
        };
        let (client, Begun { transaction, timeline }) = match begun.await {
            Ok(begun) => begun,
            Err(fault) => return End::Failed(fault),
        };
        match self.link.run(&client, client.batch_execute("COMMIT")).await {
            Ok(()) => End::Committed,
            Err(fault) if !fault.is_lost() => End::Failed(fault),
            Err(fault) => self.ask(transaction, &timeline, fault, deadline).await,
        }
    }

    /// Does all but the commit, in one round trip.
    async fn begin(&self, client: &Client, rows: Rows<'_>) -> Result<Begun, tokio_postgres::Error> {
        let Rows { seconds, bodies, sensitive } = rows;
        let number = i64::try_from(bodies.len()).unwrap_or(i64::MAX);
        let (origin, skew) = (own::origin(), self.skew.millis());
        let room = [(&number as _, Type::INT8)];
        let events = [
            (&seconds as _, Type::INT8_ARRAY),
            (&bodies as _, Type::TEXT_ARRAY),
            (&origin as _, Type::INT8),
            (&skew as _, Type::INT8),
            (&sensitive as _, Type::TEXT_ARRAY),
        ];
        // The first poll of each sends it, in this order.
        let (begun, transaction, inserted, timeline) = tokio::join!(
            biased;
            client.batch_execute(BEGIN),
            client.query_typed_one(&self.sql.begin, &room),
            client.query_typed(&self.sql.insert, &events),
            client.query_typed_one(self.sql.timeline, &[]),
        );
        begun?;
        let transaction = transaction?.get(0);
        let ids: Vec<i64> = inserted?.iter().map(|row| row.get(0)).collect();
        own::accepted(&ids);
        Ok(Begun { transaction, timeline: timeline?.get(0) })
    }

    /// Asks what became of a transaction whose commit has no answer.
    async fn ask(&self, transaction: i64, timeline: &str, lost: Fault, deadline: Instant) -> End {
        // A commit may have to wait for the disk or for a standby, also after its client has gone.
        let deadline = deadline.max(Instant::now() + self.timeout);
        loop {
            match self.status(transaction, timeline).await {
                Ok(Some(Status::Committed)) => return End::Committed,
                Ok(Some(Status::Aborted)) => return End::Failed(lost),
                Ok(Some(Status::InProgress)) => {}
                Ok(None) | Err(Fault::Refused { .. }) => return End::InDoubt(lost),
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                return End::InDoubt(lost);
            }
            sleep(REST).await;
        }
    }

    async fn status(&self, transaction: i64, timeline: &str) -> Result<Option<Status>, Fault> {
        let present: String = self.link.query_one(self.sql.timeline, &[]).await?.get(0);
        if present != timeline {
            // The server crashed, or another became the primary. It may have given the number to another
            // transaction.
            return Ok(None);
        }
        let transaction = transaction.to_string();
        let row = self.link.query_one(self.sql.status, &[(&transaction, Type::TEXT)]).await?;
        Ok(match row.get(0) {
            Some("committed") => Some(Status::Committed),
            Some("aborted") => Some(Status::Aborted),
            Some(_) => Some(Status::InProgress),
            None => None,
        })
    }
}

/// What is stored of the events of several calls, column by column.
#[derive(Clone, Copy)]
struct Rows<'a> {
    seconds: &'a [i64],
    bodies: &'a [&'a str],
    sensitive: &'a [Option<&'a str>],
}

/// A transaction that is to be committed, and what changes when its server recovers from a crash or is
/// replaced.
struct Begun {
    transaction: i64,
    timeline: String,
}

enum Status {
    Committed,
    Aborted,
    InProgress,
}
