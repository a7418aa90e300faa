//! Which seconds are taken: two events that Intercom would take for one, noticed before it does.
//!
//! What is known stands in the file, so that it survives a crash, and so that whoever accepts events in it knows it.

use intercom_delivery::outbox::{Collisions, MAX_AHEAD};
use rusqlite::{Connection, OptionalExtension};

use super::books::{Books, Memory};
use super::fresh;

/// Where an event may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At its own second: nothing else is there.
    Free,
    /// At this second, because its own is taken.
    Moved(i64),
    /// At its own second, which is taken.
    Collides,
}

/// Finds the second where an event may stand, and takes it.
pub(crate) fn place(
    conn: &Connection,
    memory: Memory,
    second: i64,
    fingerprint: i64,
    collisions: Collisions,
) -> rusqlite::Result<Place> {
    let Some(mut ahead) = take(conn, memory, second, fingerprint, false)? else {
        return Ok(Place::Free);
    };
    let mut way = vec![second];
    let last = second.saturating_add(MAX_AHEAD.into());
    if collisions == Collisions::Move {
        while ahead <= last {
            match take(conn, memory, ahead, fingerprint, true)? {
                None => {
                    shorten(conn, &way, fingerprint, ahead)?;
                    return Ok(Place::Moved(ahead));
                }
                // There is no second after the last that can be told.
                Some(next) if next <= ahead => break,
                Some(next) => {
                    way.push(ahead);
                    ahead = next;
                }
            }
        }
    }
    keep(conn, second, fingerprint)?;
    Ok(Place::Collides)
}

/// Whether a second is filed as taken, as far as that is not forgotten.
pub(crate) fn taken(
    conn: &Connection,
    memory: Memory,
    second: i64,
    fingerprint: i64,
) -> rusqlite::Result<bool> {
    let mut select = conn.prepare_cached(
        "SELECT held OR era > ?3 OR (moved_here AND second >= ?4) \
         FROM outbox_seconds WHERE second = ?1 AND fingerprint = ?2",
    )?;
    let mut rows = select.query([second, fingerprint, memory.forgotten_era(), memory.past])?;
    rows.next()?.map_or(Ok(false), |row| row.get(0))
}

/// Notes that an event is no longer held. It is remembered for a while.
pub(crate) fn release(
    conn: &Connection,
    books: &mut Books,
    id: i64,
    second: i64,
    fingerprint: i64,
) -> rusqlite::Result<()> {
    if id > books.filed {
        return fresh::release(conn, books, id);
    }
    // A number takes the place of a number: no row grows, so that events can leave when the disk is full.
    let mut update = conn.prepare_cached(
        "UPDATE outbox_seconds SET held = held - 1, era = ?3 \
         WHERE second = ?1 AND fingerprint = ?2 AND held > 0",
    )?;
    if update.execute([second, fingerprint, books.era])? > 0 {
        books.left_in_era += 1;
    }
    Ok(())
}

/// Goes on through so many rows of the table from where it last ended, and deletes what is forgotten.
pub(crate) fn sweep(
    conn: &Connection,
    memory: Memory,
    from: &mut Key,
    rows: usize,
) -> rusqlite::Result<Swept> {
    let mut select = conn.prepare_cached(
        "SELECT second, fingerprint FROM outbox_seconds WHERE (second, fingerprint) > (?1, ?2) \
         ORDER BY second, fingerprint LIMIT 1 OFFSET ?3",
    )?;
    let before = i64::try_from(rows).unwrap_or(i64::MAX).saturating_sub(1);
    let last = select.query_row((from.0, from.1, before), |row| Ok((row.get(0)?, row.get(1)?)));
    let last: Option<Key> = last.optional()?;
    let to = last.unwrap_or(END);
    let mut delete = conn.prepare_cached(
        "DELETE FROM outbox_seconds \
         WHERE (second, fingerprint) > (?1, ?2) AND (second, fingerprint) <= (?3, ?4) \
         AND held = 0 AND era <= ?5 AND NOT (moved_here AND second >= ?6)",
    )?;
    let (forgotten, past) = (memory.forgotten_era(), memory.past);
    let deleted = delete.execute([from.0, from.1, to.0, to.1, forgotten, past])?;
    let mut select = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM outbox_seconds \
         WHERE (second, fingerprint) > (?1, ?2) AND (second, fingerprint) <= (?3, ?4) AND held = 0)",
    )?;
    let remembered = select.query_row([from.0, from.1, to.0, to.1], |row| row.get(0))?;
    *from = last.unwrap_or(START);
    Ok(Swept { ended: last.is_none(), remembered, deleted })
}

/// A second and a fingerprint: what the table is sorted by.
pub(crate) type Key = (i64, i64);

/// Before all seconds.
pub(crate) const START: Key = (i64::MIN, i64::MIN);

/// After all seconds.
const END: Key = (i64::MAX, i64::MAX);

/// What a sweep has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Swept {
    /// Whether it came to the end of the table, and will begin again.
    pub(crate) ended: bool,
    /// Whether it saw an event that has left, and is remembered still.
    pub(crate) remembered: bool,
    pub(crate) deleted: usize,
}

/// Takes a second, unless it is taken: then it gives the next one that may be free.
///
/// One statement does for a second of which nothing is known, which is what most are.
fn take(
    conn: &Connection,
    memory: Memory,
    second: i64,
    fingerprint: i64,
    moved_here: bool,
) -> rusqlite::Result<Option<i64>> {
    let next = second.saturating_add(1);
    let moved_here = i64::from(moved_here);
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_seconds (second, fingerprint, next_second, held, era, moved_here) \
         VALUES (?1, ?2, ?3, 1, ?4, ?5) ON CONFLICT DO NOTHING",
    )?;
    if insert.execute([second, fingerprint, next, memory.era, moved_here])? == 1 {
        return Ok(None);
    }
    // It may be forgotten, and still be in the table.
    let mut update = conn.prepare_cached(
        "UPDATE outbox_seconds SET next_second = ?3, held = 1, era = ?4, moved_here = ?5 \
         WHERE second = ?1 AND fingerprint = ?2 \
         AND held = 0 AND era <= ?6 AND NOT (moved_here AND second >= ?7)",
    )?;
    let (forgotten, past) = (memory.forgotten_era(), memory.past);
    if update.execute([second, fingerprint, next, memory.era, moved_here, forgotten, past])? == 1 {
        return Ok(None);
    }
    let mut select = conn.prepare_cached(
        "SELECT next_second FROM outbox_seconds WHERE second = ?1 AND fingerprint = ?2",
    )?;
    select.query_row([second, fingerprint], |row| row.get(0)).map(Some)
}

/// Takes a second that is taken once more.
fn keep(conn: &Connection, second: i64, fingerprint: i64) -> rusqlite::Result<()> {
    let mut update = conn.prepare_cached(
        "UPDATE outbox_seconds SET held = held + 1 \
         WHERE second = ?1 AND fingerprint = ?2",
    )?;
    update.execute([second, fingerprint])?;
    Ok(())
}

/// The next one that comes by any second of this way starts from where it ended.
fn shorten(conn: &Connection, way: &[i64], fingerprint: i64, end: i64) -> rusqlite::Result<()> {
    let mut update = conn.prepare_cached(
        "UPDATE outbox_seconds SET next_second = ?3 WHERE second = ?1 AND fingerprint = ?2",
    )?;
    for passed in way {
        update.execute([*passed, fingerprint, end.saturating_add(1)])?;
    }
    Ok(())
}
