//! The common part of the helpers for the application's transactions.

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, OutboxError};

use crate::accept::NewEvents;
use crate::error::{ConnectError, Fault};
use crate::schema::Schema;
use crate::{own, sqlstate};

/// A call of the function `accept`.
pub(crate) struct AcceptCall {
    pub(crate) sql: String,
    pub(crate) bodies: Vec<String>,
    /// The names of each body's sensitive keys.
    pub(crate) sensitive: Vec<Option<String>>,
    pub(crate) origin: i64,
}

impl AcceptCall {
    pub(crate) fn new(schema: &str, events: &[DataEvent]) -> Result<Self, AcceptError> {
        let schema = Schema::new(schema);
        let schema = schema.map_err(|error: ConnectError| OutboxError::new(error.to_string()))?;
        let (bodies, sensitive) = NewEvents::with_derived(events)?.into_bodies();
        let sql = schema.sql("SELECT {schema}.accept($1::text[]::json[], $2, $3::text[]::json[])");
        Ok(AcceptCall { sql, bodies, sensitive, origin: own::origin() })
    }
}

/// Records the ids that the function returned.
pub(crate) fn accepted(ids: &[i64]) {
    own::accepted(ids);
}

/// Converts a refusal of the function to an error.
pub(crate) fn refused(code: &str, message: &str) -> AcceptError {
    match code {
        // The schema or the function is missing, or the right to use it.
        "3F000" | "42883" | "42501" => OutboxError::new(format!(
            "the function `accept` of the outbox cannot be called ({message}); connect a \
             `PostgresOutbox` to this database once, and grant this user USAGE on the schema"
        ))
        .into(),
        sqlstate::INVALID_BODY | sqlstate::BODY_TOO_LARGE => OutboxError::new(message).into(),
        _ => {
            let (code, message) = (code.to_owned(), message.to_owned());
            Fault::Refused { code, message }.to_accept_error()
        }
    }
}
