//! Who was given what, and until when.
//!
//! It is kept in memory: the file has one owner, so nobody else need know, and after a crash everything that is pending
//! is due at once. So to lease is to read.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use intercom_delivery::EventId;
use intercom_delivery::outbox::{Lease, LeaseToken, Leased};
use rusqlite::{Connection, Rows};

use super::recent::Recent;
use crate::clock::{Millis, later, until};
use crate::store::pending::{self, Brief, Stored};

/// A due time and an id: the order in which events are leased.
type Turn = (Millis, i64);

/// Before all turns.
const FIRST: Turn = (Millis::MIN, i64::MIN);

pub(super) struct Leases {
    /// Events that are leased, or were until their lease ended. They are leased again from here, not from their rows.
    held: HashMap<i64, Held>,
    /// When the leases end.
    ends: BTreeSet<Turn>,
    /// Up to this id all events are held, or were put back. New ones have higher ids, whoever accepts them.
    seen: i64,
    /// Up to here, of those that were put back, all are held.
    cursor: Turn,
    recent: Recent,
    tokens: u64,
}

struct Held {
    token: LeaseToken,
    end: Millis,
    event: Brief,
}

/// What was leased, not looked into: that is done in the thread of who asked.
pub(crate) struct RawLeased {
    events: Vec<(Stored, LeaseToken)>,
    next_due: Option<Duration>,
    now: Millis,
}

impl RawLeased {
    pub(crate) fn look_into(self) -> Leased {
        let leases = self.events.into_iter().filter_map(|(stored, token)| {
            let id = EventId(stored.id.unsigned_abs());
            Some(Lease {
                id,
                token,
                event: pending::readable(id, stored.content)?,
                attempts: stored.attempts,
                last_failure: stored.failure.map(Arc::new),
                age: until(stored.accepted, self.now),
            })
        });
        Leased { events: leases.collect(), next_due: self.next_due }
    }

    fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.events.iter().map(|(stored, _)| stored.id)
    }
}

impl Leases {
    /// Nothing is leased, and this is the newest event.
    pub(super) fn new(newest: i64) -> Self {
        Leases {
            held: HashMap::new(),
            ends: BTreeSet::new(),
            seen: i64::MIN,
            cursor: FIRST,
            recent: Recent::after(newest),
            tokens: 0,
        }
    }

    /// An event was accepted, and is safe.
    pub(super) fn accepted(&mut self, event: Stored) {
        self.recent.push(event);
    }

    /// Hands out events that are due, the longest due first. If it fails, nothing was leased.
    pub(super) fn lease(
        &mut self,
        conn: &Connection,
        most: usize,
        term: Duration,
        now: Millis,
    ) -> rusqlite::Result<RawLeased> {
        // A lease of no time would be due again at once.
        let end = later(now, term).max(now + 1);
        let [mut fresh, mut put_back] =
            [pending::in_order(conn)?, pending::put_back_in_order(conn)?];
        let source = match self.recent.begins_after(self.seen) {
            true => Source::Recent(&mut self.recent),
            false => Source::Rows(fresh.query([self.seen])?),
        };
        let mut fresh = Queue::new(source, false, (Millis::MIN, self.seen));
        let put_back = Source::Rows(put_back.query(self.cursor)?);
        let mut put_back = Queue::new(put_back, true, self.cursor);
        let mut again = self.ends.iter().copied().peekable();
        let (mut chosen, mut gone) = (Vec::new(), Vec::new());
        let next_due = loop {
            let turns = [
                fresh.turn(&self.held, now)?,
                put_back.turn(&self.held, now)?,
                again.peek().copied(),
            ];
            let Some(turn) = turns.into_iter().flatten().min() else {
                break None;
            };
            if turn.0 > now || chosen.len() == most {
                break Some(turn.0);
            }
            if turns[0] == Some(turn) {
                chosen.extend(fresh.take());
            } else if turns[1] == Some(turn) {
                chosen.extend(put_back.take());
            } else {
                again.next();
                match pending::one(conn, turn.1)? {
                    Some(stored) => chosen.push(stored),
                    None => gone.push(turn.1),
                }
            }
        };
        let (seen, cursor) = (fresh.passed.1, put_back.passed);
        drop((fresh, again));
        for id in gone {
            self.forget(id);
        }
        (self.seen, self.cursor) = (seen, cursor);
        let own = (!chosen.is_empty()).then_some(end);
        let next_due = next_due.into_iter().chain(own).min().map(|due| until(now, due));
        let events = chosen.into_iter().map(|stored| {
            let token = self.hold(stored.brief(), end);
            (stored, token)
        });
        Ok(RawLeased { events: events.collect(), next_due, now })
    }

