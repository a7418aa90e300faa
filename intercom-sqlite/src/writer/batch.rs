//! One transaction for all queued writes.

use std::collections::HashSet;

use intercom_core::{Contact, Timestamp};
use intercom_delivery::outbox::{
    AcceptError, Admission, Epoch, ErasedEvents, EventId, Ruling, Selection, Settlement, Verdict,
};
use rusqlite::Connection;

use super::leases::Leases;
use crate::clock::{Millis, later};
use crate::error::Fault;
use crate::store::accept::{NewEvent, accept, derive};
use crate::store::counts::{self, CountsRow};
use crate::store::{dead, erased, pending, slots};

/// A transaction, and its results so far.
pub(crate) struct Batch<'t> {
    pub(super) conn: &'t Connection,
    pub(super) counts: CountsRow,
    /// The leases of this outbox's engine.
    pub(super) leases: Option<&'t Leases>,
    pub(super) now: Millis,
    pub(super) is_file_there: bool,
    pub(super) effects: Effects,
}

/// The changes in memory once the transaction is durable.
#[derive(Default)]
pub(super) struct Effects {
    /// Events whose leases have ended.
    settled: HashSet<i64>,
    /// Events whose bodies changed size.
    resized: Vec<(i64, i64)>,
    /// The earliest due time of the events that were put back or redriven.
    put_back: Option<Millis>,
    forget_before: Option<Timestamp>,
    /// Whether the earliest second of new events was refreshed.
    bound_found: bool,
    released: bool,
    /// Whether dead letters may exceed their limit.
    pub(super) buried: bool,
    /// Whether events were accepted.
    pub(super) took_room: bool,
    /// Whether the file must lose the bytes of deleted events.
    pub(super) erased: bool,
    /// Whether a waiting call of `lease` must check again.
    pub(super) news: bool,
}

impl Effects {
    /// Notes that an event is due at this time, after a put-back or a redrive.
    fn put_back(&mut self, due: Millis) {
        self.put_back = self.put_back.into_iter().chain([due]).min();
        self.news = true;
    }

    /// Updates the leases.
    pub(super) fn apply(self, leases: &mut Option<Leases>, now: Millis) {
        let Some(held) = leases else { return };
        if self.bound_found {
            held.bound_found(now);
        }
        for id in self.settled {
            held.end(id);
        }
        for (id, bytes) in self.resized {
            held.resize(id, bytes);
        }
        if let Some(due) = self.put_back {
            held.put_back(due);
        }
        if self.released {
            *leases = None;
        }
    }
}

