//! Sets up an outbox.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::{Mutex, Notify};
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::types::Type;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::accept::{Acceptor, Acceptors};
use crate::clock::Skew;
use crate::counts::{self, CountsSql, OldestOwn};
use crate::error::ConnectError;
use crate::inspect::Inspection;
use crate::letters::LettersSql;
use crate::link::{Link, Target};
use crate::notifier::Notifier;
use crate::outbox::{Inner, PostgresOutbox};
use crate::schema::{self, DEFAULT_SCHEMA, SCHEMA_VERSION, Schema};
use crate::tls;
use crate::turn::{TurnSettings, Turns};

/// The default interval at which an outbox polls for other processes' events, and for its turn.
pub(crate) const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The default time that the deliverer may be silent before a standby takes over.
pub(crate) const DEFAULT_LEASE_TIME: Duration = Duration::from_secs(6);

/// The default limit of connecting, and of each statement.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest of these durations. Linux takes no time-out of a connection beyond 24 days.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Builds a [`PostgresOutbox`]. [`PostgresOutbox::builder`] returns it.
#[must_use = "a builder does nothing until `connect` is called"]
pub struct PostgresOutboxBuilder {
    url: String,
    schema: String,
    name: Option<String>,
    tls: Option<ClientConfig>,
    capacity: Option<Option<u64>>,
    timeout: Duration,
    turn: TurnSettings,
    migrate: bool,
    allow_asynchronous_commit: bool,
    skew: Skew,
}

impl PostgresOutboxBuilder {
    pub(crate) fn new(url: &str) -> Self {
        PostgresOutboxBuilder {
            url: url.to_owned(),
            schema: DEFAULT_SCHEMA.to_owned(),
            name: None,
            tls: None,
            capacity: None,
            timeout: DEFAULT_TIMEOUT,
            turn: TurnSettings {
                lease_time: DEFAULT_LEASE_TIME,
                poll_interval: DEFAULT_POLL_INTERVAL,
                listen: true,
            },
            migrate: true,
            allow_asynchronous_commit: false,
            skew: Skew::default(),
        }
    }

    /// Sets the schema of the tables. Use one schema for each Intercom workspace. The default is
    /// `intercom`.
    ///
    /// The name has 1 to 48 characters: `a` to `z`, digits and `_`. It begins neither with a digit
    /// nor with `pg_`. With any other name, [`connect`](Self::connect) fails.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Sets the name of this process. Other processes show it while this one delivers. The default
    /// is the process id, and the name of the machine.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the TLS configuration. The default follows the URL:
    ///
    /// - `sslmode=require`, `verify-ca` and `verify-full` all check the certificate against the
    ///   operating system's certificate authorities, and the name of the host.
    /// - `sslmode=prefer` encrypts if the server can, without a check. A URL without `sslmode`
    ///   means `prefer`.
    /// - `sslmode=disable` does not encrypt.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, config: ClientConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// Sets the limit of pending events. The tables store it, so it holds for all processes. The
    /// default is the stored limit. New tables have no limit.
    ///
    /// Calls of several processes or connections at the same moment may exceed it by their events.
    /// Dead letters do not count.
    pub fn capacity(mut self, events: u64) -> Self {
        self.capacity = Some(Some(events));
        self
    }

    /// Removes the limit of pending events that the tables store.
    pub fn unbounded(mut self) -> Self {
        self.capacity = Some(None);
        self
    }

