//! Which seconds are taken: two events that Intercom would take for one, noticed before it does.
//!
//! What is known stands in the file, so that it survives a crash, and so that whoever accepts events in it knows it.

use intercom_delivery::outbox::{Collisions, MAX_AHEAD};
use rusqlite::Connection;

use super::books::{Books, Memory};

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

/// Notes that an event is no longer held. It is remembered for a while.
pub(crate) fn release(
    conn: &Connection,
    books: &mut Books,
    second: i64,
    fingerprint: i64,
) -> rusqlite::Result<()> {
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

/// Goes on through the table from where it last ended, and deletes what is forgotten. Gives whether all has been seen.
pub(crate) fn sweep(
    conn: &Connection,
    memory: Memory,
    from: &mut (i64, i64),
    rows: usize,
) -> rusqlite::Result<Swept> {
    let mut swept = Swept::default();
    let mut forgotten = Vec::new();
    let mut select = conn.prepare_cached(
        "SELECT second, fingerprint, held, era <= ?4 AND NOT (moved_here AND second >= ?5) FROM outbox_seconds \
         WHERE (second, fingerprint) > (?1, ?2) ORDER BY second, fingerprint LIMIT ?3",
    )?;
    let most = i64::try_from(rows).unwrap_or(i64::MAX);
    let mut seen = select.query((from.0, from.1, most, memory.forgotten_era(), memory.past))?;
    let mut number = 0;
    while let Some(row) = seen.next()? {
        let key = (row.get(0)?, row.get(1)?);
        *from = key;
        number += 1;
        if row.get::<_, i64>(2)? == 0 {
            match row.get(3)? {
                true => forgotten.push(key),
                false => swept.remembered = true,
            }
        }
    }
    drop(seen);
    if number < rows {
        swept.ended = true;
        *from = START;
    }
    let mut delete =
        conn.prepare_cached("DELETE FROM outbox_seconds WHERE second = ?1 AND fingerprint = ?2")?;
    for key in &forgotten {
        delete.execute(*key)?;
    }
    swept.deleted = forgotten.len();
    Ok(swept)
}

/// Before all seconds.
pub(crate) const START: (i64, i64) = (i64::MIN, i64::MIN);

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
