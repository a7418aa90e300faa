//! The engine: one task that owns every decision.
//!
//! The engine waits for its turn to deliver, leases events, admits each of them once, sends them,
//! and settles the results. [`Engine`] decides and does no I/O: [`run`] asks it what to do, does
//! it, and reports the result. There are no locks, and the engine handles each result in order.
//! Requests run side by side within the task, so a slow one delays no other.
//!
//! The parts read no clock and draw no random numbers: the engine passes both.
//!
//! | part | state |
//! |---|---|
//! | [`review`] | rules, the consent hook, erased contacts |
//! | [`admission`] | the seconds that are in use |
//! | [`prefetch`] | leased events that are sent next, and how many to lease |
//! | [`breaker`] | whether anything is sent |
//! | [`failures`] | which events have failed, and how often while others succeeded |
//! | [`pacer`] | how many requests may go now |
//! | [`contacts`] | contacts that are being created, and the events parked for them |
//! | [`names`] | event names that Intercom refuses |
//! | [`call_failures`] | failures of the outbox's calls, and their back-off |
//! | [`leases`] | which events the engine has, and newer leases of them |
//! | [`settlement`] | how leases have ended, as far as the outbox does not know |
//! | [`drain`] | what a shutdown still waits for |
//! | [`clock`] | which second it is, and steps of the system's clock |
//! | [`ages`] | how long events have been pending, by elapsed time |
//! | [`report`] | what is published |

pub(crate) mod admission;
mod ages;
mod breaker;
mod call_failures;
mod clock;
mod contacts;
mod drain;
mod failures;
mod leases;
mod names;
mod pacer;
mod prefetch;
mod report;
mod requests;
pub(crate) mod review;
mod run;
mod settlement;

use std::collections::HashMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::vec;

use intercom_core::{Contact, ContactCreation, ErrorKind};
use intercom_rules::Rules;
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::admission::SlotAllocator;
use self::ages::Ages;
use self::breaker::{Allowance, Breaker, Change, Failed, Fault, Ticket};
use self::clock::{ReadClock, WallClock};
use self::contacts::{AfterSetback, Contacts, Disposition, Setback};
use self::drain::Drain;
use self::failures::{Evidence, Failures};
use self::leases::Leases;
use self::names::{NameVerdict, SilencedNames};
use self::pacer::{Pacer, Permit};
use self::prefetch::{Admitted, Ask, Job, Prefetch};
use self::report::{Reporter, Sources};
use self::requests::{Ended, Outcome, Request, Subject};
use self::review::{Erasure, Review};
use self::settlement::{Batch, Settlements};
use crate::intake::Intake;
use crate::ledger::DrainReport;
use crate::outbox::{
    self, DeadLetter, DeadLetterReason, Epoch, EventId, Failure, Lease, Leased, OutboxError, Stage,
    Standing, Tenure, Turn, Verdict,
};
use crate::policy::{self, Collisions, Decision, InFlight, RetryPolicy, Tried, UnknownContact};
use crate::status::{Cause, DeliveringTurn, Health};
use crate::telemetry;
use crate::time::later;

pub(crate) use self::pacer::Doubt;
pub(crate) use self::review::ConsentHook;
pub(crate) use self::run::{DRAIN_TIMEOUT, Ending, Parts, run};

/// Of the requests in flight, and of those that begin, one in this many may be for an event that
/// failed before.
const RETRY_PART: usize = 4;

/// First and longest delay of events that failed before, if more of them are due than can be sent
/// soon. It never exceeds the event's back-off.
const SHED_WAIT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// The hook for dead letters.
pub(crate) type DeadLetterHook = Box<dyn Fn(&DeadLetter) + Send + Sync>;

pub(crate) struct Settings {
    pub(crate) concurrency: usize,
    pub(crate) attempt_timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) unknown_contact: UnknownContact,
    pub(crate) collisions: Collisions,
    pub(crate) ledger_interval: Duration,
    pub(crate) on_dead_letter: Option<DeadLetterHook>,
    pub(crate) rules: Rules,
    pub(crate) consent: Option<ConsentHook>,
    pub(crate) seed: Option<u64>,
    pub(crate) wall_clock: ReadClock,
}

/// A command from a handle. It never waits behind events.
pub(crate) enum Command {
    /// End when nothing is left to wait for, and at this deadline at the latest.
    Shutdown { deadline: Instant, reply: oneshot::Sender<DrainReport> },
    /// Try again at once.
    Resume,
    /// Begin no request for this contact any more. Answer when those in flight have ended.
    Erase { contact: Contact, begun: oneshot::Sender<()>, reply: oneshot::Sender<Vec<InFlight>> },
    /// The outbox has erased this contact, in this version of the tombstones, or has failed to.
    Erased { contact: Contact, version: Option<u64> },
    /// The outbox has forgiven this contact.
    Forgiven { contact: Contact },
    /// End now.
    Stop,
}

struct Engine {
    settings: Settings,
    intake: Arc<Intake>,
    rng: fastrand::Rng,
    clock: WallClock,
    /// Present if the policy has a maximum age.
    ages: Option<Arc<Ages>>,
    turn: CurrentTurn,
    review: Review,
    admission: SlotAllocator,
    prefetch: Prefetch,
    leases: Leases,
    pacer: Pacer,
    contacts: Contacts,
    names: SilencedNames,
    dispatch: Dispatch,
    settlements: Settlements,
    drain: Drain,
    report: Reporter,
}

