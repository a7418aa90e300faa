//! Dead letters: read, redriven, and purged.

use intercom_delivery::outbox::{DeadLetter, EventId, Selection};
use rusqlite::Connection;

use super::counts::CountsRow;
use super::pending::{attempts, failure, readable, text};
use super::selection::{Table, select};
use crate::clock::{Millis, moment};

/// Reads dead letters in the order of their ids, after the given id.
pub(crate) fn read(
    conn: &Connection,
    after: Option<EventId>,
    limit: usize,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let mut select = conn.prepare_cached(
        "SELECT id, reason, died_at, attempts, last_failure, last_status, last_request_id, body, \
         sensitive FROM outbox_dead_letters WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let after = after.map_or(-1, |id| i64::try_from(id.get()).unwrap_or(i64::MAX));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = select.query((after, limit))?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        let id = EventId::new(row.get::<_, i64>(0)?.unsigned_abs());
        let reason = text(row, 1)?.unwrap_or_default();
        let reason = String::from_utf8_lossy(&reason);
        let Ok(reason) = reason.parse() else {
            let reason = &*reason;
            tracing::error!(event.id = id.get(), reason, "a dead letter has an unknown reason");
            continue;
        };
        let Some(event) = readable(id, text(row, 7)?.unwrap_or_default(), text(row, 8)?) else {
            continue;
        };
        let letter = DeadLetter::new(id, event, reason, moment(row.get(2)?))
            .with_failure(failure(row, 4)?)
            .with_attempts(attempts(row, 3)?);
        letters.push(letter);
    }
    Ok(letters)
}

/// Makes dead letters pending again, due now. Returns their number.
pub(crate) fn redrive(
    conn: &Connection,
    counts: &mut CountsRow,
    which: &Selection,
    now: Millis,
) -> rusqlite::Result<u64> {
    let selected = select(Table::Dead, conn, which)?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_events (id, created_at, accepted_at, due_at, admitted, origin, body, \
         sensitive) \
         SELECT id, created_at, ?2, ?2, CASE admitted WHEN 1 THEN 1 ELSE 2 END, origin, body, \
         sensitive FROM outbox_dead_letters WHERE id = ?1 RETURNING created_at",
    )?;
    for letter in &selected {
        let second: i64 = insert.query_row([letter.id, now], |row| row.get(0))?;
        counts.earliest_new = counts.earliest_new.into_iter().chain([second]).min();
        delete(conn, letter.id)?;
        counts.dead -= 1;
        counts.dead_letters -= 1;
        counts.redriven += 1;
        counts.pending += 1;
        counts.pending_bytes += letter.bytes;
    }
    Ok(selected.len() as u64)
}

/// Deletes dead letters for good. Returns their number.
pub(crate) fn purge(
    conn: &Connection,
    counts: &mut CountsRow,
    which: &Selection,
) -> rusqlite::Result<u64> {
    let selected = select(Table::Dead, conn, which)?;
    for letter in &selected {
        delete(conn, letter.id)?;
        counts.dead_letters -= 1;
    }
    Ok(selected.len() as u64)
}

/// The most dead letters to purge at once, in some milliseconds.
const PURGED: i64 = 10_000;

/// Purges the oldest dead letters beyond the file's limits, as far as that is quick.
pub(crate) fn purge_oldest(
    conn: &Connection,
    counts: &mut CountsRow,
    now: Millis,
) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached(
        "SELECT max_dead_letters, (SELECT count(*) FROM outbox_dead_letters \
         WHERE died_at < ?1 - max_dead_age) FROM outbox_keeping",
    )?;
    let (most, too_old): (i64, i64) =
        select.query_row([now], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let excess = too_old.max(counts.dead_letters - most).min(PURGED);
    if excess > 0 {
        let mut delete = conn.prepare_cached(
            "DELETE FROM outbox_dead_letters WHERE id IN \
             (SELECT id FROM outbox_dead_letters ORDER BY died_at, id LIMIT ?1)",
        )?;
        let purged = delete.execute([excess])?;
        counts.dead_letters -= i64::try_from(purged).unwrap_or(i64::MAX);
    }
    Ok(())
}

fn delete(conn: &Connection, id: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM outbox_dead_letters WHERE id = ?1")?.execute([id])?;
    Ok(())
}
