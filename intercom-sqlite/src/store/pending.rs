//! Reads, admits, puts back and removes pending events.

use std::time::Duration;

use intercom_core::DataEvent;
use intercom_delivery::outbox::{
    DeadLetterReason, EventId, Failure, PendingEvent, Selection, Stage,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use super::counts::CountsRow;
use super::selection::{Table, select};
use crate::clock::{Millis, moment, until};

/// The columns of a [`StoredEvent`].
macro_rules! columns {
    () => {
        "SELECT id, due_at, accepted_at, admitted, attempts, last_failure, last_status, \
         last_request_id, body, sensitive FROM outbox_events "
    };
}

/// The stored stages of admission. 1 is [`Stage::Admitted`].
pub(crate) mod stage {
    pub(crate) const NEW: i64 = 0;
    pub(crate) const REDRIVEN: i64 = 2;
    pub(crate) const DERIVED: i64 = 3;
}

/// An event as its row stores it.
pub(crate) struct StoredEvent {
    pub(crate) id: i64,
    /// `None`: never put back, and due at once.
    pub(crate) due: Option<Millis>,
    pub(crate) accepted: Millis,
    stage: i64,
    pub(crate) attempts: u32,
    pub(crate) failure: Option<Failure>,
    pub(crate) body: Vec<u8>,
    pub(crate) sensitive: Option<Vec<u8>>,
}

impl StoredEvent {
    pub(crate) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(StoredEvent {
            id: row.get(0)?,
            due: row.get(1)?,
            accepted: row.get(2)?,
            stage: row.get(3)?,
            attempts: attempts(row, 4)?,
            failure: failure(row, 5)?,
            body: text(row, 8)?.unwrap_or_default(),
            sensitive: text(row, 9)?,
        })
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.stage {
            stage::NEW => Stage::New,
            stage::REDRIVEN => Stage::Redriven,
            stage::DERIVED => Stage::Derived,
            _ => Stage::Admitted,
        }
    }

    /// Returns the size of the body in bytes.
    pub(crate) fn bytes(&self) -> i64 {
        i64::try_from(self.body.len()).unwrap_or(i64::MAX)
    }
}

/// Reads a text as it is stored. What a person has written there need not be UTF-8, and must not hold up
/// other events.
pub(crate) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Vec<u8>>> {
    Ok(row.get_ref(column)?.as_bytes_or_null()?.map(<[u8]>::to_vec))
}

/// Reads a number of attempts, whatever a person has made of it.
pub(crate) fn attempts(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    let attempts: i64 = row.get(column)?;
    Ok(u32::try_from(attempts.max(0)).unwrap_or(u32::MAX))
}

/// Reads three columns from this index: the message, the status, and the request id.
pub(crate) fn failure(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Failure>> {
    let shown = |text: Vec<u8>| String::from_utf8_lossy(&text).into_owned();
    let Some(message) = text(row, column)?.map(shown) else { return Ok(None) };
    let status: Option<i64> = row.get(column + 1)?;
    let status = status.and_then(|status| u16::try_from(status).ok());
    let request_id = text(row, column + 2)?.map(shown);
    Ok(Some(Failure::new(message).with_status(status).with_request_id(request_id)))
}

/// Selects the events after this id, in the order of their ids. Events that were never put back are
/// due in this order.
pub(crate) fn by_id(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached(concat!(columns!(), "WHERE id > ?1 ORDER BY id"))
}

/// Selects ids and due times of the events that were put back, the longest due first, after this due
/// time and id. Reads the index alone, from that place: a row value would compare all ids of that
/// due time.
pub(crate) fn by_due_time(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached(
        "SELECT id, due_at FROM outbox_events INDEXED BY outbox_events_put_back \
         WHERE due_at = ?1 AND id > ?2 \
         UNION ALL \
         SELECT id, due_at FROM outbox_events INDEXED BY outbox_events_put_back WHERE due_at > ?1 \
         ORDER BY due_at, id",
    )
}

/// Selects one event.
pub(crate) fn by_one_id(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached(concat!(columns!(), "WHERE id = ?1"))
}

/// Records that an event's bytes are final, and stores them if they changed. Returns whether the
/// event was pending.
pub(crate) fn admit(
    conn: &Connection,
    id: i64,
    changed: Option<&DataEvent>,
) -> rusqlite::Result<bool> {
    let Some(event) = changed else {
        let update = "UPDATE outbox_events SET admitted = 1 WHERE id = ?1";
        return Ok(conn.prepare_cached(update)?.execute([id])? > 0);
    };
    let mut update = conn.prepare_cached(
        "UPDATE outbox_events SET admitted = 1, created_at = ?2, body = ?3, sensitive = ?4 \
         WHERE id = ?1",
    )?;
    let body = str::from_utf8(event.body()).map_err(rusqlite::Error::from)?;
    let second = event.created_at().unix_seconds();
    Ok(update.execute((id, second, body, sensitive(event)))? > 0)
}

/// Returns whether an event is pending.
pub(crate) fn is_there(conn: &Connection, id: i64) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM outbox_events WHERE id = ?1")?.exists([id])
}

