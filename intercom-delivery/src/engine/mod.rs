//! The engine: one task that owns every decision.
//!
//! It leases events that may be sent, sends them, and settles how that ended, over and over. All that it goes by,
//! [the gate](gate), [the line](line), [contacts] and [names], belongs to this task alone, so nothing is locked and
//! nothing overtakes anything. Requests run side by side within the task; a slow one holds up no other.

mod attempt;
mod changes;
mod contacts;
mod gate;
mod line;
mod names;

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use intercom_core::{Contact, ContactCreation, ErrorKind, SendError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until, timeout};

use self::attempt::{Asked, Attempt, Outcome, Subject};
use self::changes::Changes;
use self::contacts::{Contacts, Fate, Setback};
use self::gate::{Gate, Permit};
use self::line::{Change, Line};
use self::names::{Hearing, SilencedNames};
use crate::ledger::Report;
use crate::outbox::{
    DeadLetter, DeathReason, EventId, Failure, Lease, Leased, Outbox, OutboxError, Settlement,
    Verdict,
};
use crate::retry::{self, Decision, RetryPolicy, Tried, backoff};
use crate::shared::{self, Command, Shared};
use crate::telemetry;
use crate::time::later;

pub use self::contacts::UnknownContact;
pub(crate) use self::line::Closed;

/// How long the outbox is left alone after it failed: at first, and at most.
const OUTBOX_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long an outbox that promised events and gave none is left alone.
const EMPTY_HANDED: Duration = Duration::from_millis(10);

/// How often who waits for room looks by himself. The engine tells when it has made room; others that deliver from the
/// same store do not.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);

/// How long giving back what was leased may take when the engine ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Is called for each dead letter.
pub(crate) type DeadLetterHook = Box<dyn Fn(&DeadLetter) + Send + Sync>;

pub(crate) struct Settings {
    pub(crate) concurrency: usize,
    pub(crate) attempt_timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) unknown_contact: UnknownContact,
    pub(crate) ledger_interval: Duration,
    pub(crate) on_dead_letter: Option<DeadLetterHook>,
    pub(crate) seed: Option<u64>,
}

/// Runs the engine until it is shut down. Where the task is dropped before, with its runtime, nothing more is
/// accepted.
pub(crate) async fn run(
    ending: Ending,
    settings: Settings,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let shared = &*ending.0;
    let outbox = &*shared.outbox;
    let mut engine = Engine::new(shared, settings);
    let mut changes = Changes::new(&*shared.transport);
    // Asked once before anything is sent, so that no change is missed. A change before the start is none.
    let _ = futures_util::poll!(poll_fn(|context| changes.poll_next(context)));
    let mut timer = Box::pin(sleep_until(engine.next_ledger));
    let leasing = OptionFuture::from(None);
    let settling = OptionFuture::from(None);
    tokio::pin!(leasing, settling);
    loop {
        let now = Instant::now();
        engine.give_up_late(now);
        let wanted = engine.start(now);
        // What is settled makes room, and what is leased needs it: in this order. An outbox that need not wait is
        // done at once.
        if engine.may_settle(now) {
            settling.set(Some(settle(outbox, engine.take_settlements())).into());
            if let Poll::Ready(Some((batch, settled))) = futures_util::poll!(settling.as_mut()) {
                settling.set(None.into());
                engine.settled(batch, settled, now);
                continue;
            }
        }
        if engine.may_lease(wanted, now) {
            engine.leasing = true;
            leasing.set(Some(outbox.lease(wanted, engine.term())).into());
            if let Poll::Ready(Some(leased)) = futures_util::poll!(leasing.as_mut()) {
                leasing.set(None.into());
                engine.leased(leased, now);
                continue;
            }
        }
        if changes.has_panicked() {
            engine.panicked("the transport, when asked for changes,");
        }
        engine.tell(now);
        if engine.is_done(now) {
            break;
        }
        let wake_at = engine.wake_at(now);
        if timer.deadline() != wake_at {
            timer.as_mut().reset(wake_at);
        }
        tokio::select! {
            biased;
            command = commands.recv() => engine.obey(command, Instant::now()),
            () = poll_fn(|context| changes.poll_next(context)) => {
                // A transport that is changed over and over must let others run.
                consume_budget().await;
                engine.resume(Instant::now());
            }
            Some(ended) = engine.in_flight.next(), if !engine.in_flight.is_empty() => {
                let now = Instant::now();
                engine.ended(ended, now);
                // The next one goes as soon as one has ended; the outbox is told of many at once.
                engine.start(now);
                while let Some(Some(ended)) = engine.in_flight.next().now_or_never() {
                    engine.ended(ended, now);
                    engine.start(now);
                }
            }
            Some((batch, settled)) = settling.as_mut() => {
                settling.set(None.into());
                engine.settled(batch, settled, Instant::now());
            }
            Some(leased) = leasing.as_mut() => {
                leasing.set(None.into());
                engine.leased(leased, Instant::now());
            }
            () = shared.wake.woken() => engine.more = true,
            () = timer.as_mut() => {}
        }
    }
    // What the outbox is doing is waited for: nobody else knows what was leased, and what is settled.
    if let Ok(Some((batch, settled))) = timeout(FAREWELL, settling).await {
        engine.settled(batch, settled, Instant::now());
    }
    if let Ok(Some(leased)) = timeout(FAREWELL, leasing).await {
        engine.leased(leased, Instant::now());
    }
    engine.end(outbox).await;
}

