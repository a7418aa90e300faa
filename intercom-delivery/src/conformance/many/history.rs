//! One history: processes that accept, deliver, operate, are killed and are stopped.

mod operators;

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::{join, join_all};
use futures_util::poll;
use intercom_core::{Contact, DataEvent, Timestamp};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::engine::{ProcessEngine, Valid};
use super::events::{Events, Offered, violation};
use super::intercom::Intercom;
use super::{
    Fleet, FleetProfile, FleetReport, Process, Promise, Transaction, Verified, Violation, require,
};
use crate::conformance::LEASE_TIMEOUT;
use crate::engine::admission::{SlotAllocator, WINDOW_SECONDS};
use crate::outbox::{
    AcceptError, Admission, Counts, DeadLetterReason, Epoch, EventId, Leased, Outbox as _,
    OutboxError, Ruling, Selection, Slot, Stage, Standing, Turn, Verdict,
};

/// The time of day when a history begins.
const START: i64 = 1_750_000_000;

/// Events are backdated by less than the window in which a slot is remembered.
const BACKDATED: [i64; 6] = [0, 0, 0, 1, 3, 90];

/// How many transactions are open at once at most.
const TRANSACTIONS: usize = 3;

/// How often a lease may return without events before it gives one.
const EXTENSIONS: usize = 1_000;

/// How many rounds the end may take, in each of which all that is due is delivered.
const ROUNDS: usize = 1_000;

pub(super) struct FleetHistory<'a, F: Fleet> {
    profile: &'a FleetProfile,
    fleet: F,
    random: Rng,
    members: Vec<Member<F::Process>>,
    transactions: Vec<OpenTransaction<F::Process>>,
    events: Events,
    intercom: Intercom,
    /// The process whose turn it is, as far as is known.
    holder: Option<Holder>,
    /// The last epoch that began.
    last: Option<Epoch>,
    /// Why nobody delivers, if nobody does: how long a takeover may take, and what it proves.
    vacant: (Duration, Promise),
    /// The time of day.
    now: i64,
    /// How much time was spent so far.
    spent: Duration,
    /// The erased contacts.
    erased: Vec<Contact>,
    steps: Vec<String>,
}

struct Member<P> {
    name: usize,
    process: P,
    paused: bool,
    standing: Standing,
    /// What it has if it believes that it delivers.
    engine: Option<ProcessEngine>,
}

struct OpenTransaction<P: Process> {
    transaction: P::Transaction,
    group: usize,
    of: usize,
}

#[derive(Clone, Copy)]
struct Holder {
    /// Its place among the members.
    member: usize,
    /// Whether it surely delivers still. One that was stopped may have been deposed.
    certain: bool,
}

impl<'a, F: Fleet> FleetHistory<'a, F> {
    pub(super) async fn new(profile: &'a FleetProfile, fleet: F, seed: u64) -> Self {
        let mut history = FleetHistory {
            profile,
            fleet,
            random: Rng::with_seed(seed),
            members: Vec::new(),
            transactions: Vec::new(),
            events: Events::default(),
            intercom: Intercom::default(),
            holder: None,
            last: None,
            vacant: (profile.handover, Promise::Takeover),
            now: START,
            spent: Duration::ZERO,
            erased: Vec::new(),
            steps: Vec::new(),
        };
        for name in 0..profile.processes {
            let process = history.fleet.start().await;
            history.members.push(Member::new(name, process));
        }
        history
    }

    pub(super) fn into_steps(self) -> Vec<String> {
        self.steps
    }

    pub(super) async fn run(&mut self, report: &mut FleetReport) -> Verified {
        for _ in 0..self.profile.steps {
            let delivers = self.holder.is_some_and(|holder| holder.certain);
            if !delivers && self.random.u8(..3) == 0 {
                self.ask_another(report).await?;
                continue;
            }
            match self.random.u8(..100) {
                0..12 => self.accept().await?,
                12..18 => self.accept_at_once().await?,
                18..23 => self.begin_transaction().await,
                23..28 => self.end_transaction().await,
                28..46 => self.lease().await?,
                46..60 => self.begin_attempt(report)?,
                60..73 => self.end_attempt().await?,
                73..77 => self.operate(report).await?,
                77 => self.operate_at_once(report).await?,
                78..82 => self.pass().await,
                82 | 83 => self.redrive(&Selection::All).await?,
                84..87 => self.ask_another(report).await?,
                87..89 => self.compare_counts().await?,
                89 => self.arrive_late()?,
                90 => self.release().await?,
                91 | 92 => self.kill().await,
                93 => self.kill_while_accepting().await?,
                94..97 => self.pause().await,
                _ => self.resume(report).await?,
            }
        }
        self.deliver_all(report).await?;
        report.histories += 1;
        report.events += self.events.accepted();
        report.moved += self.events.moved;
        Ok(())
    }

