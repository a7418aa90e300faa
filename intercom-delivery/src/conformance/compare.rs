//! Compares what an outbox says with the model.

use std::time::Duration;

use super::model::{EventState, Held, Model, Pending};
use super::{Checked, ensure};
use crate::outbox::{Counts, DeadLetter, Leased};

impl Model {
    /// Compares the counts, and learns ids from them.
    pub(super) fn compare_counts(&mut self, counts: &Counts, slack: Duration) -> Checked {
        ensure!(counts.is_balanced(), "the counts are not balanced: {counts:?}");
        let number = |of: fn(&EventState) -> bool| {
            self.events.iter().filter(|event| of(&event.state)).count() as u64
        };
        let dead_letters = number(|state| matches!(state, EventState::Dead { .. }));
        let purged = number(|state| matches!(state, EventState::Purged));
        let pending = number(|state| matches!(state, EventState::Pending { .. }));
        let expected = [
            ("accepted", counts.accepted, self.events.len() as u64 - self.derived),
            ("derived", counts.derived, self.derived),
            ("delivered", counts.delivered, number(|state| matches!(state, EventState::Delivered))),
            ("dead", counts.dead, dead_letters + purged),
            ("pending", counts.pending, pending),
            ("withheld", counts.withheld, number(|state| matches!(state, EventState::Withheld))),
            ("erased", counts.erased, number(|state| matches!(state, EventState::Erased))),
            ("dropped", counts.dropped, number(|state| matches!(state, EventState::Dropped))),
            ("dead_letters", counts.dead_letters, dead_letters),
            ("purged", counts.purged, purged),
            ("moved", counts.moved, self.moved),
            ("collided", counts.collided, self.collided),
        ];
        for (name, told, expected) in expected {
            ensure!(told == expected, "the count of `{name}` is {told} instead of {expected}");
        }
        let oldest = self.all_pending().next().map(|(event, _)| event);
        let newest = self.events.len().checked_sub(1);
        for (name, event, told) in
            [("newest", newest, counts.newest), ("oldest_own", oldest, counts.oldest_own)]
        {
            match (event, told) {
                (Some(event), Some(id)) => {
                    self.see_id(event, id).map_err(|what| format!("`{name}` is wrong: {what}"))?;
                }
                (None, None) => {}
                _ => return Err(format!("`{name}` is {told:?}, and {pending} are pending")),
            }
        }
        let (age, told) =
            (oldest.map(|event| self.now - self.events[event].aged_from), counts.oldest_pending);
        ensure!(
            age.zip(told).map_or(age == told, |(age, told)| (age..=age + slack).contains(&told)),
            "`oldest_pending` is {told:?} instead of {age:?}"
        );
        Ok(())
    }

    /// Compares what was leased, which is leased in the model then too.
    pub(super) fn compare_leased(
        &mut self,
        leased: &Leased,
        limit: usize,
        slack: Duration,
    ) -> Checked {
        let number = leased.events.len();
        ensure!(number <= limit, "{number} events were leased, and {limit} asked for");
        let mut given = Vec::with_capacity(number);
        for lease in &leased.events {
            let event = self.recognize(&lease.event)?;
            let id = lease.id;
            self.see_id(event, id)?;
            self.see_event(event, &lease.event)?;
            let held = &self.events[event];
            let EventState::Pending(pending) = held.state else {
                let state = held.state.name();
                return Err(format!("the event {id} was leased, and is {state}"));
            };
            let twice = pending.leased || given.iter().any(|(other, _)| *other == event);
            ensure!(!twice, "the event {id} was leased twice at once");
            let Pending { due, attempts, stage, .. } = pending;
            let early = due.saturating_sub(self.now);
            ensure!(early.is_zero(), "the event {id} was leased {early:?} before it is due");
            let told = lease.attempts;
            ensure!(told == attempts, "the event {id} has {told} attempts instead of {attempts}");
            let told = lease.stage;
            ensure!(told == stage, "the stage of the event {id} is {told:?} instead of {stage:?}");
            let (age, told) = (self.now - held.aged_from, lease.age);
            ensure!(
                (age..=age + slack).contains(&told),
                "the age of the event {id} is {told:?} instead of {age:?}"
            );
            ensure!(
                lease.last_failure.as_deref() == held.last_failure.as_ref(),
                "the last failure of the event {id} is not that with which it was put back"
            );
            given.push((event, pending));
        }
        self.compare_order(&given)?;
        for ((event, _), lease) in given.iter().zip(&leased.events) {
            self.lease(*event, lease);
        }
        if leased.events.is_empty() {
            // An extension may have been on its way while other operations were done.
            return Ok(());
        }
        let (told, pending) = (leased.pending, self.all_pending().count() as u64);
        ensure!(told == pending, "a lease says that {told} are pending instead of {pending}");
        let new = self.all_pending().filter(|(_, p)| p.stage.is_new() && !p.leased);
        let earliest = new.map(|(event, _)| self.events[event].event.created_at()).min();
        let told = leased.earliest_new;
        ensure!(
            earliest.is_none_or(|earliest| told.is_some_and(|told| told <= earliest)),
            "`earliest_new` is {told:?}, and an event of {earliest:?} is new"
        );
        Ok(())
    }

    /// The longest due first, also before those that were not given.
    fn compare_order(&self, given: &[(usize, Pending)]) -> Checked {
        let name = |event: usize| self.events[event].name();
        for (place, event) in given.iter().enumerate() {
            let later = given[place + 1..].iter();
            if let Some(later) = later.copied().find(|later| self.is_before(*later, *event)) {
                let [event, later] = [event.0, later.0].map(name);
                return Err(format!("{event} was leased ahead of {later}, which is longer due"));
            }
        }
        for other in self.due().filter(|(other, _)| given.iter().all(|(event, _)| event != other)) {
            if let Some(event) = given.iter().find(|event| self.is_before(other, **event)) {
                let [event, other] = [event.0, other.0].map(name);
                return Err(format!("{event} was leased instead of {other}, which is longer due"));
            }
        }
        Ok(())
    }

    /// Compares dead letters that were read.
    pub(super) fn compare_letters(&mut self, read: &[DeadLetter], expected: &[usize]) -> Checked {
        let told: Vec<_> = read.iter().map(|letter| letter.id).collect();
        let ids: Vec<_> = self.ids(expected.iter().copied()).into_iter().collect();
        ensure!(told == ids, "the dead letters {told:?} were read instead of {ids:?}");
        for (letter, event) in read.iter().zip(expected) {
            let recognized = self.recognize(&letter.event)?;
            let id = letter.id;
            ensure!(recognized == *event, "the dead letter {id} holds another event");
            self.see_event(*event, &letter.event)?;
            if let EventState::Dead { reason, attempts, failure, .. } = &self.events[*event].state {
                let told = (letter.reason, letter.attempts, letter.failure.as_ref());
                let expected = (*reason, *attempts, failure.as_ref());
                ensure!(
                    told == expected,
                    "the dead letter {id} tells {told:?} instead of {expected:?}"
                );
            }
        }
        Ok(())
    }
}

impl Held {
    /// What the event is called in messages.
    fn name(&self) -> String {
        match self.id {
            Some(id) => format!("the event {id}"),
            None => format!("the event {:?}", self.event),
        }
    }
}

impl EventState {
    fn name(&self) -> &'static str {
        match self {
            EventState::Pending(_) => "pending",
            EventState::Dead { .. } => "a dead letter",
            EventState::Delivered => "delivered",
            EventState::Purged => "purged",
            EventState::Withheld => "withheld",
            EventState::Dropped => "dropped",
            EventState::Erased => "erased",
        }
    }
}
