//! Inspects the outbox from any process: for tools.

use std::fmt;

use intercom_core::Contact;
use intercom_delivery::outbox::{
    Counts, DeadLetter, Epoch, ErasedEvents, EventId, OutboxError, PendingEvent, Selection, Standby,
};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::clock::{Skew, moment};
use crate::counts::{CountsSql, counts};
use crate::letters::{self, LettersSql};
use crate::link::Link;
use crate::schema::Schema;
use crate::turn::{COLUMNS, StoredEvent, Turns};

/// Inspects an outbox from any process. [`PostgresOutbox::inspect`](crate::PostgresOutbox::inspect)
/// returns it.
///
/// It can bury pending events, redrive and purge dead letters, and erase contacts. It never delivers.
/// The process that delivers notices within its
/// [poll interval](crate::PostgresOutboxBuilder::poll_interval).
pub struct Inspection {
    link: Link,
    turns: Turns,
    counts: CountsSql,
    letters: LettersSql,
    pending: String,
    deliverer: String,
    schema: String,
    skew: Skew,
}

impl Inspection {
    /// Creates an inspection with two connections: one for reads, and one for changes that need the
    /// deliverer's lock.
    pub(crate) fn new(link: Link, turns: Turns, schema: &Schema, skew: Skew) -> Self {
        let pending = format!(
            "SELECT {COLUMNS} FROM {schema}.events WHERE id > $1 AND NOT removed ORDER BY id LIMIT $2"
        );
        let deliverer =
            schema.sql("SELECT epoch, owner, since FROM {schema}.deliverer WHERE NOT released");
        let (counts, letters) = (CountsSql::new(schema), LettersSql::new(schema));
        let schema = schema.name().to_owned();
        Inspection { link, turns, counts, letters, pending, deliverer, schema, skew }
    }

    /// Returns the counts since the tables were created.
    ///
    /// # Errors
    ///
    /// Fails when the database does not answer.
    pub async fn counts(&self) -> Result<Counts, OutboxError> {
        let counted = counts(&self.link, &self.counts, None, &self.skew).await;
        counted.map_err(|fault| fault.to_error())
    }

    /// Returns the turn of the process that delivers, if one does. If that process was killed, it
    /// returns the same turn until another process takes over.
    ///
    /// # Errors
    ///
    /// Fails when the database does not answer.
    pub async fn deliverer(&self) -> Result<Option<Standby>, OutboxError> {
        let row = self.link.read(&self.deliverer, &[]).await.map_err(|fault| fault.to_error())?;
        let read = |row: &Row| {
            let (epoch, owner, since): (i64, String, i64) = (row.get(0), row.get(1), row.get(2));
            Standby::new(Epoch::new(epoch.unsigned_abs()), owner, moment(since))
        };
        Ok(row.first().map(read))
    }

    /// Reads up to `limit` pending events with an id above `after`, in the order of their ids.
    /// `None` begins with the first.
    ///
    /// # Errors
    ///
    /// Fails when the database does not answer.
    pub async fn pending(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<PendingEvent>, OutboxError> {
        let after = after.map_or(-1, |id| i64::try_from(id.get()).unwrap_or(i64::MAX));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows =
            self.link.read(&self.pending, &[(&after, Type::INT8), (&limit, Type::INT8)]).await;
        let rows = rows.map_err(|fault| fault.to_error())?;
        Ok(rows.iter().filter_map(|row| StoredEvent::of(row, 0).pending()).collect())
    }

    /// Reads up to `limit` dead letters with an id above `after`, in the order of their ids. `None`
    /// begins with the first.
    ///
    /// # Errors
    ///
    /// Fails when the database does not answer.
    pub async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        letters::read(&self.link, &self.letters, after, limit).await
    }

    /// Makes dead letters pending again, due now and with zero attempts. Returns their number.
    ///
    /// # Errors
    ///
    /// Fails when the database refuses the change: then nothing has changed. Also fails when the
    /// database does not answer: then the change may have been made.
    pub async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        letters::redrive(&self.link, &self.letters, which, &self.skew).await
    }

    /// Deletes dead letters for good. Returns their number.
    ///
    /// # Errors
    ///
    /// Fails when the database refuses the change: then nothing has changed. Also fails when the
    /// database does not answer: then the change may have been made.
    pub async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        letters::purge(&self.link, &self.letters, which).await
    }

    /// Makes pending events dead letters. Returns their number.
    ///
    /// An event whose first attempt is in flight may still arrive. If you then redrive it, it may
    /// arrive twice: only the process that delivers knows which events are in flight.
    ///
    /// # Errors
    ///
    /// Fails when the database refuses the change: then nothing has changed. Also fails when the
    /// database does not answer: then the change may have been made.
    pub async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.turns.bury(which).await
    }

    /// Erases a contact: deletes its pending events and dead letters, and keeps tombstones, so that
    /// the engine withholds its later events. Returns the numbers of deleted events.
    ///
    /// The process that delivers learns of the erasure within its poll interval. Until then it may
    /// send the events that it has leased. The deleted bytes stay in PostgreSQL's files until
    /// `VACUUM`.
    ///
    /// # Errors
    ///
    /// Fails when the database refuses the change: then nothing has changed. Also fails when the
    /// database does not answer: then the change may have been made.
    pub async fn erase(&self, contact: &Contact) -> Result<ErasedEvents, OutboxError> {
        self.turns.erase(contact).await
    }

    /// Ends the erasure of a contact, so that the engine sends its later events. Returns whether the
    /// contact was erased.
    ///
    /// # Errors
    ///
    /// Fails when the database refuses the change: then nothing has changed. Also fails when the
    /// database does not answer: then the change may have been made.
    pub async fn forgive(&self, contact: &Contact) -> Result<bool, OutboxError> {
        self.turns.forgive(contact).await
    }
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection").field("schema", &self.schema).finish_non_exhaustive()
    }
}