    /// At the end each event is delivered, and all processes agree.
    async fn deliver_all(&mut self, report: &mut FleetReport) -> Verified {
        self.note("the end");
        while self.members.iter().any(|member| member.paused) {
            self.resume(report).await?;
        }
        self.forgive_all().await?;
        if self.random.bool() {
            // What is open commits long after all others were delivered.
            self.deliver_what_is_there(report).await?;
            self.now += WINDOW_SECONDS;
            self.accept().await?;
            self.deliver_what_is_there(report).await?;
        }
        for open in std::mem::take(&mut self.transactions) {
            self.note(format!("process {} commits a transaction", open.of));
            self.commit(open.transaction, open.group).await;
        }
        self.deliver_what_is_there(report).await
    }

    async fn deliver_what_is_there(&mut self, report: &mut FleetReport) -> Verified {
        for _ in 0..ROUNDS {
            self.redrive(&Selection::All).await?;
            self.pass().await;
            self.lease_or_take_over(report).await?;
            while let Some(engine) = self.engine().filter(|engine| !engine.ready.is_empty()) {
                if engine.valid.is_over(Instant::now()) {
                    // With nothing due, only a lease without events extends the turn.
                    if let Some(Holder { member, certain: true }) = self.holder {
                        self.lease_once(member, 1).await?;
                    }
                    break;
                }
                self.begin_attempt(report)?;
            }
            while self.engine().is_some_and(|engine| !engine.in_flight.is_empty()) {
                self.end_attempt().await?;
            }
            let counts = self.counts_of(0).await?;
            if counts.pending == 0 && counts.dead_letters == 0 {
                self.compare_counts().await?;
                let accepted = self.events.accepted();
                let told = counts.accepted;
                require!(
                    told == accepted,
                    Counts,
                    "after the delivery of all events, the outbox counts {told} accepted events instead of {accepted}; each \
                     accepted event must count once"
                );
                return self.events.compare_groups();
            }
        }
        let what = "after many rounds, the outbox still has events that a process can neither lease nor \
                    redrive; each accepted event must be delivered";
        Err(violation(self.events.lost(), what))
    }

    async fn accept(&mut self) -> Verified {
        let index = self.running();
        let events = self.offer(0);
        let name = self.members[index].name;
        self.note(format!("process {name} accepts {}", of_events(&events)));
        let accepted = self.members[index].process.outbox().accept(&events).await;
        accepted.map_err(not_accepted)?;
        self.events.offer(events, Offered::Accepted, self.now);
        Ok(())
    }

    /// Two processes accept, a third one counts, and the one that delivers settles, all at once.
    async fn accept_at_once(&mut self) -> Verified {
        let first = self.offer(0);
        let second = self.offer(first.len());
        let [one, other, counting] = [self.running(), self.running(), self.running()];
        let now = self.timestamp();
        let settlements = match self.certain_engine() {
            Some(engine) => engine.in_flight.pop().map(|lease| {
                let used = engine.admission.leave(Slot::of(&lease.event), now);
                (engine.epoch(), lease.settle(Verdict::Delivered { used }), lease)
            }),
            None => None,
        };
        self.note(format!(
            "processes {} and {} accept {} and {}, process {} counts, and {:?} is settled, at once",
            self.members[one].name,
            self.members[other].name,
            of_events(&first),
            of_events(&second),
            self.members[counting].name,
            settlements.as_ref().map(|(_, settlement, _)| settlement.id),
        ));
        let outbox = |index: usize| self.members[index].process.outbox();
        let settle = async {
            let Some((epoch, settlement, _)) = &settlements else { return Ok(Vec::new()) };
            let holder = self.holder.map_or(0, |holder| holder.member);
            let forget = Timestamp::from_unix_seconds(0);
            outbox(holder).settle(*epoch, std::slice::from_ref(settlement), forget).await
        };
        let count = async {
            // As often as it takes to meet the others in any of their parts.
            let mut all = Vec::new();
            for _ in 0..3 {
                all.push(outbox(counting).counts().await);
            }
            all
        };
        let accepts = join_all([outbox(one).accept(&first), outbox(other).accept(&second)]);
        let (counts, (accepted, settled)) = join(count, join(accepts, settle)).await;
        for accepted in accepted {
            accepted.map_err(not_accepted)?;
        }
        let late = settled.map_err(failed(Promise::Delivery))?;
        if let Some((_, settlement, lease)) = settlements {
            let id = settlement.id;
            let counts = self.settled(id, &late)?;
            self.intercom.arrive(id, &lease.event)?;
            if counts {
                self.events.deliver(id);
            }
        }
        for counts in counts {
            balanced(counts)?;
        }
        self.events.offer(first, Offered::Accepted, self.now);
        self.events.offer(second, Offered::Accepted, self.now);
        Ok(())
    }