/// Settles a batch, and gives it back.
async fn settle(
    outbox: &dyn Outbox,
    batch: Vec<Settlement>,
) -> (Vec<Settlement>, Result<Vec<EventId>, OutboxError>) {
    let settled = outbox.settle(&batch).await;
    (batch, settled)
}

/// Closes the way in when the engine ends, in whatever way it does, also before it has begun.
pub(crate) struct Ending(pub(crate) Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            telemetry::died(self.0.report().pending);
        }
        self.0.intake.close();
        self.0.health().line = shared::Line::Ended;
        self.0.in_flight.store(0, Ordering::Relaxed);
    }
}

struct Engine<'a> {
    shared: &'a Shared,
    settings: Settings,
    rng: fastrand::Rng,
    gate: Gate,
    line: Line,
    contacts: Contacts,
    names: SilencedNames,
    in_flight: FuturesUnordered<Attempt>,
    /// Leased events that are sent next.
    ready: VecDeque<Lease>,
    /// Whether there may be events to lease.
    more: bool,
    /// When there will be.
    next_due: Option<Instant>,
    leasing: bool,
    /// How leases ended that the outbox was not told of, and the dead letters among them.
    settlements: Vec<Settlement>,
    letters: Vec<DeadLetter>,
    /// The dead letters that the outbox is being told of.
    buried: Vec<DeadLetter>,
    /// How long delivered events were on their way, of which the outbox is not told yet.
    delays: Vec<(EventId, Duration)>,
    told_delays: Vec<(EventId, Duration)>,
    /// How often the transport panicked over an event, where it did.
    panics: HashMap<EventId, u32>,
    settling: bool,
    /// An empty batch, to be filled again.
    spare: Vec<Settlement>,
    /// Until when the gate lets nothing through.
    blocked_until: Option<Instant>,
    /// When requests are looked for that take too long.
    look_for_late: Option<Instant>,
    /// When who waits for room is to look by himself.
    look_for_room: Instant,
    /// Whether a request is under way that tries if the line is open again.
    probing: bool,
    /// How often the transport was changed.
    epoch: u64,
    /// Why the line is closed.
    trouble: (Option<ErrorKind>, String),
    /// Until when the outbox is left alone because it failed, and how often it did in a row.
    outbox_trouble: Option<OutboxTrouble>,
    creation_trouble: Option<String>,
    /// Whether the published health is out of date.
    changed: bool,
    next_ledger: Instant,
    told_ledger: (u64, u64, u64),
    flushes: Vec<(EventId, oneshot::Sender<Report>)>,
    shutdowns: Vec<oneshot::Sender<Report>>,
    deadline: Option<Instant>,
    /// Whether it was seen that nothing more is accepted.
    sealed: bool,
    stop: bool,
}

struct OutboxTrouble {
    until: Instant,
    times: u32,
    message: String,
}

/// How many requests may be started.
struct Permits {
    /// So many more may be under way.
    room: usize,
    /// So many may go now, if there were room.
    permits: usize,
}

/// What must be known of a request to learn from its end.
#[derive(Clone, Copy)]
struct Request {
    /// Whether it was to try if the line is open again.
    probe: bool,
    /// Whether the transport was changed since it began.
    stale: bool,
    /// Whether it was to create a contact.
    creation: bool,
}

