//! An outbox that is plain enough to be obviously right.

use std::time::Duration;

use intercom_core::DataEvent;

use super::places::{self, Collided};
use super::violation::{Checked, ensure};
use crate::outbox::{Collisions, DeathReason, EventId, Failure, Lease, LeaseToken, Verdict};

/// All events that ever were accepted, in this order. An event is told by its place in it.
///
/// What an outbox may choose, which is its ids and some of the seconds, is learned when it is first seen.
pub(super) struct Model {
    /// The time since the beginning.
    pub(super) now: Duration,
    pub(super) events: Vec<Held>,
    /// Each lease there was, with the event that it is of.
    pub(super) leases: Vec<(usize, Lease)>,
    turns: u64,
}

/// An event, and where it is.
pub(super) struct Held {
    pub(super) offered: DataEvent,
    pub(super) collisions: Collisions,
    pub(super) accepted: Duration,
    /// What its age is counted from.
    pub(super) aged_from: Duration,
    /// When it left the outbox.
    pub(super) left: Option<Duration>,
    /// Where it was placed, if that is known.
    pub(super) second: Option<i64>,
    pub(super) collided: Collided,
    pub(super) id: Option<EventId>,
    pub(super) last_failure: Option<Failure>,
    pub(super) state: State,
}

pub(super) enum State {
    /// It waits or is leased.
    Pending {
        /// When it can be leased, which is the end of the lease that it is on.
        due: Duration,
        /// Of two that are due since the same moment, which came to be so first.
        turn: u64,
        attempts: u32,
        lease: Option<LeaseToken>,
    },
    Dead {
        reason: DeathReason,
        attempts: u32,
        failure: Option<Failure>,
    },
    Delivered,
    Purged,
}

impl Model {
    pub(super) fn new() -> Self {
        Model { now: Duration::ZERO, events: Vec::new(), leases: Vec::new(), turns: 0 }
    }

    pub(super) fn accept(&mut self, offered: DataEvent, collisions: Collisions) {
        let (second, collided) = places::expect(&self.events, &offered, collisions, self.now);
        let state = self.pending(Duration::ZERO, 0, None);
        self.events.push(Held {
            offered,
            collisions,
            accepted: self.now,
            aged_from: self.now,
            left: None,
            second,
            collided,
            id: None,
            last_failure: None,
            state,
        });
    }

    pub(super) fn lease(&mut self, event: usize, lease: &Lease, term: Duration) {
        self.events[event].state = self.pending(term, lease.attempts, Some(lease.token));
        self.leases.push((event, lease.clone()));
    }

    /// Whether the lease was good. If not, nothing was done.
    pub(super) fn settle(&mut self, event: usize, token: LeaseToken, verdict: &Verdict) -> bool {
        match self.events[event].state {
            State::Pending { lease: Some(current), due, .. }
                if current == token && self.now < due => {}
            _ => return false,
        }
        self.events[event].state = match verdict {
            Verdict::Acknowledge => {
                self.events[event].left = Some(self.now);
                State::Delivered
            }
            Verdict::PutBack { after, attempts, failure } => {
                if failure.is_some() {
                    self.events[event].last_failure.clone_from(failure);
                }
                self.pending(*after, *attempts, None)
            }
            Verdict::Bury { reason, attempts, failure } => {
                State::Dead { reason: *reason, attempts: *attempts, failure: failure.clone() }
            }
        };
        true
    }

    pub(super) fn redrive(&mut self, event: usize) {
        self.events[event].state = self.pending(Duration::ZERO, 0, None);
        self.events[event].aged_from = self.now;
        self.events[event].last_failure = None;
    }

    pub(super) fn purge(&mut self, event: usize) {
        self.events[event].state = State::Purged;
        self.events[event].left = Some(self.now);
    }

    fn pending(&mut self, after: Duration, attempts: u32, lease: Option<LeaseToken>) -> State {
        self.turns += 1;
        State::Pending { due: self.now + after, turn: self.turns, attempts, lease }
    }

    /// The events that are pending, and since or until when they are due or not.
    pub(super) fn due_times(&self) -> impl Iterator<Item = (usize, Duration)> {
        self.events.iter().enumerate().filter_map(|(index, event)| match event.state {
            State::Pending { due, .. } => Some((index, due)),
            _ => None,
        })
    }

    /// The events that are dead letters.
    pub(super) fn dead(&self) -> impl Iterator<Item = usize> {
        let dead = |event: &Held| matches!(event.state, State::Dead { .. });
        (0..self.events.len()).filter(move |index| dead(&self.events[*index]))
    }

    /// Which event this is, by all but its second.
    pub(super) fn recognize(&self, seen: &DataEvent) -> Checked<usize> {
        let index = self.events.iter().position(|Held { offered, .. }| {
            offered.name() == seen.name()
                && offered.contact() == seen.contact()
                && offered.metadata() == seen.metadata()
        });
        index.ok_or_else(|| {
            format!("an event came out that was not accepted with this name, contact and metadata: {seen:?}")
        })
    }

    /// Learns an event's id, or holds it against what is known: a later event has a higher one.
    pub(super) fn see_id(&mut self, event: usize, id: EventId) -> Checked {
        if let Some(known) = self.events[event].id {
            ensure!(known == id, "the event with the id {known} has the id {id} another time");
            return Ok(());
        }
        let (earlier, later) = self.events.split_at(event);
        let ordered = earlier.iter().filter_map(|event| event.id).all(|known| known < id)
            && later.iter().filter_map(|event| event.id).all(|known| known > id);
        ensure!(ordered, "the id {id} is not in the order of acceptance");
        self.events[event].id = Some(id);
        Ok(())
    }

    /// Learns where an event was placed, or holds it against what is known, and so for each of its bytes.
    pub(super) fn see_event(&mut self, event: usize, seen: &DataEvent) -> Checked {
        let held = &mut self.events[event];
        let second = *held.second.get_or_insert(seen.created_at().unix_seconds());
        let expected = places::placed(&held.offered, second);
        ensure!(
            seen.created_at() == expected.created_at(),
            "an event is at the second {} instead of {second}: {seen:?}",
            seen.created_at().unix_seconds(),
        );
        ensure!(
            *seen == expected,
            "the bytes of an event changed from {:?} to {:?}",
            expected.body(),
            seen.body(),
        );
        Ok(())
    }
}