    async fn begin_transaction(&mut self) {
        if self.transactions.len() >= TRANSACTIONS {
            return;
        }
        let index = self.running();
        let events = self.offer(0);
        let of = self.members[index].name;
        self.note(format!("process {of} begins a transaction with {}", of_events(&events)));
        let transaction = self.members[index].process.begin(events.clone()).await;
        let group = self.events.offer(events, Offered::Open, self.now);
        self.transactions.push(OpenTransaction { transaction, group, of });
    }

    async fn end_transaction(&mut self) {
        let number = self.random.usize(..TRANSACTIONS);
        let Some(open) = self.transactions.get(number) else { return };
        if self.members.iter().any(|member| member.name == open.of && member.paused) {
            return;
        }
        let OpenTransaction { transaction, group, of } = self.transactions.remove(number);
        let commits = self.random.u8(..4) > 0;
        let ends = if commits { "commits" } else { "rolls back" };
        self.note(format!("process {of} {ends} a transaction"));
        match commits {
            true => self.commit(transaction, group).await,
            false => {
                transaction.roll_back().await;
                self.events.end_transaction(group, false);
            }
        }
    }

    async fn commit(&mut self, transaction: <F::Process as Process>::Transaction, group: usize) {
        transaction.commit().await;
        if self.profile.accepts_at_commit {
            self.events.accept_at_commit(group, self.now);
        }
        self.events.end_transaction(group, true);
    }

    /// The process that surely delivers leases and admits what is due.
    async fn lease(&mut self) -> Verified {
        let Some(Holder { member, certain: true }) = self.holder else { return Ok(()) };
        if !self.events.is_due(self.spent) {
            return Ok(());
        }
        let limit = self.random.usize(1..6);
        for _ in 0..EXTENSIONS {
            if self.lease_once(member, limit).await? > 0 {
                return Ok(());
            }
        }
        Err(violation(self.events.lost(), no_event()))
    }

    /// Calls `lease` once. Returns how many events it got.
    async fn lease_once(&mut self, member: usize, limit: usize) -> Verified<usize> {
        let Member { name, process, engine: Some(engine), .. } = &self.members[member] else {
            return Ok(0);
        };
        let epoch = engine.epoch();
        let lease = process.outbox().lease(Standing::Delivering(epoch), limit);
        let Ok(turn) = timeout(LEASE_TIMEOUT, lease).await else {
            let what = format!(
                "process {name} delivers, and waited {LEASE_TIMEOUT:?} for `lease`; it must return each \
                 due event, and extend the turn before the end of `valid_for`"
            );
            return Err(violation(self.events.lost(), what));
        };
        let turn = turn.map_err(failed(Promise::Delivery))?;
        let Turn::Leased(leased) = turn else {
            let what = format!(
                "process {name} delivers in epoch {epoch}, and `lease` returned {turn:?}; a process that \
                 runs must keep its turn"
            );
            return Err(violation(Promise::OneDeliverer, what));
        };
        self.take(leased).await
    }

    /// Takes what was leased for the process whose turn it is, and admits it. Returns how many events.
    async fn take(&mut self, leased: Leased) -> Verified<usize> {
        let Leased { mut events, earliest_new, valid_for, tombstones, .. } = leased;
        let ids: Vec<_> = events.iter().map(|lease| lease.id.get()).collect();
        let wall = self.timestamp();
        let Some(Holder { member, .. }) = self.holder else { return Ok(0) };
        let Member { name, process, engine: Some(engine), .. } = &mut self.members[member] else {
            return Ok(0);
        };
        for lease in &mut events {
            self.events.lease(lease, *name, self.now)?;
            if lease.stage == Stage::Redriven && !engine.has(lease.id) {
                self.intercom.readmit(lease.id);
            }
            if self.events.is_late(lease.id) {
                self.intercom.remove(lease.id);
            }
        }
        if let Some(tombstones) = tombstones {
            engine.tombstones = tombstones;
        }
        self.steps.push(format!("process {name} leases {ids:?}, valid for {valid_for:?}"));
        engine.valid = valid_for.map_or(Valid::Always, |time| Valid::Until(Instant::now() + time));
        let number = events.len();
        let mut admissions = Vec::new();
        for lease in
            events.extract_if(.., |lease| engine.tombstones.contains(lease.event.contact()))
        {
            admissions.push(Admission::new(lease.id, Ruling::Withhold));
        }
        for lease in &mut events {
            let is_erased = self.erased.contains(lease.event.contact());
            let id = lease.id;
            require!(
                !is_erased,
                Operators,
                "process {name} leased the event {id} of an erased contact without its tombstones; they \
                 must come before, or with, the contact's later events"
            );
            admissions.extend(match engine.has(id) {
                true => SlotAllocator::admit_again(lease).1,
                false => engine.admission.admit(lease, wall).1,
            });
        }
        let late = process.outbox().admit(engine.epoch(), &admissions).await;
        let late = late.map_err(failed(Promise::Delivery))?;
        require!(
            late.is_empty(),
            Fencing,
            "process {name} delivers, and `admit` returned {late:?}, which it has leased; only events \
             without a lease in the present epoch are late"
        );
        for admission in &admissions {
            match admission.ruling {
                Ruling::Withhold => self.events.withhold(admission.id),
                Ruling::Replace { moved: true, .. } => self.events.moved += 1,
                Ruling::Keep { collides: true } => self.intercom.note_collision(admission.id),
                _ => {}
            }
            self.events.finish(admission.id);
        }
        engine.take(events);
        engine.forget_before = engine.admission.forget(wall, earliest_new);
        Ok(number)
    }