/// Defers the admission of an event until this time. Returns whether it was pending.
pub(crate) fn defer(conn: &Connection, id: i64, due: Millis) -> rusqlite::Result<bool> {
    let update = "UPDATE outbox_events SET due_at = ?2 WHERE id = ?1";
    Ok(conn.prepare_cached(update)?.execute((id, due))? > 0)
}

/// Deletes an event that is no longer pending. Returns whether it was pending.
pub(crate) fn remove(
    conn: &Connection,
    counts: &mut CountsRow,
    id: i64,
    bytes: i64,
) -> rusqlite::Result<bool> {
    let was_there =
        conn.prepare_cached("DELETE FROM outbox_events WHERE id = ?1")?.execute([id])? > 0;
    if was_there {
        counts.pending -= 1;
        counts.pending_bytes -= bytes;
    }
    Ok(was_there)
}

/// Puts an event back until this time. Returns whether it was pending.
pub(crate) fn put_back(
    conn: &Connection,
    id: i64,
    due: Millis,
    attempts: u32,
    failure: Option<&Failure>,
) -> rusqlite::Result<bool> {
    let Some(Failure { message, status, request_id, .. }) = failure else {
        let update =
            "UPDATE outbox_events SET due_at = ?2, admitted = 1, attempts = ?3 WHERE id = ?1";
        return Ok(conn.prepare_cached(update)?.execute((id, due, attempts))? > 0);
    };
    let mut update = conn.prepare_cached(
        "UPDATE outbox_events SET due_at = ?2, admitted = 1, attempts = ?3, last_failure = ?4, \
         last_status = ?5, last_request_id = ?6 WHERE id = ?1",
    )?;
    Ok(update.execute((id, due, attempts, message, status, request_id))? > 0)
}

/// Copies an event to the dead letters, with reason and time, and whether an attempt may have
/// arrived.
pub(crate) fn copy_to_dead(
    conn: &Connection,
    id: i64,
    (reason, died_at, admitted): (DeadLetterReason, Millis, bool),
    attempts: u32,
    failure: Option<&Failure>,
) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_dead_letters (id, reason, created_at, accepted_at, died_at, admitted, \
         origin, attempts, last_failure, last_status, last_request_id, body, sensitive) \
         SELECT id, ?2, created_at, accepted_at, ?3, ?4, origin, ?5, ?6, ?7, ?8, body, sensitive \
         FROM outbox_events WHERE id = ?1",
    )?;
    let message = failure.map(|failure| &failure.message);
    let status = failure.and_then(|failure| failure.status);
    let request_id = failure.and_then(|failure| failure.request_id.as_ref());
    let row = (id, reason.as_str(), died_at, admitted, attempts, message, status, request_id);
    insert.execute(row).map(drop)
}

