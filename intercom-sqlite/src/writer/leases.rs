//! The leases of an epoch.
//!
//! Leases live in memory: only the engine that delivers has any, and the end of its epoch ends all
//! of them. So leasing reads the file and writes nothing.

use std::collections::HashMap;

use intercom_delivery::outbox::{Epoch, EventId};
use rusqlite::{CachedStatement, Connection, Rows};

use crate::clock::Millis;
use crate::open::lock::LockEnd;
use crate::store::counts::CountsRow;
use crate::store::pending::{self, StoredEvent};

/// The interval of searches for the earliest second of new events, and the most pending events to
/// search. A search takes up to 2 ms. With more pending events the bound is stale, but it is the
/// oldest's anyway.
const BOUND_INTERVAL: Millis = 10_000;
const BOUND_SCAN: i64 = 10_000;

/// The interval of searches among all events that were put back, while other connections write to
/// the file. A search finds an event whose due time a person has changed.
const SEARCH_INTERVAL: Millis = 60_000;

/// The interval of generation notes.
const NOTE_INTERVAL: Millis = 1_000;

/// A due time and an id: the order of the events that were put back.
type Position = (Millis, i64);

/// The position before all events.
const START: Position = (Millis::MIN, i64::MIN);

pub(super) struct Leases {
    epoch: Epoch,
    /// The leased events, and the sizes of their bodies. `RETURNING` would give the sizes too, at
    /// 5.0 instead of 2.2 µs of CPU to settle an event.
    leased: HashMap<i64, i64>,
    /// All events up to this id are leased, or were put back. New events have higher ids.
    passed: i64,
    /// All put-back events up to this position are leased. Unreadable ones stay so until the epoch
    /// ends, and a lease that passed each of them again would take longer with each.
    passed_put_back: Position,
    /// The time of the last search from the start.
    searched: Millis,
    /// Whether another connection has written since that search.
    others_wrote: bool,
    /// The time of the last search for the earliest second of new events.
    bound_found: Millis,
    /// The version of the tombstones that the engine has.
    pub(super) reported_erasures: i64,
    /// Lets another engine deliver when the leases end.
    lock: LockEnd,
    /// The time of the last generation note.
    noted: Millis,
}

impl Leases {
    /// Begins an epoch without leases.
    pub(super) fn new(epoch: Epoch, reported_erasures: i64, lock: LockEnd) -> Self {
        Leases {
            epoch,
            leased: HashMap::new(),
            passed: i64::MIN,
            passed_put_back: START,
            searched: Millis::MIN,
            others_wrote: false,
            bound_found: Millis::MIN,
            reported_erasures,
            lock,
            noted: Millis::MIN,
        }
    }

    /// Writes the file's generation beside it, at most once a second.
    pub(super) fn note(&mut self, counts: &CountsRow, now: Millis) {
        if self.noted.saturating_add(NOTE_INTERVAL) <= now {
            self.lock.note(counts.generation());
            self.noted = now;
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Leases due events, the longest due first. Also returns when the next one is due. A failure
    /// leases nothing.
    pub(super) fn lease(
        &mut self,
        conn: &Connection,
        limit: usize,
        now: Millis,
    ) -> rusqlite::Result<(Vec<StoredEvent>, Option<Millis>)> {
        let next_search = self.searched.saturating_add(SEARCH_INTERVAL);
        let is_searched = !self.others_wrote || (self.searched..next_search).contains(&now);
        let after = if is_searched { self.passed_put_back } else { START };
        let [mut by_id, mut by_due_time] = [pending::by_id(conn)?, pending::by_due_time(conn)?];
        let mut never_put_back = Queue::never_put_back(by_id.query([self.passed])?, self.passed);
        let by_one_id = pending::by_one_id(conn)?;
        let mut put_back = Queue::put_back(by_due_time.query(after)?, by_one_id, after);
        let mut events = Vec::new();
        let next_due = loop {
            let heads =
                [never_put_back.peek(&self.leased, now)?, put_back.peek(&self.leased, now)?];
            let Some(next) = heads.into_iter().flatten().min() else { break None };
            if next.0 > now || events.len() == limit {
                break Some(next.0);
            }
            let queue = if heads[0] == Some(next) { &mut never_put_back } else { &mut put_back };
            events.extend(queue.take());
        };
        (_, self.passed) = never_put_back.passed;
        self.passed_put_back = put_back.passed;
        if !is_searched {
            self.searched = now;
            self.others_wrote = false;
        }
        self.leased.extend(events.iter().map(|stored| (stored.id, stored.bytes())));
        Ok((events, next_due))
    }

    /// Returns the id and body size of a leased event.
    pub(super) fn leased(&self, id: EventId) -> Option<(i64, i64)> {
        let id = i64::try_from(id.get()).ok()?;
        self.leased.get(&id).map(|bytes| (id, *bytes))
    }

    /// Returns whether the event of this row is leased.
    pub(super) fn holds(&self, id: i64) -> bool {
        self.leased.contains_key(&id)
    }

    /// Sets the body size of a leased event.
    pub(super) fn resize(&mut self, id: i64, bytes: i64) {
        self.leased.entry(id).and_modify(|before| *before = bytes);
    }

    /// Ends the lease of a settled event.
    pub(super) fn end(&mut self, id: i64) {
        self.leased.remove(&id);
    }

    /// Ends the lease of an event that no caller has seen. A later call leases it again in its
    /// order.
    pub(super) fn take_back(&mut self, id: i64) {
        self.leased.remove(&id);
        self.passed = self.passed.min(id - 1);
        self.passed_put_back = START;
    }

    /// Notes that another connection has written to the file.
    pub(super) fn others_wrote(&mut self) {
        self.others_wrote = true;
    }

    /// Lets the next lease find an event that was put back or redriven until this time.
    pub(super) fn put_back(&mut self, due: Millis) {
        self.passed_put_back = self.passed_put_back.min((due, i64::MIN));
    }

    /// Returns whether to search for the earliest second of new events again.
    pub(super) fn is_bound_due(&self, counts: &CountsRow, now: Millis) -> bool {
        counts.pending <= BOUND_SCAN && self.bound_found.saturating_add(BOUND_INTERVAL) <= now
    }

    /// Records a search for the earliest second of new events.
    pub(super) fn bound_found(&mut self, now: Millis) {
        self.bound_found = now;
    }
}

/// Events in lease order, with one read ahead.
struct Queue<'s> {
    rows: Rows<'s>,
    /// Reads an event of the queue of those that were put back. The rows of the other queue have
    /// the whole event.
    by_one_id: Option<CachedStatement<'s>>,
    next: Option<StoredEvent>,
    ended: bool,
    /// The last event that was leased or belongs to the other queue.
    passed: Position,
}

impl<'s> Queue<'s> {
    /// Makes the queue of the events after this id that were never put back.
    fn never_put_back(rows: Rows<'s>, passed: i64) -> Self {
        Queue { rows, by_one_id: None, next: None, ended: false, passed: (Millis::MIN, passed) }
    }