/// The turn to deliver, and what the engine has learned about Intercom in it.
struct CurrentTurn {
    standing: Standing,
    /// The turn of this engine, while it delivers.
    tenure: Option<Tenure>,
    breaker: Breaker,
    failures: Failures,
}

impl CurrentTurn {
    /// No turn, or another engine's.
    fn new(standing: Standing, concurrency: usize) -> Self {
        let (breaker, failures) = (Breaker::new(concurrency), Failures::default());
        CurrentTurn { standing, tenure: None, breaker, failures }
    }
}

/// Requests that begin, and requests in flight.
#[derive(Default)]
struct Dispatch {
    /// Requests that begin now.
    starting: Vec<Request>,
    in_flight: usize,
    /// The number of these for events that failed before.
    retries: usize,
    /// The number of sent events since the last one that failed before.
    since_retry: u32,
    /// The last delay of such events because too many were due.
    shed_wait: Duration,
    /// The number of requests that the pacer last permitted.
    permitted: usize,
    /// The end of the pacer's pause.
    blocked_until: Option<Instant>,
    /// The number of events to lease.
    wanted: usize,
    /// The number of requests so far.
    begun: u64,
    /// The transport's panics for each event.
    panics: HashMap<EventId, u32>,
}

impl Engine {
    fn new(mut settings: Settings, intake: Arc<Intake>, health: Arc<Health>) -> Self {
        let review = Review::new(mem::take(&mut settings.rules), settings.consent.take());
        let concurrency = settings.concurrency;
        Engine {
            rng: settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            clock: WallClock::new(Instant::now(), (settings.wall_clock)()),
            ages: settings.retry.greatest_age().map(|age| Arc::new(Ages::new(age, Instant::now()))),
            turn: CurrentTurn::new(Standing::Unknown, concurrency),
            review,
            admission: SlotAllocator::new(settings.collisions),
            prefetch: Prefetch::new(concurrency),
            leases: Leases::default(),
            pacer: Pacer::new(),
            contacts: Contacts::new(settings.unknown_contact),
            names: SilencedNames::default(),
            dispatch: Dispatch::default(),
            settlements: Settlements::new(concurrency),
            drain: Drain::default(),
            report: Reporter::new(health, intake.clone()),
            settings,
            intake,
        }
    }

    // Commands from handles.

    fn handle(&mut self, command: Option<Command>, now: Instant) {
        match command {
            Some(Command::Shutdown { deadline, reply }) => self.drain.begin(deadline, reply),
            Some(Command::Resume) => self.resume(now),
            Some(Command::Erase { contact, begun, reply }) => {
                let Dispatch { begun: before, in_flight, .. } = self.dispatch;
                self.review.begin_erasure(Erasure::new(contact, before, in_flight, reply));
                // The caller may have stopped waiting.
                let _ = begun.send(());
            }
            Some(Command::Erased { contact, version }) => {
                let jobs = self.review.end_erasure(&contact, version).into_iter();
                self.prefetch.push(jobs.filter(|job| self.leases.begin(job.lease.id)));
            }
            Some(Command::Forgiven { contact }) => self.review.forgive(&contact),
            Some(Command::Stop) | None => self.drain.stop(),
        }
    }

    /// Tries again at once, because an operator may have fixed the fault.
    fn resume(&mut self, now: Instant) {
        self.turn.breaker.resume(now);
        self.pacer.resume();
        self.contacts.resume();
        self.names.resume();
        self.report.change();
    }

    // The turn, and the leases.

    fn epoch(&self) -> Option<Epoch> {
        self.turn.tenure.as_ref().map(|tenure| tenure.epoch)
    }

    /// Returns the next call of the outbox, if any.
    fn ask(&mut self, now: Instant) -> Option<Ask> {
        if self.is_leaving() {
            return None;
        }
        let full = self.settlements.is_full();
        let wanted = if full { 0 } else { self.dispatch.wanted };
        let wanted = self.turn.tenure.is_some().then_some(wanted);
        self.prefetch.ask(wanted, now)
    }

    fn handle_turn(&mut self, turn: Result<Turn, OutboxError>, now: Instant) {
        if turn.is_ok() && self.prefetch.failures().message().is_some() {
            self.prefetch.succeeded();
            self.report.change();
        }
        match turn {
            Err(error) => {
                self.prefetch.failed(&error, now);
                self.report.change();
            }
            Ok(Turn::Began(tenure)) => {
                self.leave_turn();
                if let Some(ages) = &self.ages {
                    ages.begin(now);
                }
                self.turn.standing = Standing::Delivering(tenure.epoch);
                self.admission.begin(&tenure);
                self.review.set_tombstones(tenure.tombstones.clone());
                let Tenure { epoch, since, .. } = tenure;
                self.report.began(DeliveringTurn { epoch, since });
                self.turn.tenure = Some(tenure);
            }
            Ok(Turn::Standby(standby)) => {
                self.leave_turn();
                self.turn.standing = Standing::Standby(standby.epoch);
                self.report.stands_by(standby);
            }
            Ok(Turn::Leased(leased)) => self.leased(leased, now),
        }
    }

