//! Slots: the name, contact and second of admitted events, and of events that left.

use intercom_core::{DataEvent, Timestamp};
use intercom_delivery::outbox::{Slot, UsedSlot};
use rusqlite::Connection;

use super::pending::text;

/// Keeps the slot of an event that left.
pub(crate) fn keep(conn: &Connection, used: &UsedSlot) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO outbox_used_slots (keep_until, key, second) VALUES (?1, ?2, ?3)",
    )?;
    let UsedSlot { slot, keep_until, .. } = used;
    let row = [keep_until.unix_seconds(), slot.key.cast_signed(), slot.second.unix_seconds()];
    insert.execute(row).map(drop)
}

/// Deletes the slots that need not be kept until then.
pub(crate) fn forget(conn: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    let mut delete = conn.prepare_cached("DELETE FROM outbox_used_slots WHERE keep_until < ?1")?;
    delete.execute([before.unix_seconds()]).map(drop)
}

/// Returns the kept slots, and those of dead letters that an attempt may have reached.
pub(crate) fn used(conn: &Connection) -> rusqlite::Result<Vec<UsedSlot>> {
    let mut select = conn.prepare("SELECT keep_until, key, second FROM outbox_used_slots")?;
    let used = select.query_map([], |row| {
        let second = Timestamp::from_unix_seconds(row.get(2)?);
        let slot = Slot::new(row.get::<_, i64>(1)?.cast_unsigned(), second);
        Ok(UsedSlot::new(slot, Timestamp::from_unix_seconds(row.get(0)?)))
    })?;
    let mut used: Vec<_> = used.collect::<rusqlite::Result<_>>()?;
    let dead = slots(conn, "SELECT body FROM outbox_dead_letters WHERE admitted = 1")?;
    used.extend(dead.into_iter().map(|slot| UsedSlot::new(slot, UsedSlot::WHILE_DEAD)));
    Ok(used)
}

/// Returns the slots of pending events whose bytes are final.
pub(crate) fn held(conn: &Connection) -> rusqlite::Result<Vec<Slot>> {
    slots(conn, "SELECT body FROM outbox_events WHERE admitted = 1")
}

/// Returns the slots of the selected bodies. An unreadable body has none.
fn slots(conn: &Connection, select: &str) -> rusqlite::Result<Vec<Slot>> {
    let mut select = conn.prepare(select)?;
    let mut rows = select.query([])?;
    let mut slots = Vec::new();
    while let Some(row) = rows.next()? {
        let body = text(row, 0)?.unwrap_or_default();
        slots.extend(DataEvent::from_body(body).ok().as_ref().map(Slot::of));
    }
    Ok(slots)
}
