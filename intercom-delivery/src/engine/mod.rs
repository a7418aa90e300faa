//! The engine: one task that owns every decision.
//!
//! It leases events that may be sent, sends them, and settles how that ended, over and over. All that it goes by,
//! [the gate](gate), [the line](line), [contacts] and [names], belongs to this task alone, so nothing is locked and
//! nothing overtakes anything. Requests run side by side within the task; a slow one holds up no other.

mod ahead;
mod arrivals;
mod attempt;
mod books;
mod changes;
mod contacts;
mod departures;
mod gate;
mod line;
mod names;
mod oversight;
mod slots;

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{OptionFuture, join};
use intercom_core::ErrorKind;
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until, timeout};

use self::ahead::Ahead;
use self::books::{Asking, Batch, OutboxTrouble};
use self::changes::Changes;
use self::contacts::Contacts;
use self::gate::Gate;
use self::line::Line;
use self::names::SilencedNames;
use self::slots::Slots;
use crate::ledger::Report;
use crate::outbox::{DeadLetter, EventId, Lease};
use crate::retry::RetryPolicy;
use crate::shared::{self, Command, Shared};
use crate::telemetry;
use crate::time::later;

pub use self::contacts::UnknownContact;
pub(crate) use self::line::Closed;

/// How long the outbox is waited for when the engine ends: for giving back what was leased, and before that for each of
/// the two things that it may be doing.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// How many requests may have ended before the outbox is told.
const MANY: usize = 256;

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
            settling.set(Some(engine.take_batch(now).settle(outbox)).into());
            if let Poll::Ready(Some((batch, settled))) = futures_util::poll!(settling.as_mut()) {
                settling.set(None.into());
                engine.settled(batch, settled, now);
                continue;
            }
        }
        if engine.may_lease(wanted, now) {
            engine.leasing = Some(Asking { wanted, since: now });
            // Who wakes the engine while it leases may have come too late for this lease.
            engine.more = false;
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
            ended = poll_fn(|context| engine.in_flight.poll_next(context)) => {
                let now = Instant::now();
                engine.ended(ended, now);
                // The next one goes as soon as one has ended; the outbox is told of many at once.
                engine.start(now);
                for _ in 1..MANY {
                    let next = poll_fn(|context| engine.in_flight.poll_next(context));
                    let Poll::Ready(ended) = futures_util::poll!(next) else { break };
                    engine.ended(ended, now);
                    engine.start(now);
                }
                // Where every request ends at once, others must run too.
                consume_budget().await;
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
    // What the outbox is doing is waited for: nobody else knows what was leased, and what is settled. Both at once, for
    // one may wait for the other.
    let doing = join(settling.as_mut(), leasing.as_mut());
    if let Ok((settled, leased)) = timeout(2 * FAREWELL, doing).await {
        if let Some((batch, settled)) = settled {
            engine.settled(batch, settled, Instant::now());
        }
        if let Some(leased) = leased {
            engine.leased(leased, Instant::now());
        }
    }
    settling.set(None.into());
    leasing.set(None.into());
    engine.end(outbox).await;
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
    in_flight: Slots,
    /// Leased events that are sent next, and since when they are leased.
    ready: VecDeque<(Instant, Lease)>,
    ahead: Ahead,
    /// How many requests could go besides, as the gate said when it was asked last.
    permitted: usize,
    /// Whether there may be events to lease.
    more: bool,
    /// When there will be.
    next_due: Option<Instant>,
    /// What the outbox is asked for.
    leasing: Option<Asking>,
    /// What the outbox is to be told next, and an empty batch, to be filled after that.
    batch: Batch,
    spare: Batch,
    /// How many settlements it is being told.
    settling: usize,
    /// When that began the last time, and when it is next.
    settle_began: Instant,
    next_settle: Instant,
    /// How often the transport panicked over an event, where it did.
    panics: HashMap<EventId, u32>,
    /// Until when the gate lets nothing through.
    blocked_until: Option<Instant>,
    /// When requests are looked for that take too long.
    look_for_late: Option<Instant>,
    /// When it is looked again at what others do in the same store.
    next_look: Instant,
    /// Whether a request is under way that tries if the line is open again.
    probing: bool,
    /// How often the transport was changed.
    epoch: u64,
    /// Until when it was last told that the gate is shut.
    told_shut: Option<Instant>,
    /// Why the line is closed.
    trouble: (Option<ErrorKind>, String),
    /// What the outbox fails to do.
    outbox_troubles: [Option<OutboxTrouble>; 2],
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

impl<'a> Engine<'a> {
    fn new(shared: &'a Shared, settings: Settings) -> Self {
        Engine {
            rng: settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            gate: Gate::new(),
            line: Line::new(settings.concurrency),
            contacts: Contacts::new(settings.unknown_contact, settings.attempt_timeout),
            names: SilencedNames::default(),
            in_flight: Slots::default(),
            ready: VecDeque::new(),
            ahead: Ahead::new(settings.concurrency),
            permitted: 0,
            more: true,
            next_due: None,
            leasing: None,
            batch: Batch::default(),
            spare: Batch::default(),
            settling: 0,
            settle_began: Instant::now(),
            next_settle: Instant::now(),
            panics: HashMap::new(),
            blocked_until: None,
            look_for_late: None,
            next_look: Instant::now(),
            probing: false,
            epoch: 0,
            told_shut: None,
            trouble: (None, String::new()),
            outbox_troubles: [None, None],
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
}