    /// Drops the state of a turn.
    fn leave_turn(&mut self) {
        self.turn = CurrentTurn::new(self.turn.standing, self.settings.concurrency);
        self.prefetch.clear();
        self.leases = Leases::default();
        self.contacts.clear();
        self.settlements.clear();
        self.review.leave_turn();
        self.dispatch = Dispatch { begun: self.dispatch.begun, ..Dispatch::default() };
    }

    /// Admits leased events, in the order of their leases.
    fn leased(&mut self, leased: Leased, now: Instant) {
        let Leased { events, pending, earliest_new, valid_for, tombstones } = leased;
        if let Some(tombstones) = tombstones {
            self.review.set_tombstones(tombstones);
        }
        self.prefetch.answered(events.len(), now);
        self.prefetch.set_valid(valid_for.map(|time| now + time));
        self.intake.metrics.leased(events.len() as u64);
        self.report.set_pending(pending);
        let clock = self.clock.at(now);
        let mut admissions = Vec::new();
        let mut jobs = Vec::with_capacity(events.len());
        for mut lease in events {
            let id = lease.id;
            let has_it = !self.leases.begin(id);
            let job = if self.review.is_needed() {
                self.admit_reviewed(lease, has_it, &mut admissions, now)
            } else {
                let (slot, admission) = match has_it {
                    true => SlotAllocator::admit_again(&lease),
                    false => self.admission.admit(&mut lease, clock),
                };
                admissions.extend(admission);
                Some(self.job(lease, slot, now))
            };
            match has_it {
                true => jobs.extend(self.lease_again(id, job)),
                false if job.is_none() => _ = self.leases.end(id),
                false => jobs.extend(job),
            }
        }
        let forget_before = self.admission.forget(clock, earliest_new);
        self.settlements.forget_before(forget_before);
        match admissions.is_empty() {
            true => self.prefetch.push(jobs),
            false => self.prefetch.hold(jobs, admissions),
        }
    }

    fn job(&self, lease: Lease, slot: outbox::Slot, now: Instant) -> Job {
        let has_failed = lease.attempts > 0 || self.turn.failures.has_failed(lease.id);
        Job::new(lease, slot, has_failed, now)
    }

    /// Reviews and admits a leased event. Returns it if it is to be sent.
    fn admit_reviewed(
        &mut self,
        mut lease: Lease,
        has_it: bool,
        admissions: &mut Vec<outbox::Admission>,
        now: Instant,
    ) -> Option<Job> {
        let mut reviewed = self.review.review(&lease);
        if reviewed.panicked {
            self.panicked("the consent hook");
        }
        if let Some(rule) = reviewed.dropped_by.take() {
            self.prefetch.note_drop(lease.id, rule);
        }
        let clock = self.clock.at(now);
        let (slot, admission) = match has_it && reviewed.ruling.is_none() {
            true => {
                let (slot, admission) = SlotAllocator::admit_again(&lease);
                (Some(slot), admission)
            }
            false => self.admission.admit_reviewed(&mut lease, reviewed, clock),
        };
        admissions.extend(admission);
        slot.map(|slot| self.job(lease, slot, now))
    }

    /// Continues with the newer lease of an event that the engine has: see [`leases`]. Returns it if it
    /// is sent next. `newer` is `None` if the event is not sent now.
    fn lease_again(&mut self, id: EventId, newer: Option<Job>) -> Option<Job> {
        let waits = !self.settlements.contains(id)
            && (self.prefetch.remove(id) || self.contacts.remove(id));
        match newer {
            Some(newer) if waits => Some(newer),
            Some(newer) => {
                self.leases.wait(newer);
                None
            }
            None if waits => self.leases.end(id),
            None => None,
        }
    }

    fn admitted(&mut self, admitted: Result<Vec<EventId>, OutboxError>, now: Instant) {
        self.report.change();
        match admitted {
            Ok(late) => {
                let Admitted { ended, due, drops, withheld, derived, removed } =
                    self.prefetch.admitted(&late);
                for id in removed {
                    self.leases.end(id);
                }
                for id in &late {
                    self.leases.drop_newer(*id);
                    self.admission.lose(*id);
                }
                due.into_iter().for_each(|after| self.drain.put_back(later(now, after), now));
                telemetry::withheld(withheld);
                telemetry::derived(derived);
                self.intake.metrics.admitted(withheld, derived);
                for rule in drops {
                    telemetry::event_dropped(&rule);
                    self.intake.metrics.dropped(&rule);
                    self.intake.tally.drop_by(rule);
                }
                if ended > 0 {
                    self.report.left(ended);
                    self.intake.made_room();
                }
                if !late.is_empty() {
                    self.prefetch.doubt_turn();
                }
            }
            Err(error) => self.prefetch.failed(&error, now),
        }
    }

    // Requests that begin.

    /// Begins all requests that may begin.
    fn dispatch(&mut self, now: Instant) {
        self.dispatch.wanted = self.begin_requests(now);
    }

