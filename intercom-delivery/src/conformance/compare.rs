//! Holds what an outbox says against the model.

use std::time::Duration;

use super::model::{Held, Model, State};
use super::places;
use super::violation::{Checked, ensure};
use crate::outbox::{Counts, DeadLetter, Leased};

impl Model {
    /// Holds the counts against the model, and learns ids from them.
    pub(super) fn compare_counts(&mut self, counts: &Counts) -> Checked {
        let number = |of: fn(&State) -> bool| {
            self.events.iter().filter(|event| of(&event.state)).count() as u64
        };
        let pending = number(|state| matches!(state, State::Pending { .. }));
        let dead_letters = number(|state| matches!(state, State::Dead { .. }));
        let expected = [
            ("accepted", counts.accepted, self.events.len() as u64),
            ("delivered", counts.delivered, number(|state| matches!(state, State::Delivered))),
            ("dead", counts.dead, dead_letters + number(|state| matches!(state, State::Purged))),
            ("pending", counts.pending, pending),
            ("dead_letters", counts.dead_letters, dead_letters),
        ];
        for (name, told, expected) in expected {
            ensure!(told == expected, "the count of `{name}` is {told} instead of {expected}");
        }
        let expected = [
            ("moved", counts.moved, places::moved(&self.events)),
            ("collided", counts.collided, places::collided(&self.events)),
        ];
        for (name, told, number) in expected {
            let (least, most) = (number.least, number.most);
            ensure!(
                number.contains(told),
                "the count of `{name}` is {told} and should be {least} to {most}"
            );
        }
        let oldest = self.due_times().next().map(|(event, _)| event);
        let newest = self.events.len().checked_sub(1);
        for (name, event, told) in
            [("newest", newest, counts.newest), ("oldest_pending", oldest, counts.oldest_pending)]
        {
            match (event, told) {
                (Some(event), Some(id)) => {
                    self.see_id(event, id).map_err(|what| format!("`{name}` is wrong: {what}"))?;
                }
                (None, None) => {}
                _ => return Err(format!("`{name}` is {told:?}, and {pending} are pending")),
            }
        }
        Ok(())
    }

    /// Holds what was leased against the model, which is leased then too.
    pub(super) fn compare_leased(
        &mut self,
        leased: &Leased,
        most: usize,
        term: Duration,
        slack: Duration,
    ) -> Checked {
        let number = leased.events.len();
        ensure!(number <= most, "{number} events were leased, and {most} asked for");
        let mut given = Vec::with_capacity(number);
        for lease in &leased.events {
            let event = self.recognize(&lease.event)?;
            self.see_id(event, lease.id)?;
            self.see_event(event, &lease.event)?;
            let id = lease.id;
            ensure!(!given.contains(&event), "the event {id} was leased twice at once");
            given.push(event);

            let held = &self.events[event];
            let (due, attempts, on_lease) = match &held.state {
                State::Pending { due, attempts, lease, .. } => (*due, *attempts, lease.is_some()),
                State::Dead { .. } => return Err(format!("the dead letter {id} was leased")),
                State::Delivered => return Err(format!("the delivered event {id} was leased")),
                State::Purged => return Err(format!("the purged event {id} was leased")),
            };
            let why = if on_lease { "its lease is over" } else { "it is due" };
            ensure!(due <= self.now, "the event {id} was leased {:?} before {why}", due - self.now);
            let told = lease.attempts;
            ensure!(told == attempts, "the event {id} has {told} attempts instead of {attempts}");
            let (age, told) = (self.now - held.aged_from, lease.age);
            ensure!(
                (age..=age + slack).contains(&told),
                "the age of the event {id} is {told:?} instead of {age:?}"
            );
            ensure!(
                lease.last_failure.as_deref() == held.last_failure.as_ref(),
                "the last failure of the event {id} is not that with which it was put back"
            );
            let known = self.leases.iter().any(|(of, l)| *of == event && l.token == lease.token);
            ensure!(!known, "two leases of the event {id} have one token");
        }
        self.compare_order(&given)?;
        self.compare_next_due(leased, &given, most, term)?;
        for (event, lease) in given.into_iter().zip(&leased.events) {
            self.lease(event, lease, term);
        }
        Ok(())
    }

    /// The longest due first, also before those that were not given.
    fn compare_order(&self, given: &[usize]) -> Checked {
        let due = |event: usize| match self.events[event].state {
            State::Pending { due, turn, .. } => (due, turn),
            _ => (Duration::MAX, u64::MAX),
        };
        // Two moments that are one here may be two on a clock that goes on, but never the other way round.
        let before = |one: usize, other: usize| {
            let ((due, turn), (other_due, other_turn)) = (due(one), due(other));
            due < other_due || (due == other_due && turn < other_turn && one < other)
        };
        for (place, event) in given.iter().enumerate() {
            let later = given[place + 1..].iter().find(|later| before(**later, *event));
            if let Some(later) = later {
                let [event, later] = [event, later].map(|event| name(&self.events[*event]));
                return Err(format!("{event} was leased ahead of {later}, which is longer due"));
            }
        }
        for (other, _) in self.due_times().filter(|(other, _)| !given.contains(other)) {
            if let Some(event) = given.iter().find(|event| before(other, **event)) {
                let [event, other] = [*event, other].map(|event| name(&self.events[event]));
                return Err(format!("{event} was leased instead of {other}, which is longer due"));
            }
        }
        Ok(())
    }

    /// Never later than the truth: an event would wait for longer than it should, or for ever.
    fn compare_next_due(
        &self,
        leased: &Leased,
        given: &[usize],
        most: usize,
        term: Duration,
    ) -> Checked {
        let others = self.due_times().filter(|(event, _)| !given.contains(event));
        let others = others.map(|(_, due)| due.saturating_sub(self.now)).min();
        let told = leased.next_due;
        ensure!(
            most == 0 || !given.is_empty() || others != Some(Duration::ZERO),
            "nothing was leased while an event is due"
        );
        // Where only those are pending that were just leased, the ends of their leases are what comes next.
        let Some(next) = others.or((!given.is_empty()).then_some(term)) else {
            ensure!(told != Some(Duration::ZERO), "`next_due` is zero, and nothing is pending");
            return Ok(());
        };
        ensure!(
            told.is_some_and(|told| told <= next),
            "`next_due` is {told:?}, and the next event is due in {next:?}"
        );
        ensure!(
            told != Some(Duration::ZERO) || next.is_zero(),
            "`next_due` is zero, and the next event is due in {next:?}"
        );
        Ok(())
    }

    /// Holds dead letters that were read against those of the model.
    pub(super) fn compare_letters(&mut self, read: &[DeadLetter], expected: &[usize]) -> Checked {
        let ids = |events: &[usize]| -> Vec<_> {
            events.iter().filter_map(|event| self.events[*event].id).collect()
        };
        let (told, ids) = (read.iter().map(|letter| letter.id).collect::<Vec<_>>(), ids(expected));
        ensure!(told == ids, "the dead letters {told:?} were read instead of {ids:?}");
        for (letter, event) in read.iter().zip(expected) {
            let recognized = self.recognize(&letter.event)?;
            let id = letter.id;
            ensure!(recognized == *event, "the dead letter {id} holds another event");
            self.see_event(*event, &letter.event)?;
            if let State::Dead { reason, attempts, failure } = &self.events[*event].state {
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

/// How an event is called in messages.
fn name(event: &Held) -> String {
    match event.id {
        Some(id) => format!("the event {id}"),
        None => format!("the event {:?}", event.offered),
    }
}
