//! The leases of an epoch.
//!
//! Leases live in memory: only the engine that delivers has any, and the end of its epoch ends all
//! of them. So leasing reads the file and writes nothing.

use std::collections::HashMap;

use intercom_delivery::outbox::{Epoch, EventId};
use rusqlite::{Connection, Rows};

use crate::clock::Millis;
use crate::open::lock::LockEnd;
use crate::store::counts::CountsRow;
use crate::store::pending::{self, StoredEvent};

/// The interval of searches for the earliest second of new events, and the most pending events to
/// search. A search takes up to 2 ms. With more pending events the bound is stale, but it is the
/// oldest's anyway.
const BOUND_INTERVAL: Millis = 10_000;
const BOUND_SCAN: i64 = 10_000;

/// The interval of generation notes.
const NOTE_INTERVAL: Millis = 1_000;

pub(super) struct Leases {
    epoch: Epoch,
    /// The leased events, and the sizes of their bodies. `RETURNING` would give the sizes too, at
    /// 5.0 instead of 2.2 µs of CPU to settle an event.
    leased: HashMap<i64, i64>,
    /// All events up to this id are leased, or were put back. New events have higher ids.
    passed: i64,
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
        let (leased, passed) = (HashMap::new(), i64::MIN);
        let bound_found = Millis::MIN;
        Leases { epoch, leased, passed, bound_found, reported_erasures, lock, noted: Millis::MIN }
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
        let [mut by_id, mut by_due_time] = [pending::by_id(conn)?, pending::by_due_time(conn)?];
        let mut never_put_back = Queue::new(by_id.query([self.passed])?, false, self.passed);
        let mut put_back = Queue::new(by_due_time.query([])?, true, i64::MIN);
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
        self.passed = never_put_back.passed;
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
    /// Whether the queue holds the events that were put back, or the others.
    put_back: bool,
    next: Option<StoredEvent>,
    ended: bool,
    /// The last event that was leased or belongs to the other queue.
    passed: i64,
}

impl<'s> Queue<'s> {
    fn new(rows: Rows<'s>, put_back: bool, passed: i64) -> Self {
        Queue { rows, put_back, next: None, ended: false, passed }
    }

    /// Returns the due time and id of the next unleased event. An event that was never put back is
    /// due now, even if the clock was set back since.
    fn peek(
        &mut self,
        leased: &HashMap<i64, i64>,
        now: Millis,
    ) -> rusqlite::Result<Option<(Millis, i64)>> {
        while self.next.is_none() && !self.ended {
            let Some(row) = self.rows.next()? else {
                self.ended = true;
                break;
            };
            let (id, due): (i64, Option<Millis>) = (row.get(0)?, row.get(1)?);
            match leased.contains_key(&id) || due.is_some() != self.put_back {
                true => self.passed = id,
                false => self.next = Some(StoredEvent::of(row)?),
            }
        }
        let due = |stored: &StoredEvent| stored.due.unwrap_or(stored.accepted.min(now));
        Ok(self.next.as_ref().map(|stored| (due(stored), stored.id)))
    }

    fn take(&mut self) -> Option<StoredEvent> {
        let stored = self.next.take()?;
        self.passed = stored.id;
        Some(stored)
    }
}