    /// The event of this lease, if the lease is still good.
    pub(super) fn good(&self, id: EventId, token: LeaseToken, now: Millis) -> Option<Brief> {
        let held = self.held.get(&i64::try_from(id.0).ok()?)?;
        (held.token == token && now < held.end).then_some(held.event)
    }

    /// Nobody holds this event any more: it is gone, or can be leased from its row.
    pub(super) fn forget(&mut self, id: i64) {
        if let Some(held) = self.held.remove(&id) {
            self.ends.remove(&(held.end, id));
        }
    }

    /// An event is due from this time on, as its row says.
    pub(super) fn due(&mut self, id: i64, due: Millis) {
        if (due, id) <= self.cursor {
            self.cursor = (due, id - 1);
        }
    }

    /// Others may have written: new events, of which this is the newest, and redriven ones anywhere.
    pub(super) fn look_again(&mut self, newest: i64) {
        self.cursor = FIRST;
        self.recent = Recent::after(newest);
    }

    /// Who was to be given these did not wait for them.
    pub(super) fn take_back(&mut self, leased: &RawLeased) {
        for id in leased.ids() {
            self.forget(id);
            self.seen = self.seen.min(id - 1);
        }
        self.cursor = FIRST;
    }

    fn hold(&mut self, event: Brief, end: Millis) -> LeaseToken {
        let token = LeaseToken(self.tokens);
        self.tokens += 1;
        if let Some(before) = self.held.insert(event.id, Held { token, end, event }) {
            self.ends.remove(&(before.end, event.id));
        }
        self.ends.insert((end, event.id));
        token
    }
}

/// Where events are read.
enum Source<'s> {
    Rows(Rows<'s>),
    Recent(&'s mut Recent),
}

/// Events in the order in which they are leased, read one ahead.
struct Queue<'s> {
    source: Source<'s>,
    /// Whether it is for those that were put back, or for those that never were.
    put_back: bool,
    next: Option<Stored>,
    ended: bool,
    /// Up to here all events are held, taken to be leased, or for the other queue.
    passed: Turn,
}

impl<'s> Queue<'s> {
    fn new(source: Source<'s>, put_back: bool, passed: Turn) -> Self {
        Queue { source, put_back, next: None, ended: false, passed }
    }

    /// When the next event that is not held is due, with its id. One that was never put back is due at once, also where
    /// the clock was set back since it was accepted.
    fn turn(&mut self, held: &HashMap<i64, Held>, now: Millis) -> rusqlite::Result<Option<Turn>> {
        while self.next.is_none() && !self.ended {
            let rows = match &mut self.source {
                Source::Rows(rows) => rows,
                Source::Recent(recent) => {
                    return Ok(recent.first().map(|event| (event.accepted.min(now), event.id)));
                }
            };
            let Some(row) = rows.next()? else {
                self.ended = true;
                break;
            };
            let (id, due): (i64, Option<Millis>) = (row.get(0)?, row.get(1)?);
            match held.contains_key(&id) || due.is_some() != self.put_back {
                true => self.passed = (due.unwrap_or(Millis::MIN), id),
                false => self.next = Some(Stored::of(row)?),
            }
        }
        let due = |stored: &Stored| stored.due.unwrap_or(stored.accepted.min(now));
        Ok(self.next.as_ref().map(|stored| (due(stored), stored.id)))
    }

    fn take(&mut self) -> Option<Stored> {
        let stored = match &mut self.source {
            Source::Rows(_) => self.next.take()?,
            Source::Recent(recent) => recent.pop()?,
        };
        self.passed = (stored.due.unwrap_or(Millis::MIN), stored.id);
        Some(stored)
    }
}
