//! Does operations to an outbox and to the model.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use futures_util::poll;
use intercom_core::{DataEvent, Timestamp, rules};
use tokio::time::timeout;

use super::model::{EventState, Expected, Held, Model, TurnOf};
use super::offer::{self, NAMES, Offer, timestamp};
use super::operation::{Admit, Admitting, End, LeaseEnd, Letters, Operation};
use super::{Checked, LEASE_TIMEOUT, Profile, ensure};
use crate::outbox::{
    AcceptError, Admission, DeadLetterReason, Epoch, EventId, Failure, Leased, Operate, Outbox,
    OutboxError, Ruling, Selection, Settlement, Slot, Stage, Standing, Tenure, Turn, UsedSlot,
    Verdict,
};

/// How often a lease may return without events, to extend its validity, before it gives one.
const EXTENSIONS: usize = 1_000;

const ENGINES: usize = 2;

/// One sequence on its way.
pub(super) struct Course<'a, O, A> {
    outbox: &'a O,
    profile: &'a Profile,
    advance: A,
    model: Model,
    /// How many events were offered, accepted or not.
    offered: usize,
    engines: [TestEngine<'a>; ENGINES],
}

/// The calls of one engine, as far as the outbox sees them.
struct TestEngine<'a> {
    standing: Standing,
    tenure: Option<Tenure>,
    waiting: Option<LeaseCall<'a>>,
}

/// A call of `lease`.
struct LeaseCall<'a> {
    future: Pin<Box<dyn Future<Output = Result<Turn, OutboxError>> + Send + 'a>>,
    limit: usize,
    /// Whether it is dropped when it is about to return.
    cancelled: bool,
}

impl<'a, O: Outbox + Operate, A: AsyncFnMut(Duration)> Course<'a, O, A> {
    pub(super) fn new(outbox: &'a O, profile: &'a Profile, advance: A) -> Self {
        let engine = || TestEngine { standing: Standing::Unknown, tenure: None, waiting: None };
        let engines = [engine(), engine()];
        Course { outbox, profile, advance, model: Model::default(), offered: 0, engines }
    }

    pub(super) async fn perform(&mut self, operation: &Operation) -> Checked {
        match operation {
            Operation::Accept(offers) => self.accept(offers).await?,
            Operation::Lease { engine, limit, cancelled } => {
                self.lease(*engine, *limit, *cancelled).await?;
            }
            Operation::Admit { epoch, admissions } => self.admit(*epoch, admissions).await?,
            Operation::Settle { epoch, settlings, forget } => {
                self.settle(*epoch, settlings, *forget).await?;
            }
            Operation::End { engine, how } => self.end(*engine, *how).await?,
            Operation::Release { epoch } => self.release(*epoch).await?,
            Operation::Redrive(letters) => self.redrive(letters).await?,
            Operation::Purge(letters) => self.purge(letters).await?,
            Operation::Bury(letters) => self.bury(letters).await?,
            Operation::Erase(contact) => self.erase(*contact).await?,
            Operation::Forgive(contact) => self.forgive(*contact).await?,
            Operation::Read { after, limit } => self.read(*after, *limit).await?,
            Operation::Advance(ticks) => self.advance(self.ticks(*ticks)).await,
        }
        for engine in 0..ENGINES {
            self.go_on_waiting(engine).await?;
        }
        self.compare_counts().await
    }

    /// Redrives and delivers all that is left, so that each event has been seen.
    pub(super) async fn deliver_all(&mut self) -> Checked {
        for engine in &mut self.engines {
            engine.waiting = None;
        }
        self.redrive(&Letters::All).await?;
        let engine = if self.model.turn == TurnOf::Engine(1) { 1 } else { 0 };
        if self.model.turn != TurnOf::Engine(engine) {
            self.lease(engine, 0, false).await?;
        }
        while let Some(due) = self.model.all_pending().map(|(_, pending)| pending.due).max() {
            self.advance(due.saturating_sub(self.model.now)).await;
            if self.model.due().next().is_none() {
                // All of them are leased by now.
                self.end(engine, End::ReleaseAndDrop).await?;
                self.lease(engine, 0, false).await?;
            }
            let before = self.model.leases.len();
            self.lease(engine, self.model.events.len(), false).await?;
            let leases = 0..self.model.leases.len() - before;
            let settlings = leases.map(|lease| (lease, LeaseEnd::Deliver { keep: 0 }));
            self.settle(0, &settlings.collect::<Vec<_>>(), 0).await?;
            self.compare_counts().await?;
        }
        self.lease(engine, 1, false).await?;
        self.compare_counts().await
    }