    /// Begins a request, if the lease still allows it.
    fn begin_attempt(&mut self, report: &mut FleetReport) -> Verified {
        let random = self.random.usize(..1_000);
        let Some(engine) = self.certain_engine() else { return Ok(()) };
        let Some(index) = random.checked_rem(engine.ready.len()) else { return Ok(()) };
        if engine.valid.is_over(Instant::now()) {
            return Ok(());
        }
        let lease = engine.ready.swap_remove(index);
        let (id, event) = (lease.id, lease.event.clone());
        engine.in_flight.push(lease);
        report.sent_after_removal += u64::from(!self.events.is_leased(id));
        self.steps.push(format!("the event {id} is sent"));
        self.intercom.begin(id, &event)
    }

    async fn end_attempt(&mut self) -> Verified {
        let (now, random, after) = (self.timestamp(), self.random.u8(..20), self.random.u32(..5));
        let (which, arrives) = (self.random.usize(..1_000), self.random.bool());
        let Some(Holder { member, certain: true }) = self.holder else { return Ok(()) };
        let Member { process, engine: Some(engine), .. } = &mut self.members[member] else {
            return Ok(());
        };
        let Some(index) = which.checked_rem(engine.in_flight.len()) else { return Ok(()) };
        let lease = engine.in_flight.swap_remove(index);
        let (id, event, attempts) = (lease.id, &lease.event, lease.attempts + 1);
        let after = self.profile.tick * after;
        let (arrives, verdict) = match random {
            0..12 => {
                (true, Verdict::Delivered { used: engine.admission.leave(Slot::of(event), now) })
            }
            // Intercom refuses what it has not.
            12..14 if !self.intercom.may_have(id) => {
                let used = engine.admission.bury(Slot::of(event), false, now);
                let reason = DeadLetterReason::Rejected;
                (false, Verdict::Bury { reason, attempts, failure: None, used })
            }
            14 => {
                let used = engine.admission.bury(Slot::of(event), true, now);
                let reason = DeadLetterReason::AttemptLimit;
                (true, Verdict::Bury { reason, attempts, failure: None, used })
            }
            _ => {
                self.intercom.note_attempt(id);
                (arrives, Verdict::PutBack { after, attempts, failure: None })
            }
        };
        if arrives {
            self.intercom.arrive(id, event)?;
        }
        self.steps.push(format!("the event {id} is settled: {}", in_a_word(&verdict)));
        let settlement = [lease.settle(verdict)];
        let settled = process.outbox().settle(engine.epoch(), &settlement, engine.forget_before);
        let late = settled.await.map_err(failed(Promise::Delivery))?;
        if !self.settled(id, &late)? {
            return Ok(());
        }
        match &settlement[0].verdict {
            Verdict::Delivered { .. } => self.events.deliver(id),
            Verdict::Bury { reason, .. } => self.events.bury(id, *reason),
            _ => self.events.put_back(id, self.spent + after),
        }
        Ok(())
    }

    /// Compares which settlements are said to be late. Returns whether this one counts.
    fn settled(&mut self, id: EventId, late: &[EventId]) -> Verified<bool> {
        let (is_leased, may_settle) = self.events.may_settle(id);
        if late.is_empty() {
            require!(
                may_settle,
                Operators,
                "the outbox settled the event {id} after an operator buried, purged or erased it; such a \
                 settlement must be late, and change nothing"
            );
            return Ok(true);
        }
        require!(
            !is_leased && late == [id],
            Fencing,
            "the process that delivers settled its event {id}, and `settle` returned {late:?} as late; \
             only events without a lease in the present epoch are late"
        );
        self.events.end_lease(id);
        if let Some(engine) = self.certain_engine() {
            engine.admission.lose(id);
        }
        Ok(false)
    }

