//! The events of a history, and what the suite knows of each.

use std::collections::HashMap;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};

use super::{Promise, Verified, Violation, require};
use crate::engine::admission::WINDOW_SECONDS;
use crate::outbox::{Counts, DeadLetter, DeadLetterReason, EventId, Lease, Selection, Stage};

/// The names of events. Most have the first.
pub(super) const NAMES: [&str; 2] = ["project_created", "project_closed"];

/// All events that were ever offered. An event is known by its place in it.
#[derive(Default)]
pub(super) struct Events {
    known: Vec<Known>,
    numbers: HashMap<EventId, usize>,
    groups: usize,
    pub(super) moved: u64,
}

struct Known {
    event: DataEvent,
    /// The events of one `accept` have one group.
    group: usize,
    state: EventPhase,
    id: Option<EventId>,
    /// When it was accepted or redriven, by the time of day.
    accepted_at: i64,
    /// Whether it was accepted more than the window after its second. The engine may have forgotten by
    /// then which event had its slot.
    is_late: bool,
    /// Which promise is broken if it is never delivered.
    lost: Promise,
    /// Whether an operator buried it while it was leased, and may have redriven it since. The outbox
    /// leases it again, or its settlement counts.
    is_at_hand: bool,
    /// Whether its bytes are final, so that its slot is its own while it is a dead letter.
    is_final: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventPhase {
    /// Its transaction is open.
    Open,
    /// Its transaction was rolled back.
    RolledBack,
    /// Its process was killed while it accepted it.
    InDoubt,
    /// It is due when so much time was spent.
    Pending {
        due: Duration,
    },
    Leased,
    Dead(DeadLetterReason),
    Delivered,
    /// Its contact is erased, and the engine withheld it.
    Withheld,
    Purged,
    Erased,
}

/// How an offer begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Offered {
    Accepted,
    Open,
    InDoubt,
}

impl Events {
    /// Makes an event with the next number after `ahead` others that are not offered yet.
    pub(super) fn make(&self, ahead: usize, user: u8, second: i64) -> DataEvent {
        let number = (self.known.len() + ahead) as u64;
        let name = NAMES[usize::from(number % 4 == 3)];
        let event = DynamicEvent::new(name).and_then(|e| e.with("number", number));
        let second = Timestamp::from_unix_seconds(second);
        let event = event.and_then(|event| DataEvent::new(&event, Contact::user_id(user), second));
        event.expect("the event is valid")
    }

    /// Notes a group of events that were made last. Returns its number.
    pub(super) fn offer(&mut self, events: Vec<DataEvent>, offered: Offered, now: i64) -> usize {
        let group = self.groups;
        self.groups += 1;
        let (state, lost) = match offered {
            Offered::Accepted => (EventPhase::Pending { due: Duration::ZERO }, Promise::Delivery),
            Offered::Open => (EventPhase::Open, Promise::LateCommit),
            Offered::InDoubt => (EventPhase::InDoubt, Promise::Acceptance),
        };
        for event in events {
            let (id, accepted_at, is_at_hand, is_final) = (None, now, false, false);
            let is_late = now - event.created_at().unix_seconds() > WINDOW_SECONDS;
            self.known.push(Known {
                event,
                group,
                state,
                id,
                accepted_at,
                is_late,
                lost,
                is_at_hand,
                is_final,
            });
        }
        group
    }

    /// Notes that the store accepts the events of this transaction only now, at its commit.
    pub(super) fn accept_at_commit(&mut self, group: usize, now: i64) {
        for known in self.known.iter_mut().filter(|known| known.group == group) {
            known.accepted_at = now;
            known.is_late = now - known.event.created_at().unix_seconds() > WINDOW_SECONDS;
        }
    }

    /// Notes how the transaction of this group ended.
    pub(super) fn end_transaction(&mut self, group: usize, committed: bool) {
        let state = match committed {
            true => EventPhase::Pending { due: Duration::ZERO },
            false => EventPhase::RolledBack,
        };
        self.set_group(group, state);
    }

    fn set_group(&mut self, group: usize, state: EventPhase) {
        for known in self.known.iter_mut().filter(|known| known.group == group) {
            known.state = state;
        }
    }