/// Starting what may be started.
impl<'a> Engine<'a> {
    fn new(shared: &'a Shared, settings: Settings) -> Self {
        Engine {
            rng: settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            gate: Gate::new(),
            line: Line::new(settings.concurrency),
            contacts: Contacts::new(settings.unknown_contact),
            names: SilencedNames::default(),
            in_flight: FuturesUnordered::new(),
            ready: VecDeque::new(),
            more: true,
            next_due: None,
            leasing: false,
            settlements: Vec::new(),
            letters: Vec::new(),
            buried: Vec::new(),
            delays: Vec::new(),
            told_delays: Vec::new(),
            panics: HashMap::new(),
            settling: false,
            spare: Vec::new(),
            blocked_until: None,
            look_for_late: None,
            look_for_room: Instant::now(),
            probing: false,
            epoch: 0,
            trouble: (None, String::new()),
            outbox_trouble: None,
            creation_trouble: None,
            changed: false,
            next_ledger: later(Instant::now(), settings.ledger_interval),
            told_ledger: (0, 0, 0),
            flushes: Vec::new(),
            shutdowns: Vec::new(),
            deadline: None,
            sealed: false,
            stop: false,
            shared,
            settings,
        }
    }

    /// Starts the requests that may go, and says how many events to lease: for requests that could go besides, and,
    /// where nothing holds requests back, for those that come after them.
    fn start(&mut self, now: Instant) -> usize {
        // What was accepted last may not have woken anybody yet.
        if self.deadline.is_some() && !self.sealed && self.shared.intake.is_sealed() {
            self.sealed = true;
            self.more = true;
        }
        if self.next_due.is_some_and(|due| due <= now) {
            self.next_due = None;
            self.more = true;
        }
        for lease in self.contacts.overdue(self.settings.attempt_timeout, now) {
            self.put_back(&lease, Duration::ZERO, lease.attempts, None);
        }
        self.blocked_until = None;
        while let Some(Permits { room, permits }) = self.permits(now) {
            if room == 0 || permits == 0 {
                return 0;
            }
            if let Some(contact) = self.contacts.next_to_create(now) {
                self.begin(Subject::Contact(contact), now);
                continue;
            }
            let Some(lease) = self.ready.pop_front() else {
                return permits.min(room.saturating_add(self.settings.concurrency));
            };
            if let Some(lease) = self.admit(lease, now) {
                self.begin(Subject::Event(lease), now);
            }
        }
        // Nothing goes for a while, which may be longer than a lease.
        for lease in mem::take(&mut self.ready) {
            self.put_back(&lease, Duration::ZERO, lease.attempts, None);
        }
        0
    }

    /// How many requests may be started. `None` stands for: none, and not because enough are under way.
    fn permits(&mut self, now: Instant) -> Option<Permits> {
        let in_flight = self.in_flight.len();
        let room = match self.line.closed() {
            Some(closed) if now < closed.next_try => return None,
            Some(_) => usize::from(!self.probing),
            None => self.line.allowed().saturating_sub(in_flight),
        };
        if room == 0 {
            return Some(Permits { room, permits: 0 });
        }
        let backlog = || {
            let pending = self.shared.outbox.counts().pending;
            pending.saturating_sub(in_flight as u64)
        };
        match self.gate.ask(now, in_flight, backlog, || self.rng.f64()) {
            Permit::Go(permits) if self.line.is_open() => Some(Permits { room, permits }),
            Permit::Go(permits) => Some(Permits { room, permits: permits.min(room) }),
            Permit::At(time) => {
                self.blocked_until = Some(time);
                None
            }
        }
    }

    fn begin(&mut self, subject: Subject, now: Instant) {
        let probe = self.line.closed().is_some();
        self.probing |= probe;
        self.gate.pass(now, self.in_flight.len());
        let asked = Asked { subject, probe, epoch: self.epoch, begun: now };
        self.in_flight.push(Attempt::new(&self.shared.transport, asked));
        self.look_for_late.get_or_insert(later(now, self.settings.attempt_timeout));
    }

