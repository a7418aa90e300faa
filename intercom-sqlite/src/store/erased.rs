//! Erases contacts: deletes their events, and keeps tombstones of their identifiers.
//!
//! One transaction deletes under `secure_delete`. Then the outbox gives back all free pages, where
//! earlier events may have left bytes, and truncates the WAL. Tombstones are keyed hashes, and the
//! file holds the key. An engine learns of them with its next lease, which reads the counts after
//! the rows. So no event comes before a tombstone that is older than it.

use intercom_core::{Contact, DataEvent};
use intercom_delivery::outbox::{ErasedEvents, Tombstone, Tombstones, share_identifier};
use rusqlite::Connection;

use super::counts::CountsRow;
use super::pending::text;
use crate::clock::Millis;

/// Erases a contact. Until the end of the transaction, deletions overwrite their rows.
///
/// It reads each body, because a contact may have three identifiers, an address in any case, and no
/// index. This takes about 2 s for a million pending events.
pub(crate) fn erase(
    conn: &Connection,
    counts: &mut CountsRow,
    contact: &Contact,
    now: Millis,
) -> rusqlite::Result<ErasedEvents> {
    overwrite(conn, "ON")?;
    let (pending, bytes) = delete(conn, contact, "outbox_events")?;
    let (dead, _) = delete(conn, contact, "outbox_dead_letters")?;
    counts.pending -= pending;
    counts.pending_bytes -= bytes;
    counts.dead -= dead;
    counts.dead_letters -= dead;
    counts.erased += pending + dead;
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO outbox_tombstones (tombstone, erased_at) VALUES (?1, ?2)",
    )?;
    for tombstone in Tombstone::of(&key(conn)?, contact) {
        insert.execute((tombstone.to_bytes(), now))?;
    }
    counts.erasures += 1;
    let version = counts.erasures.unsigned_abs();
    Ok(ErasedEvents::new(pending.unsigned_abs(), dead.unsigned_abs(), version))
}

/// Removes the tombstones of a contact. Returns whether there was one.
pub(crate) fn forgive(
    conn: &Connection,
    counts: &mut CountsRow,
    contact: &Contact,
) -> rusqlite::Result<bool> {
    let mut delete = conn.prepare_cached("DELETE FROM outbox_tombstones WHERE tombstone = ?1")?;
    let mut forgiven = false;
    for tombstone in Tombstone::of(&key(conn)?, contact) {
        forgiven |= delete.execute([tombstone.to_bytes()])? > 0;
    }
    counts.erasures += i64::from(forgiven);
    Ok(forgiven)
}

/// Reads all tombstones.
pub(crate) fn tombstones(conn: &Connection) -> rusqlite::Result<Tombstones> {
    let snapshot = conn.unchecked_transaction()?;
    let version = CountsRow::read(&snapshot)?.erasures.unsigned_abs();
    let mut select = snapshot.prepare_cached("SELECT tombstone FROM outbox_tombstones")?;
    let all = select.query_map([], |row| row.get(0).map(Tombstone::from_bytes))?;
    Ok(Tombstones::new(key(&snapshot)?, version, all.collect::<rusqlite::Result<Vec<_>>>()?))
}

/// Sets whether deletions overwrite: `FAST` where that costs no I/O, or `ON`.
pub(crate) fn overwrite(conn: &Connection, how: &str) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "secure_delete", how, |_| Ok(()))
}

fn key(conn: &Connection) -> rusqlite::Result<[u8; 16]> {
    let mut select = conn.prepare_cached("SELECT tombstone_key FROM outbox_counts")?;
    select.query_row([], |row| row.get(0))
}

/// Deletes the contact's rows. Returns their number, and the bytes of their bodies.
fn delete(conn: &Connection, contact: &Contact, table: &str) -> rusqlite::Result<(i64, i64)> {
    let mut select = conn.prepare(&format!("SELECT id, body FROM {table}"))?;
    let mut rows = select.query([])?;
    let mut ids = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let body = text(row, 1)?.unwrap_or_default();
        let size = i64::try_from(body.len()).unwrap_or(i64::MAX);
        // An unreadable body carries no identifier.
        let event = DataEvent::from_body(body).ok();
        if event.is_some_and(|event| share_identifier(contact, event.contact())) {
            ids.push(row.get::<_, i64>(0)?);
            bytes += size;
        }
    }
    let mut delete = conn.prepare(&format!("DELETE FROM {table} WHERE id = ?1"))?;
    for id in &ids {
        delete.execute([id])?;
    }
    Ok((i64::try_from(ids.len()).unwrap_or(i64::MAX), bytes))
}