    /// Notes that an event was leased under an epoch that began after all earlier leases ended, or
    /// under the same. Gives the lease the age by the history's own time of day.
    pub(super) fn lease(&mut self, lease: &mut Lease, of: usize, now: i64) -> Verified {
        let id = lease.id;
        let known = self.identify(id, &lease.event)?;
        match known.state {
            EventPhase::InDoubt | EventPhase::Pending { .. } => {}
            EventPhase::Open => {
                let what = format!(
                    "process {of} leased the event {id} before the commit of its transaction; no event \
                     may be leased before its commit"
                );
                return Err(violation(Promise::Acceptance, what));
            }
            EventPhase::RolledBack => {
                let what = format!(
                    "process {of} leased the event {id} after the rollback of its transaction; such an \
                     event must not exist"
                );
                return Err(violation(Promise::Acceptance, what));
            }
            EventPhase::Leased => {
                let what = format!(
                    "process {of} leased the event {id} while the event was leased; in one epoch, an event \
                     is leased again only after its settlement"
                );
                return Err(violation(Promise::OneDeliverer, what));
            }
            EventPhase::Dead(DeadLetterReason::Buried)
            | EventPhase::Purged
            | EventPhase::Erased => {
                let what = format!(
                    "process {of} leased the event {id} after an operator buried, purged or erased it; \
                     only a redrive makes it pending again"
                );
                return Err(violation(Promise::Operators, what));
            }
            EventPhase::Dead(_) | EventPhase::Delivered | EventPhase::Withheld => {
                let what = format!(
                    "process {of} leased the event {id} after its end as {:?}; an event that has ended \
                     must not be leased",
                    known.state
                );
                return Err(violation(Promise::Delivery, what));
            }
        }
        known.state = EventPhase::Leased;
        known.is_at_hand = false;
        known.is_final |= lease.stage == Stage::Admitted;
        lease.age = Duration::from_secs((now - known.accepted_at).unsigned_abs());
        Ok(())
    }