    async fn accept(&mut self, offers: &[Offer]) -> Checked {
        let events: Vec<DataEvent> = offers.iter().map(|offer| self.offer(offer)).collect();
        let pending = self.model.all_pending().count();
        let room = self.profile.capacity.map(|capacity| capacity.saturating_sub(pending));
        let fits = room.is_none_or(|room| events.len() <= room);
        let number = events.len();
        match self.outbox.accept(&events).await {
            Ok(()) => {
                ensure!(fits, "{number} events were accepted, and there is room for {room:?}");
                events.into_iter().for_each(|event| self.model.accept(event));
                Ok(())
            }
            Err(AcceptError::Full) if !fits => Ok(()),
            // More than there ever is room for: waiting does not help, so this need not be full.
            Err(_) if self.profile.capacity.is_some_and(|capacity| number > capacity) => Ok(()),
            Err(error) => Err(format!("{number} events were not accepted: {error:?}")),
        }
    }

    fn offer(&mut self, offer: &Offer) -> DataEvent {
        self.offered += 1;
        offer.event(self.offered, self.model.now)
    }

    /// Calls `lease`. It goes on waiting if it should.
    async fn lease(&mut self, engine: usize, limit: usize, cancelled: bool) -> Checked {
        self.engines[engine].waiting = None;
        let call = self.call(engine, limit, cancelled);
        if self.expected(engine, limit) == Expected::Nothing {
            return self.wait(engine, call).await;
        }
        if !cancelled {
            return self.finish(engine, call).await;
        }
        let mut call = call;
        if let std::task::Poll::Ready(turn) = poll!(&mut call.future) {
            return self.take(engine, limit, turn).await;
        }
        self.compare_counts().await?;
        // Whatever it has leased meanwhile is lost with it, or is not.
        drop(call);
        self.model.take_back(|pending| !pending.leased);
        Ok(())
    }

    /// What waits goes on, or returns, or is dropped before it does.
    async fn go_on_waiting(&mut self, engine: usize) -> Checked {
        let Some(call) = self.engines[engine].waiting.take() else { return Ok(()) };
        match self.expected(engine, call.limit) {
            Expected::Nothing => self.wait(engine, call).await,
            _ if call.cancelled => Ok(()),
            _ => self.finish(engine, call).await,
        }
    }

    /// Sees that a call waits.
    async fn wait(&mut self, engine: usize, mut call: LeaseCall<'a>) -> Checked {
        for _ in 0..EXTENSIONS {
            let first = poll!(&mut call.future);
            // Whatever the outbox does about the call, it has done before it answers this.
            self.compare_counts().await?;
            let polled = if first.is_ready() { first } else { poll!(&mut call.future) };
            let std::task::Poll::Ready(turn) = polled else {
                self.engines[engine].waiting = Some(call);
                return Ok(());
            };
            self.take(engine, call.limit, turn).await?;
            call = self.call(engine, call.limit, call.cancelled);
        }
        Err("a lease never waits".to_owned())
    }

    /// Waits until a call returns what it should.
    async fn finish(&mut self, engine: usize, mut call: LeaseCall<'a>) -> Checked {
        for _ in 0..EXTENSIONS {
            let expected = self.expected(engine, call.limit);
            let Ok(turn) = timeout(LEASE_TIMEOUT, call.future).await else {
                return Err(format!("a lease waits instead of returning {expected:?}"));
            };
            let is_extension =
                matches!(&turn, Ok(Turn::Leased(leased)) if leased.events.is_empty());
            self.take(engine, call.limit, turn).await?;
            if !is_extension || self.expected(engine, call.limit) == Expected::Nothing {
                return Ok(());
            }
            call = self.call(engine, call.limit, call.cancelled);
        }
        Err("nothing was leased while an event is due".to_owned())
    }

    /// Compares what a call returned.
    async fn take(
        &mut self,
        engine: usize,
        limit: usize,
        turn: Result<Turn, OutboxError>,
    ) -> Checked {
        let expected = self.expected(engine, limit);
        let turn = turn.map_err(failed("lease"))?;
        match (expected, turn) {
            (Expected::Began, Turn::Began(tenure)) => {
                self.model.begin(engine, &tenure)?;
                self.engines[engine].standing = Standing::Delivering(tenure.epoch);
                self.engines[engine].tenure = Some(tenure);
                Ok(())
            }
            (Expected::Standby(epoch), Turn::Standby(standby)) => {
                let told = standby.epoch;
                ensure!(told == epoch, "the epoch {told} is told to a standby instead of {epoch}");
                self.engines[engine].standing = Standing::Standby(epoch);
                Ok(())
            }
            (Expected::Events | Expected::Nothing, Turn::Leased(leased)) => {
                let Leased { events, valid_for, tombstones, .. } = &leased;
                ensure!(
                    !events.is_empty() || valid_for.is_some() || tombstones.is_some(),
                    "a lease returns no events instead of waiting"
                );
                self.model.see_tombstones(tombstones.as_deref())?;
                self.model.compare_leased(&leased, limit, self.profile.tick / 2)
            }
            (expected, Turn::Began(tenure)) => {
                Err(format!("the epoch {} began instead of {expected:?}", tenure.epoch))
            }
            (expected, Turn::Leased(_)) => Err(format!("it leased instead of {expected:?}")),
            (expected, Turn::Standby(standby)) => {
                Err(format!("a standby of {} was told instead of {expected:?}", standby.epoch))
            }
        }
    }