    /// Begins requests. Returns how many events to lease: for further requests now, and for later
    /// ones.
    fn begin_requests(&mut self, now: Instant) -> usize {
        self.dispatch.blocked_until = None;
        if self.turn.tenure.is_none() || !self.prefetch.is_valid(now) || self.is_leaving() {
            return 0;
        }
        self.shed();
        while let Some((room, permits)) = self.permits(now) {
            if room == 0 || permits == 0 {
                return self.wanted(room);
            }
            let job = match self.next(now) {
                Some(Subject::Event(job)) => job,
                Some(Subject::Contact(contact)) => {
                    if self.review.is_needed() && self.review.withholds(&contact) {
                        for job in self.contacts.not_created(&contact) {
                            self.withhold(job, now);
                        }
                        continue;
                    }
                    self.begin(Subject::Contact(contact), now);
                    continue;
                }
                None => return self.wanted(room),
            };
            if let Some(job) = self.check(job, now) {
                self.begin(Subject::Event(job), now);
            }
        }
        0
    }

    /// Returns the next request, if the breaker and the pacer permit one.
    fn next(&mut self, now: Instant) -> Option<Subject> {
        if self.turn.breaker.open().is_some() {
            // The best probe is an event that never failed. A creation of a contact proves nothing
            // about events, so it comes last.
            let next = match self.prefetch.ready() > 0 {
                true => self.prefetch.next(),
                false if self.awaits_first(now) || !self.turn.breaker.may_go_again(now) => None,
                false => match self.prefetch.next_again() {
                    None => return self.next_contact(now),
                    next => next,
                },
            };
            return next.map(Subject::Event);
        }
        if let Some(contact) = self.next_contact(now) {
            return Some(contact);
        }
        // Repeatedly failing events leave three in four places and turns to others.
        let limit = (self.settings.concurrency / RETRY_PART).max(1);
        let is_turn = self.dispatch.since_retry + 1 >= RETRY_PART as u32;
        let next = match self.dispatch.retries < limit && (is_turn || self.prefetch.ready() == 0) {
            true => self.prefetch.next_again().or_else(|| self.prefetch.next()),
            false => self.prefetch.next(),
        };
        next.map(Subject::Event)
    }

    fn next_contact(&mut self, now: Instant) -> Option<Subject> {
        self.contacts.next_to_create(now).map(Subject::Contact)
    }

    /// Returns whether an event that never failed is ready, or may be among the next leased ones.
    fn awaits_first(&self, now: Instant) -> bool {
        let may_lease =
            !self.settlements.is_full() && !self.prefetch.failures().is_backing_off(now);
        self.prefetch.ready() > 0 || may_lease && !self.prefetch.is_waiting()
    }

    /// Puts back events that failed before, if more of them are due than can be sent soon.
    /// Otherwise they would keep the engine from leasing events behind them that never failed.
    fn shed(&mut self) {
        let excess = self.prefetch.take_excess();
        if excess.is_empty() {
            if self.prefetch.again() == 0 {
                self.dispatch.shed_wait = Duration::ZERO;
            }
            return;
        }
        // The more there are, the longer the delay, so that the engine does not put them back over
        // and over.
        let (least, most) = SHED_WAIT;
        let wait = match self.turn.breaker.open() {
            Some(_) => most,
            None => self.dispatch.shed_wait.saturating_mul(2).clamp(least, most),
        };
        let wait = wait.min(self.settings.retry.longest());
        self.dispatch.shed_wait = wait;
        for job in excess {
            let after = wait.mul_f64((1.0 + self.rng.f64()) / 2.0);
            self.put_back(&job, after, job.lease.attempts, None);
        }
    }

    fn wanted(&self, room: usize) -> usize {
        let permitted = self.dispatch.permitted.saturating_sub(self.prefetch.ready());
        permitted.min(self.prefetch.wanted(room))
    }

    /// Returns how many more requests may be in flight, and how many may begin now. `None` means
    /// that none may begin, for another reason than the concurrency.
    fn permits(&mut self, now: Instant) -> Option<(usize, usize)> {
        let in_flight = self.dispatch.in_flight;
        let first = self.awaits_first(now);
        let room = match self.turn.breaker.allowance(now, in_flight, first) {
            Allowance::Wait => return None,
            Allowance::Begin(_) if self.settlements.is_full() => 0,
            Allowance::Begin(room) => room,
        };
        if !self.turn.breaker.is_closed() {
            self.dispatch.permitted = 0;
        }
        if room == 0 {
            return Some((0, 0));
        }
        let backlog = self.report.pending().saturating_sub(in_flight as u64);
        match self.pacer.ask(now, in_flight, || backlog, || self.rng.f64()) {
            Permit::Go(permits) => {
                let permits =
                    if self.turn.breaker.is_closed() { permits } else { permits.min(room) };
                self.dispatch.permitted = permits;
                Some((room, permits))
            }
            Permit::At(time) => {
                self.dispatch.permitted = 0;
                self.dispatch.blocked_until = Some(time);
                None
            }
        }
    }

    fn begin(&mut self, subject: Subject, now: Instant) {
        let (is_first, is_retry) = match &subject {
            Subject::Event(job) => (!job.has_failed, job.has_failed),
            Subject::Contact(_) => (false, false),
        };
        let mut roll = 0.0;
        if self.turn.breaker.open().is_some() {
            self.report.change();
            roll = self.rng.f64();
        }
        let ticket = self.turn.breaker.begin(is_first, now, roll);
        self.dispatch.retries += usize::from(is_retry);
        self.dispatch.since_retry = if is_retry { 0 } else { self.dispatch.since_retry + 1 };
        self.pacer.sent(now, self.dispatch.in_flight);
        self.dispatch.in_flight += 1;
        self.dispatch.permitted = self.dispatch.permitted.saturating_sub(1);
        let number = self.dispatch.begun;
        self.dispatch.begun += 1;
        self.dispatch.starting.push(Request { subject, ticket, number });
    }

