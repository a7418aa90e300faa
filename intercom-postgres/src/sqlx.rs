//! Accepts events in a transaction of sqlx, version 0.8 or 0.9.

use intercom_core::{DataEvent, async_trait};
use intercom_delivery::outbox::{AcceptError, OutboxError};

use crate::in_transaction::{AcceptCall, accepted, refused};
use crate::schema::DEFAULT_SCHEMA;

/// Accepts events within your own transaction: they exist if and only if your changes do.
///
/// Also accepts the [derived](DataEvent::derived) events of each event. The outbox is the one in
/// the schema `intercom`. Call this last in the transaction. Call
/// [`notify`](crate::PostgresOutbox::notify) after the commit.
///
/// # Errors
///
/// Fails when the outbox is full, can never hold this many events, refuses an event or does not
/// exist. Also fails when the connection fails. PostgreSQL then refuses further statements in the
/// transaction: roll it back, or go back to a savepoint. A commit would undo the transaction too, and
/// report no error.
pub async fn accept_in(
    connection: &mut impl PgConnection,
    events: &[DataEvent],
) -> Result<(), AcceptError> {
    accept_in_schema(connection, DEFAULT_SCHEMA, events).await
}

/// Accepts events into the outbox in this schema, as [`accept_in`] does.
///
/// # Errors
///
/// Fails as [`accept_in`] does, and when the name of the schema is invalid.
pub async fn accept_in_schema(
    connection: &mut impl PgConnection,
    schema: &str,
    events: &[DataEvent],
) -> Result<(), AcceptError> {
    let ids = connection.call(AcceptCall::new(schema, events)?).await?;
    accepted(&ids);
    Ok(())
}

/// A connection of sqlx to PostgreSQL, such as `&mut *transaction`: of sqlx 0.8 with the feature
/// `sqlx-0_8`, and of sqlx 0.9 with `sqlx-0_9`. The trait is sealed.
#[expect(private_interfaces, reason = "it seals the trait")]
#[async_trait]
pub trait PgConnection: Send {
    #[doc(hidden)]
    async fn call(&mut self, call: AcceptCall) -> Result<Vec<i64>, AcceptError>;
}

#[cfg(feature = "sqlx-0_8")]
#[async_trait]
impl PgConnection for sqlx_0_8::PgConnection {
    #[expect(private_interfaces, reason = "it seals the trait")]
    async fn call(&mut self, call: AcceptCall) -> Result<Vec<i64>, AcceptError> {
        let AcceptCall { sql, bodies, sensitive, origin } = call;
        // Not prepared, so that it works through PgBouncer.
        let query = sqlx_0_8::query_scalar(&sql).persistent(false);
        let query = query.bind(bodies).bind(origin).bind(sensitive);
        query.fetch_one(self).await.map_err(|error| match error.as_database_error() {
            Some(db) => refused(&db.code().unwrap_or_default(), db.message()),
            None => failed(error),
        })
    }
}

#[cfg(feature = "sqlx-0_9")]
#[async_trait]
impl PgConnection for sqlx_0_9::PgConnection {
    #[expect(private_interfaces, reason = "it seals the trait")]
    async fn call(&mut self, call: AcceptCall) -> Result<Vec<i64>, AcceptError> {
        let AcceptCall { sql, bodies, sensitive, origin } = call;
        // Its only variable part is the checked name of a schema.
        let sql = sqlx_0_9::AssertSqlSafe(sql);
        let query = sqlx_0_9::query_scalar(sql).persistent(false);
        let query = query.bind(bodies).bind(origin).bind(sensitive);
        query.fetch_one(self).await.map_err(|error| match error.as_database_error() {
            Some(db) => refused(&db.code().unwrap_or_default(), db.message()),
            None => failed(error),
        })
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> AcceptError {
    OutboxError::new("the application's connection failed").with_source(error).into()
}
