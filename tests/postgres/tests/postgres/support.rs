//! One server for all tests, and a schema for each.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use intercom_postgres::{PostgresOutbox, PostgresOutboxBuilder};
use test_postgres::Server;
pub(crate) use tests::outbox::{
    EARLY, LONG, NOON, accept, bury, delivered, event, events, put_back, turn_now,
};
use tokio_postgres::{Client, NoTls, Row};

pub(crate) type Engine = tests::outbox::Engine<PostgresOutbox>;

/// The server that harmless tests share.
static SERVER: LazyLock<Server> =
    LazyLock::new(|| Server::start().unwrap_or_else(|error| panic!("{error}")));

/// A schema on a server, with its own clock, which the test moves.
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

    /// Creates a place on another server.
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

    /// Opens a connection as an application or a person would.
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