    /// Finds the event by its number, and holds its id against the one that it had.
    fn identify(&mut self, id: EventId, event: &DataEvent) -> Verified<&mut Known> {
        let number = event.to_json()["metadata"]["number"].as_u64();
        let number = number.and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| *number < self.known.len());
        let Some(number) = number else {
            let what = format!(
                "the outbox has the event {id}, which no process accepted; each of its events must be one \
                 that a process accepted"
            );
            return Err(violation(Promise::Acceptance, what));
        };
        let other = *self.numbers.entry(id).or_insert(number);
        require!(
            other == number,
            Acceptance,
            "the outbox gave the id {id} to two events, the {other}th and the {number}th of the history; \
             each event must have an id of its own"
        );
        let known = &mut self.known[number];
        let before = *known.id.get_or_insert(id);
        require!(
            before == id,
            Acceptance,
            "the outbox gave the event {before} the id {id}; an event must keep its id"
        );
        Ok(known)
    }

    fn of(&mut self, id: EventId) -> Option<&mut Known> {
        let number = *self.numbers.get(&id)?;
        self.known.get_mut(number)
    }

    pub(super) fn deliver(&mut self, id: EventId) {
        self.set(id, EventPhase::Delivered);
    }

    pub(super) fn bury(&mut self, id: EventId, reason: DeadLetterReason) {
        self.set(id, EventPhase::Dead(reason));
    }

    pub(super) fn withhold(&mut self, id: EventId) {
        self.set(id, EventPhase::Withheld);
    }

    pub(super) fn put_back(&mut self, id: EventId, due: Duration) {
        self.set(id, EventPhase::Pending { due });
        self.finish(id);
    }

    /// Notes that the store has an admission of the event.
    pub(super) fn finish(&mut self, id: EventId) {
        if let Some(known) = self.of(id) {
            known.is_final = true;
        }
    }

    /// Returns whether the event was accepted so late that another event may have its slot.
    pub(super) fn is_late(&self, id: EventId) -> bool {
        self.numbers.get(&id).is_some_and(|number| self.known[*number].is_late)
    }

    pub(super) fn is_leased(&self, id: EventId) -> bool {
        self.numbers.get(&id).is_some_and(|number| self.known[*number].state == EventPhase::Leased)
    }

    fn set(&mut self, id: EventId, state: EventPhase) {
        if let Some(known) = self.of(id) {
            known.state = state;
            known.is_at_hand = false;
        }
    }

    /// Returns whether the event is leased, or whether its settlement may count as if it were.
    pub(super) fn may_settle(&self, id: EventId) -> (bool, bool) {
        let Some(known) = self.numbers.get(&id).map(|number| &self.known[*number]) else {
            return (false, false);
        };
        let is_leased = known.state == EventPhase::Leased;
        let is_pending = matches!(known.state, EventPhase::Pending { .. });
        (is_leased, is_leased || is_pending && known.is_at_hand)
    }

    /// Notes that a settlement was late: no lease of the event is left.
    pub(super) fn end_lease(&mut self, id: EventId) {
        if let Some(known) = self.of(id) {
            known.is_at_hand = false;
        }
    }

    /// An epoch ended: all that was leased is due again.
    pub(super) fn take_back(&mut self) {
        for known in &mut self.known {
            known.is_at_hand = false;
            if known.state == EventPhase::Leased {
                known.state = EventPhase::Pending { due: Duration::ZERO };
            }
        }
    }

    /// The selected dead letters are pending again. Returns their number. Also returns those whose
    /// second is before the window, and which are admitted again.
    pub(super) fn redrive(
        &mut self,
        which: &Selection,
        spent: Duration,
        now: i64,
    ) -> (u64, Vec<EventId>) {
        let (mut redriven, mut old) = (0, Vec::new());
        for known in self.known.iter_mut().filter(|known| known.is_dead(which)) {
            known.state = EventPhase::Pending { due: spent };
            known.accepted_at = now;
            known.lost = Promise::Redrive;
            redriven += 1;
            let age = now - known.event.created_at().unix_seconds();
            old.extend(known.id.filter(|_| !known.is_final && age > WINDOW_SECONDS));
        }
        (redriven, old)
    }

    /// The selected dead letters are gone. Returns them.
    pub(super) fn purge(&mut self, which: &Selection) -> Vec<Removed> {
        let dead = self.known.iter_mut().filter(|known| known.is_dead(which));
        dead.map(|known| known.remove(EventPhase::Purged)).collect()
    }

    /// The selected pending events are dead letters. Returns them.
    pub(super) fn bury_pending(&mut self, which: &Selection) -> Vec<Removed> {
        let pending = self.known.iter_mut().filter(|known| known.is_pending(which));
        pending.map(|known| known.remove(EventPhase::Dead(DeadLetterReason::Buried))).collect()
    }

    /// A contact is erased. Returns its pending events and its dead letters.
    pub(super) fn erase(&mut self, contact: &Contact) -> (Vec<Removed>, Vec<Removed>) {
        let (mut pending, mut dead) = (Vec::new(), Vec::new());
        for known in self.known.iter_mut().filter(|known| known.event.contact() == contact) {
            if known.is_pending(&Selection::All) {
                pending.push(known.remove(EventPhase::Erased));
            } else if known.is_dead(&Selection::All) {
                dead.push(known.remove(EventPhase::Erased));
            }
        }
        (pending, dead)
    }

    /// Whether an event that may be there or not is one of these, or of this contact.
    pub(super) fn is_in_doubt(&self, contact: &Contact) -> bool {
        let of = |known: &Known| known.event.contact() == contact;
        self.known.iter().any(|known| known.state == EventPhase::InDoubt && of(known))
    }

    /// Notes that events in doubt are dead letters, which an operator has buried just now. Returns how
    /// many.
    pub(super) fn find_buried(&mut self, letters: &[DeadLetter]) -> Verified<u64> {
        let mut found = 0;
        for letter in letters {
            let known = self.identify(letter.id, &letter.event)?;
            if known.state == EventPhase::InDoubt && letter.reason == DeadLetterReason::Buried {
                known.state = EventPhase::Dead(DeadLetterReason::Buried);
                found += 1;
            }
        }
        Ok(found)
    }

    /// Compares a list of all dead letters.
    pub(super) fn compare_letters(&mut self, letters: &[DeadLetter]) -> Verified {
        for letter in letters {
            let (id, reason) = (letter.id, letter.reason);
            let state = self.identify(id, &letter.event)?.state;
            let is_so = state == EventPhase::Dead(reason);
            require!(
                is_so,
                Operators,
                "the outbox lists the event {id} as a dead letter ({reason}), but it is {state:?}; each \
                 event must be in one state, and all processes must see the same"
            );
        }
        let dead = self.known.iter().filter(|known| known.is_dead(&Selection::All)).count();
        let listed = letters.len();
        require!(
            dead == listed,
            Operators,
            "the outbox lists {listed} dead letters instead of {dead}; it must list each event that was \
             buried and neither redriven, purged nor erased"
        );
        Ok(())
    }

    /// The ids of the dead letters, as far as they are known.
    pub(super) fn dead(&self) -> Vec<EventId> {
        let dead = self.known.iter().filter(|known| known.is_dead(&Selection::All));
        dead.filter_map(|known| known.id).collect()
    }

    /// The ids of the pending events, as far as they are known.
    pub(super) fn pending(&self) -> Vec<EventId> {
        let pending = self.known.iter().filter(|known| known.is_pending(&Selection::All));
        pending.filter_map(|known| known.id).collect()
    }

    /// Whether an event is due and not leased, when so much time was spent.
    pub(super) fn is_due(&self, spent: Duration) -> bool {
        let due =
            |known: &Known| matches!(known.state, EventPhase::Pending { due } if due <= spent);
        self.known.iter().any(|known| due(known) && !known.is_at_hand)
    }

    /// Says which promise is broken if no event is leased.
    pub(super) fn lost(&self) -> Promise {
        let waits = |known: &&Known| matches!(known.state, EventPhase::Pending { .. });
        self.known.iter().find(waits).map_or(Promise::Acceptance, |known| known.lost)
    }

    /// Compares counts that were read while nothing was going on.
    pub(super) fn compare(&self, counts: &Counts, collided: u64) -> Verified {
        let number = |of: fn(EventPhase) -> bool| {
            self.known.iter().filter(|known| of(known.state)).count() as u64
        };
        let in_doubt = number(|state| state == EventPhase::InDoubt);
        let dead_letters = number(|state| matches!(state, EventPhase::Dead(_)));
        let purged = number(|state| state == EventPhase::Purged);
        let dead = dead_letters + purged;
        let delivered = number(|state| state == EventPhase::Delivered);
        let withheld = number(|state| state == EventPhase::Withheld);
        let erased = number(|state| state == EventPhase::Erased);
        let pending =
            number(|state| matches!(state, EventPhase::Pending { .. } | EventPhase::Leased));
        let accepted = dead + delivered + pending + withheld + erased;
        for (name, told, expected, in_doubt) in [
            ("accepted", counts.accepted, accepted, in_doubt),
            ("pending", counts.pending, pending, in_doubt),
            ("delivered", counts.delivered, delivered, 0),
            ("dead", counts.dead, dead, 0),
            ("dead_letters", counts.dead_letters, dead_letters, 0),
            ("purged", counts.purged, purged, 0),
            ("withheld", counts.withheld, withheld, 0),
            ("erased", counts.erased, erased, 0),
            ("moved", counts.moved, self.moved, 0),
        ] {
            require!(
                (expected..=expected + in_doubt).contains(&told),
                Counts,
                "the outbox counts {told} events as `{name}` instead of {expected}; each event must \
                 count once, where it is ({in_doubt} more may count, because their process was killed \
                 while it accepted them)"
            );
        }
        require!(
            (counts.collided > 0) == (collided > 0),
            Counts,
            "the outbox counts {} events as `collided`, and admission stored {collided}; each of these \
             must count",
            counts.collided
        );
        Ok(())
    }

    /// How many events were accepted as far as is known.
    pub(super) fn accepted(&self) -> u64 {
        let out = |state| {
            matches!(state, EventPhase::Open | EventPhase::RolledBack | EventPhase::InDoubt)
        };
        self.known.iter().filter(|known| !out(known.state)).count() as u64
    }

    /// Compares what was accepted when a process was killed, now that all there is was delivered.
    pub(super) fn compare_groups(&self) -> Verified {
        let mut groups: HashMap<usize, (usize, usize)> = HashMap::new();
        for known in &self.known {
            let (there, all) = groups.entry(known.group).or_default();
            let is_there = !matches!(known.state, EventPhase::RolledBack | EventPhase::InDoubt);
            *there += usize::from(is_there);
            *all += 1;
        }
        for (there, all) in groups.into_values() {
            require!(
                there == 0 || there == all,
                Acceptance,
                "the outbox has {there} of {all} events that one call or transaction accepted; it must \
                 have all of them or none"
            );
        }
        Ok(())
    }
}