    /// Returns how long ago the event was accepted.
    fn age(&self, job: &Job, now: Instant) -> Duration {
        let told = job.age(now);
        self.ages.as_ref().map_or(told, |ages| ages.of(job.lease.id, told, now))
    }

    /// Returns the event if it is to be sent now.
    fn check(&mut self, job: Job, now: Instant) -> Option<Job> {
        if self.review.is_needed() && self.review.withholds(job.lease.event.contact()) {
            self.withhold(job, now);
            return None;
        }
        if self.settings.retry.is_too_old(self.age(&job, now)) {
            let failure = job.lease.last_failure.as_deref().cloned();
            let failure = failure
                .unwrap_or_else(|| Failure::new("the event is older than the policy allows"));
            let attempts = job.lease.attempts;
            self.bury(&job, DeadLetterReason::AgeLimit, attempts, Some(failure), false);
            return None;
        }
        match self.names.check(job.lease.event.event_name(), now) {
            NameVerdict::Send => {}
            NameVerdict::Wait(after) => {
                self.put_back(&job, after, job.lease.attempts, None);
                return None;
            }
            NameVerdict::Bury => {
                let failure = Failure::new("not sent: Intercom takes no events of this name now");
                let attempts = job.lease.attempts;
                let reason = DeadLetterReason::EventNameLimit;
                self.bury(&job, reason, attempts, Some(failure), false);
                return None;
            }
        }
        if self.contacts.is_creating(job.lease.event.contact()) {
            let disposition = self.contacts.park(job);
            self.apply(disposition, None);
            return None;
        }
        Some(job)
    }

    // Requests that have ended.

    fn ended(&mut self, ended: Ended, now: Instant) {
        let Ended { request: Request { subject, ticket, number }, outcome, took } = ended;
        if self.review.is_erasing() {
            self.report_to_erasures(number, &subject, &outcome);
        }
        self.dispatch.in_flight = self.dispatch.in_flight.saturating_sub(1);
        self.turn.breaker.ended(ticket);
        let evidence = match &subject {
            Subject::Event(job) => {
                self.dispatch.retries -= usize::from(job.has_failed);
                let failed = fault(&outcome).is_some();
                failed.then(|| self.turn.failures.failed(job.lease.id, !job.has_failed, now))
            }
            Subject::Contact(_) => None,
        };
        self.pace(&outcome, took, now);
        self.learn(&outcome, ticket, evidence, now);
        match subject {
            Subject::Event(job) => {
                let job = self.leases.newest(job);
                self.conclude(job, outcome, evidence, took, now);
            }
            Subject::Contact(contact) => self.contact_ended(contact, outcome, now),
        }
    }

    /// Learns about the rate limit from a response.
    fn pace(&mut self, outcome: &Outcome, took: Duration, now: Instant) {
        let rate_limit = match outcome {
            Outcome::Taken(receipt) => receipt.rate_limit(),
            Outcome::Failed(error) => error.rate_limit(),
            Outcome::Contact(_) | Outcome::Panicked => None,
        };
        if rate_limit.is_some() {
            self.report.change();
        }
        let sent = now - took;
        let doubt = self.pacer.doubt();
        match outcome {
            Outcome::Failed(error) if error.kind() == ErrorKind::RateLimited => {
                let was_paused = self.pacer.paused_until().is_some();
                let roll = self.rng.f64();
                self.pacer.refused(sent, now, error, roll);
                if let (false, Some(until)) = (was_paused, self.pacer.paused_until()) {
                    telemetry::paused(until - now);
                }
            }
            Outcome::Panicked => {
                self.panicked("the transport");
                self.pacer.unanswered();
            }
            Outcome::Failed(error) if error.is_retryable() && error.status().is_none() => {
                self.pacer.unanswered();
            }
            _ => self.pacer.answered(sent, now, rate_limit),
        }
        match (doubt, self.pacer.doubt()) {
            (None, Some(doubt)) => telemetry::reset_doubted(&doubt),
            (Some(_), None) => telemetry::reset_believed(),
            _ => {}
        }
    }