    fn call(&self, engine: usize, limit: usize, cancelled: bool) -> LeaseCall<'a> {
        let future = self.outbox.lease(self.engines[engine].standing, limit);
        LeaseCall { future, limit, cancelled }
    }

    fn expected(&self, engine: usize, limit: usize) -> Expected {
        self.model.expected(engine, self.engines[engine].standing, limit)
    }

    /// An epoch counted back from the last, unless nobody can tell whether it has ended.
    fn epoch(&self, back: usize) -> Option<Epoch> {
        let epochs = &self.model.epochs;
        let index = epochs.len().checked_sub(1 + back)?;
        let is_unclear = back == 0 && self.model.turn == TurnOf::Lapsed;
        (!is_unclear).then(|| epochs[index])
    }

    async fn admit(&mut self, back: usize, admissions: &[(usize, Admitting)]) -> Checked {
        let Some(epoch) = self.epoch(back) else { return Ok(()) };
        let (mut stored, mut late) = (Vec::new(), BTreeSet::new());
        for (lease, admitting) in admissions {
            let Some((event, lease)) = self.lease_back(*lease) else { return Ok(()) };
            // The engine admits an event once.
            let is_admitted = |held: &mut Held| matches!(held.state, EventState::Pending(pending) if pending.stage == Stage::Admitted);
            if self.model.leased(epoch, event).is_some_and(is_admitted) {
                continue;
            }
            let id = lease.id;
            let collides = admitting.collides;
            let ruling = match admitting.how {
                Admit::Keep => Ruling::Keep { collides },
                Admit::Move(by) => {
                    let second = lease.event.created_at().unix_seconds() + i64::from(by);
                    let event = lease.event.moved_to(Timestamp::from_unix_seconds(second));
                    Ruling::Replace { event, moved: true, collides: false }
                }
                Admit::Rename(name) => {
                    let event = offer::renamed(&lease.event, name);
                    Ruling::Replace { event, moved: false, collides }
                }
                Admit::Defer(ticks) => Ruling::Defer { after: self.ticks(ticks) },
                Admit::Withhold => Ruling::Withhold,
                Admit::Drop => Ruling::Drop,
            };
            let derived = admitting.derived.iter().map(|offer| self.offer(offer)).collect();
            let admission = Admission { id, ruling, derived };
            if !self.model.admit(epoch, event, &admission) {
                late.insert(id);
            }
            stored.push(admission);
        }
        let told = self.outbox.admit(epoch, &stored).await.map_err(failed("admit"))?;
        compare_late("admissions", told, &late, stored.iter().map(|admission| admission.id))
    }

    async fn settle(
        &mut self,
        back: usize,
        settlings: &[(usize, LeaseEnd)],
        forget: u32,
    ) -> Checked {
        let Some(epoch) = self.epoch(back) else { return Ok(()) };
        let (mut settlements, mut late) = (Vec::new(), BTreeSet::new());
        for (lease, ending) in settlings {
            let Some((event, lease)) = self.lease_back(*lease) else { return Ok(()) };
            let settlement = lease.settle(self.verdict(Slot::of(&lease.event), ending));
            if !self.model.settle(epoch, event, &settlement.verdict) {
                late.insert(settlement.id);
            }
            settlements.push(settlement);
        }
        let forget = timestamp(self.model.now.saturating_sub(self.ticks(forget)));
        if matches!(self.model.turn, TurnOf::Engine(_)) && self.model.epochs.last() == Some(&epoch)
        {
            self.model.forget(forget);
        }
        let told = self.outbox.settle(epoch, &settlements, forget).await;
        let told = told.map_err(failed("settle"))?;
        compare_late(
            "settlements",
            told,
            &late,
            settlements.iter().map(|Settlement { id, .. }| *id),
        )
    }

    /// The lease with this number, counted back from the last.
    fn lease_back(&self, number: usize) -> Option<(usize, crate::outbox::Lease)> {
        let leases = &self.model.leases;
        let back = number.checked_rem(leases.len())?;
        Some(leases[leases.len() - 1 - back].clone())
    }

    fn verdict(&self, slot: Slot, ending: &LeaseEnd) -> Verdict {
        let used =
            |keep: u32| UsedSlot { slot, keep_until: timestamp(self.model.now + self.ticks(keep)) };
        match ending {
            LeaseEnd::Deliver { keep } => Verdict::Delivered { used: used(*keep) },
            LeaseEnd::PutBack { after, attempts } => {
                // Put back without a failure, it keeps the one that it had.
                let failure = format!("it was put back after {attempts} attempts");
                let failure = (attempts % 3 > 0).then(|| Failure::new(failure));
                Verdict::PutBack { after: self.ticks(*after), attempts: *attempts, failure }
            }
            LeaseEnd::Bury { reason, attempts, answered, keep } => {
                let failure = answered.then(|| Failure {
                    message: "it said \"no\",\nand that was “it”".to_owned(),
                    status: Some(422),
                    request_id: Some("req-7".to_owned()),
                });
                let (reason, attempts, used) = (*reason, *attempts, keep.map(used));
                Verdict::Bury { reason, attempts, failure, used }
            }
        }
    }

    async fn end(&mut self, engine: usize, how: End) -> Checked {
        let Some(tenure) = self.engines[engine].tenure.take() else { return Ok(()) };
        self.engines[engine].waiting = None;
        let epoch = tenure.epoch;
        let is_present = |model: &Model| {
            model.turn == TurnOf::Engine(engine) && model.epochs.last() == Some(&epoch)
        };
        if !matches!(how, End::Drop) {
            self.outbox.release(epoch).await.map_err(failed("release"))?;
            if is_present(&self.model) {
                self.model.turn = TurnOf::Nobody;
            }
        }
        if matches!(how, End::Release) {
            self.engines[engine].tenure = Some(tenure);
        } else if is_present(&self.model) {
            self.model.turn = TurnOf::Lapsed;
            self.engines[engine].standing = Standing::Unknown;
        }
        Ok(())
    }

    /// Releases an epoch that is over.
    async fn release(&mut self, back: usize) -> Checked {
        let Some(epoch) = self.epoch(back) else { return Ok(()) };
        if self.model.epochs.last() == Some(&epoch) {
            return Ok(());
        }
        self.outbox.release(epoch).await.map_err(failed("release"))
    }

    async fn redrive(&mut self, letters: &Letters) -> Checked {
        let Some((selection, expected)) = self.select(letters) else { return Ok(()) };
        let told = self.outbox.redrive(&selection).await.map_err(failed("redrive"))?;
        let number = expected.len();
        ensure!(told == number as u64, "{told} dead letters were redriven instead of {number}");
        expected.into_iter().for_each(|event| self.model.redrive(event));
        Ok(())
    }

    async fn purge(&mut self, letters: &Letters) -> Checked {
        let Some((selection, expected)) = self.select(letters) else { return Ok(()) };
        let told = self.outbox.purge(&selection).await.map_err(failed("purge"))?;
        let number = expected.len();
        ensure!(told == number as u64, "{told} dead letters were purged instead of {number}");
        expected.into_iter().for_each(|event| self.model.events[event].state = EventState::Purged);
        Ok(())
    }

    async fn bury(&mut self, letters: &Letters) -> Checked {
        // Nobody can tell whether what was leased still is, and so whether it may have arrived.
        if self.model.turn == TurnOf::Lapsed {
            return Ok(());
        }
        let Some((selection, expected)) = self.select_pending(letters) else { return Ok(()) };
        let told = self.outbox.bury(&selection).await.map_err(failed("bury"))?;
        let number = expected.len();
        ensure!(told == number as u64, "{told} pending events were buried instead of {number}");
        expected.into_iter().for_each(|event| self.model.bury(event));
        // Those that were never leased show their ids here for the first time.
        let letters = self.outbox.dead_letters(None, usize::MAX).await;
        for letter in letters.map_err(failed("read dead letters"))? {
            let event = self.model.recognize(&letter.event)?;
            self.model.see_id(event, letter.id)?;
        }
        Ok(())
    }

    /// Which pending events these are.
    fn select_pending(&self, letters: &Letters) -> Option<(Selection, Vec<usize>)> {
        let pending = |selected: &dyn Fn(&Held) -> bool| -> Vec<usize> {
            let all = self.model.all_pending().map(|(event, _)| event);
            all.filter(|event| selected(&self.model.events[*event])).collect()
        };
        Some(match letters {
            Letters::All => (Selection::All, pending(&|_| true)),
            Letters::Name(name) => {
                let name = NAMES[*name];
                let folded = rules::fold(name);
                let selected = pending(&|held| rules::fold(held.event.event_name()) == folded);
                (Selection::Name(name.to_owned()), selected)
            }
            Letters::Reason(asked) => (Selection::Reason(*asked), Vec::new()),
            Letters::One(number) => {
                let all = self.model.ids(0..self.model.events.len());
                let first = self.model.ids(self.model.all_pending().map(|(event, _)| event));
                let others = number.saturating_sub(first.len()).checked_rem(all.len());
                let id = first.into_iter().nth(*number).or_else(|| all.into_iter().nth(others?))?;
                (Selection::One(id), pending(&|held| held.id == Some(id)))
            }
        })
    }

    async fn erase(&mut self, contact: usize) -> Checked {
        let told = self.outbox.erase(&offer::contact(contact)).await.map_err(failed("erase"))?;
        let (pending, dead_letters) = self.model.erase(contact);
        ensure!(
            (told.pending, told.dead_letters) == (pending, dead_letters),
            "{told:?} were erased instead of {pending} and {dead_letters}"
        );
        Ok(())
    }

    async fn forgive(&mut self, contact: usize) -> Checked {
        let told = self.outbox.forgive(&offer::contact(contact)).await;
        let told = told.map_err(failed("forgive"))?;
        let expected = self.model.forgive(contact);
        ensure!(told == expected, "it says {told} of a contact to be forgiven, not {expected}");
        Ok(())
    }

    /// Which dead letters these are.
    fn select(&self, letters: &Letters) -> Option<(Selection, Vec<usize>)> {
        Some(match letters {
            Letters::All => (Selection::All, self.dead(|_| true)),
            Letters::Name(name) => {
                let name = NAMES[*name];
                let folded = rules::fold(name);
                let selected = self.dead(|held| rules::fold(held.event.event_name()) == folded);
                (Selection::Name(name.to_owned()), selected)
            }
            Letters::Reason(asked) => (Selection::Reason(*asked), self.dead(died_of(*asked))),
            Letters::One(number) => {
                let id = self.number(*number)?;
                (Selection::One(id), self.dead(|held| held.id == Some(id)))
            }
        })
    }

    fn dead(&self, selected: impl Fn(&Held) -> bool) -> Vec<usize> {
        self.model.dead().filter(|event| selected(&self.model.events[*event])).collect()
    }

    /// The id of the dead letter with this number, or of any event after the last.
    fn number(&self, number: usize) -> Option<EventId> {
        let dead = self.model.ids(self.model.dead());
        let all = self.model.ids(0..self.model.events.len());
        let others = number.saturating_sub(dead.len()).checked_rem(all.len());
        dead.into_iter().nth(number).or_else(|| all.into_iter().nth(others?))
    }

    async fn read(&mut self, after: Option<usize>, limit: usize) -> Checked {
        let after = after.and_then(|number| self.number(number));
        let read = self.outbox.dead_letters(after, limit).await;
        let read = read.map_err(failed("read dead letters"))?;
        let later = |event: &usize| self.model.events[*event].id > after;
        let expected: Vec<_> = self.model.dead().filter(later).take(limit).collect();
        self.model.compare_letters(&read, &expected)
    }

    async fn advance(&mut self, by: Duration) {
        if !by.is_zero() {
            (self.advance)(by).await;
            self.model.now += by;
        }
    }

    fn ticks(&self, ticks: u32) -> Duration {
        self.profile.tick * ticks
    }

    async fn compare_counts(&mut self) -> Checked {
        let counts = self.outbox.counts().await.map_err(failed("count"))?;
        self.model.compare_counts(&counts, self.profile.tick / 2)
    }
}

fn died_of(asked: DeadLetterReason) -> impl Fn(&Held) -> bool {
    move |held| matches!(&held.state, EventState::Dead { reason, .. } if *reason == asked)
}

fn compare_late(
    what: &str,
    told: Vec<EventId>,
    late: &BTreeSet<EventId>,
    asked: impl Iterator<Item = EventId>,
) -> Checked {
    let told: BTreeSet<_> = told.into_iter().collect();
    let asked: Vec<_> = asked.collect();
    ensure!(
        told == *late,
        "the {what} of {told:?} are said to be late instead of {late:?}, out of {asked:?}"
    );
    Ok(())
}

fn failed(to: &str) -> impl Fn(OutboxError) -> String {
    move |error| format!("it failed to {to}: {error:?}")
}
