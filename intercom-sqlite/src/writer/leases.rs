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

use crate::clock::{Millis, later, until};
use crate::store::pending::{self, Brief, Stored};

/// A due time and an id: the order in which events are leased.
type Turn = (Millis, i64);

#[derive(Default)]
pub(super) struct Leases {
    /// Events that are leased, or were until their lease ended. They are leased again from here, not from their rows.
    held: HashMap<i64, Held>,
    /// When the leases end.
    ends: BTreeSet<Turn>,
    /// Up to here all rows are of events that are held.
    cursor: Option<Turn>,
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
                event: pending::readable(id, stored.body)?,
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
        let mut cursor = self.cursor.unwrap_or((Millis::MIN, i64::MIN));
        let mut select = pending::in_order(conn)?;
        let mut rows = select.query(cursor)?;
        let mut fresh = self.next_fresh(&mut rows, &mut cursor)?;
        let mut again = self.ends.iter().copied().peekable();
        let (mut chosen, mut gone) = (Vec::new(), Vec::new());
        let next_due = loop {
            let first = fresh.as_ref().map(|stored| (stored.due, stored.id));
            let Some(turn) = first.into_iter().chain(again.peek().copied()).min() else {
                break None;
            };
            if turn.0 > now || chosen.len() == most {
                break Some(turn.0);
            }
            if first == Some(turn) {
                chosen.extend(fresh);
                cursor = turn;
                fresh = self.next_fresh(&mut rows, &mut cursor)?;
            } else {
                again.next();
                match pending::one(conn, turn.1)? {
                    Some(stored) => chosen.push(stored),
                    None => gone.push(turn.1),
                }
            }
        };
        drop(again);
        for id in gone {
            self.forget(id);
        }
        self.cursor = Some(cursor);
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
        if self.cursor.is_some_and(|cursor| (due, id) <= cursor) {
            self.cursor = Some((due, id - 1));
        }
    }

    /// Rows may have come anywhere.
    pub(super) fn look_again(&mut self) {
        self.cursor = None;
    }

    /// Who was to be given these did not wait for them.
    pub(super) fn take_back(&mut self, leased: &RawLeased) {
        for id in leased.ids() {
            self.forget(id);
        }
        self.look_again();
    }

    /// The next row of an event that is not held. The cursor goes past those that are.
    fn next_fresh(
        &self,
        rows: &mut Rows<'_>,
        cursor: &mut Turn,
    ) -> rusqlite::Result<Option<Stored>> {
        while let Some(row) = rows.next()? {
            let turn = (row.get(1)?, row.get(0)?);
            if !self.held.contains_key(&turn.1) {
                return Stored::of(row).map(Some);
            }
            *cursor = turn;
        }
        Ok(None)
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
