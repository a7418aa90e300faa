//! Events that are pending: read, put back, and gone.

use std::fmt;
use std::time::SystemTime;

use intercom_core::DataEvent;
use intercom_delivery::EventId;
use intercom_delivery::outbox::{DeathReason, Failure};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use super::books::Books;
use super::seconds;
use crate::clock::{Millis, moment};

/// An event as it stands in its row, not looked into.
pub(crate) struct Stored {
    pub(crate) id: i64,
    /// When it is due again; none, where it was never put back.
    pub(crate) due: Option<Millis>,
    pub(crate) second: i64,
    pub(crate) accepted: Millis,
    pub(crate) attempts: u32,
    pub(crate) failure: Option<Failure>,
    pub(crate) fingerprint: i64,
    pub(crate) content: Content,
}

/// What is sent of an event.
pub(crate) enum Content {
    /// As it was read from its row.
    Text(String),
    /// As it was accepted by this process.
    Event(DataEvent),
}

impl Stored {
    pub(crate) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Stored {
            id: row.get(0)?,
            due: row.get(1)?,
            second: row.get(2)?,
            accepted: row.get(3)?,
            attempts: row.get(4)?,
            failure: failure(row, 5)?,
            fingerprint: row.get(8)?,
            content: Content::Text(row.get(9)?),
        })
    }

    /// What the rest of the program needs to know to settle it.
    pub(crate) fn brief(&self) -> Brief {
        let bytes = match &self.content {
            Content::Text(body) => body.len(),
            Content::Event(event) => event.body().len(),
        };
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        Brief { id: self.id, second: self.second, fingerprint: self.fingerprint, bytes }
    }
}

/// What must be known of an event when it leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brief {
    pub(crate) id: i64,
    pub(crate) second: i64,
    pub(crate) fingerprint: i64,
    pub(crate) bytes: i64,
}

/// Three columns from this one on: the message, the status, and the id of the request.
pub(crate) fn failure(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Failure>> {
    let message: Option<String> = row.get(column)?;
    let (status, request_id) = (row.get(column + 1)?, row.get(column + 2)?);
    Ok(message.map(|message| Failure { message, status, request_id }))
}

/// Those after this id, in the order in which they were accepted, which is that in which those are due that were never
/// put back.
pub(crate) fn in_order(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached(
        "SELECT id, due_at, created_at, accepted_at, attempts, last_failure, last_status, last_request_id, \
         fingerprint, body FROM outbox_events WHERE id > ?1 ORDER BY id",
    )
}

/// Those after this time and id that were put back, the longest due first, whether they are due or not.
pub(crate) fn put_back_in_order(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached(
        "SELECT id, due_at, created_at, accepted_at, attempts, last_failure, last_status, last_request_id, \
         fingerprint, body FROM outbox_events INDEXED BY outbox_events_put_back \
         WHERE due_at IS NOT NULL AND (due_at, id) > (?1, ?2) ORDER BY due_at, id",
    )
}

pub(crate) fn one(conn: &Connection, id: i64) -> rusqlite::Result<Option<Stored>> {
    let mut select = conn.prepare_cached(
        "SELECT id, due_at, created_at, accepted_at, attempts, last_failure, last_status, last_request_id, \
         fingerprint, body FROM outbox_events WHERE id = ?1",
    )?;
    select.query_row([id], Stored::of).optional()
}

pub(crate) fn oldest(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT min(id) FROM outbox_events")?.query_row([], |row| row.get(0))
}

/// An event was delivered. Whether it was there.
pub(crate) fn acknowledge(
    conn: &Connection,
    books: &mut Books,
    event: Brief,
) -> rusqlite::Result<bool> {
    let mut delete = conn.prepare_cached("DELETE FROM outbox_events WHERE id = ?1")?;
    if delete.execute([event.id])? == 0 {
        return Ok(false);
    }
    seconds::release(conn, books, event.id, event.second, event.fingerprint)?;
    books.delivered += 1;
    books.pending -= 1;
    books.pending_bytes -= event.bytes;
    Ok(true)
}

/// An event is due again at this time. Whether it was there.
pub(crate) fn put_back(
    conn: &Connection,
    id: i64,
    due: Millis,
    attempts: u32,
    failure: Option<&Failure>,
) -> rusqlite::Result<bool> {
    let Some(failure) = failure else {
        let mut update = conn
            .prepare_cached("UPDATE outbox_events SET due_at = ?2, attempts = ?3 WHERE id = ?1")?;
        return Ok(update.execute((id, due, attempts))? > 0);
    };
    let mut update = conn.prepare_cached(
        "UPDATE outbox_events SET due_at = ?2, attempts = ?3, last_failure = ?4, last_status = ?5, \
         last_request_id = ?6 WHERE id = ?1",
    )?;
    let Failure { message, status, request_id } = failure;
    Ok(update.execute((id, due, attempts, message, status, request_id))? > 0)
}

/// An event is a dead letter from now on. Whether it was there.
pub(crate) fn bury(
    conn: &Connection,
    books: &mut Books,
    event: Brief,
    reason: DeathReason,
    attempts: u32,
    failure: Option<&Failure>,
    now: Millis,
) -> rusqlite::Result<bool> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_dead_letters (id, reason, created_at, accepted_at, died_at, attempts, \
         last_failure, last_status, last_request_id, fingerprint, body) \
         SELECT id, ?2, created_at, accepted_at, ?3, ?4, ?5, ?6, ?7, fingerprint, body \
         FROM outbox_events WHERE id = ?1",
    )?;
    let message = failure.map(|failure| &failure.message);
    let status = failure.and_then(|failure| failure.status);
    let request_id = failure.and_then(|failure| failure.request_id.as_ref());
    let there = (event.id, reason.as_str(), now, attempts, message, status, request_id);
    if insert.execute(there)? == 0 {
        return Ok(false);
    }
    conn.prepare_cached("DELETE FROM outbox_events WHERE id = ?1")?.execute([event.id])?;
    books.dead += 1;
    books.dead_letters += 1;
    books.pending -= 1;
    books.pending_bytes -= event.bytes;
    Ok(true)
}

