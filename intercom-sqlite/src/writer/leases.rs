//! What is leased under an epoch.
//!
//! Leases are kept in memory: only the engine that delivers has any, and when its epoch ends, all of
//! them do. So leasing reads the file and writes nothing.

use std::collections::HashMap;

use intercom_delivery::outbox::{Epoch, EventId};
use rusqlite::{Connection, Rows};

use crate::clock::Millis;
use crate::open::lock::LockEnd;
use crate::store::counts::CountsRow;
use crate::store::pending::{self, StoredEvent};

/// How often the earliest second of new events is found, and among how many pending ones at most. It
/// takes up to 2 ms. With more pending, the bound stays behind: it is that of the oldest anyway.
const BOUND_INTERVAL: Millis = 10_000;
const BOUND_SCAN: i64 = 10_000;

/// How often it is noted how far the file has come.
const NOTE_INTERVAL: Millis = 1_000;

pub(super) struct Leases {
    epoch: Epoch,
    /// The leased events, and how many bytes their bodies have. `RETURNING` would tell that too, at
    /// 5.0 instead of 2.2 µs of CPU to settle an event.
    leased: HashMap<i64, i64>,
    /// All events up to this id are leased, or were put back. New events have higher ids.
    passed: i64,
    /// When the earliest second of new events was last found.
    bound_found: Millis,
    /// The version of the tombstones of which the engine was told.
    pub(super) told: i64,
    /// Lets another engine deliver when the leases end.
    lock: LockEnd,
    /// When it was last noted how far the file has come.
    noted: Millis,
}

impl Leases {
    /// Begins an epoch, in which nothing is leased.
    pub(super) fn new(epoch: Epoch, told: i64, lock: LockEnd) -> Self {
        let (leased, passed) = (HashMap::new(), i64::MIN);
        let bound_found = Millis::MIN;
        Leases { epoch, leased, passed, bound_found, told, lock, noted: Millis::MIN }
    }

    /// Notes beside the file how far it has come, at most once a second.
    pub(super) fn note(&mut self, counts: &CountsRow, now: Millis) {
        if self.noted.saturating_add(NOTE_INTERVAL) <= now {
            self.lock.note(counts.generation());
            self.noted = now;
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Leases events that are due, the longest due first. Returns when the next one is due, too. If
    /// it fails, nothing was leased.
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

    /// Returns the id of a leased event in the file, and how many bytes its body has.
    pub(super) fn leased(&self, id: EventId) -> Option<(i64, i64)> {
        let id = i64::try_from(id.0).ok()?;
        self.leased.get(&id).map(|bytes| (id, *bytes))
    }

    /// Returns whether the event in this row is leased.
    pub(super) fn holds(&self, id: i64) -> bool {
        self.leased.contains_key(&id)
    }

    /// Sets how many bytes the body of a leased event has.
    pub(super) fn resize(&mut self, id: i64, bytes: i64) {
        self.leased.entry(id).and_modify(|before| *before = bytes);
    }

    /// Ends the lease of an event that was settled.
    pub(super) fn end(&mut self, id: i64) {
        self.leased.remove(&id);
    }

    /// Ends the lease of an event that no caller has seen. It is leased again in its order.
    pub(super) fn take_back(&mut self, id: i64) {
        self.leased.remove(&id);
        self.passed = self.passed.min(id - 1);
    }

    /// Returns whether the earliest second of new events is to be found anew.
    pub(super) fn is_bound_due(&self, counts: &CountsRow, now: Millis) -> bool {
        counts.pending <= BOUND_SCAN && self.bound_found.saturating_add(BOUND_INTERVAL) <= now
    }

    /// Notes that the earliest second of new events was found.
    pub(super) fn bound_found(&mut self, now: Millis) {
        self.bound_found = now;
    }
}

/// Events in the order in which they are leased, read one ahead.
struct Queue<'s> {
    rows: Rows<'s>,
    /// Whether it has the events that were put back, or the others.
    put_back: bool,
    next: Option<StoredEvent>,
    ended: bool,
    /// The last event that was leased, or is the other queue's.
    passed: i64,
}

impl<'s> Queue<'s> {
    fn new(rows: Rows<'s>, put_back: bool, passed: i64) -> Self {
        Queue { rows, put_back, next: None, ended: false, passed }
    }

    /// Returns when the next event that is not leased is due, and its id. An event that was never put
    /// back is due now, also if the clock was set back since it was accepted.
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