    /// Learns about Intercom itself from a response. `evidence` is that of a failed event.
    fn learn(
        &mut self,
        outcome: &Outcome,
        ticket: Ticket,
        evidence: Option<Evidence>,
        now: Instant,
    ) {
        let Some((fault, cause)) = fault(outcome) else {
            let change = match outcome {
                Outcome::Failed(error) if error.kind() == ErrorKind::RateLimited => {
                    self.turn.breaker.rate_limited(ticket, now)
                }
                // Without a status the request was not sent.
                Outcome::Failed(error) if error.status().is_none() => None,
                _ => {
                    self.turn.failures.passed();
                    self.turn.breaker.answered(ticket, now)
                }
            };
            return self.breaker_changed(change);
        };
        let evidence = evidence.or_else(|| match fault {
            // A failed creation proves nothing about events: a token that may not create contacts
            // may still send events.
            _ if cause.kind == Some(ErrorKind::Unauthorized) => Some(Evidence::First),
            Fault::Passing if self.turn.breaker.is_probe(ticket) => Some(Evidence::Again),
            _ => None,
        });
        let Some(evidence) = evidence else { return };
        let asked = match outcome {
            Outcome::Failed(error) => error.retry_after().unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let first =
            self.prefetch.ready() > 0 || self.prefetch.has_more() && !self.prefetch.is_waiting();
        let failed = Failed { fault, evidence, asked, cause };
        let change = self.turn.breaker.failed(ticket, failed, first, now, self.rng.f64());
        self.breaker_changed(change);
    }

    fn breaker_changed(&mut self, change: Option<Change>) {
        let Some(change) = change else { return };
        self.report.change();
        match change {
            Change::Outage(message) => telemetry::outage(&message),
            Change::Stopped(message) => telemetry::stopped(&message),
            Change::Recovered => telemetry::recovered(),
            Change::StillOpen => {}
        }
    }

    /// Decides about an event after its attempt.
    fn conclude(
        &mut self,
        job: Job,
        outcome: Outcome,
        evidence: Option<Evidence>,
        took: Duration,
        now: Instant,
    ) {
        let panics = self.dispatch.panics.get(&job.lease.id).copied().unwrap_or_default();
        let (own_failures, failing_for) = self.turn.failures.own(job.lease.id, now);
        let attempts = job.lease.attempts;
        let age = self.age(&job, now);
        let tried = Tried { attempts, panics, age, own_failures, failing_for };
        let outcome = match outcome {
            Outcome::Failed(error) => {
                Outcome::Failed(error.with_event_name(job.lease.event.event_name().clone()))
            }
            outcome => outcome,
        };
        let (label, decision) = match &outcome {
            Outcome::Taken(_) | Outcome::Contact(_) => ("delivered", Decision::Done),
            Outcome::Failed(error) => {
                let roll = self.rng.f64();
                let outcome = policy::AttemptFailure::Failed(error);
                let decision = self.settings.retry.decide(outcome, tried, roll);
                (telemetry::outcome(error.kind()), decision)
            }
            Outcome::Panicked => {
                let roll = self.rng.f64();
                let outcome = policy::AttemptFailure::Panicked;
                ("panicked", self.settings.retry.decide(outcome, tried, roll))
            }
        };
        self.intake.metrics.attempt(label, took, job.leased_for(now));
        if !matches!(decision, Decision::Done) {
            job.span.record("error.type", label);
        }
        let (failure, arrived) = match &outcome {
            // A permanent refusal by Intercom proves that it has nothing from this attempt.
            Outcome::Failed(error) => (Some(Failure::from(error)), error.is_retryable()),
            Outcome::Panicked => (Some(Failure::new("the transport panicked")), true),
            Outcome::Taken(_) | Outcome::Contact(_) => (None, true),
        };
        match decision {
            Decision::Done => {
                self.names.delivered(job.lease.event.event_name());
                self.contacts.known(job.lease.event.contact());
                self.forget(job.lease.id);
                let used = self.admission.leave(job.slot, self.clock.at(now));
                let settlement = job.lease.settle(Verdict::Delivered { used });
                self.settlements.push_delivered(settlement, tried.age);
            }
            Decision::Retry { after, attempts } => {
                if matches!(outcome, Outcome::Panicked) {
                    self.dispatch.panics.insert(job.lease.id, panics + 1);
                }
                // A fault of the service adds no back-off to its event: any event may probe an open
                // breaker, and none passes a pausing pacer. An event's own failure has its own
                // back-off.
                let held =
                    self.turn.breaker.open().is_some() || self.pacer.paused_until().is_some();
                let is_own = evidence == Some(Evidence::Own);
                let after = if held && !is_own { Duration::ZERO } else { after };
                self.put_back(&job, after, attempts, failure);
            }
            Decision::Bury(reason) => {
                if reason == DeadLetterReason::EventNameLimit {
                    let message = failure.as_ref().map_or("", |failure| &failure.message);
                    if self.names.silence(job.lease.event.event_name(), now) {
                        telemetry::name_silenced(job.lease.event.event_name(), message);
                    }
                }
                self.bury(&job, reason, tried.attempts.saturating_add(1), failure, arrived);
            }
            Decision::UnknownContact
                if self.review.is_needed() && self.review.withholds(job.lease.event.contact()) =>
            {
                self.withhold(job, now);
            }
            Decision::UnknownContact => {
                let roll = self.rng.f64();
                let disposition = self.contacts.unknown(job, &self.settings.retry, now, roll);
                self.apply(disposition, failure);
            }
        }
    }

    /// Applies the decision about an event's contact.
    fn apply(&mut self, disposition: Disposition, failure: Option<Failure>) {
        match disposition {
            Disposition::Parked => {}
            Disposition::Retry { job, after, spends_attempt } => {
                let attempts = job.lease.attempts.saturating_add(u32::from(spends_attempt));
                self.put_back(&job, after, attempts, failure);
            }
            Disposition::Bury(job) => {
                let attempts = job.lease.attempts.saturating_add(1);
                self.bury(&job, DeadLetterReason::UnknownContact, attempts, failure, false);
            }
        }
    }

    /// Continues with the events of a contact after its creation.
    fn contact_ended(&mut self, contact: Contact, outcome: Outcome, now: Instant) {
        let (end, failure) = match &outcome {
            Outcome::Contact(ContactCreation::Archived) => {
                let failure = "the contact is archived, and Intercom takes no events for it; \
                               unarchive it, then redrive its events";
                (Err(DeadLetterReason::ArchivedContact), Failure::new(failure))
            }
            Outcome::Contact(_) | Outcome::Taken(_) => {
                self.report.set_creation_failure(None);
                let jobs = self.contacts.created(contact, now);
                return self.prefetch.push(jobs);
            }
            Outcome::Panicked => {
                (Ok(Setback::Panicked), Failure::new("the transport panicked over its contact"))
            }
            Outcome::Failed(error) => {
                let end = match error.kind() {
                    ErrorKind::Unsupported => Err(DeadLetterReason::UnknownContact),
                    ErrorKind::AmbiguousContact => Err(DeadLetterReason::AmbiguousContact),
                    ErrorKind::RateLimited | ErrorKind::Unauthorized => Ok(Setback::Held),
                    _ if error.is_permanent() => Err(DeadLetterReason::ContactNotCreated),
                    // A gateway's page is no verdict on creations.
                    _ if error.is_retryable() || error.kind() == ErrorKind::UnexpectedAnswer => {
                        Ok(Setback::Failed)
                    }
                    _ => Ok(Setback::Refused),
                };
                (end, Failure::from(error))
            }
        };
        let reason = match end {
            Err(reason) => {
                self.report.set_creation_failure(None);
                reason
            }
            Ok(setback) => {
                let roll = self.rng.f64();
                let retry = &self.settings.retry;
                let AfterSetback { given_up, is_news } =
                    self.contacts.set_back(contact.clone(), setback, retry, now, roll);
                if setback == Setback::Refused {
                    if is_news {
                        telemetry::creation_refused(&failure.message);
                    }
                    return self.report.set_creation_failure(Some(failure.message));
                }
                match given_up {
                    Some(reason) => reason,
                    None => return,
                }
            }
        };
        for job in self.contacts.not_created(&contact) {
            let attempts = job.lease.attempts.saturating_add(1);
            self.bury(&job, reason, attempts, Some(failure.clone()), false);
        }
    }

    /// Drops an event that the outbox deletes because its contact is erased.
    fn withhold(&mut self, job: Job, now: Instant) {
        self.forget(job.lease.id);
        self.leases.end(job.lease.id);
        self.admission.leave(job.slot, self.clock.at(now));
        self.review.hold(job);
    }

    /// Reports the end of a request to erasures that began during it.
    fn report_to_erasures(&mut self, number: u64, subject: &Subject, outcome: &Outcome) {
        let Subject::Event(job) = subject else { return self.review.ended(number, None) };
        let (is_delivered, status, request_id) = match outcome {
            Outcome::Taken(receipt) => (true, receipt.status(), receipt.request_id()),
            Outcome::Failed(error) => (false, error.status(), error.request_id()),
            Outcome::Contact(_) | Outcome::Panicked => (false, None, None),
        };
        let in_flight = InFlight {
            id: job.lease.id,
            event_name: job.lease.event.event_name().clone(),
            is_delivered,
            status,
            request_id: request_id.map(str::to_owned),
        };
        self.review.ended(number, Some((job.lease.event.contact(), &in_flight)));
    }

    /// Drops a settled event.
    fn forget(&mut self, id: EventId) {
        self.contacts.forget(id);
        self.turn.failures.forget(id);
        if !self.dispatch.panics.is_empty() {
            self.dispatch.panics.remove(&id);
        }
    }

    fn put_back(&mut self, job: &Job, after: Duration, attempts: u32, failure: Option<Failure>) {
        if let Some(failure) = &failure {
            telemetry::retried(job.lease.event.event_name(), attempts, after, &failure.message);
        }
        self.settlements.push(job.lease.settle(Verdict::PutBack { after, attempts, failure }));
    }

    /// Makes an event a dead letter. `arrived` says whether its last attempt may have arrived.
    fn bury(
        &mut self,
        job: &Job,
        reason: DeadLetterReason,
        attempts: u32,
        failure: Option<Failure>,
        arrived: bool,
    ) {
        let lease = &job.lease;
        job.span.record("intercom.dead_letter.reason", reason.as_str());
        self.forget(lease.id);
        // An earlier attempt may have arrived, whatever the last response says.
        let arrived = arrived || lease.stage == Stage::Admitted;
        let used = self.admission.bury(job.slot, arrived, self.clock.at(Instant::now()));
        let letter = DeadLetter {
            id: lease.id,
            event: lease.event.clone(),
            reason,
            failure: failure.clone(),
            attempts,
            died_at: SystemTime::now(),
        };
        let verdict = Verdict::Bury { reason, attempts, failure, used };
        self.settlements.push_dead(lease.settle(verdict), letter);
    }

    // Settlements.

    fn take_batch(&mut self, now: Instant) -> Option<(Epoch, Batch)> {
        let epoch = self.epoch()?;
        let batch = self.settlements.take(self.dispatch.in_flight == 0, now)?;
        Some((epoch, batch))
    }

    fn settled(&mut self, batch: Batch, settled: Result<Vec<EventId>, OutboxError>, now: Instant) {
        if settled.is_err() || self.settlements.failures().message().is_some() {
            self.report.change();
        }
        if let Ok(late) = &settled {
            for id in batch.ids() {
                self.lease_settled(id, late.contains(&id));
            }
        }
        let settled = self.settlements.settled(batch, settled, now);
        if settled.late > 0 {
            self.prefetch.doubt_turn();
        }
        for due in settled.due {
            self.drain.put_back(due, now);
        }
        for delay in settled.delays {
            self.intake.metrics.delivered(delay);
        }
        let left = settled.delivered + settled.letters.len() as u64;
        for letter in &settled.letters {
            self.announce(letter);
        }
        if left > 0 {
            self.report.left(left);
            self.intake.made_room();
        }
    }

    /// Records that the outbox settled an event, or that the settlement was late.
    fn lease_settled(&mut self, id: EventId, is_late: bool) {
        let newer = self.leases.end(id);
        match newer.filter(|_| is_late) {
            Some(newer) => {
                self.admission.retake(newer.slot);
                self.leases.begin(id);
                self.prefetch.resume(newer);
            }
            None if is_late => self.admission.lose(id),
            None => {}
        }
    }

    fn announce(&self, letter: &DeadLetter) {
        self.intake.tally.deaths(letter.reason, 1);
        telemetry::dead(letter);
        self.intake.metrics.dead(letter.reason, 1);
        if let Some(hook) = &self.settings.on_dead_letter
            && catch_unwind(AssertUnwindSafe(|| hook(letter))).is_err()
        {
            self.panicked("the hook for dead letters");
        }
    }

    /// Counts a caught panic.
    fn panicked(&self, what: &'static str) {
        self.intake.tally.panics.add(1);
        telemetry::panicked(what);
        self.intake.metrics.panicked();
    }

    // Publishing, timers, and the end.

    fn publish(&mut self) {
        let failures = [self.prefetch.failures(), self.settlements.failures()];
        let first = self.prefetch.ready() > 0;
        self.report.publish(Sources {
            breaker: self.turn.breaker.state(),
            open: self.turn.breaker.open().map(|open| (open, open.next_probe(first))),
            blocked_until: self.pacer.blocked_until(),
            rate_limit: self.pacer.reported(),
            rate_limit_doubt: self.pacer.doubt(),
            outbox: failures.into_iter().find_map(|calls| calls.message()),
            in_flight: self.dispatch.in_flight,
        });
    }

    /// Returns the engine's next timer. Ignores past times: the engine has done what it could then,
    /// and the rest waits for another event.
    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let times = [
            self.drain.deadline(),
            self.prefetch.failures().until(),
            self.prefetch.valid_until(),
            self.settlements.next_action(),
            self.contacts.next_action(),
            self.turn.breaker.next_action(now, self.awaits_first(now)),
            self.dispatch.blocked_until,
        ];
        times.into_iter().flatten().filter(|time| *time > now).min()
    }