/// An event that is pending, as [`Inspection`](crate::Inspection) shows it.
///
/// `Display` is a line for a log. Neither it nor `Debug` shows the contact or a value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PendingEvent {
    /// Its number in the outbox.
    pub id: EventId,
    /// The event.
    pub event: DataEvent,
    /// When it was accepted, or redriven since.
    pub accepted_at: SystemTime,
    /// When it may be sent. It may be leased at this moment: that is known to the owner alone.
    pub due_at: SystemTime,
    /// How many attempts were spent on it.
    pub attempts: u32,
    /// Why it was put back the last time that a reason was given.
    pub last_failure: Option<Failure>,
}

impl fmt::Display for PendingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PendingEvent { id, event, attempts, last_failure, .. } = self;
        let name = event.name().escape_debug();
        write!(f, "pending event {id} `{name}` (attempts: {attempts})")?;
        last_failure.as_ref().map_or(Ok(()), |failure| write!(f, ": {failure}"))
    }
}

/// Events that are pending, in the order of their ids, beginning after this one. What cannot be read is left out.
pub(crate) fn read(
    conn: &Connection,
    after: Option<EventId>,
    most: usize,
) -> rusqlite::Result<Vec<PendingEvent>> {
    let mut select = conn.prepare_cached(
        "SELECT id, due_at, created_at, accepted_at, attempts, last_failure, last_status, last_request_id, \
         fingerprint, body FROM outbox_events WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let after = after.map_or(-1, |id| i64::try_from(id.0).unwrap_or(i64::MAX));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let stored = select.query_map((after, most), Stored::of)?;
    let mut events = Vec::new();
    for stored in stored {
        let stored = stored?;
        let id = EventId(stored.id.unsigned_abs());
        let Some(event) = readable(id, stored.content) else { continue };
        events.push(PendingEvent {
            id,
            event,
            accepted_at: moment(stored.accepted),
            due_at: moment(stored.due.unwrap_or(stored.accepted)),
            attempts: stored.attempts,
            last_failure: stored.failure,
        });
    }
    Ok(events)
}

/// The event that a stored body is of. Where somebody has changed it into something else, that is logged: it stays
/// where it is, and others need not wait for it.
pub(crate) fn readable(id: EventId, content: Content) -> Option<DataEvent> {
    let body = match content {
        Content::Text(body) => body,
        Content::Event(event) => return Some(event),
    };
    match DataEvent::from_body(body) {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::error!(event.id = id.0, error = %error, "the outbox holds an event that cannot be read");
            None
        }
    }
}
