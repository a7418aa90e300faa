//! One server for all tests, a schema for each, events, and an engine without a transport.

use std::future::ready;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{
    DeadLetterReason, Epoch, EventId, Failure, Lease, Leased, Outbox, OutboxError, Settlement,
    Slot, Standing, Tenure, Turn, UsedSlot, Verdict,
};
use intercom_postgres::{PostgresOutbox, PostgresOutboxBuilder};
use test_postgres::Server;
use tokio::task::yield_now;
use tokio_postgres::{Client, NoTls, Row};

/// The server of the tests that do not harm it.
static SERVER: LazyLock<Server> =
    LazyLock::new(|| Server::start().unwrap_or_else(|error| panic!("{error}")));

pub(crate) const NOON: i64 = 1_700_000_000;

/// A schema of its own on a server, and a clock that a test moves.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) schema: String,
    pub(crate) skew: Arc<AtomicI64>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place::on(SERVER.url())
    }

    /// On another server.
    pub(crate) fn on(url: String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let schema = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Place { url, schema, skew: Arc::default() }
    }

    pub(crate) fn builder(&self) -> PostgresOutboxBuilder {
        PostgresOutbox::builder(&self.url).schema(&self.schema).clock_skew(self.skew.clone())
    }

    pub(crate) async fn open(&self) -> PostgresOutbox {
        self.builder().connect().await.unwrap()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.skew.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// A connection as an application or a person has one.
    pub(crate) async fn psql(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Runs statements in which `{s}` is the schema.
    pub(crate) async fn run(&self, sql: &str) {
        self.psql().await.batch_execute(&self.sql(sql)).await.unwrap();
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<Row> {
        self.psql().await.query(&self.sql(sql), &[]).await.unwrap()
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0].get(0)
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        sql.replace("{s}", &self.schema)
    }
}

/// An event of this name, of one contact, at this second after noon.
pub(crate) fn event(name: &str, second: i64) -> DataEvent {
    let event = DynamicEvent::new(name).unwrap().with("number", second).unwrap();
    DataEvent::new(&event, Contact::user_id(42), Timestamp::from_unix_seconds(NOON + second))
        .unwrap()
}

/// So many events, each with a second of its own.
pub(crate) fn events(number: i64) -> Vec<DataEvent> {
    (0..number).map(|second| event("project_created", second)).collect()
}

pub(crate) async fn accept(outbox: &PostgresOutbox, events: &[DataEvent]) {
    outbox.accept(events).await.unwrap();
}

/// An engine that delivers: what it was told last, and what it must keep.
pub(crate) struct Engine {
    pub(crate) outbox: PostgresOutbox,
    pub(crate) tenure: Tenure,
}

impl Engine {
    /// Begins to deliver, which must be possible at once.
    pub(crate) async fn begin(outbox: &PostgresOutbox) -> Self {
        match outbox.lease(Standing::Unknown, 0).await.unwrap() {
            Turn::Began(tenure) => Engine { outbox: outbox.clone(), tenure },
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the turn of an outbox that stands by.
    pub(crate) async fn take_over(outbox: &PostgresOutbox, standing: Standing) -> Self {
        let mut standing = standing;
        loop {
            let turn = tokio::time::timeout(LONG, outbox.lease(standing, 0)).await;
            match turn.unwrap().unwrap() {
                Turn::Began(tenure) => return Engine { outbox: outbox.clone(), tenure },
                Turn::Standby(standby) => standing = Standing::Standby(standby.epoch),
                Turn::Leased(leased) => panic!("{leased:?}"),
            }
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.tenure.epoch
    }

    /// Leases what is due now.
    pub(crate) async fn leased(&self, limit: usize) -> Leased {
        for _ in 0..3 {
            match turn_now(&self.outbox, Standing::Delivering(self.epoch()), limit).await {
                None => return Leased::default(),
                Some(Turn::Leased(leased)) if leased.events.is_empty() => {}
                Some(Turn::Leased(leased)) => return leased,
                Some(other) => panic!("{other:?}"),
            }
        }
        Leased::default()
    }

    pub(crate) async fn lease(&self, limit: usize) -> Vec<Lease> {
        self.leased(limit).await.events
    }

    /// Leases all that is due now, however many leases it takes.
    pub(crate) async fn lease_all(&self) -> Vec<Lease> {
        let mut all = Vec::new();
        loop {
            let leases = self.lease(100).await;
            if leases.is_empty() {
                return all;
            }
            all.extend(leases);
        }
    }

    pub(crate) async fn all_ids(&self) -> Vec<u64> {
        self.lease_all().await.iter().map(|lease| lease.id.get()).collect()
    }

    pub(crate) async fn lease_ids(&self, limit: usize) -> Vec<u64> {
        self.lease(limit).await.iter().map(|lease| lease.id.get()).collect()
    }

    /// Settles these leases, and returns those that came too late.
    pub(crate) async fn try_settle(
        &self,
        settlements: &[Settlement],
    ) -> Result<Vec<EventId>, OutboxError> {
        self.outbox.settle(self.epoch(), settlements, EARLY).await
    }

    /// Settles all of them in one way, which must be possible.
    pub(crate) async fn settle(&self, leases: &[Lease], verdict: impl Fn(&Lease) -> Verdict) {
        let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(verdict(lease))).collect();
        assert_eq!(self.try_settle(&settlements).await.unwrap(), []);
    }

    /// Leases and delivers so many.
    pub(crate) async fn deliver(&self, limit: usize) {
        let leases = self.lease(limit).await;
        self.settle(&leases, delivered).await;
    }
}

pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What a call of `lease` gives before it waits.
pub(crate) async fn turn_now(
    outbox: &PostgresOutbox,
    standing: Standing,
    limit: usize,
) -> Option<Turn> {
    let mut lease = pin!(outbox.lease(standing, limit));
    // A settlement waits for the same lock as a lease, so this one is answered after it.
    let other = Epoch::new(u64::MAX);
    tokio::select! {
        biased;
        turn = &mut lease => return Some(turn.unwrap()),
        () = async {
            for _ in 0..3 {
                yield_now().await;
                outbox.settle(other, &[], EARLY).await.unwrap();
            }
            yield_now().await;
        } => {}
    }
    tokio::select! {
        biased;
        turn = lease => Some(turn.unwrap()),
        () = ready(()) => None,
    }
}

/// Before all times that matter.
pub(crate) const EARLY: Timestamp = Timestamp::from_unix_seconds(0);

/// The slot of an event, to be kept for two minutes after noon.
pub(crate) fn used(event: &DataEvent) -> UsedSlot {
    UsedSlot::new(Slot::of(event), Timestamp::from_unix_seconds(NOON + 120))
}

pub(crate) fn delivered(lease: &Lease) -> Verdict {
    Verdict::Delivered { used: used(&lease.event) }
}

/// Buries an event that Intercom refused.
pub(crate) fn bury(reason: DeadLetterReason) -> impl Fn(&Lease) -> Verdict {
    move |_| Verdict::Bury { reason, attempts: 1, failure: None, used: None }
}

pub(crate) fn put_back(after: Duration) -> impl Fn(&Lease) -> Verdict {
    let failure = Failure::new("it did not answer");
    move |_| Verdict::PutBack { after, attempts: 1, failure: Some(failure.clone()) }
}