    fn arrive_late(&mut self) -> Verified {
        let number = self.random.usize(..1_000);
        self.intercom.arrive_late(number)
    }

    async fn pass(&mut self) {
        // A transaction that is open during a long while commits when the window is over.
        let is_long = self.random.u8(..20) == 0;
        self.now += self.random.i64(1..12) + if is_long { WINDOW_SECONDS } else { 0 };
        let by = self.profile.tick * self.random.u32(1..5);
        self.fleet.advance(by).await;
        self.spent += by;
    }

    /// A process that does not deliver asks whose turn it is, and takes over if it must.
    async fn ask_another(&mut self, report: &mut FleetReport) -> Verified {
        let index = self.running();
        match self.holder {
            Some(holder) if holder.member == index => Ok(()),
            Some(Holder { member, certain: true }) => self.stand_by(index, member).await,
            Some(Holder { certain: false, .. }) | None => self.take_over(index, report).await,
        }
    }

    /// While another process delivers, it learns that once, and waits.
    async fn stand_by(&mut self, index: usize, holder: usize) -> Verified {
        let Some(epoch) = self.members[holder].engine.as_ref().map(ProcessEngine::epoch) else {
            return Ok(());
        };
        let Member { name, process, standing, .. } = &mut self.members[index];
        self.steps.push(format!("process {name} calls `lease` while the epoch {epoch} lasts"));
        if *standing != Standing::Standby(epoch) {
            let lease = process.outbox().lease(*standing, 1);
            match timeout(LEASE_TIMEOUT, lease).await {
                Ok(Ok(Turn::Standby(standby))) if standby.epoch == epoch => {
                    *standing = Standing::Standby(epoch);
                }
                Ok(turn) => return Err(not_on_standby(*name, epoch, &turn)),
                Err(_) => {
                    let what = format!(
                        "process {name} called `lease` in epoch {epoch} of another process, and got no \
                         answer; the outbox must return that turn once"
                    );
                    return Err(violation(Promise::OneDeliverer, what));
                }
            }
        }
        let mut lease = pin!(process.outbox().lease(*standing, 1));
        for _ in 0..3 {
            if let Poll::Ready(turn) = poll!(&mut lease) {
                return Err(not_on_standby(*name, epoch, &turn));
            }
            yield_now().await;
        }
        Ok(())
    }

    /// Nobody surely delivers: this process takes over in time.
    async fn take_over(&mut self, index: usize, report: &mut FleetReport) -> Verified {
        let (limit, promise) = self.vacant;
        let name = self.members[index].name;
        self.note(format!("process {name} must take over within {limit:?}"));
        let begun = Instant::now();
        loop {
            let Member { process, standing, .. } = &mut self.members[index];
            let left = limit.saturating_sub(begun.elapsed());
            let turn = match timeout(left, process.outbox().lease(*standing, 1)).await {
                Ok(turn) => turn.map_err(failed(promise))?,
                Err(_) => {
                    let what = format!(
                        "process {name} did not begin a turn within {limit:?}, and no other process \
                         delivers; a standby must take over in that time"
                    );
                    return Err(violation(promise, what));
                }
            };
            match turn {
                Turn::Began(tenure) => {
                    report.takeovers += u64::from(self.last.is_some());
                    return self.began(index, ProcessEngine::new(tenure));
                }
                Turn::Standby(standby) => {
                    let epoch = standby.epoch;
                    require!(
                        Some(epoch) == self.last && *standing != Standing::Standby(epoch),
                        OneDeliverer,
                        "process {name} knew {standing:?}, and `lease` returned a standby in epoch \
                         {epoch}, while the last epoch was {:?}; the outbox must return each turn of \
                         another process once",
                        self.last
                    );
                    *standing = Standing::Standby(epoch);
                }
                Turn::Leased(_) => {
                    let what = format!(
                        "process {name} leased events, and its last call returned {standing:?}; a process \
                         must begin a turn before its first lease"
                    );
                    return Err(violation(Promise::OneDeliverer, what));
                }
            }
        }
    }

