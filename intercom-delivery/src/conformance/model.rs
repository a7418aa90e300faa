//! An outbox that is plain enough to be obviously right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp};

use super::{Checked, ensure, offer};
use crate::outbox::{
    Admission, DeadLetterReason, Epoch, EventId, Failure, Lease, Ruling, Slot, Stage, Standing,
    Tenure, Tombstones, UsedSlot, Verdict,
};

/// All accepted and derived events, in this order. Its index identifies an event.
///
/// The model learns ids and epochs, which an outbox may choose, when it first sees them.
#[derive(Default)]
pub(super) struct Model {
    /// The time since the beginning.
    pub(super) now: Duration,
    pub(super) events: Vec<Held>,
    /// Each lease there was, with the event that it is of.
    pub(super) leases: Vec<(usize, Lease)>,
    /// Each epoch there was.
    pub(super) epochs: Vec<Epoch>,
    pub(super) turn: TurnOf,
    pub(super) moved: u64,
    pub(super) collided: u64,
    pub(super) derived: u64,
    used: BTreeMap<Slot, Timestamp>,
    /// The erased ones among the few contacts.
    pub(super) erased: BTreeSet<usize>,
    /// How often that changed, and how often when the deliverer last got the tombstones.
    pub(super) erasures: u64,
    pub(super) told_erasures: u64,
    /// How often an event came to be due.
    turns: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum TurnOf {
    #[default]
    Nobody,
    Engine(usize),
    /// The engine dropped the tenure. Its epoch lasts until the next begins, or not.
    Lapsed,
}

/// An event, and where it is.
pub(super) struct Held {
    /// The event with its present bytes.
    pub(super) event: DataEvent,
    /// The beginning of its age.
    pub(super) aged_from: Duration,
    pub(super) id: Option<EventId>,
    pub(super) last_failure: Option<Failure>,
    pub(super) state: EventState,
}

pub(super) enum EventState {
    Pending(Pending),
    Dead { reason: DeadLetterReason, attempts: u32, failure: Option<Failure>, arrived: bool },
    Delivered,
    Purged,
    Withheld,
    Dropped,
    Erased,
}

#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub(super) stage: Stage,
    pub(super) attempts: u32,
    pub(super) leased: bool,
    /// When it is due.
    pub(super) due: Duration,
    /// What it may count as due since at the latest: a lease that was void may count or not.
    due_by: Duration,
    /// Of two that are due since the same moment, which came to be so first.
    turn: u64,
    /// Whether a deferral, a put-back or a redrive has set the due time.
    again: bool,
}

/// What a call of `lease` should give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Began,
    Standby(Epoch),
    /// Events, or news of erased contacts.
    Events,
    /// It waits.
    Nothing,
}

impl Model {
    pub(super) fn accept(&mut self, event: DataEvent) {
        self.add(event, Stage::New);
    }

    fn add(&mut self, event: DataEvent, stage: Stage) {
        let state = self.pending(Duration::ZERO, stage, 0, false);
        let aged_from = self.now;
        self.events.push(Held { event, aged_from, id: None, last_failure: None, state });
    }

    pub(super) fn expected(&self, engine: usize, standing: Standing, limit: usize) -> Expected {
        let present = self.epochs.last().copied();
        match (self.turn, present) {
            (TurnOf::Engine(of), _) if of == engine && self.told_erasures != self.erasures => {
                Expected::Events
            }
            (TurnOf::Engine(of), _) if of == engine => match limit > 0 && self.is_due() {
                true => Expected::Events,
                false => Expected::Nothing,
            },
            (TurnOf::Engine(_), Some(epoch)) => match standing == Standing::Standby(epoch) {
                true => Expected::Nothing,
                false => Expected::Standby(epoch),
            },
            _ => Expected::Began,
        }
    }

    pub(super) fn begin(&mut self, engine: usize, tenure: &Tenure) -> Checked {
        let Tenure { epoch, held, used, tombstones, .. } = tenure;
        self.see_tombstones(Some(tombstones))?;
        let last = self.epochs.last();
        ensure!(last.is_none_or(|last| last < epoch), "the epoch {epoch} began after {last:?}");
        let slots = self.all_pending().filter(|(_, pending)| !pending.stage.is_new());
        let mut expected: Vec<_> = slots.map(|(e, _)| Slot::of(&self.events[e].event)).collect();
        let mut told = held.clone();
        expected.sort_unstable();
        told.sort_unstable();
        ensure!(told == expected, "the held slots are {told:?} instead of {expected:?}");
        let mut told = BTreeMap::new();
        for UsedSlot { slot, keep_until } in used {
            let until = told.entry(*slot).or_insert(*keep_until);
            *until = keep_until.max(until).to_owned();
        }
        let mut expected = self.used.clone();
        let arrived = |held: &&Held| matches!(held.state, EventState::Dead { arrived: true, .. });
        let dead = self.events.iter().filter(arrived).map(|held| Slot::of(&held.event));
        expected.extend(dead.map(|slot| (slot, UsedSlot::WHILE_DEAD)));
        ensure!(told == expected, "the used slots are {told:?} instead of {expected:?}");
        self.epochs.push(*epoch);
        self.turn = TurnOf::Engine(engine);
        self.take_back(|pending| pending.leased);
        Ok(())
    }

