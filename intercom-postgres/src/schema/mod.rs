//! The tables and functions of the outbox, and the steps from each version to the next.

use std::fmt;

use tokio_postgres::types::Type;

use crate::error::{ConnectError, Fault};
use crate::link::Link;

/// Each step upgrades the tables from the previous version to one version. A released step never
/// changes.
const STEPS: &[&str] = &[include_str!("v1.sql"), include_str!("v2.sql"), include_str!("v3.sql")];

/// The version of the tables that this crate reads and writes.
pub const SCHEMA_VERSION: i32 = STEPS.len() as i32;

/// The schema of the outbox by default.
pub(crate) const DEFAULT_SCHEMA: &str = "intercom";

/// The limit of a name's length. The names of channels contain it, and PostgreSQL cuts those after
/// 63 bytes.
const MAX_NAME: usize = 48;

/// The name of a schema. `Display` quotes it for SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema(String);

impl Schema {
    pub(crate) fn new(name: &str) -> Result<Self, ConnectError> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let is_name = !name.is_empty()
            && name.len() <= MAX_NAME
            && name.bytes().all(is_plain)
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.starts_with("pg_");
        if is_name { Ok(Schema(name.to_owned())) } else { Err(ConnectError::SchemaName) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Inserts the schema into a statement.
    pub(crate) fn sql(&self, template: &str) -> String {
        template.replace("{schema}", &self.to_string())
    }

    /// The statement that reads the last id that the sequence of events gave: 0, if it gave none.
    pub(crate) fn last_id(&self) -> String {
        format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {self}.event_ids")
    }

    /// The channel of notifications about accepted events.
    pub(crate) fn events_channel(&self) -> String {
        format!("{}_events", self.0)
    }

    /// The channel of notifications about a handover.
    pub(crate) fn turn_channel(&self) -> String {
        format!("{}_turn", self.0)
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// Returns the SQL that creates the tables and functions of the outbox, for your own migrations. It
/// has the steps after version `from`, up to [`SCHEMA_VERSION`], in one transaction. Version 0 has
/// no tables.
///
/// After you ran it, connect with [`migrate(false)`](crate::PostgresOutboxBuilder::migrate).
///
/// # Errors
///
/// Fails when the [builder](crate::PostgresOutboxBuilder::schema) does not allow the name of the
/// schema.
///
/// ```
/// let sql = intercom_postgres::migrations("intercom", 0)?;
/// assert!(sql.contains(r#"CREATE FUNCTION "intercom".accept(bodies json[]"#));
/// # Ok::<(), intercom_postgres::ConnectError>(())
/// ```
pub fn migrations(schema: &str, from: i32) -> Result<String, ConnectError> {
    let schema = Schema::new(schema)?;
    Ok(format!("BEGIN;\n{}COMMIT;\n", steps(&schema, from)))
}

fn steps(schema: &Schema, from: i32) -> String {
    let mut sql = String::new();
    if from == 0 {
        // Creating a schema needs a privilege that using an existing one does not.
        sql += &schema.sql(
            "DO $$ BEGIN\n    IF to_regnamespace('{schema}') IS NULL THEN\n        CREATE SCHEMA \
             {schema};\n    END IF;\nEND $$;\n",
        );
        sql += &schema.sql(
            "CREATE TABLE {schema}.migrations (\n    version integer PRIMARY KEY,\n    applied_at \
             timestamptz NOT NULL DEFAULT now()\n);\n",
        );
    }
    for (version, step) in (1..).zip(STEPS).filter(|(version, _)| *version > from) {
        sql += &schema.sql(step);
        let note = format!("INSERT INTO {schema}.migrations (version) VALUES ({version});\n");
        sql += &note;
    }
    sql
}

/// Returns the version of the tables, or 0 if there are none.
pub(crate) async fn version(link: &Link, schema: &Schema) -> Result<i32, Fault> {
    // Not `to_regclass`, which may answer from the session's cache of before the lock.
    let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables \
                                 WHERE schemaname = $1 AND tablename = 'migrations')";
    let name = schema.name();
    if !link.query_one(there, &[(&name, Type::TEXT)]).await?.get::<_, bool>(0) {
        return Ok(0);
    }
    let max = schema.sql("SELECT coalesce(max(version), 0) FROM {schema}.migrations");
    Ok(link.query_one(&max, &[]).await?.get(0))
}

/// Runs the missing steps, in one transaction.
pub(crate) async fn migrate(link: &Link, schema: &Schema) -> Result<(), Fault> {
    if version(link, schema).await? >= SCHEMA_VERSION {
        return Ok(());
    }
    // The lock lasts for the transaction, so it works through a pool. The version is read again
    // under the lock, because another process may have run the steps meanwhile.
    let begin = format!(
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'; \
         SELECT pg_advisory_xact_lock(hashtextextended('intercom_postgres.{}', 0))",
        schema.name()
    );
    link.batch(&begin).await?;
    let migrated = async {
        let from = version(link, schema).await?;
        if from < SCHEMA_VERSION {
            link.batch(&steps(schema, from)).await?;
        }
        link.batch("COMMIT").await
    };
    let migrated = migrated.await;
    if migrated.is_err() {
        // No other statement may use that transaction.
        link.disconnect().await;
    }
    migrated
}