    /// Gives up the requests that take too long. They are looked for about once in the time that one may take, so
    /// that a request needs no timer of its own.
    fn give_up_late(&mut self, now: Instant) {
        if self.look_for_late.is_none_or(|time| now < time) {
            return;
        }
        let within = self.settings.attempt_timeout;
        let mut oldest = None::<Instant>;
        for attempt in mem::take(&mut self.in_flight) {
            match attempt.begun() {
                Some(begun) if now < later(begun, within) => {
                    oldest = Some(oldest.map_or(begun, |oldest| oldest.min(begun)));
                    self.in_flight.push(attempt);
                }
                _ => {
                    let error = SendError::new(ErrorKind::Timeout)
                        .with_detail(format!("the transport did not end within {within:?}"));
                    if let Some(asked) = attempt.give_up() {
                        self.ended((asked, Outcome::Failed(error)), now);
                    }
                }
            }
        }
        self.look_for_late = oldest.map(|begun| later(begun, within));
    }

    /// Whether a leased event is sent at all.
    fn admit(&mut self, lease: Lease, now: Instant) -> Option<Lease> {
        if self.settings.retry.is_too_old(lease.age) {
            let failure = lease.last_failure.as_deref().cloned();
            let failure =
                failure.unwrap_or_else(|| Failure::new("the event became older than it may"));
            self.bury(&lease, DeathReason::AgeLimit, lease.attempts, Some(failure));
            return None;
        }
        match self.names.hear(lease.event.name(), now) {
            Hearing::Send => {}
            Hearing::Wait(after) => {
                self.put_back(&lease, after, lease.attempts, None);
                return None;
            }
            Hearing::Bury => {
                let failure = "not sent: Intercom takes no events of this name for now";
                let failure = Some(Failure::new(failure));
                self.bury(&lease, DeathReason::EventNameLimit, lease.attempts, failure);
                return None;
            }
        }
        let fate = self.contacts.admit(lease, now);
        self.suffer(fate, None)
    }

    /// How long an event is leased. It may be sent, wait for its contact, and be sent again.
    fn term(&self) -> Duration {
        self.settings.attempt_timeout.saturating_mul(3).saturating_add(FAREWELL)
    }
}

