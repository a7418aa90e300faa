//! Dead letters: read, redriven, and purged.

use intercom_delivery::EventId;
use intercom_delivery::outbox::{DeadLetter, Selection};
use rusqlite::Connection;

use super::books::Books;
use super::pending::{Content, failure, readable};
use super::seconds;
use crate::clock::{Millis, moment};

/// Reads dead letters, in the order of their ids, beginning after this one.
pub(crate) fn read(
    conn: &Connection,
    after: Option<EventId>,
    most: usize,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let mut select = conn.prepare_cached(
        "SELECT id, reason, died_at, attempts, last_failure, last_status, last_request_id, body \
         FROM outbox_dead_letters WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let after = after.map_or(-1, |id| i64::try_from(id.0).unwrap_or(i64::MAX));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = select.query((after, most))?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        let id = EventId(row.get::<_, i64>(0)?.unsigned_abs());
        let reason: String = row.get(1)?;
        let Ok(reason) = reason.parse() else {
            tracing::error!(
                event.id = id.0,
                reason,
                "a dead letter has a reason that is not known"
            );
            continue;
        };
        let Some(event) = readable(id, Content::Text(row.get(7)?)) else { continue };
        letters.push(DeadLetter {
            id,
            event,
            reason,
            failure: failure(row, 4)?,
            attempts: row.get(3)?,
            died_at: moment(row.get(2)?),
        });
    }
    Ok(letters)
}

/// Makes dead letters pending again, and gives their ids.
pub(crate) fn redrive(
    conn: &Connection,
    books: &mut Books,
    which: &Selection,
    now: Millis,
) -> rusqlite::Result<Vec<i64>> {
    let chosen = choose(conn, which)?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_events (id, created_at, accepted_at, due_at, fingerprint, body) \
         SELECT id, created_at, ?2, ?2, fingerprint, body FROM outbox_dead_letters WHERE id = ?1",
    )?;
    for letter in &chosen {
        insert.execute([letter.id, now])?;
        delete(conn, letter.id)?;
        books.dead -= 1;
        books.dead_letters -= 1;
        books.pending += 1;
        books.pending_bytes += letter.bytes;
    }
    Ok(chosen.into_iter().map(|letter| letter.id).collect())
}

/// Forgets dead letters for good, and says how many.
pub(crate) fn purge(
    conn: &Connection,
    books: &mut Books,
    which: &Selection,
) -> rusqlite::Result<u64> {
    let chosen = choose(conn, which)?;
    for letter in &chosen {
        delete(conn, letter.id)?;
        seconds::release(conn, books, letter.id, letter.second, letter.fingerprint)?;
        books.dead_letters -= 1;
    }
    Ok(chosen.len() as u64)
}

struct Chosen {
    id: i64,
    second: i64,
    fingerprint: i64,
    bytes: i64,
}

/// The dead letters that are selected. Names are compared here, because SQLite folds ASCII alone.
fn choose(conn: &Connection, which: &Selection) -> rusqlite::Result<Vec<Chosen>> {
    let (reason, id, name) = match which {
        Selection::All => (None, None, None),
        Selection::Reason(reason) => (Some(reason.as_str()), None, None),
        Selection::One(id) => (None, Some(i64::try_from(id.0).unwrap_or(i64::MAX)), None),
        Selection::Name(name) => (None, None, Some(name.to_lowercase())),
        // A selection that is not known to this version: it must not be taken for all of them.
        _ => return Ok(Vec::new()),
    };
    let mut select = conn.prepare_cached(match name {
        Some(_) => {
            "SELECT id, created_at, fingerprint, octet_length(body), body ->> 'event_name' FROM outbox_dead_letters \
             WHERE ?1 IS NULL AND ?2 IS NULL ORDER BY id"
        }
        None => {
            "SELECT id, created_at, fingerprint, octet_length(body) FROM outbox_dead_letters \
             WHERE (?1 IS NULL OR reason = ?1) AND (?2 IS NULL OR id = ?2) ORDER BY id"
        }
    })?;
    let mut rows = select.query((reason, id))?;
    let mut chosen = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(name) = &name {
            let told: Option<String> = row.get(4)?;
            if told.is_none_or(|told| told.to_lowercase() != *name) {
                continue;
            }
        }
        let (id, second, fingerprint, bytes) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        chosen.push(Chosen { id, second, fingerprint, bytes });
    }
    Ok(chosen)
}

fn delete(conn: &Connection, id: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM outbox_dead_letters WHERE id = ?1")?.execute([id])?;
    Ok(())
}