/// Buries the selected events for an operator. Returns their ids.
pub(crate) fn bury(
    conn: &Connection,
    counts: &mut CountsRow,
    which: &Selection,
    now: Millis,
    is_leased: impl Fn(i64) -> bool,
) -> rusqlite::Result<Vec<i64>> {
    let selected = select(Table::Pending, conn, which)?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_dead_letters (id, reason, created_at, accepted_at, died_at, admitted, \
         origin, attempts, last_failure, last_status, last_request_id, body, sensitive) \
         SELECT id, ?2, created_at, accepted_at, ?3, admitted = 1 OR ?4, origin, attempts, \
         last_failure, last_status, last_request_id, body, sensitive FROM outbox_events \
         WHERE id = ?1",
    )?;
    let reason = DeadLetterReason::Buried.as_str();
    for event in &selected {
        insert.execute((event.id, reason, now, is_leased(event.id)))?;
        remove(conn, counts, event.id, event.bytes)?;
        counts.dead += 1;
        counts.dead_letters += 1;
    }
    Ok(selected.into_iter().map(|event| event.id).collect())
}

/// Reads pending events in the order of their ids, after the given id. Skips unreadable ones.
pub(crate) fn read(
    conn: &Connection,
    after: Option<EventId>,
    limit: usize,
) -> rusqlite::Result<Vec<PendingEvent>> {
    let mut select =
        conn.prepare_cached(concat!(columns!(), "WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
    let after = after.map_or(-1, |id| i64::try_from(id.get()).unwrap_or(i64::MAX));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let stored = select.query_map((after, limit), StoredEvent::of)?;
    let mut events = Vec::new();
    for stored in stored {
        let stored = stored?;
        let id = EventId::new(stored.id.unsigned_abs());
        let Some(event) = readable(id, stored.body, stored.sensitive) else { continue };
        let event = PendingEvent::new(id, event, moment(stored.accepted))
            .with_due_at(moment(stored.due.unwrap_or(stored.accepted)))
            .with_attempts(stored.attempts)
            .with_last_failure(stored.failure);
        events.push(event);
    }
    Ok(events)
}

/// Reads a body. A damaged body is logged and stays in its row. It delays no other event.
pub(crate) fn readable(
    id: EventId,
    body: Vec<u8>,
    sensitive: Option<Vec<u8>>,
) -> Option<DataEvent> {
    match DataEvent::from_body(body) {
        Ok(event) => Some(match sensitive {
            None => event,
            // A damaged list names no key.
            Some(keys) => {
                let keys: Vec<String> = serde_json::from_slice(&keys).unwrap_or_default();
                event.with_sensitive_keys(keys)
            }
        }),
        Err(error) => {
            tracing::error!(event.id = id.get(), error = %error, "the outbox holds an unreadable event");
            None
        }
    }
}

/// Returns the stored form of an event's sensitive keys: a JSON array of names.
pub(crate) fn sensitive(event: &DataEvent) -> Option<String> {
    let mut keys = event.sensitive_keys().peekable();
    keys.peek()?;
    Some(serde_json::Value::from_iter(keys).to_string())
}

/// Returns how long ago the pending event with the lowest id was accepted.
pub(crate) fn oldest(conn: &Connection, now: Millis) -> rusqlite::Result<Option<Duration>> {
    let mut select =
        conn.prepare_cached("SELECT accepted_at FROM outbox_events ORDER BY id LIMIT 1")?;
    let accepted = select.query_row([], |row| row.get(0)).optional()?;
    Ok(accepted.map(|accepted| until(accepted, now)))
}

/// Finds the earliest second of the unadmitted events.
pub(crate) fn earliest_new(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    let min = "SELECT min(created_at) FROM outbox_events WHERE admitted <> 1";
    conn.query_row(min, [], |row| row.get(0))
}

/// Bounds the due times: an earlier process may have had a wrong clock.
pub(crate) fn bound_due(conn: &Connection, latest: Millis) -> rusqlite::Result<()> {
    conn.execute("UPDATE outbox_events SET due_at = ?1 WHERE due_at > ?1", [latest]).map(drop)
}