    /// Events that are leased, or may be, are due again. That may count since then or as it was
    /// before.
    pub(super) fn take_back(&mut self, which: impl Fn(&Pending) -> bool) {
        let now = self.now;
        for held in &mut self.events {
            if let EventState::Pending(pending) = &mut held.state
                && which(pending)
            {
                pending.leased = false;
                if pending.again {
                    pending.due_by = now.max(pending.due_by);
                }
            }
        }
    }

    pub(super) fn lease(&mut self, event: usize, lease: &Lease) {
        if let EventState::Pending(pending) = &mut self.events[event].state {
            pending.leased = true;
        }
        self.leases.push((event, lease.clone()));
    }

    /// Returns the event, if it is leased under this epoch.
    pub(super) fn leased(&mut self, epoch: Epoch, event: usize) -> Option<&mut Held> {
        let present = matches!(self.turn, TurnOf::Engine(_)) && self.epochs.last() == Some(&epoch);
        let held = &mut self.events[event];
        let leased = matches!(held.state, EventState::Pending(Pending { leased: true, .. }));
        (present && leased).then_some(held)
    }

    /// Returns whether the event was leased under this epoch. Otherwise changes nothing.
    pub(super) fn admit(&mut self, epoch: Epoch, event: usize, admission: &Admission) -> bool {
        let Some(held) = self.leased(epoch, event) else { return false };
        let EventState::Pending(pending) = &mut held.state else { return false };
        match &admission.ruling {
            Ruling::Keep { collides } => {
                pending.stage = Stage::Admitted;
                self.collided += u64::from(*collides);
            }
            Ruling::Replace { event, moved, collides } => {
                pending.stage = Stage::Admitted;
                held.event = event.clone();
                self.moved += u64::from(*moved);
                self.collided += u64::from(*collides);
            }
            Ruling::Defer { after } => {
                let Pending { stage, attempts, .. } = *pending;
                self.events[event].state = self.pending(*after, stage, attempts, true);
            }
            Ruling::Withhold => held.state = EventState::Withheld,
            Ruling::Drop => held.state = EventState::Dropped,
        }
        for event in &admission.derived {
            self.derived += 1;
            self.add(event.clone(), Stage::Derived);
        }
        true
    }

    /// Returns whether the event was leased under this epoch. Otherwise changes nothing.
    pub(super) fn settle(&mut self, epoch: Epoch, event: usize, verdict: &Verdict) -> bool {
        let Some(held) = self.leased(epoch, event) else { return false };
        if let Verdict::PutBack { failure: Some(failure), .. } = verdict {
            held.last_failure = Some(failure.clone());
        }
        self.events[event].state = match verdict.clone() {
            Verdict::Delivered { used } => {
                self.keep(used);
                EventState::Delivered
            }
            Verdict::PutBack { after, attempts, .. } => {
                self.pending(after, Stage::Admitted, attempts, true)
            }
            Verdict::Bury { reason, attempts, failure, used } => {
                used.into_iter().for_each(|used| self.keep(used));
                EventState::Dead { reason, attempts, failure, arrived: used.is_some() }
            }
        };
        true
    }

    /// Buries a pending event for an operator.
    pub(super) fn bury(&mut self, event: usize) {
        let has_turn = matches!(self.turn, TurnOf::Engine(_));
        let Held { state, last_failure, .. } = &mut self.events[event];
        let EventState::Pending(pending) = *state else { return };
        let arrived = has_turn && pending.leased || pending.stage == Stage::Admitted;
        let (reason, attempts) = (DeadLetterReason::Buried, pending.attempts);
        *state = EventState::Dead { reason, attempts, failure: last_failure.clone(), arrived };
    }

    fn keep(&mut self, used: UsedSlot) {
        let until = self.used.entry(used.slot).or_insert(used.keep_until);
        *until = used.keep_until.max(*until);
    }

    pub(super) fn forget(&mut self, before: Timestamp) {
        self.used.retain(|_, until| *until >= before);
    }

    /// Erases one of the few contacts. Returns how many events were pending, and how many were dead
    /// letters.
    pub(super) fn erase(&mut self, contact: usize) -> (u64, u64) {
        let (mut pending, mut dead) = (0, 0);
        let erased = offer::contact(contact);
        for held in &mut self.events {
            let is_theirs = match contact {
                2 => held.event.contact().as_email().is_some(),
                _ => {
                    let id = erased.as_user_id();
                    id.is_some() && held.event.contact().as_user_id() == id
                }
            };
            match held.state {
                EventState::Pending(_) if is_theirs => pending += 1,
                EventState::Dead { .. } if is_theirs => dead += 1,
                _ => continue,
            }
            held.state = EventState::Erased;
        }
        self.erased.insert(contact);
        self.erasures += 1;
        (pending, dead)
    }