    /// Limits the time of connecting, and of each statement: to a millisecond at least, and a day at
    /// most. The default is five seconds.
    ///
    /// An accepting call can take longer: it may wait for a connection, and it sends its batch again
    /// if the commit has no answer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(A_DAY);
        self
    }

    /// Sets how often the outbox polls for events of other processes and for its turn: a millisecond at
    /// least, and a day at most. The default is one second. Notifications usually arrive sooner.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.turn.poll_interval = interval.min(A_DAY);
        self
    }

    /// Sets how long the deliverer may write nothing before a standby takes over: 100 milliseconds at
    /// least, and a day at most. The default is six seconds. All processes need the same value.
    ///
    /// The deliverer writes each quarter of this time. It begins no request when two thirds of this
    /// time have passed since its last write.
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.turn.lease_time = time.min(A_DAY);
        self
    }

    /// Sets whether the outbox listens for notifications. The default is to listen.
    ///
    /// Behind PgBouncer in transaction mode, `LISTEN` does not work for the outbox. Set `false`
    /// there, so that no session of the pool keeps listening. Then polling finds the events of
    /// other processes.
    pub fn listen(mut self, listen: bool) -> Self {
        self.turn.listen = listen;
        self
    }

    /// Sets whether [`connect`](Self::connect) creates and migrates the tables. The default is
    /// `true`.
    ///
    /// To run the migrations yourself, take their SQL from [`migrations`](crate::migrations), and
    /// set `false`.
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Allows a server with `synchronous_commit = off`, whose commits do not wait for the disk. A
    /// crash of that server loses accepted events. By default, [`connect`](Self::connect) fails
    /// there.
    pub fn allow_asynchronous_commit(mut self) -> Self {
        self.allow_asynchronous_commit = true;
        self
    }

    /// Adds milliseconds to the database's clock: for tests.
    #[cfg(feature = "test-util")]
    pub fn clock_skew(mut self, millis: Arc<std::sync::atomic::AtomicI64>) -> Self {
        self.skew = Skew(millis);
        self
    }

    /// Connects. Creates the tables if there are none, and migrates older ones, unless
    /// [`migrate`](Self::migrate) is `false`.
    ///
    /// # Errors
    ///
    /// Fails when a setting is invalid, the database is unreachable or unsuitable, or it refuses a
    /// statement. Each reason is a variant of [`ConnectError`], which says what to do.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime: the outbox's own tasks run there.
    pub async fn connect(self) -> Result<PostgresOutbox, ConnectError> {
        let schema = Schema::new(&self.schema)?;
        expect_least("poll interval", self.turn.poll_interval, Duration::from_millis(1))?;
        expect_least("lease time", self.turn.lease_time, Duration::from_millis(100))?;
        let target = Arc::new(self.target()?);
        let news = Arc::new(Notify::new());
        let delivers = Arc::new(AtomicBool::new(false));
        let link = |setup: Box<dyn Fn() -> Option<String> + Send + Sync>| {
            Link::new(target.clone(), news.clone(), setup)
        };
        let reading = Arc::new(link(Box::new(|| None)));
        self.check(&reading).await?;
        self.set_up(&reading, &schema).await?;
        let counts = CountsSql::new(&schema);
        // Done before this process accepts an event.
        let oldest_own = OldestOwn::new(counts::history(&reading, &counts).await?);
        let listening: Box<dyn Fn() -> Option<String> + Send + Sync> = match self.turn.listen {
            true => {
                let (schema, delivers) = (schema.clone(), delivers.clone());
                Box::new(move || {
                    let turn = format!("LISTEN {}", schema.turn_channel());
                    Some(match delivers.load(Ordering::Relaxed) {
                        true => format!("{turn}; LISTEN {}", schema.events_channel()),
                        false => turn,
                    })
                })
            }
            false => Box::new(|| None),
        };
        let name = self.name.clone().unwrap_or_else(process_name);
        let turns = Arc::new(Turns::new(
            link(listening),
            schema.clone(),
            name,
            self.turn,
            self.skew.clone(),
            news.clone(),
            delivers.clone(),
        ));
        let notifier = Notifier { news: news.clone(), accepted: Arc::new(Notify::new()), delivers };
        let acceptors = Acceptors::new({
            let (target, schema, skew) = (target.clone(), schema.clone(), self.skew.clone());
            let (timeout, notifier) = (self.timeout, notifier.clone());
            move || {
                let link = Link::new(target.clone(), Arc::default(), || None);
                Acceptor::new(link, &schema, skew.clone(), timeout, notifier.clone())
            }
        });
        let notifying = notifier.clone().run(reading.clone(), schema.clone());
        let notifying = tokio::spawn(notifying).abort_handle();
        Ok(PostgresOutbox(Arc::new(Inner {
            acceptors: Arc::new(acceptors),
            turns,
            reading,
            counts,
            oldest_own: Mutex::new(oldest_own),
            letters: LettersSql::new(&schema),
            schema: schema.name().to_owned(),
            skew: self.skew,
            notifier,
            notifying,
        })))
    }

    /// Connects to inspect an existing outbox. Creates and migrates no tables. Uses only the
    /// settings of the schema, TLS and the time-out.
    ///
    /// # Errors
    ///
    /// Fails when the URL or the schema's name is invalid, the database is unreachable, or it has
    /// no outbox of this version.
    pub async fn inspect(self) -> Result<Inspection, ConnectError> {
        let schema = Schema::new(&self.schema)?;
        let target = Arc::new(self.target()?);
        let link = || Link::new(target.clone(), Arc::default(), || None);
        let reading = link();
        expect_tables(&reading, &schema).await?;
        let turns = Turns::new(
            link(),
            schema.clone(),
            String::new(),
            self.turn,
            self.skew.clone(),
            Arc::default(),
            Arc::default(),
        );
        Ok(Inspection::new(reading, turns, &schema, self.skew))
    }

    /// Connects a client for transactions of the application's own, with the TLS and the connection
    /// time-outs of the outbox. Reads no table.
    ///
    /// # Errors
    ///
    /// Fails when the URL or the TLS configuration is invalid, or the database is unreachable.
    #[cfg(feature = "tokio-postgres")]
    pub async fn client(&self) -> Result<tokio_postgres::Client, ConnectError> {
        Ok(crate::link::connect(&self.target()?).await?)
    }

    fn target(&self) -> Result<Target, ConnectError> {
        expect_least("timeout", self.timeout, Duration::from_millis(1))?;
        // The driver treats these modes alike: the connector decides what `require` checks.
        let url = ["verify-full", "verify-ca"].iter().fold(self.url.clone(), |url, mode| {
            url.replace(&format!("sslmode={mode}"), "sslmode=require")
        });
        let mut config: Config = url
            .parse()
            .map_err(|source: tokio_postgres::Error| ConnectError::Url { source: source.into() })?;
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("intercom-postgres");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(self.timeout);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(self.timeout);
        }
        let tls = match (&self.tls, config.get_ssl_mode()) {
            (Some(tls), _) => Ok(tls.clone()),
            (None, SslMode::Require) => tls::verified(),
            (None, _) => tls::opportunistic(),
        };
        let tls = MakeRustlsConnect::new(
            tls.map_err(|source| ConnectError::Tls { source: source.into() })?,
        );
        Ok(Target { config, tls, timeout: self.timeout, is_pooled: AtomicBool::new(false) })
    }

    /// Checks that the server is suitable.
    async fn check(&self, link: &Link) -> Result<(), ConnectError> {
        let row = link.query_one(
            "SELECT current_setting('server_version_num')::integer, \
                    current_setting('server_version'), current_setting('server_encoding'), \
                    current_setting('synchronous_commit')",
            &[],
        );
        let row = row.await?;
        if row.get::<_, i32>(0) < 140_000 {
            return Err(ConnectError::TooOld { found: row.get(1) });
        }
        let encoding: String = row.get(2);
        if encoding != "UTF8" {
            return Err(ConnectError::NotUtf8 { found: encoding });
        }
        let is_off = row.get::<_, &str>(3) == "off";
        if is_off && !self.allow_asynchronous_commit {
            return Err(ConnectError::AsynchronousCommit);
        }
        Ok(())
    }

    async fn set_up(&self, link: &Link, schema: &Schema) -> Result<(), ConnectError> {
        if self.migrate {
            schema::migrate(link, schema).await?;
        }
        expect_tables(link, schema).await?;
        if let Some(capacity) = self.capacity {
            let capacity = capacity.map(|events| i64::try_from(events).unwrap_or(i64::MAX));
            let set = schema.sql(
                "UPDATE {schema}.settings SET capacity = $1 WHERE capacity IS DISTINCT FROM $1",
            );
            link.query(&set, &[(&capacity, Type::INT8)]).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresOutboxBuilder {
    /// Hides the URL, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOutboxBuilder")
            .field("schema", &self.schema)
            .field("capacity", &self.capacity)
            .field("timeout", &self.timeout)
            .field("migrate", &self.migrate)
            .finish_non_exhaustive()
    }
}

fn expect_least(
    which: &'static str,
    duration: Duration,
    least: Duration,
) -> Result<(), ConnectError> {
    if duration < least { Err(ConnectError::TooShort { which, least }) } else { Ok(()) }
}

/// Fails when the tables are not of this version.
async fn expect_tables(link: &Link, schema: &Schema) -> Result<(), ConnectError> {
    match schema::version(link, schema).await? {
        SCHEMA_VERSION => Ok(()),
        found if found < SCHEMA_VERSION => Err(ConnectError::OlderSchema { found }),
        found => Err(ConnectError::NewerSchema { found }),
    }
}

/// Returns the number of this process, and the name of its machine if it has one.
fn process_name() -> String {
    let number = std::process::id();
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let machine = machine.or_else(|| std::env::var("HOSTNAME").ok());
    match machine.as_deref().map(str::trim).filter(|machine| !machine.is_empty()) {
        Some(machine) => format!("process {number} on {machine}"),
        None => format!("process {number}"),
    }
}