/// Understanding how requests ended.
impl Engine<'_> {
    fn ended(&mut self, (asked, outcome): (Asked, Outcome), now: Instant) {
        let took = now.saturating_duration_since(asked.begun);
        // What began before the transport was changed says nothing of how it is now.
        let stale = asked.epoch < self.epoch;
        let probe = asked.probe && !stale;
        if probe {
            self.probing = false;
        }
        let creation = matches!(asked.subject, Subject::Contact(_));
        self.learn(&outcome, Request { probe, stale, creation }, now);
        match asked.subject {
            Subject::Event(lease) => self.conclude(lease, outcome, took, now),
            Subject::Contact(contact) => self.contact_asked(contact, outcome, now),
        }
    }

    /// What an answer says about the limit, and about the way to Intercom.
    fn learn(&mut self, outcome: &Outcome, request: Request, now: Instant) {
        let Request { probe, stale, creation } = request;
        let roll = self.rng.f64();
        let error = match outcome {
            Outcome::Taken(receipt) => {
                self.gate.answered(now, receipt.rate_limit());
                self.changed |= receipt.rate_limit().is_some();
                let change = self.line.works();
                return self.line_changed(change, None);
            }
            Outcome::Contact(_) => {
                self.gate.answered(now, None);
                let change = self.line.works();
                return self.line_changed(change, None);
            }
            Outcome::Panicked => {
                self.panicked("the transport");
                self.gate.unanswered();
                let change = self.line.failed(now, probe, roll);
                return self.line_changed(change, None);
            }
            Outcome::Failed(error) => error,
        };
        self.changed |= error.rate_limit().is_some();
        let change = match error.kind() {
            ErrorKind::RateLimited => {
                let paused = self.gate.closed_until().is_some();
                self.gate.refused(now, error, roll);
                if let (false, Some(until)) = (paused, self.gate.closed_until()) {
                    telemetry::paused(until - now);
                }
                self.changed = true;
                self.line.lives()
            }
            _ if error.is_retryable() => {
                match error.status() {
                    Some(_) => self.gate.answered(now, error.rate_limit()),
                    None => self.gate.unanswered(),
                }
                if let Some(wait) = error.retry_after() {
                    self.gate.close(now, wait, roll);
                    self.changed = true;
                }
                self.line.failed(now, probe, roll)
            }
            _ => {
                self.gate.answered(now, error.rate_limit());
                // Who may not create contacts may still send events.
                let of_creation = creation && error.kind() != ErrorKind::Unauthorized;
                match error.needs_operator() {
                    true if stale || of_creation => None,
                    true => self.line.stop(now, probe, roll),
                    // Without a status nobody was asked.
                    false if error.status().is_some() => self.line.works(),
                    false => None,
                }
            }
        };
        self.line_changed(change, Some(error));
    }

    /// A panic was contained.
    fn panicked(&self, what: &'static str) {
        self.shared.intake.tally.panics.add(1);
        telemetry::panicked(what);
    }

    fn line_changed(&mut self, change: Option<Change>, error: Option<&SendError>) {
        let Some(change) = change else { return };
        self.changed = true;
        if change == Change::Opened {
            return telemetry::opened();
        }
        self.trouble = match error {
            Some(error) => (Some(error.kind()), error.to_string()),
            None => (None, "the transport panicked".to_owned()),
        };
        match change {
            Change::Outage => telemetry::outage(&self.trouble.1),
            Change::Stopped => telemetry::stopped(&self.trouble.1),
            Change::StillClosed | Change::Opened => {}
        }
    }

    /// Decides what becomes of an event that was sent.
    fn conclude(&mut self, lease: Lease, outcome: Outcome, took: Duration, now: Instant) {
        let panics = self.panics.get(&lease.id).copied().unwrap_or_default();
        let age = lease.age.saturating_add(took);
        let tried = Tried { attempts: lease.attempts, panics, age };
        let outcome = match outcome {
            Outcome::Failed(error) => {
                Outcome::Failed(error.with_event(lease.event.event_name().clone()))
            }
            outcome => outcome,
        };
        let (label, decision) = match &outcome {
            Outcome::Taken(_) | Outcome::Contact(_) => ("delivered", Decision::Done),
            Outcome::Failed(error) => {
                let roll = self.rng.f64();
                let outcome = retry::Outcome::Failed(error);
                let decision = self.settings.retry.decide(outcome, tried, roll);
                (telemetry::outcome(error.kind()), decision)
            }
            Outcome::Panicked => {
                let roll = self.rng.f64();
                ("panicked", self.settings.retry.decide(retry::Outcome::Panicked, tried, roll))
            }
        };
        telemetry::attempt(label, took);
        let failure = || match &outcome {
            Outcome::Failed(error) => Some(Failure::from(error)),
            _ => Some(Failure::new("the transport panicked")),
        };
        match decision {
            Decision::Done => {
                self.delays.push((lease.id, age));
                self.names.taken(lease.event.name());
                self.contacts.known(lease.event.contact());
                self.forget(lease.id);
                self.settlements.push(lease.settle(Verdict::Acknowledge));
            }
            Decision::Retry { after, attempts } => {
                if matches!(outcome, Outcome::Panicked) {
                    self.panics.insert(lease.id, panics + 1);
                }
                // While the line is closed it holds everything back, and any event will do to try it.
                let after = if self.line.closed().is_some() { Duration::ZERO } else { after };
                // What waits for the gate need not come back before it opens.
                let gate =
                    self.gate.closed_until().map(|until| until.saturating_duration_since(now));
                let after = after.max(gate.unwrap_or_default());
                self.put_back(&lease, after, attempts, failure());
            }
            Decision::Bury(reason) => {
                let failure = failure();
                if reason == DeathReason::EventNameLimit {
                    let message = failure.as_ref().map_or("", |failure| &failure.message);
                    if self.names.silence(lease.event.name(), now) {
                        telemetry::name_silenced(lease.event.name(), message);
                    }
                }
                self.bury(&lease, reason, tried.attempts.saturating_add(1), failure);
            }
            Decision::UnknownContact => {
                let roll = self.rng.f64();
                let fate = self.contacts.unknown(lease, &self.settings.retry, now, roll);
                if let Some(lease) = self.suffer(fate, failure()) {
                    self.ready.push_back(lease);
                }
            }
        }
    }

    /// Does to an event what its contact brings with it, and gives it back if it is to be sent.
    fn suffer(&mut self, fate: Fate, failure: Option<Failure>) -> Option<Lease> {
        match fate {
            Fate::Send(lease) => return Some(lease),
            Fate::Parked => {}
            Fate::Retry(lease, after, spends) => {
                let attempts = lease.attempts.saturating_add(u32::from(spends));
                self.put_back(&lease, after, attempts, failure);
            }
            Fate::Bury(lease) => {
                let attempts = lease.attempts.saturating_add(1);
                self.bury(&lease, DeathReason::UnknownContact, attempts, failure);
            }
        }
        None
    }

    /// Goes on with the events of a contact that was to be created.
    fn contact_asked(&mut self, contact: Contact, outcome: Outcome, now: Instant) {
        let (end, failure) = match &outcome {
            Outcome::Contact(ContactCreation::Archived) => {
                let failure = "the contact is archived, and Intercom takes no events for it; \
                               unarchive it, then redrive them";
                (Err(DeathReason::ArchivedContact), Failure::new(failure))
            }
            Outcome::Contact(_) | Outcome::Taken(_) => {
                self.creation_works();
                return self.ready.extend(self.contacts.created(contact, now));
            }
            Outcome::Panicked => {
                (Ok(Setback::Panicked), Failure::new("the transport panicked over its contact"))
            }
            Outcome::Failed(error) => {
                let end = match error.kind() {
                    ErrorKind::Unsupported => Err(DeathReason::UnknownContact),
                    ErrorKind::AmbiguousContact => Err(DeathReason::AmbiguousContact),
                    ErrorKind::RateLimited | ErrorKind::Unauthorized => Ok(Setback::Held),
                    _ if error.is_permanent() => Err(DeathReason::ContactNotCreated),
                    _ if error.is_retryable() => Ok(Setback::Failed),
                    _ => Ok(Setback::Refused),
                };
                (end, Failure::from(error))
            }
        };
        let reason = match end {
            Err(reason) => {
                self.creation_works();
                reason
            }
            Ok(setback) => {
                let roll = self.rng.f64();
                let retry = &self.settings.retry;
                let (panics, news) =
                    self.contacts.set_back(contact.clone(), setback, retry, now, roll);
                if setback == Setback::Refused {
                    if news {
                        telemetry::creation_refused(&failure.message);
                    }
                    self.creation_trouble = Some(failure.message);
                    self.changed = true;
                    return;
                }
                if panics < retry::MAX_PANICS {
                    return;
                }
                DeathReason::Panic
            }
        };
        for lease in self.contacts.not_created(&contact) {
            let attempts = lease.attempts.saturating_add(1);
            self.bury(&lease, reason, attempts, Some(failure.clone()));
        }
    }

    /// Intercom lets us create contacts.
    fn creation_works(&mut self) {
        self.changed |= self.creation_trouble.take().is_some();
    }

    /// An event has left, and nothing more needs be known of it.
    fn forget(&mut self, id: EventId) {
        self.contacts.forget(id);
        if !self.panics.is_empty() {
            self.panics.remove(&id);
        }
    }

    fn put_back(
        &mut self,
        lease: &Lease,
        after: Duration,
        attempts: u32,
        failure: Option<Failure>,
    ) {
        if let Some(failure) = &failure {
            telemetry::retried(lease.event.name(), attempts, after, &failure.message);
        }
        self.settlements.push(lease.settle(Verdict::PutBack { after, attempts, failure }));
    }

    fn bury(
        &mut self,
        lease: &Lease,
        reason: DeathReason,
        attempts: u32,
        failure: Option<Failure>,
    ) {
        self.forget(lease.id);
        let verdict = Verdict::Bury { reason, attempts, failure: failure.clone() };
        self.settlements.push(lease.settle(verdict));
        self.letters.push(DeadLetter {
            id: lease.id,
            event: lease.event.clone(),
            reason,
            failure,
            attempts,
            died_at: SystemTime::now(),
        });
    }
}