    /// Forgives one of the few contacts. Returns whether it was erased.
    pub(super) fn forgive(&mut self, contact: usize) -> bool {
        let forgiven = self.erased.remove(&contact);
        self.erasures += u64::from(forgiven);
        forgiven
    }

    /// Compares the tombstones that the deliverer got.
    pub(super) fn see_tombstones(&mut self, told: Option<&Tombstones>) -> Checked {
        let Some(told) = told else {
            let is_current = self.told_erasures == self.erasures;
            ensure!(
                is_current,
                "a lease tells no tombstones after contacts were erased or forgiven"
            );
            return Ok(());
        };
        for contact in 0..offer::CONTACTS {
            let (told, expected) =
                (told.contains(&offer::contact(contact)), self.erased.contains(&contact));
            ensure!(told == expected, "the tombstones say {told} of the contact {contact}");
        }
        self.told_erasures = self.erasures;
        Ok(())
    }

    pub(super) fn redrive(&mut self, event: usize) {
        let arrived = matches!(self.events[event].state, EventState::Dead { arrived: true, .. });
        let stage = if arrived { Stage::Admitted } else { Stage::Redriven };
        let state = self.pending(Duration::ZERO, stage, 0, true);
        let held = &mut self.events[event];
        held.state = state;
        held.aged_from = self.now;
        held.last_failure = None;
    }

    fn pending(&mut self, after: Duration, stage: Stage, attempts: u32, again: bool) -> EventState {
        self.turns += 1;
        let due = self.now + after;
        let turn = self.turns;
        EventState::Pending(Pending {
            stage,
            attempts,
            leased: false,
            due,
            due_by: due,
            turn,
            again,
        })
    }

    pub(super) fn all_pending(&self) -> impl Iterator<Item = (usize, Pending)> {
        self.events.iter().enumerate().filter_map(|(index, held)| match held.state {
            EventState::Pending(pending) => Some((index, pending)),
            _ => None,
        })
    }

    /// Events that are due and not leased.
    pub(super) fn due(&self) -> impl Iterator<Item = (usize, Pending)> {
        self.all_pending().filter(|(_, pending)| !pending.leased && pending.due <= self.now)
    }

    fn is_due(&self) -> bool {
        self.due().next().is_some()
    }

    /// The events that are dead letters.
    pub(super) fn dead(&self) -> impl Iterator<Item = usize> {
        let dead = |event: &Held| matches!(event.state, EventState::Dead { .. });
        (0..self.events.len()).filter(move |index| dead(&self.events[*index]))
    }

    /// Returns whether the outbox must lease one event before the other.
    pub(super) fn is_before(&self, one: (usize, Pending), other: (usize, Pending)) -> bool {
        let ((index, one), (other_index, other)) = (one, other);
        match (one.again, other.again) {
            (false, false) => index < other_index,
            _ if one.due_by < other.due => true,
            // Two moments that are one here may be two on a clock that goes on, but never the other
            // way round.
            _ if one.due_by > other.due || one.turn > other.turn => false,
            (true, true) => index < other_index,
            _ => false,
        }
    }

    /// Returns which event this is, by all but its second.
    pub(super) fn recognize(&self, seen: &DataEvent) -> Checked<usize> {
        let index = self.events.iter().position(|Held { event, .. }| {
            event.event_name() == seen.event_name()
                && event.contact() == seen.contact()
                && event.metadata() == seen.metadata()
        });
        index.ok_or_else(|| {
            let unknown = "was not accepted with this name, contact and metadata";
            format!("an event came out that {unknown}: {seen:?}")
        })
    }

    /// Learns an event's id, or compares it: a later event has a higher one.
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

    /// Compares an event byte by byte.
    pub(super) fn see_event(&self, event: usize, seen: &DataEvent) -> Checked {
        let expected = &self.events[event].event;
        ensure!(
            seen.created_at() == expected.created_at(),
            "an event is at the second {} instead of {}: {seen:?}",
            seen.created_at().unix_seconds(),
            expected.created_at().unix_seconds(),
        );
        let (told, kept) = (sensitive_keys(seen), sensitive_keys(expected));
        ensure!(told == kept, "the sensitive keys of an event are {told:?} instead of {kept:?}");
        ensure!(
            seen == expected,
            "the bytes of an event changed from {:?} to {:?}",
            expected.body(),
            seen.body(),
        );
        Ok(())
    }

    /// Returns the known ids of these events.
    pub(super) fn ids(&self, events: impl IntoIterator<Item = usize>) -> BTreeSet<EventId> {
        events.into_iter().filter_map(|event| self.events[event].id).collect()
    }
}

fn sensitive_keys(event: &DataEvent) -> BTreeSet<&str> {
    event.sensitive_keys().collect()
}
