//! A connection that opens on demand, and again after a break.
//!
//! It sets nothing for the session except LISTEN. It names prepared statements only in a session of
//! its own. A pooler such as PgBouncer in transaction mode lends sessions to many clients, and a
//! name then belongs to whichever client came first. To tell the two apart, a connection asks the
//! server for a setting with a random value. A pooler refuses it, or the value is missing in the
//! session.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Row, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Fault;

/// A parameter of a statement, and its type.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// The settings of a connection.
pub(crate) struct Target {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
    /// The limit of connecting, and of each statement.
    pub(crate) timeout: Duration,
    /// Whether a pooler stands before the server.
    pub(crate) is_pooled: AtomicBool,
}

/// The setting by which a connection recognizes a session of its own.
const MARK: &str = "intercom.connection";

impl Target {
    /// Connects to a session that has this mark.
    async fn connect(&self, mark: Option<&str>) -> Result<(Client, Driver), tokio_postgres::Error> {
        let Some(mark) = mark else { return self.config.connect(self.tls.clone()).await };
        let mut config = self.config.clone();
        let options = config.get_options().unwrap_or_default();
        config.options(format!("{options} -c {MARK}={mark}"));
        config.connect(self.tls.clone()).await
    }
}

/// A statement: its text, and whether a session of its own prepares it.
pub(crate) trait Sql: Sync {
    fn text(&self) -> &str;

    fn is_prepared(&self) -> bool {
        false
    }
}

impl Sql for str {
    fn text(&self) -> &str {
        self
    }
}

impl Sql for String {
    fn text(&self) -> &str {
        self
    }
}

/// A frequent statement. It has no plan that goes stale: PostgreSQL would keep another statement's plan
/// from when the tables were small.
pub(crate) struct Prepared(pub(crate) String);

impl Sql for Prepared {
    fn text(&self) -> &str {
        &self.0
    }

    fn is_prepared(&self) -> bool {
        true
    }
}

/// The part of a connection that a task of its own drives.
type Driver = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Creates a connection that does not listen.
#[cfg(feature = "tokio-postgres")]
pub(crate) async fn connect(target: &Target) -> Result<Client, Fault> {
    let connected = target.connect(None).await;
    let (client, driver) = connected.map_err(|error| Fault::connecting(&error))?;
    // A broken connection shows in the next statement.
    tokio::spawn(driver);
    Ok(client)
}

/// An open connection.
struct Session {
    client: Client,
    /// The prepared statements, by their SQL. They are missing in a session that may not be its own.
    statements: Option<SyncMutex<HashMap<String, Statement>>>,
}

impl Session {
    /// Returns the prepared statement for this SQL, if it is a frequent one. Prepares it at its first
    /// run.
    async fn prepared(
        &self,
        sql: &(impl Sql + ?Sized),
        params: &[Param<'_>],
    ) -> Result<Option<Statement>, tokio_postgres::Error> {
        let Some(statements) = &self.statements else { return Ok(None) };
        if !sql.is_prepared() {
            return Ok(None);
        }
        let sql = sql.text();
        let known = || statements.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = known().get(sql) {
            return Ok(Some(statement.clone()));
        }
        let types: Vec<Type> = params.iter().map(|(_, of)| of.clone()).collect();
        let statement = self.client.prepare_typed(sql, &types).await?;
        known().insert(sql.to_owned(), statement.clone());
        Ok(Some(statement))
    }
}

/// Returns the statement that a new connection begins with, if any.
type Setup = Box<dyn Fn() -> Option<String> + Send + Sync>;

pub(crate) struct Link {
    target: Arc<Target>,
    session: Mutex<Option<Arc<Session>>>,
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
        Link { target, session: Mutex::default(), setup: Box::new(setup), news }
    }

    /// Returns the connection. Opens it if there is none.
    async fn session(&self) -> Result<Arc<Session>, Fault> {
        // A dropped delivery counts its events even after the end of its runtime.
        if Handle::try_current().is_err() {
            return Err(Fault::ended());
        }
        let mut slot = self.session.lock().await;
        if let Some(session) = slot.as_ref().filter(|session| !session.client.is_closed()) {
            return Ok(session.clone());
        }
        *slot = None;
        let session = match timeout(self.target.timeout, self.connect()).await {
            Ok(session) => Arc::new(session?),
            Err(_) => return Err(Fault::NotSent("connecting took too long".to_owned())),
        };
        *slot = Some(session.clone());
        Ok(session)
    }

    /// Drops the connection. The next statement makes another.
    pub(crate) async fn disconnect(&self) {
        self.session.lock().await.take();
    }