    /// Makes the queue of the events after this position that were put back.
    fn put_back(rows: Rows<'s>, by_one_id: CachedStatement<'s>, passed: Position) -> Self {
        Queue { rows, by_one_id: Some(by_one_id), next: None, ended: false, passed }
    }

    /// Returns the due time and id of the next unleased event. An event that was never put back is
    /// due now, even if the clock was set back since.
    fn peek(
        &mut self,
        leased: &HashMap<i64, i64>,
        now: Millis,
    ) -> rusqlite::Result<Option<Position>> {
        while self.next.is_none() && !self.ended {
            let Some(row) = self.rows.next()? else {
                self.ended = true;
                break;
            };
            let (id, due): (i64, Option<Millis>) = (row.get(0)?, row.get(1)?);
            if leased.contains_key(&id) || due.is_some() != self.by_one_id.is_some() {
                self.passed = (due.unwrap_or(Millis::MIN), id);
                continue;
            }
            self.next = Some(match &mut self.by_one_id {
                None => StoredEvent::of(row)?,
                Some(by_one_id) => by_one_id.query_row([id], StoredEvent::of)?,
            });
        }
        let due = |stored: &StoredEvent| stored.due.unwrap_or(stored.accepted.min(now));
        Ok(self.next.as_ref().map(|stored| (due(stored), stored.id)))
    }

    fn take(&mut self) -> Option<StoredEvent> {
        let stored = self.next.take()?;
        self.passed = (stored.due.unwrap_or(Millis::MIN), stored.id);
        Some(stored)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::SqliteOutbox;
    use crate::open::lock::Lock;

    /// Returns the steps of SQLite's program in all leases so far.
    fn steps(conn: &Connection) -> i32 {
        let statements = [pending::by_id(conn).unwrap(), pending::by_due_time(conn).unwrap()];
        statements.iter().map(|statement| statement.get_status(StatementStatus::VmStep)).sum()
    }

    /// Unreadable events stay leased.
    #[test]
    fn a_lease_passes_the_leased_events_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        drop(SqliteOutbox::open(&path).unwrap());
        let lock = Lock::try_take(&path).unwrap().unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(
            "WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids LIMIT 10000)
             INSERT INTO outbox_events (id, created_at, accepted_at, due_at, origin, body)
             SELECT id, 0, 0, iif(id % 2, id % 7, NULL), 0, 'unreadable' FROM ids",
        )
        .unwrap();
        let mut leases = Leases::new(Epoch::new(1), 0, LockEnd::pair(lock).0);
        assert_eq!(leases.lease(&conn, 20_000, 10).unwrap().0.len(), 10_000);
        let before = steps(&conn);
        assert_eq!(leases.lease(&conn, 20_000, 11).unwrap().0.len(), 0);
        let taken = steps(&conn) - before;
        assert!(taken < 100, "{taken} steps");
    }
}
