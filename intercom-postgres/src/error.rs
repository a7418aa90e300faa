//! Errors between this process and PostgreSQL.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use intercom_delivery::outbox::{AcceptError, OutboxError};
use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::schema::SCHEMA_VERSION;
use crate::sqlstate;

/// Why the outbox did not connect.
#[derive(thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub enum ConnectError {
    /// The URL is not a PostgreSQL URL.
    #[error(
        "the URL of the database cannot be read; it looks like \
         `postgres://user:password@host:5432/database`"
    )]
    Url { source: Box<dyn StdError + Send + Sync> },
    /// The name of the schema is not one that
    /// [`schema`](crate::PostgresOutboxBuilder::schema) allows.
    #[error(
        "the name of a schema must have 1 to 48 small letters, digits and `_`, begin with no \
         digit, and not with `pg_`"
    )]
    SchemaName,
    /// A duration of the builder is too short.
    #[error("the {which} must be at least {least:?}")]
    TooShort {
        /// The name of the setting.
        which: &'static str,
        /// The shortest duration that works.
        least: Duration,
    },
    /// The default TLS configuration could not be made.
    #[error("TLS could not be set up; give the builder a `rustls::ClientConfig`")]
    Tls { source: Box<dyn StdError + Send + Sync> },
    /// No server answered that allows writes, TLS or the login failed, or the connection broke.
    #[error("PostgreSQL cannot be reached: {what}")]
    Unreachable { what: String },
    /// PostgreSQL refused a statement.
    #[error("PostgreSQL refused to set up the outbox: {what}")]
    Refused { what: String },
    /// The server is older than PostgreSQL 14.
    #[error("PostgreSQL has the version {found}, and the outbox needs 14 or later; upgrade it")]
    TooOld { found: String },
    /// The encoding of the database is not UTF-8.
    #[error(
        "the database has the encoding {found}, and events are UTF-8; \
         create it with `ENCODING 'UTF8'`"
    )]
    NotUtf8 { found: String },
    /// `synchronous_commit` is `off`, so commits do not wait for the disk.
    #[error(
        "`synchronous_commit` is off, so that a crash of the server loses accepted events; set it \
         to on for this user, or call `allow_asynchronous_commit` if that is what you want"
    )]
    AsynchronousCommit,
    /// The tables are missing, or of an earlier version, and this connection must not migrate them.
    #[error(
        "the tables of the outbox have the version {found} instead of {SCHEMA_VERSION}; run the \
         SQL of `intercom_postgres::migrations`, or connect once without `migrate(false)`"
    )]
    OlderSchema { found: i32 },
    /// A later version of this crate made the tables.
    #[error(
        "the tables of the outbox have the version {found}, and {SCHEMA_VERSION} is the highest \
         that this program knows; upgrade intercom-postgres"
    )]
    NewerSchema { found: i32 },
}

/// The error and its sources.
impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        intercom_core::write_with_sources(f, self)
    }
}

impl From<Fault> for ConnectError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused { .. } => ConnectError::Refused { what: fault.to_string() },
            Fault::NotSent(what) | Fault::Barred(what) | Fault::Lost(what) => {
                ConnectError::Unreachable { what }
            }
        }
    }
}

/// Why a statement failed or has no answer. The text holds no value of an event.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// There was no connection. The server did not run the statement.
    NotSent(String),
    /// There was no connection, because the server does not take this user or database.
    Barred(String),
    /// The connection broke or did not answer. The server may have run the statement.
    Lost(String),
    /// PostgreSQL refused the statement.
    Refused { code: String, message: String },
}

impl Fault {
    /// Classifies the error of a statement.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else { return Fault::Lost(words(error)) };
        let code = db.code().code();
        let message = refusal(code, db.message());
        match code {
            // The server wrote nothing: it is a standby, or takes no sessions now.
            "25006" | "57P03" | "53300" => Fault::NotSent(message),
            // The server, or a pooler before it, ended the session, or does not know the outcome.
            "40003" => Fault::Lost(message),
            _ if code.starts_with("08") || code.starts_with("57P") => Fault::Lost(message),
            _ if ends_session(db) => Fault::Lost(message),
            _ => Fault::Refused { code: code.to_owned(), message },
        }
    }

    /// Classifies an error before any statement.
    pub(crate) fn connecting(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => {
                let (code, message) = (db.code().code(), refusal(db.code().code(), db.message()));
                match code.starts_with("28") || code.starts_with("3D") {
                    true => Fault::Barred(message),
                    false => Fault::NotSent(message),
                }
            }
            None => Fault::NotSent(words(error)),
        }
    }

    pub(crate) fn ended() -> Self {
        Fault::NotSent("the outbox's own task has ended with its runtime".to_owned())
    }

    pub(crate) fn missing_row() -> Self {
        Fault::Refused {
            code: SqlState::NO_DATA.code().to_owned(),
            message: "a row of the outbox is missing".to_owned(),
        }
    }

    /// Returns the fault of a statement whose preceding query failed with this one.
    pub(crate) fn before_the_statement(self) -> Self {
        match self {
            Fault::Lost(what) => Fault::NotSent(what),
            other => other,
        }
    }

    /// Returns whether to drop the connection.
    pub(crate) fn is_lost(&self) -> bool {
        !matches!(self, Fault::Refused { .. })
    }

    pub(crate) fn is_code(&self, wanted: &SqlState) -> bool {
        matches!(self, Fault::Refused { code, .. } if code == wanted.code())
    }

    /// Returns whether PostgreSQL refused a prepared statement for its name or its former result.
    pub(crate) fn is_about_prepared(&self) -> bool {
        self.is_code(&SqlState::INVALID_SQL_STATEMENT_NAME)
            || self.is_code(&SqlState::DUPLICATE_PSTATEMENT)
            || self.is_code(&SqlState::FEATURE_NOT_SUPPORTED)
    }

    /// Returns the error for settling, admitting, counting and reading.
    pub(crate) fn to_error(&self) -> OutboxError {
        OutboxError::new(self.to_string())
    }

    /// Returns the error for accepting, if the store accepted nothing.
    pub(crate) fn to_accept_error(&self) -> AcceptError {
        match self {
            Fault::Refused { code, .. } if code == sqlstate::FULL => AcceptError::Full,
            Fault::Refused { code, .. } if code == sqlstate::EXCEEDS_CAPACITY => {
                AcceptError::ExceedsCapacity
            }
            Fault::NotSent(_) => AcceptError::Unavailable(self.to_error()),
            _ => self.to_error().into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotSent(what) => write!(f, "PostgreSQL does not answer: {what}"),
            Fault::Barred(what) => write!(f, "PostgreSQL refuses the connection: {what}"),
            Fault::Lost(what) => write!(f, "the connection to PostgreSQL broke: {what}"),
            Fault::Refused { message, .. } => {
                write!(f, "PostgreSQL refused a statement: {message}")
            }
        }
    }
}

/// Returns whether the error ended the session. Some poolers send no severity but the one for people.
fn ends_session(error: &DbError) -> bool {
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        None => matches!(error.severity(), "FATAL" | "PANIC"),
    }
}

/// Returns PostgreSQL's message, except for errors of class 22, which quote data.
fn refusal(code: &str, message: &str) -> String {
    match code.starts_with("22") {
        true => format!("SQLSTATE {code}"),
        false => format!("{message} (SQLSTATE {code})"),
    }
}

/// An error of the driver with its sources, on one line.
fn words(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        words += &format!(": {error}");
        source = error.source();
    }
    words
}
