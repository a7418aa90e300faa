//! Accepts events in a transaction of tokio-postgres.

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, OutboxError};
use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;

use crate::in_transaction::{AcceptCall, accepted, refused};
use crate::schema::DEFAULT_SCHEMA;

/// Accepts events within your own transaction: they exist if and only if your changes do.
///
/// Also accepts the [derived](DataEvent::derived) events of each event. The outbox is the one in
/// the schema `intercom`. Call this last in the transaction. Call
/// [`notify`](crate::PostgresOutbox::notify) after the commit.
///
/// tokio-postgres sends prepared statements together if you await them together. So an event costs no
/// round-trip of its own. Look at the change's error first: an event after a refused change is refused
/// too.
///
/// ```no_run
/// # async fn place(
/// #     client: &mut tokio_postgres::Client,
/// #     events: &[intercom_core::DataEvent],
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// use intercom_postgres::tokio_postgres::accept_in;
/// use tokio_postgres::types::ToSql;
///
/// # let order = 7_i64;
/// let place = client.prepare("UPDATE orders SET placed = true WHERE id = $1").await?;
///
/// let params: [&(dyn ToSql + Sync); 1] = [&order];
/// let transaction = client.transaction().await?;
/// let change = transaction.execute(&place, &params);
/// let (changed, accepted) = tokio::join!(change, accept_in(&transaction, events));
/// changed?;
/// accepted?;
/// transaction.commit().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Fails when the outbox is full, can never hold this many events, refuses an event or does not
/// exist. Also fails when the connection fails. PostgreSQL then refuses further statements in the
/// transaction: roll it back, or go back to a savepoint. A commit would undo the transaction too, and
/// report no error.
pub async fn accept_in(
    transaction: &impl GenericClient,
    events: &[DataEvent],
) -> Result<(), AcceptError> {
    accept_in_schema(transaction, DEFAULT_SCHEMA, events).await
}

/// Accepts events into the outbox in this schema, as [`accept_in`] does.
///
/// # Errors
///
/// Fails as [`accept_in`] does, and when the name of the schema is invalid.
pub async fn accept_in_schema(
    transaction: &impl GenericClient,
    schema: &str,
    events: &[DataEvent],
) -> Result<(), AcceptError> {
    let AcceptCall { sql, bodies, sensitive, origin } = AcceptCall::new(schema, events)?;
    let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
        [(&bodies, Type::TEXT_ARRAY), (&origin, Type::INT8), (&sensitive, Type::TEXT_ARRAY)];
    match transaction.query_typed(&sql, &params).await {
        Ok(rows) => {
            let ids = rows.first().map(|row| row.get::<_, Vec<i64>>(0));
            accepted(&ids.unwrap_or_default());
            Ok(())
        }
        Err(error) => Err(match error.as_db_error() {
            Some(db) => refused(db.code().code(), db.message()),
            None => {
                OutboxError::new("the application's connection failed").with_source(error).into()
            }
        }),
    }
}
