//! A connection that opens on demand, and again after a break.
//!
//! It names no prepared statement, and sets nothing for the session except LISTEN. So it works
//! through PgBouncer, in any mode.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Fault;

/// A parameter of a statement, and its type.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// How to connect.
pub(crate) struct Target {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
    /// How long connecting, and any one statement, may take.
    pub(crate) timeout: Duration,
}

/// Makes a connection that listens for nothing.
#[cfg(feature = "tokio-postgres")]
pub(crate) async fn connect(target: &Target) -> Result<Client, Fault> {
    let connected = target.config.connect(target.tls.clone()).await;
    let (client, connection) = connected.map_err(|error| Fault::connecting(&error))?;
    // A broken connection shows in the next statement.
    tokio::spawn(connection);
    Ok(client)
}

/// Returns the statement that a new connection begins with, if any.
type Setup = Box<dyn Fn() -> Option<String> + Send + Sync>;

pub(crate) struct Link {
    target: Arc<Target>,
    client: Mutex<Option<Arc<Client>>>,
    setup: Setup,
    /// Notified of each notification.
    news: Arc<Notify>,
}

impl Link {
    pub(crate) fn new(
        target: Arc<Target>,
        news: Arc<Notify>,
        setup: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Link { target, client: Mutex::default(), setup: Box::new(setup), news }
    }

    /// Returns the connection. Makes it if there is none.
    pub(crate) async fn client(&self) -> Result<Arc<Client>, Fault> {
        // A dropped delivery counts its events, also after the end of its runtime.
        if Handle::try_current().is_err() {
            return Err(Fault::ended());
        }
        let mut slot = self.client.lock().await;
        if let Some(client) = slot.as_ref().filter(|client| !client.is_closed()) {
            return Ok(client.clone());
        }
        *slot = None;
        let client = match timeout(self.target.timeout, self.connect()).await {
            Ok(client) => Arc::new(client?),
            Err(_) => return Err(Fault::NotSent("connecting took too long".to_owned())),
        };
        *slot = Some(client.clone());
        Ok(client)
    }

    /// Drops the connection. The next statement makes another.
    pub(crate) async fn disconnect(&self) {
        self.client.lock().await.take();
    }

    async fn connect(&self) -> Result<Client, Fault> {
        let Target { config, tls, .. } = &*self.target;
        let connected = config.connect(tls.clone()).await;
        let (client, mut connection) = connected.map_err(|error| Fault::connecting(&error))?;
        let news = self.news.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notification(_) = message {
                    news.notify_waiters();
                }
            }
        });
        if let Some(setup) = (self.setup)() {
            client.batch_execute(&setup).await.map_err(|error| Fault::connecting(&error))?;
        }
        Ok(client)
    }

    /// Runs a statement on this connection. Drops a useless connection.
    pub(crate) async fn run<T>(
        &self,
        client: &Arc<Client>,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        let fault = match timeout(self.target.timeout, statement).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Fault::of(&error),
            Err(_) => Fault::Lost("a statement took too long".to_owned()),
        };
        if fault.is_lost() {
            self.forget(client).await;
        }
        Err(fault)
    }

    /// Drops this connection, unless there is a newer one.
    pub(crate) async fn forget(&self, client: &Arc<Client>) {
        self.client.lock().await.take_if(|present| Arc::ptr_eq(present, client));
    }

    pub(crate) async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        let client = self.client().await?;
        self.run(&client, client.query_typed(sql, params)).await
    }

    /// Runs a statement that only reads, a second time where the connection had broken meanwhile.
    pub(crate) async fn read(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        match self.query(sql, params).await {
            Err(fault) if fault.is_lost() => self.query(sql, params).await,
            answer => answer,
        }
    }

    /// Reads one row.
    pub(crate) async fn query_one(&self, sql: &str, params: &[Param<'_>]) -> Result<Row, Fault> {
        let row = self.read(sql, params).await?.into_iter().next();
        row.ok_or_else(|| Fault::Refused {
            code: "02000".to_owned(),
            message: "a row of the outbox is missing".to_owned(),
        })
    }

    /// Runs statements without parameters.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        let client = self.client().await?;
        self.run(&client, client.batch_execute(sql)).await
    }
}