impl Batch<'_> {
    /// Accepts events, all of them or none.
    pub(crate) fn accept(
        &mut self,
        events: &[NewEvent],
    ) -> rusqlite::Result<Result<(), AcceptError>> {
        if !self.is_file_there {
            return Ok(Err(Fault::DELETED.to_error().into()));
        }
        self.effects.news |= !events.is_empty();
        self.effects.took_room |= !events.is_empty();
        accept(self.conn, &mut self.counts, events, self.now)
    }

    /// Stores admission's decisions. Returns the events that are not leased under this epoch.
    pub(crate) fn admit(
        &mut self,
        epoch: Epoch,
        admissions: &[(Admission, Vec<NewEvent>)],
    ) -> rusqlite::Result<Vec<EventId>> {
        let mut late = Vec::new();
        for (admission, derived) in admissions {
            if !self.admit_one(epoch, admission, derived)? {
                late.push(admission.id);
            }
        }
        Ok(late)
    }

    /// Settles events. Returns those that are not leased under this epoch.
    pub(crate) fn settle(
        &mut self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> rusqlite::Result<Vec<EventId>> {
        let mut late = Vec::new();
        for settlement in settlements {
            if !self.settle_one(epoch, settlement)? {
                late.push(settlement.id);
            }
        }
        if self.is_present(epoch) {
            self.effects.forget_before = self.effects.forget_before.max(Some(forget_before));
        }
        Ok(late)
    }

    /// Ends the epoch, if it is this one.
    pub(crate) fn release(&mut self, epoch: Epoch) -> rusqlite::Result<()> {
        if self.is_present(epoch) {
            counts::release(self.conn)?;
            self.effects.released = true;
            self.effects.news = true;
        }
        Ok(())
    }

    /// Redrives dead letters. Returns their number.
    pub(crate) fn redrive(&mut self, which: &Selection) -> rusqlite::Result<u64> {
        let redriven = dead::redrive(self.conn, &mut self.counts, which, self.now)?;
        if redriven > 0 {
            self.effects.put_back(self.now);
        }
        Ok(redriven)
    }

    /// Purges dead letters. Returns their number.
    pub(crate) fn purge(&mut self, which: &Selection) -> rusqlite::Result<u64> {
        dead::purge(self.conn, &mut self.counts, which)
    }

    /// Buries pending events. Returns their number.
    pub(crate) fn bury(&mut self, which: &Selection) -> rusqlite::Result<u64> {
        let Batch { leases, effects, .. } = self;
        let is_leased = |id: i64| {
            let leases = leases.filter(|_| !effects.released);
            leases.is_some_and(|leases| leases.holds(id)) && !effects.settled.contains(&id)
        };
        let buried = pending::bury(self.conn, &mut self.counts, which, self.now, is_leased)?;
        let number = buried.len() as u64;
        self.effects.settled.extend(buried);
        Ok(number)
    }

    /// Erases a contact.
    pub(crate) fn erase(&mut self, contact: &Contact) -> rusqlite::Result<ErasedEvents> {
        self.effects.erased = true;
        self.effects.news = true;
        erased::erase(self.conn, &mut self.counts, contact, self.now)
    }

    /// Forgives a contact. Returns whether it was erased.
    pub(crate) fn forgive(&mut self, contact: &Contact) -> rusqlite::Result<bool> {
        self.effects.news = true;
        erased::forgive(self.conn, &mut self.counts, contact)
    }

    /// Completes the transaction, before it is committed.
    pub(super) fn finish(&mut self, before: &CountsRow) -> rusqlite::Result<()> {
        if self.leases.is_some_and(|leases| leases.is_bound_due(&self.counts, self.now)) {
            self.counts.earliest_new = pending::earliest_new(self.conn)?;
            self.effects.bound_found = true;
        }
        if self.effects.buried {
            dead::purge_oldest(self.conn, &mut self.counts, self.now)?;
        }
        if let Some(forget_before) = self.effects.forget_before {
            slots::forget(self.conn, forget_before)?;
        }
        if self.counts != *before { self.counts.write(self.conn) } else { Ok(()) }
    }

    /// Returns whether an engine of this outbox delivers under this epoch.
    fn is_present(&self, epoch: Epoch) -> bool {
        let leases = self.leases.filter(|leases| leases.epoch() == epoch);
        leases.is_some() && self.counts.epoch() == epoch && !self.effects.released
    }

    /// Returns an event, and the size of its body, if it is leased under this epoch.
    fn leased(&self, epoch: Epoch, id: EventId) -> Option<(i64, i64)> {
        let leases = self.leases.filter(|_| self.is_present(epoch))?;
        let (id, bytes) = leases.leased(id).filter(|(id, _)| !self.effects.settled.contains(id))?;
        let resized = self.effects.resized.iter().rev().find(|(resized, _)| *resized == id);
        Some((id, resized.map_or(bytes, |(_, bytes)| *bytes)))
    }

    fn admit_one(
        &mut self,
        epoch: Epoch,
        admission: &Admission,
        derived: &[NewEvent],
    ) -> rusqlite::Result<bool> {
        let Some((id, before)) = self.leased(epoch, admission.id) else { return Ok(false) };
        if !pending::is_there(self.conn, id)? {
            return Ok(false);
        }
        if !derived.is_empty() {
            derive(self.conn, &mut self.counts, id, derived, self.now)?;
            self.effects.news = true;
        }
        match &admission.ruling {
            Ruling::Keep { collides } => {
                pending::admit(self.conn, id, None)?;
                self.counts.collided += i64::from(*collides);
            }
            Ruling::Replace { event, moved, collides } => {
                pending::admit(self.conn, id, Some(event))?;
                let bytes = i64::try_from(event.body().len()).unwrap_or(i64::MAX);
                if bytes != before {
                    self.effects.resized.push((id, bytes));
                }
                self.counts.pending_bytes += bytes - before;
                self.counts.moved += i64::from(*moved);
                self.counts.collided += i64::from(*collides);
            }
            Ruling::Defer { after } => {
                let due = later(self.now, *after);
                pending::defer(self.conn, id, due)?;
                self.effects.settled.insert(id);
                self.effects.put_back(due);
            }
            Ruling::Withhold => {
                pending::remove(self.conn, &mut self.counts, id, before)?;
                self.effects.settled.insert(id);
                self.counts.withheld += 1;
            }
            Ruling::Drop => {
                pending::remove(self.conn, &mut self.counts, id, before)?;
                self.effects.settled.insert(id);
                self.counts.dropped += 1;
            }
        }
        Ok(true)
    }

    fn settle_one(&mut self, epoch: Epoch, settlement: &Settlement) -> rusqlite::Result<bool> {
        let Some((id, bytes)) = self.leased(epoch, settlement.id) else { return Ok(false) };
        self.effects.settled.insert(id);
        let (was_there, used) = match &settlement.verdict {
            Verdict::Delivered { used } => {
                let was_there = pending::remove(self.conn, &mut self.counts, id, bytes)?;
                self.counts.delivered += i64::from(was_there);
                (was_there, Some(used))
            }
            Verdict::PutBack { after, attempts, failure } => {
                let due = later(self.now, *after);
                self.effects.put_back(due);
                (pending::put_back(self.conn, id, due, *attempts, failure.as_ref())?, None)
            }
            Verdict::Bury { reason, attempts, failure, used } => {
                self.effects.buried = true;
                let how = (*reason, self.now, used.is_some());
                pending::copy_to_dead(self.conn, id, how, *attempts, failure.as_ref())?;
                let was_there = pending::remove(self.conn, &mut self.counts, id, bytes)?;
                self.counts.dead += i64::from(was_there);
                self.counts.dead_letters += i64::from(was_there);
                (was_there, used.as_ref())
            }
        };
        if let Some(used) = used.filter(|_| was_there) {
            slots::keep(self.conn, used)?;
        }
        Ok(was_there)
    }
}