    /// Returns whether a shutdown waits for nothing but the requests in flight.
    fn is_leaving(&self) -> bool {
        self.drain.deadline().is_some()
            && match self.turn.standing {
                Standing::Unknown => false,
                Standing::Standby(_) => true,
                Standing::Delivering(_) => {
                    self.turn.tenure.as_ref().is_none_or(|tenure| tenure.durable)
                }
            }
    }

    fn is_done(&mut self, now: Instant) -> Done {
        if self.drain.is_over(now) {
            return Done::Yes;
        }
        let Some(deadline) = self.drain.deadline() else { return Done::No };
        let is_quiet = self.dispatch.in_flight == 0 && self.settlements.is_empty();
        if self.is_leaving() {
            return if is_quiet { Done::Yes } else { Done::No };
        }
        if !is_quiet || !self.intake.is_sealed() || self.turn.tenure.is_none() {
            return Done::No;
        }
        let next = match self.turn.breaker.open() {
            Some(open) => Some(open.next_probe(self.prefetch.ready() > 0)),
            None if self.dispatch.blocked_until.is_some() => self.dispatch.blocked_until,
            None if !self.prefetch.is_empty() || !self.prefetch.is_waiting() => Some(now),
            None => {
                [self.drain.next_due(now), self.contacts.next_action()].into_iter().flatten().min()
            }
        };
        match next {
            Some(next) if next > deadline => Done::Yes,
            Some(_) => Done::No,
            None => Done::IfNothingIsPending,
        }
    }

    /// Takes the requests that begin now, in order.
    fn take_starting(&mut self) -> vec::Drain<'_, Request> {
        self.dispatch.starting.drain(..)
    }
}

/// Returns the kind and the message of a request's fault, if the fault is not the event's.
fn fault(outcome: &Outcome) -> Option<(Fault, Cause)> {
    let error = match outcome {
        Outcome::Taken(_) | Outcome::Contact(_) => return None,
        Outcome::Panicked => return Some((Fault::Passing, Cause::panic())),
        Outcome::Failed(error) => error,
    };
    let fault = match error.kind() {
        ErrorKind::RateLimited => return None,
        ErrorKind::Unauthorized | ErrorKind::Forbidden => Fault::Account,
        _ if error.needs_operator() => Fault::Foreign,
        _ if error.is_retryable() => Fault::Passing,
        _ => return None,
    };
    Some((fault, error.into()))
}

/// Whether the engine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Yes,
    No,
    IfNothingIsPending,
}