    fn began(&mut self, index: usize, engine: ProcessEngine) -> Verified {
        let epoch = engine.epoch();
        let last = self.last.replace(epoch);
        require!(
            last.is_none_or(|last| last < epoch),
            OneDeliverer,
            "process {} began epoch {epoch} after epoch {last:?}; epochs must only grow",
            self.members[index].name
        );
        let now = Instant::now();
        for member in self.members.iter().filter(|member| member.paused) {
            let Some(valid) = member.engine.as_ref().map(|engine| engine.valid) else { continue };
            require!(
                valid == Valid::NotYet || valid.is_over(now),
                Validity,
                "process {} began its turn while the stopped process {} could still begin requests; a \
                 takeover must come after the end of `valid_for`",
                self.members[index].name,
                member.name
            );
        }
        self.events.take_back();
        let member = &mut self.members[index];
        self.steps.push(format!("process {} begins the epoch {epoch}", member.name));
        member.standing = Standing::Delivering(epoch);
        let old = member.engine.replace(engine);
        self.holder = Some(Holder { member: index, certain: true });
        // Its own turn before was lost while it was stopped.
        old.into_iter().for_each(|engine| self.lose(engine));
        Ok(())
    }

    /// The process that delivers hands over.
    async fn release(&mut self) -> Verified {
        let Some(Holder { member, certain: true }) = self.holder else { return Ok(()) };
        let Member { name, process, engine, standing, .. } = &mut self.members[member];
        let Some(engine) = engine.take() else { return Ok(()) };
        self.steps.push(format!("process {name} releases the epoch {}", engine.epoch()));
        let released = process.outbox().release(engine.epoch()).await;
        released.map_err(failed(Promise::Takeover))?;
        *standing = Standing::Unknown;
        self.lose(engine);
        self.nobody_delivers(self.profile.handover, Promise::Takeover);
        Ok(())
    }

    fn nobody_delivers(&mut self, limit: Duration, promise: Promise) {
        self.holder = None;
        self.vacant = (limit, promise);
        // What the ended epoch had leased is due for the next one.
        self.events.take_back();
    }

    /// What was in flight may have arrived, or may arrive later, and nobody knows.
    fn lose(&mut self, engine: ProcessEngine) {
        for lease in engine.in_flight {
            self.intercom.lose(lease.id, lease.event);
        }
    }

    async fn kill(&mut self) {
        let index = self.running();
        self.note(format!("process {} is killed", self.members[index].name));
        self.end(index).await;
    }

    /// A process is killed while it accepts events: all of them are there, or none.
    async fn kill_while_accepting(&mut self) -> Verified {
        let index = self.running();
        let events = self.offer(0);
        let name = self.members[index].name;
        self.note(format!("process {name} is killed while it accepts {}", of_events(&events)));
        let mut offered = Offered::InDoubt;
        {
            let mut accept = pin!(self.members[index].process.outbox().accept(&events));
            for _ in 0..self.random.usize(1..5) {
                match poll!(&mut accept) {
                    Poll::Ready(accepted) => {
                        accepted.map_err(not_accepted)?;
                        offered = Offered::Accepted;
                        break;
                    }
                    Poll::Pending => yield_now().await,
                }
            }
        }
        self.events.offer(events, offered, self.now);
        self.end(index).await;
        Ok(())
    }

    /// Ends this process, and starts another in its place.
    async fn end(&mut self, index: usize) {
        let next = 1 + self.members.iter().map(|member| member.name).max().unwrap_or(0);
        let process = self.fleet.start().await;
        let member = std::mem::replace(&mut self.members[index], Member::new(next, process));
        let of = member.name;
        let (ended, kept) = std::mem::take(&mut self.transactions)
            .into_iter()
            .partition::<Vec<_>, _>(|open| open.of == of);
        self.transactions = kept;
        for open in ended {
            self.events.end_transaction(open.group, false);
        }
        let tenure = member.engine.map(|engine| {
            for lease in engine.in_flight {
                self.intercom.lose(lease.id, lease.event);
            }
            engine.tenure
        });
        member.process.kill(tenure).await;
        if self.holder.is_some_and(|holder| holder.member == index) {
            self.nobody_delivers(self.profile.takeover, Promise::Takeover);
        }
    }