    async fn connect(&self) -> Result<Session, Fault> {
        let is_pooled = &self.target.is_pooled;
        let mut mark = None;
        if !is_pooled.load(Ordering::Relaxed) {
            mark = Some(format!("{:016x}", fastrand::u64(..)));
        }
        let mut connected = self.target.connect(mark.as_deref()).await;
        if mark.is_some() && connected.as_ref().is_err_and(may_refuse_mark) {
            mark = None;
            connected = self.target.connect(None).await;
        }
        let (client, mut driver) = connected.map_err(|error| Fault::connecting(&error))?;
        let news = self.news.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| driver.poll_message(context)).await {
                if let AsyncMessage::Notification(_) = message {
                    news.notify_waiters();
                }
            }
        });
        if let Some(setup) = (self.setup)() {
            client.batch_execute(&setup).await.map_err(|error| Fault::connecting(&error))?;
        }
        let mut owns_session = false;
        if let Some(mark) = mark {
            let read = "SELECT coalesce(current_setting($1, true), '')";
            let rows = client.query_typed(read, &[(&MARK, Type::TEXT)]).await;
            let rows = rows.map_err(|error| Fault::connecting(&error))?;
            owns_session = rows.iter().any(|row| row.get::<_, &str>(0) == mark);
        }
        is_pooled.fetch_or(!owns_session, Ordering::Relaxed);
        Ok(Session { client, statements: owns_session.then(SyncMutex::default) })
    }

    /// Waits for this answer. Drops a useless connection.
    async fn answer<T>(
        &self,
        session: &Arc<Session>,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        let fault = match timeout(self.target.timeout, answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Fault::of(&error),
            Err(_) => Fault::Lost("a statement took too long".to_owned()),
        };
        if fault.is_lost() {
            self.forget(session).await;
        }
        Err(fault)
    }

    /// Drops this connection, unless there is a newer one.
    async fn forget(&self, session: &Arc<Session>) {
        self.session.lock().await.take_if(|present| Arc::ptr_eq(present, session));
    }

    /// Returns whether the connection prepares frequent statements, as far as it knows.
    pub(crate) fn prepares(&self) -> bool {
        !self.target.is_pooled.load(Ordering::Relaxed)
    }

    pub(crate) async fn query(
        &self,
        sql: &(impl Sql + ?Sized),
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let session = self.session().await?;
        let fault = match self.query_in(&session, sql, params).await {
            Err(fault) if session.statements.is_some() && fault.is_about_prepared() => fault,
            answer => return answer,
        };
        // PostgreSQL ran nothing. A migration has changed what the statement returns, or the
        // session is not this connection's own after all.
        if !fault.is_code(&SqlState::FEATURE_NOT_SUPPORTED) {
            self.target.is_pooled.store(true, Ordering::Relaxed);
        }
        self.forget(&session).await;
        let session = self.session().await?;
        self.answer(&session, session.client.query_typed(sql.text(), params)).await
    }

    async fn query_in(
        &self,
        session: &Arc<Session>,
        sql: &(impl Sql + ?Sized),
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let prepared = self.answer(session, session.prepared(sql, params)).await;
        let Some(statement) = prepared.map_err(Fault::before_the_statement)? else {
            return self.answer(session, session.client.query_typed(sql.text(), params)).await;
        };
        let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
        self.answer(session, session.client.query(&statement, &values)).await
    }

    /// Runs a read-only statement, and repeats it once if the connection was broken.
    pub(crate) async fn read(
        &self,
        sql: &(impl Sql + ?Sized),
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Fault> {
        match self.query(sql, params).await {
            Err(fault) if fault.is_lost() => self.query(sql, params).await,
            answer => answer,
        }
    }

    /// Reads one row.
    pub(crate) async fn query_one(&self, sql: &str, params: &[Param<'_>]) -> Result<Row, Fault> {
        let row = self.read(sql, params).await?.into_iter().next();
        row.ok_or_else(Fault::missing_row)
    }

    /// Runs statements without parameters.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        let session = self.session().await?;
        self.answer(&session, session.client.batch_execute(sql)).await
    }
}

/// Returns whether the connection may have failed because of its mark. These classes of errors have
/// other reasons: the user, the database, its resources, and an operator.
fn may_refuse_mark(error: &tokio_postgres::Error) -> bool {
    let code = error.as_db_error().map(|error| error.code().code());
    code.is_some_and(|code| !["28", "3D", "53", "57"].iter().any(|class| code.starts_with(class)))
}
