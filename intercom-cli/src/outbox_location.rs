//! The location of an outbox: a SQLite file, or a schema of a PostgreSQL database.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use intercom_delivery::outbox::{Operate, Outbox};
use intercom_postgres::PostgresOutbox;
use intercom_sqlite::SqliteOutbox;

use crate::failure::Failure;

/// The location of an outbox. `Display` shows no URL, because a URL may contain a password.
#[derive(Clone)]
pub(crate) enum Location {
    Sqlite(PathBuf),
    Postgres { url: String, schema: String },
}

/// An outbox of any kind.
pub(crate) trait AnyOutbox: Outbox + Operate {}

impl<O: Outbox + Operate> AnyOutbox for O {}

impl Location {
    pub(crate) fn new(place: String, schema: Option<String>) -> Self {
        let is_url =
            ["postgres://", "postgresql://"].iter().any(|scheme| place.starts_with(scheme));
        if is_url {
            let schema = schema.unwrap_or_else(|| "intercom".to_owned());
            Location::Postgres { url: place, schema }
        } else {
            Location::Sqlite(place.into())
        }
    }

    /// Opens the outbox, to accept in it and to deliver from it. Creates a missing SQLite file.
    ///
    /// # Errors
    ///
    /// Fails when the outbox cannot keep events safe.
    pub(crate) async fn open(&self) -> Result<Arc<dyn AnyOutbox>, Failure> {
        match self {
            Location::Sqlite(path) => Ok(Arc::new(SqliteOutbox::open(path)?)),
            Location::Postgres { url, schema } => {
                Ok(Arc::new(PostgresOutbox::builder(url).schema(schema).connect().await?))
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(path) => write!(f, "{}", path.display()),
            Location::Postgres { schema, .. } => write!(f, "PostgreSQL, schema {schema}"),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