    async fn pause(&mut self) {
        let running = self.members.iter().filter(|member| !member.paused).count();
        if running < 2 || !self.profile.tests(Promise::StoppedProcess) {
            return;
        }
        let index = self.running();
        self.note(format!("process {} is stopped", self.members[index].name));
        self.members[index].process.pause().await;
        self.members[index].paused = true;
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.member == index) {
            holder.certain = false;
            // Its requests are under way. If Intercom refuses such an event when the next process sends
            // it, it does not take the earlier request afterwards.
            let in_flight = self.members[index].engine.iter().flat_map(|engine| &engine.in_flight);
            in_flight.for_each(|lease| self.intercom.note_attempt(lease.id));
            self.vacant = (self.profile.takeover, Promise::StoppedProcess);
        }
    }

    /// A stopped process goes on. If another one has taken over, it changes nothing any more.
    async fn resume(&mut self, report: &mut FleetReport) -> Verified {
        let Some(index) = self.members.iter().position(|member| member.paused) else {
            return Ok(());
        };
        self.members[index].process.resume().await;
        self.members[index].paused = false;
        self.note(format!("process {} goes on", self.members[index].name));
        let is_holder = self.holder.is_some_and(|holder| holder.member == index);
        match self.members[index].engine.take() {
            None => Ok(()),
            // Nobody has taken over. Either it delivers still, or it begins anew.
            Some(engine) if is_holder => {
                self.members[index].engine = Some(engine);
                self.prove(index, report).await
            }
            Some(engine) => self.act_deposed(index, engine, report).await,
        }
    }

    /// A process that was stopped and not deposed leases an event, or begins another turn.
    async fn prove(&mut self, index: usize, report: &mut FleetReport) -> Verified {
        let events = self.offer(0);
        let accepted = self.members[index].process.outbox().accept(&events).await;
        accepted.map_err(not_accepted)?;
        self.events.offer(events, Offered::Accepted, self.now);
        let begun = Instant::now();
        for _ in 0..EXTENSIONS {
            let Member { name, process, standing, .. } = &mut self.members[index];
            let left = self.profile.takeover.saturating_sub(begun.elapsed());
            let lease = process.outbox().lease(*standing, 3);
            let Ok(turn) = timeout(left, lease).await else {
                let what = format!(
                    "process {name} went on, and no process delivered within {:?}; it must keep its turn \
                     or begin another",
                    self.profile.takeover
                );
                return Err(violation(Promise::StoppedProcess, what));
            };
            match turn.map_err(failed(Promise::StoppedProcess))? {
                Turn::Leased(leased) => {
                    self.holder = Some(Holder { member: index, certain: true });
                    if self.take(leased).await? > 0 {
                        return Ok(());
                    }
                }
                Turn::Began(tenure) => {
                    report.takeovers += 1;
                    return self.began(index, ProcessEngine::new(tenure));
                }
                Turn::Standby(standby) => *standing = Standing::Standby(standby.epoch),
            }
        }
        Err(violation(self.events.lost(), no_event()))
    }

    /// What a deposed process does changes nothing.
    async fn act_deposed(
        &mut self,
        index: usize,
        mut engine: ProcessEngine,
        report: &mut FleetReport,
    ) -> Verified {
        let before = self.counts_of(index).await?;
        let epoch = engine.epoch();
        let now = self.timestamp();
        let Member { name, process, .. } = &self.members[index];
        let outbox = process.outbox();
        let leases: Vec<_> = engine.ready.iter().chain(&engine.in_flight).cloned().collect();
        let ids: Vec<EventId> = leases.iter().map(|lease| lease.id).collect();
        let mut settlements = Vec::new();
        for lease in &leases {
            let used = engine.admission.leave(Slot::of(&lease.event), now);
            settlements.push(lease.settle(Verdict::Delivered { used }));
        }
        let admissions: Vec<_> = ids.iter().map(|id| Admission::kept(*id, true)).collect();
        let late = outbox.admit(epoch, &admissions).await.map_err(failed(Promise::Fencing))?;
        let same =
            |late: &[EventId]| late.len() == ids.len() && ids.iter().all(|id| late.contains(id));
        require!(same(&late), Fencing, "{}", not_late("admitted", *name, &ids, &late));
        let forget = Timestamp::from_unix_seconds(i64::MAX);
        let late = outbox.settle(epoch, &settlements, forget).await;
        let late = late.map_err(failed(Promise::Fencing))?;
        require!(same(&late), Fencing, "{}", not_late("settled", *name, &ids, &late));
        report.late_settlements += ids.len() as u64;
        outbox.release(epoch).await.map_err(failed(Promise::Fencing))?;
        let after = self.counts_of(index).await?;
        require!(
            without_own(after) == without_own(before),
            Fencing,
            "the deposed process {} changed the counts from {before:?} to {after:?}; its calls must \
             change nothing",
            self.members[index].name
        );
        self.lose(engine);

        let Some(Holder { member, certain: true }) = self.holder else {
            self.members[index].standing = Standing::Unknown;
            return Ok(());
        };
        // The process that delivers is not disturbed by the release, and its leases are its own.
        let (standing, present) = (self.members[index].standing, self.last);
        let lease = self.members[index].process.outbox().lease(standing, 3);
        match timeout(LEASE_TIMEOUT, lease).await {
            Ok(Ok(Turn::Standby(standby))) if Some(standby.epoch) == present => {
                self.members[index].standing = Standing::Standby(standby.epoch);
            }
            told => {
                let what = format!(
                    "the deposed process {} called `lease` in epoch {present:?} of another process, and \
                     got {told:?}; the outbox must return that turn",
                    self.members[index].name
                );
                let promise = match told {
                    Ok(Ok(Turn::Began(_))) => Promise::OneDeliverer,
                    _ => Promise::StoppedProcess,
                };
                return Err(violation(promise, what));
            }
        }
        self.stand_by(index, member).await
    }

    /// Leases if a process delivers. Lets one take over otherwise.
    async fn lease_or_take_over(&mut self, report: &mut FleetReport) -> Verified {
        if self.holder.is_none() {
            let index = self.running();
            self.take_over(index, report).await?;
        }
        while self.events.is_due(self.spent) {
            self.lease().await?;
        }
        Ok(())
    }

    /// All processes count the same, and right.
    async fn compare_counts(&mut self) -> Verified {
        let mut first = None;
        for index in 0..self.members.len() {
            if self.members[index].paused {
                continue;
            }
            let counts = self.counts_of(index).await?;
            self.events.compare(&counts, self.intercom.collisions())?;
            let counts = without_own(counts);
            let first = *first.get_or_insert(counts);
            let name = self.members[index].name;
            require!(
                first == counts,
                Counts,
                "process {name} counts {counts:?}, and another process {first:?}, while nothing happens; \
                 all processes must count the same"
            );
        }
        Ok(())
    }

    async fn counts_of(&self, index: usize) -> Verified<Counts> {
        let counts = self.members[index].process.outbox().counts().await;
        balanced(counts)
    }

    /// Makes up to three events of a few contacts, which are offered next but for so many.
    fn offer(&mut self, ahead: usize) -> Vec<DataEvent> {
        let number = self.random.usize(1..4);
        let mut events = Vec::with_capacity(number);
        for index in 0..number {
            let second = self.now - BACKDATED[self.random.usize(..BACKDATED.len())];
            events.push(self.events.make(ahead + index, self.random.u8(..3), second));
        }
        events
    }

    /// Any process that is not stopped.
    fn running(&mut self) -> usize {
        loop {
            let index = self.random.usize(..self.members.len());
            if !self.members[index].paused {
                return index;
            }
        }
    }

    fn engine(&self) -> Option<&ProcessEngine> {
        self.members[self.holder?.member].engine.as_ref()
    }

    /// The engine of the process that surely delivers.
    fn certain_engine(&mut self) -> Option<&mut ProcessEngine> {
        let Holder { member, .. } = self.holder.filter(|holder| holder.certain)?;
        self.members[member].engine.as_mut()
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.now)
    }

    fn note(&mut self, step: impl Into<String>) {
        self.steps.push(step.into());
    }
}