/// Dealing with the outbox.
impl Engine<'_> {
    fn outbox_rests(&self, now: Instant) -> bool {
        self.outbox_trouble.as_ref().is_some_and(|trouble| now < trouble.until)
    }

    fn may_settle(&self, now: Instant) -> bool {
        !self.settling && !self.settlements.is_empty() && !self.outbox_rests(now)
    }

    fn may_lease(&self, wanted: usize, now: Instant) -> bool {
        // Events whose end the outbox does not learn of must not become more and more.
        let unsettled = self.settlements.len() + self.buried.len();
        wanted > 0
            && self.more
            && !self.leasing
            && !self.outbox_rests(now)
            && unsettled <= self.settings.concurrency.saturating_mul(4)
    }

    fn take_settlements(&mut self) -> Vec<Settlement> {
        self.settling = true;
        self.buried = mem::take(&mut self.letters);
        mem::swap(&mut self.delays, &mut self.told_delays);
        mem::replace(&mut self.settlements, mem::take(&mut self.spare))
    }

    fn settled(
        &mut self,
        mut batch: Vec<Settlement>,
        settled: Result<Vec<EventId>, OutboxError>,
        now: Instant,
    ) {
        self.settling = false;
        let late = match settled {
            Ok(late) => late,
            Err(error) => {
                self.outbox_failed("settle events", &error, now);
                // In front of what has come since.
                batch.append(&mut self.settlements);
                self.settlements = batch;
                self.buried.append(&mut self.letters);
                self.letters = mem::take(&mut self.buried);
                self.told_delays.append(&mut self.delays);
                mem::swap(&mut self.delays, &mut self.told_delays);
                return;
            }
        };
        self.outbox_works();
        let mut left = false;
        for settlement in batch.drain(..) {
            match settlement.verdict {
                Verdict::PutBack { after, .. } => self.expect(later(now, after)),
                Verdict::Acknowledge | Verdict::Bury { .. } => left = true,
            }
        }
        self.spare = batch;
        for (id, delay) in mem::take(&mut self.told_delays) {
            if !late.contains(&id) {
                telemetry::delivered(delay);
            }
        }
        for letter in mem::take(&mut self.buried) {
            if !late.contains(&letter.id) {
                self.announce(&letter);
            }
        }
        if left {
            self.shared.intake.made_room();
        }
        telemetry::pending(&*self.shared.outbox);
    }

    /// Tells whom it may concern that an event is a dead letter.
    fn announce(&self, letter: &DeadLetter) {
        self.shared.intake.tally.death(letter.reason);
        telemetry::dead(letter);
        if let Some(hook) = &self.settings.on_dead_letter
            && catch_unwind(AssertUnwindSafe(|| hook(letter))).is_err()
        {
            self.panicked("the hook for dead letters");
        }
    }

    fn leased(&mut self, leased: Result<Leased, OutboxError>, now: Instant) {
        self.leasing = false;
        let Leased { events, next_due } = match leased {
            Ok(leased) => leased,
            Err(error) => return self.outbox_failed("lease events", &error, now),
        };
        self.outbox_works();
        self.more = false;
        match next_due {
            Some(due) if events.is_empty() => self.expect(later(now, due.max(EMPTY_HANDED))),
            Some(due) => self.expect(later(now, due)),
            None => {}
        }
        self.ready.extend(events);
    }

    /// Events will be due at this time.
    fn expect(&mut self, due: Instant) {
        self.next_due = Some(self.next_due.map_or(due, |other| other.min(due)));
    }

    fn outbox_failed(&mut self, what: &'static str, error: &OutboxError, now: Instant) {
        let times = self.outbox_trouble.as_ref().map_or(0, |trouble| trouble.times);
        if times == 0 {
            telemetry::outbox_failed(what, error);
        }
        let (base, cap) = OUTBOX_BACKOFF;
        let until = now + backoff(base, cap, times);
        let message = error.to_string();
        self.outbox_trouble = Some(OutboxTrouble { until, times: times + 1, message });
        self.changed = true;
    }

    fn outbox_works(&mut self) {
        if self.outbox_trouble.take().is_some() {
            telemetry::outbox_works();
            self.changed = true;
        }
    }
}

