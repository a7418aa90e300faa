//! The seconds of the events that were accepted last.
//!
//! Seconds are looked for by contact and name, so that neighbours in time lie far apart in `outbox_seconds`: each one
//! that goes there by itself has a page of the file written. So those of new events stand in the order of their ids
//! first, and are filed there many at once, sorted. Most events have left by then, and filing notes that too.

use std::collections::HashMap;

use rusqlite::Connection;

use super::books::Books;

/// How many stay, and how many are filed at once.
const YOUNG: i64 = 2048;
const MANY: i64 = 2048;

/// For so many events, in a transaction of somebody's own, the table is gone through once for each: to remember all that
/// is in it takes five times as long.
const FEW: usize = 4;

/// What stands in `outbox_new_seconds`, and is looked for in memory.
#[derive(Default)]
pub(crate) struct Fresh {
    seconds: HashMap<(i64, i64), i64>,
    /// Of which events they are: those after the one id, up to the other. None: they must be read.
    of: Option<(i64, i64)>,
    /// Whether the table is asked, and nothing is remembered.
    asks: bool,
}

impl Fresh {
    /// For so many events, and no others after them.
    pub(crate) fn once(events: usize) -> Self {
        Fresh { asks: events <= FEW, ..Fresh::default() }
    }

    /// Reads them, unless they are known. Files them when they have become many.
    pub(crate) fn ready(&mut self, conn: &Connection, books: &mut Books) -> rusqlite::Result<()> {
        if books.newest - books.filed >= YOUNG + MANY {
            self.file_up_to(conn, books, books.newest - YOUNG)?;
        }
        let of = (books.filed, books.newest);
        if self.of != Some(of) && !self.asks {
            self.forget();
            if of.0 < of.1 {
                let mut select =
                    conn.prepare_cached("SELECT second, fingerprint, id FROM outbox_new_seconds")?;
                let mut rows = select.query([])?;
                while let Some(row) = rows.next()? {
                    self.seconds.insert((row.get(0)?, row.get(1)?), row.get(2)?);
                }
            }
            self.of = Some(of);
        }
        Ok(())
    }

    /// They must be read when they are needed again: the transaction in which they were noted has failed.
    pub(crate) fn forget(&mut self) {
        self.seconds.clear();
        self.of = None;
    }

    pub(crate) fn contains(
        &self,
        conn: &Connection,
        second: i64,
        fingerprint: i64,
    ) -> rusqlite::Result<bool> {
        if !self.asks {
            return Ok(self.seconds.contains_key(&(second, fingerprint)));
        }
        let mut select = conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM outbox_new_seconds WHERE second = ?1 AND fingerprint = ?2)",
        )?;
        select.query_row([second, fingerprint], |row| row.get(0))
    }

    /// Notes the second of an event, of which nothing is known. The event is the newest.
    pub(crate) fn note(
        &mut self,
        conn: &Connection,
        books: &Books,
        id: i64,
        second: i64,
        fingerprint: i64,
    ) -> rusqlite::Result<()> {
        let mut insert = conn.prepare_cached(
            "INSERT INTO outbox_new_seconds (id, second, fingerprint, era) VALUES (?1, ?2, ?3, ?4)",
        )?;
        insert.execute([id, second, fingerprint, books.era])?;
        self.seconds.insert((second, fingerprint), id);
        self.of = Some((books.filed, id));
        Ok(())
    }

    /// Notes that the second of the newest event is filed, as all others are.
    pub(crate) fn filed(&mut self, books: &mut Books, id: i64) {
        books.filed = id;
        self.of = Some((id, id));
    }

    /// Files all of them, however few.
    pub(crate) fn file(&mut self, conn: &Connection, books: &mut Books) -> rusqlite::Result<()> {
        self.file_up_to(conn, books, books.newest)
    }

    fn file_up_to(
        &mut self,
        conn: &Connection,
        books: &mut Books,
        last: i64,
    ) -> rusqlite::Result<()> {
        let known = self.of == Some((books.filed, books.newest));
        file_up_to(conn, books, last)?;
        if known {
            self.seconds.retain(|_, id| *id > last);
            self.of = Some((books.filed, books.newest));
        }
        Ok(())
    }
}

/// Files all of them.
pub(crate) fn file(conn: &Connection, books: &mut Books) -> rusqlite::Result<()> {
    file_up_to(conn, books, books.newest)
}

/// Brings the seconds of events up to this id into `outbox_seconds`. One that is there already is forgotten.
fn file_up_to(conn: &Connection, books: &mut Books, last: i64) -> rusqlite::Result<()> {
    if books.filed == last {
        return Ok(());
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO outbox_seconds (second, fingerprint, next_second, held, era) \
         SELECT second, fingerprint, second + (second < 9223372036854775807), \
                EXISTS (SELECT 1 FROM outbox_events AS event WHERE event.id = new.id) \
                OR EXISTS (SELECT 1 FROM outbox_dead_letters AS letter WHERE letter.id = new.id), era \
           FROM outbox_new_seconds AS new WHERE id <= ?1 ORDER BY second, fingerprint \
         ON CONFLICT DO UPDATE SET next_second = excluded.next_second, held = excluded.held, \
                                   era = excluded.era, moved_here = 0",
    )?;
    insert.execute([last])?;
    conn.prepare_cached("DELETE FROM outbox_new_seconds WHERE id <= ?1")?.execute([last])?;
    books.filed = last;
    Ok(())
}

/// Notes that the event of one of them is no longer held. It is remembered for a while.
pub(super) fn release(conn: &Connection, books: &mut Books, id: i64) -> rusqlite::Result<()> {
    books.left_in_era += 1;
    // That it has left is seen when it is filed. When it did is what it says already, in most cases.
    if id <= books.era_after {
        let mut update =
            conn.prepare_cached("UPDATE outbox_new_seconds SET era = ?2 WHERE id = ?1")?;
        update.execute([id, books.era])?;
    }
    Ok(())
}