impl Known {
    fn is_dead(&self, which: &Selection) -> bool {
        let EventPhase::Dead(reason) = self.state else { return false };
        match which {
            Selection::Reason(selected) => *selected == reason,
            which => self.is_chosen(which),
        }
    }

    fn is_pending(&self, which: &Selection) -> bool {
        matches!(self.state, EventPhase::Pending { .. } | EventPhase::Leased)
            && self.is_chosen(which)
    }

    fn is_chosen(&self, which: &Selection) -> bool {
        match which {
            Selection::All => true,
            Selection::Name(name) => self.event.event_name().eq_ignore_ascii_case(name),
            Selection::One(id) => self.id == Some(*id),
            Selection::Reason(_) => false,
        }
    }

    fn remove(&mut self, state: EventPhase) -> Removed {
        let (id, is_final) = (self.id, self.is_final);
        let before = std::mem::replace(&mut self.state, state);
        let was_buried = before == EventPhase::Dead(DeadLetterReason::Buried);
        let was_leased = before == EventPhase::Leased;
        self.is_at_hand |= was_leased;
        Removed { id, was_leased, was_buried, is_final }
    }
}

/// An event that an operator removed.
pub(super) struct Removed {
    pub(super) id: Option<EventId>,
    pub(super) was_leased: bool,
    /// Whether it was a dead letter that an operator had buried.
    pub(super) was_buried: bool,
    pub(super) is_final: bool,
}

pub(super) fn violation(promise: Promise, what: impl Into<String>) -> Violation {
    Violation { promise, what: what.into() }
}
