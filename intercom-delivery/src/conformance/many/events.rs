//! The events of a history, and what the suite knows of each.

use std::collections::HashMap;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};

use super::{Promise, Verified, Violation, require};
use crate::outbox::{Counts, EventId, Lease};

/// All events that were ever offered. An event is known by its place in it.
#[derive(Default)]
pub(super) struct Events {
    known: Vec<Known>,
    numbers: HashMap<EventId, usize>,
    groups: usize,
    pub(super) moved: u64,
}

struct Known {
    /// The events of one `accept` have one group.
    group: usize,
    state: EventPhase,
    id: Option<EventId>,
    /// When it was accepted or redriven, by the time of day.
    accepted_at: i64,
    /// Which promise is broken if it is never delivered.
    lost: Promise,
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
    Dead,
    Delivered,
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
        let event = DynamicEvent::new("project_created").and_then(|e| e.with("number", number));
        let second = Timestamp::from_unix_seconds(second);
        let event = event.and_then(|event| DataEvent::new(&event, Contact::user_id(user), second));
        event.expect("the event is valid")
    }

    /// Notes a group of events that were made last. Returns its number.
    pub(super) fn offer(&mut self, events: usize, offered: Offered, now: i64) -> usize {
        let group = self.groups;
        self.groups += 1;
        let (state, lost) = match offered {
            Offered::Accepted => (EventPhase::Pending { due: Duration::ZERO }, Promise::Delivery),
            Offered::Open => (EventPhase::Open, Promise::LateCommit),
            Offered::InDoubt => (EventPhase::InDoubt, Promise::Acceptance),
        };
        for _ in 0..events {
            self.known.push(Known { group, state, id: None, accepted_at: now, lost });
        }
        group
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
    pub(super) fn lease(&mut self, lease: &mut Lease, now: i64) -> Verified {
        let id = lease.id;
        let number = lease.event.to_json()["metadata"]["number"].as_u64();
        let number = number.and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| *number < self.known.len());
        let Some(number) = number else {
            return Err(violation(Promise::Acceptance, "an event is leased that nobody offered"));
        };
        let other = *self.numbers.entry(id).or_insert(number);
        require!(other == number, Acceptance, "the id {id} is that of two events");
        let known = &mut self.known[number];
        let before = *known.id.get_or_insert(id);
        require!(before == id, Acceptance, "an event has the id {id}, and had the id {before}");
        match known.state {
            EventPhase::InDoubt | EventPhase::Pending { .. } => {}
            EventPhase::Open => {
                let what = format!("the event {id} is leased before its transaction committed");
                return Err(violation(Promise::Acceptance, what));
            }
            EventPhase::RolledBack => {
                let what = format!("the event {id} is leased, and its transaction was rolled back");
                return Err(violation(Promise::Acceptance, what));
            }
            EventPhase::Leased => {
                let what = format!("the event {id} is leased a second time in one epoch");
                return Err(violation(Promise::OneDeliverer, what));
            }
            EventPhase::Dead | EventPhase::Delivered => {
                let what = format!("the event {id} is leased after it was settled");
                return Err(violation(Promise::Delivery, what));
            }
        }
        known.state = EventPhase::Leased;
        lease.age = Duration::from_secs((now - known.accepted_at).unsigned_abs());
        Ok(())
    }

    fn of(&mut self, id: EventId) -> Option<&mut Known> {
        let number = *self.numbers.get(&id)?;
        self.known.get_mut(number)
    }

    pub(super) fn deliver(&mut self, id: EventId) {
        self.set(id, EventPhase::Delivered);
    }

    pub(super) fn bury(&mut self, id: EventId) {
        self.set(id, EventPhase::Dead);
    }

    pub(super) fn put_back(&mut self, id: EventId, due: Duration) {
        self.set(id, EventPhase::Pending { due });
    }

    fn set(&mut self, id: EventId, state: EventPhase) {
        if let Some(known) = self.of(id) {
            known.state = state;
        }
    }

    /// An epoch ended: all that was leased is due again.
    pub(super) fn take_back(&mut self) {
        for known in &mut self.known {
            if known.state == EventPhase::Leased {
                known.state = EventPhase::Pending { due: Duration::ZERO };
            }
        }
    }

    /// All dead letters are pending again.
    pub(super) fn redrive(&mut self, spent: Duration, now: i64) {
        for known in self.known.iter_mut().filter(|known| known.state == EventPhase::Dead) {
            known.state = EventPhase::Pending { due: spent };
            known.accepted_at = now;
            known.lost = Promise::Redrive;
        }
    }

    /// Whether an event is due and not leased, when so much time was spent.
    pub(super) fn is_due(&self, spent: Duration) -> bool {
        let due =
            |known: &Known| matches!(known.state, EventPhase::Pending { due } if due <= spent);
        self.known.iter().any(due)
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
        let dead = number(|state| state == EventPhase::Dead);
        let delivered = number(|state| state == EventPhase::Delivered);
        let pending =
            number(|state| matches!(state, EventPhase::Pending { .. } | EventPhase::Leased));
        let accepted = dead + delivered + pending;
        for (name, told, expected, in_doubt) in [
            ("accepted", counts.accepted, accepted, in_doubt),
            ("pending", counts.pending, pending, in_doubt),
            ("delivered", counts.delivered, delivered, 0),
            ("dead", counts.dead, dead, 0),
            ("dead_letters", counts.dead_letters, dead, 0),
            ("moved", counts.moved, self.moved, 0),
        ] {
            require!(
                (expected..=expected + in_doubt).contains(&told),
                Counts,
                "`{name}` is {told} instead of {expected}, and {in_doubt} events are in doubt"
            );
        }
        require!(
            (counts.collided > 0) == (collided > 0),
            Counts,
            "`collided` is {}, and {collided} events collided",
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
            *there += usize::from(known.state == EventPhase::Delivered);
            *all += 1;
        }
        for (there, all) in groups.into_values() {
            require!(there == 0 || there == all, Acceptance, "{there} of {all} events are there");
        }
        Ok(())
    }
}

pub(super) fn violation(promise: Promise, what: impl Into<String>) -> Violation {
    Violation { promise, what: what.into() }
}