/// Doing what handles ask, telling how it goes, and ending.
impl Engine<'_> {
    fn obey(&mut self, command: Option<Command>, now: Instant) {
        match command {
            Some(Command::Flush { newest, reply }) => self.flushes.push((newest, reply)),
            Some(Command::Shutdown { deadline, reply }) => {
                self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
                self.shutdowns.push(reply);
                self.more = true;
            }
            Some(Command::Resume) => self.resume(now),
            Some(Command::Stop) | None => self.stop = true,
        }
    }

    /// Somebody may have mended what was wrong.
    fn resume(&mut self, now: Instant) {
        // Requests under way began before that.
        self.epoch += 1;
        self.probing = false;
        self.line.resume(now);
        self.contacts.resume();
        self.names.resume();
        self.changed = true;
    }

    /// Tells what has changed.
    fn tell(&mut self, now: Instant) {
        self.shared.in_flight.store(self.in_flight.len(), Ordering::Relaxed);
        if mem::take(&mut self.changed) {
            self.publish();
        }
        if !self.flushes.is_empty() {
            let counts = self.shared.outbox.counts();
            let done = |(newest, _): &mut (EventId, _)| {
                counts.oldest_pending.is_none_or(|oldest| oldest > *newest)
            };
            for (_, reply) in self.flushes.extract_if(.., done) {
                // Who asked may have stopped waiting.
                let _ = reply.send(counts.into());
            }
        }
        if now >= self.look_for_room {
            self.look_for_room = later(now, LOOK_FOR_ROOM);
            self.shared.intake.made_room();
        }
        if now >= self.next_ledger {
            self.next_ledger = later(now, self.settings.ledger_interval);
            self.tell_ledger();
        }
    }

    fn publish(&self) {
        let mut health = self.shared.health();
        health.line = match (self.line.closed(), self.gate.closed_until()) {
            (Some(closed), _) => {
                let (kind, message) = self.trouble.clone();
                shared::Line::Closed { closed: closed.clone(), kind, message }
            }
            (None, Some(until)) => shared::Line::Paused(until),
            (None, None) => shared::Line::Open,
        };
        health.rate_limit = self.gate.told();
        health.outbox = self.outbox_trouble.as_ref().map(|trouble| trouble.message.clone());
        health.contact_creation.clone_from(&self.creation_trouble);
    }

    /// Logs the ledger, unless it is what it was.
    fn tell_ledger(&mut self) {
        let ledger = self.shared.ledger();
        let told = (ledger.offered, ledger.delivered, ledger.dead);
        if mem::replace(&mut self.told_ledger, told) != told {
            telemetry::ledger(&ledger);
        }
    }

    /// When the engine must look again by itself. A time that is past is none: what could be done since then has
    /// been, and what could not waits for something else.
    fn wake_at(&self, now: Instant) -> Instant {
        // Others may make room in the same outbox, and do not tell.
        let room = (self.shared.intake.waiting() > 0).then_some(self.look_for_room);
        let times = [self.deadline, self.look_for_late, room, self.next_action(now)];
        times.into_iter().flatten().filter(|time| *time > now).fold(self.next_ledger, Instant::min)
    }

    /// When an event may go that cannot now.
    fn next_action(&self, now: Instant) -> Option<Instant> {
        let outbox = self.outbox_trouble.as_ref().map(|trouble| trouble.until);
        let contacts = self.contacts.next_action(self.settings.attempt_timeout);
        [outbox, contacts, self.line.next_try(), self.blocked_until, self.next_due]
            .into_iter()
            .flatten()
            .filter(|time| *time > now)
            .min()
    }

    fn is_done(&self, now: Instant) -> bool {
        if self.stop {
            return true;
        }
        let Some(deadline) = self.deadline else { return false };
        if now >= deadline {
            return true;
        }
        let idle = self.in_flight.is_empty()
            && self.ready.is_empty()
            && self.settlements.is_empty()
            && !self.settling
            && !self.leasing;
        if !idle || !self.sealed {
            return false;
        }
        // Nothing waits, or nothing that waits can go before the deadline.
        let blocked = !self.more || self.blocked_until.is_some() || self.line.next_try().is_some();
        self.shared.outbox.counts().pending == 0
            || blocked && self.next_action(now).is_some_and(|time| time > deadline)
    }

    /// Gives back what is leased, and answers who waits for the end.
    async fn end(mut self, outbox: &dyn Outbox) {
        let given_up = mem::take(&mut self.in_flight).into_iter().filter_map(Attempt::give_up);
        let sent = given_up.filter_map(|asked| match asked.subject {
            Subject::Event(lease) => Some(lease),
            Subject::Contact(_) => None,
        });
        let ready = mem::take(&mut self.ready);
        let leases: Vec<_> = sent.chain(ready).chain(self.contacts.take_parked()).collect();
        for lease in &leases {
            self.put_back(lease, Duration::ZERO, lease.attempts, None);
        }
        // What was being settled may have been settled or not; settling it again does no harm.
        if !self.settlements.is_empty() {
            let settlements = mem::take(&mut self.settlements);
            match timeout(FAREWELL, outbox.settle(&settlements)).await {
                Ok(Ok(late)) => {
                    for letter in self.letters.iter().filter(|letter| !late.contains(&letter.id)) {
                        self.announce(letter);
                    }
                }
                Ok(Err(error)) => telemetry::outbox_failed("settle events", &error),
                Err(_) => {
                    let error = OutboxError::new("it did not answer in time");
                    telemetry::outbox_failed("settle events", &error);
                }
            }
        }
        self.tell_ledger();
        let report = self.shared.report();
        let flushes = self.flushes.drain(..).map(|(_, reply)| reply);
        for reply in self.shutdowns.drain(..).chain(flushes) {
            let _ = reply.send(report);
        }
    }
}