impl<P> Member<P> {
    fn new(name: usize, process: P) -> Self {
        Member { name, process, paused: false, standing: Standing::Unknown, engine: None }
    }
}

/// The counts without what each process has for itself, or at its own time.
fn without_own(counts: Counts) -> Counts {
    Counts { oldest_own: None, oldest_pending: None, ..counts }
}

fn in_a_word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered { .. } => "delivered",
        Verdict::PutBack { .. } => "put back",
        Verdict::Bury { .. } => "buried",
    }
}

fn failed(promise: Promise) -> impl Fn(OutboxError) -> Violation {
    move |error| {
        violation(promise, format!("a call of the outbox failed, and its store works: {error:?}"))
    }
}

fn not_accepted(error: AcceptError) -> Violation {
    let what = format!("`accept` failed, and the outbox has room: {error:?}");
    violation(Promise::Acceptance, what)
}

/// Returns the counts of one read, which must be balanced.
fn balanced(counts: Result<Counts, OutboxError>) -> Verified<Counts> {
    let counts = counts.map_err(failed(Promise::Counts))?;
    require!(
        counts.is_balanced(),
        Counts,
        "a process counts {counts:?}, which are not balanced; at every read, each event must count in \
         one place"
    );
    Ok(counts)
}

fn no_event() -> String {
    format!(
        "an event is due, and {EXTENSIONS} calls of `lease` returned none; the process that delivers must \
         get each due event"
    )
}

fn not_on_standby(name: usize, epoch: Epoch, turn: &Result<Turn, OutboxError>) -> Violation {
    let what = format!(
        "process {name} called `lease` in epoch {epoch} of another process, and got {turn:?}; only one \
         process delivers, and the others wait"
    );
    violation(Promise::OneDeliverer, what)
}

fn not_late(done: &str, name: usize, ids: &[EventId], late: &[EventId]) -> String {
    format!(
        "the deposed process {name} {done} the events {ids:?}, and only {late:?} were late; whatever a \
         deposed process does must be late"
    )
}

/// The number of events, in words.
fn of_events(events: &[DataEvent]) -> String {
    match events.len() {
        1 => "an event".to_owned(),
        number => format!("{number} events"),
    }
}
