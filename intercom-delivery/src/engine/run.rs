//! Runs the engine: does the I/O for its decisions.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, poll};
use intercom_core::Transport;
use tokio::sync::{Notify, mpsc};
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument;

use super::clock::{ReadClock, Steps};
use super::prefetch::Ask;
use super::requests::attempt;
use super::{Command, Done, Engine, Settings};
use crate::intake::Intake;
use crate::ledger::{DrainReport, Ledger};
use crate::outbox::{Admission, Counts, EventId, Outbox, OutboxError, Standing, Turn};
use crate::status::{Condition, Health};
use crate::telemetry::{self, spans};
use crate::time::later;

/// The limit of each of the last calls of the outbox at the end of the engine.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The number of ended requests to handle before the next ones begin.
const MAX_ENDED: usize = 256;

/// The limit of successive calls of a fast outbox before other work.
const MAX_TURNS: u32 = 32;

/// The parts that the engine works with.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) intake: Arc<Intake>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) health: Arc<Health>,
    /// Notified after a settlement, and at the end of the engine.
    pub(crate) settled: Arc<Notify>,
}

/// The outbox's answer.
enum Answer {
    Turn(Result<Turn, OutboxError>),
    Admitted(Result<Vec<EventId>, OutboxError>),
}

/// Runs the engine until it is shut down.
pub(crate) async fn run(
    ending: Ending,
    settings: Settings,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let Parts { intake, outbox, transport, health, settled: notifier } = &ending.0;
    let outbox = &**outbox;
    let attempt_timeout = settings.attempt_timeout;
    let ledger_log = LedgerLog { intake, logged: Mutex::default() };
    let wall_clock = settings.wall_clock.clone();
    let ledger = look(&ledger_log, outbox, health, wall_clock, settings.ledger_interval);
    let mut engine = Engine::new(settings, intake.clone(), health.clone());
    let ages = engine.ages.clone();
    let counting = OptionFuture::from(ages.as_deref().map(|ages| ages.count(outbox)));
    let mut requests = FuturesUnordered::new();
    let asking = OptionFuture::from(None);
    let settling = OptionFuture::from(None);
    let timer = OptionFuture::from(None);
    tokio::pin!(asking, settling, timer, ledger, counting);
    let mut timer_at = None;
    let mut turns = 0;
    loop {
        let now = Instant::now();
        turns += 1;
        engine.dispatch(now);
        for request in engine.take_starting() {
            requests.push(attempt(transport.clone(), request, attempt_timeout));
        }
        // The settlement comes first, because it makes room for the lease. A fast outbox answers at
        // once.
        if let Some((epoch, batch)) = engine.take_batch(now) {
            settling.set(Some(batch.settle(epoch, outbox)).into());
            if let Poll::Ready(Some((batch, settled))) = poll!(settling.as_mut()) {
                settling.set(None.into());
                engine.settled(batch, settled, now);
                notifier.notify_waiters();
                if turns < MAX_TURNS {
                    continue;
                }
            }
        }
        if engine.is_leaving() {
            asking.set(None.into());
        } else if let Some(ask) = engine.ask(now) {
            let admissions = engine.prefetch.admissions();
            asking.set(Some(call(outbox, ask, engine.turn.standing, admissions)).into());
            if let Poll::Ready(Some(answer)) = poll!(asking.as_mut()) {
                asking.set(None.into());
                if answered(&mut engine, answer, now) {
                    notifier.notify_waiters();
                }
                if engine.dispatch.in_flight == 0 {
                    // After the end of the turn, the requests in flight belong to the next
                    // deliverer.
                    requests.clear();
                }
            }
            // Without a due event, other work may proceed.
            if turns < MAX_TURNS {
                continue;
            }
        }
        engine.publish();
        match engine.is_done(now) {
            Done::Yes => break,
            Done::IfNothingIsPending
                if outbox.counts().await.is_ok_and(|counts| counts.pending == 0) =>
            {
                break;
            }
            _ => {}
        }
        let wake_at = engine.wake_at(now);
        if wake_at != timer_at {
            timer.set(wake_at.map(sleep_until).into());
            timer_at = wake_at;
        }
        tokio::select! {
            biased;
            command = commands.recv() => engine.handle(command, Instant::now()),
            Some(ended) = requests.next(), if !requests.is_empty() => {
                let now = Instant::now();
                engine.ended(ended, now);
                for _ in 1..MAX_ENDED {
                    let Some(Some(ended)) = requests.next().now_or_never() else { break };
                    engine.ended(ended, now);
                }
                // Even if every request ends at once, other tasks must run too.
                consume_budget().await;
            }
            Some((batch, settled)) = settling.as_mut() => {
                settling.set(None.into());
                engine.settled(batch, settled, Instant::now());
                notifier.notify_waiters();
            }
            Some(answer) = asking.as_mut() => {
                asking.set(None.into());
                if answered(&mut engine, answer, Instant::now()) {
                    notifier.notify_waiters();
                }
                if engine.dispatch.in_flight == 0 {
                    requests.clear();
                }
            }
            () = intake.sealed() => {}
            Some(()) = timer.as_mut() => {
                timer.set(None.into());
                timer_at = None;
            }
            () = ledger.as_mut() => {}
            Some(()) = counting.as_mut() => {}
            () = yield_now(), if turns >= MAX_TURNS => {}
        }
        turns = 0;
    }
    drop(requests);
    asking.set(None.into());
    if let Ok(Some((batch, settled))) = timeout(DRAIN_TIMEOUT, settling.as_mut()).await {
        engine.settled(batch, settled, Instant::now());
    }
    settling.set(None.into());
    let report = end(&mut engine, &ledger_log, outbox).await;
    notifier.notify_waiters();
    engine.drain.reply(report);
}

/// Settles the rest, releases the turn, and returns the report.
async fn end(engine: &mut Engine, ledger: &LedgerLog<'_>, outbox: &dyn Outbox) -> DrainReport {
    let now = Instant::now();
    engine.dispatch.in_flight = 0;
    if let Some((epoch, batch)) = engine.take_batch(now) {
        match timeout(DRAIN_TIMEOUT, batch.settle(epoch, outbox)).await {
            Ok((batch, settled)) => engine.settled(batch, settled, now),
            Err(_) => telemetry::outbox_failed("settle events", &no_answer()),
        }
    }
    if let Some(epoch) = engine.epoch() {
        match timeout(DRAIN_TIMEOUT, outbox.release(epoch)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => telemetry::outbox_failed("hand the delivery over", &error),
            Err(_) => telemetry::outbox_failed("hand the delivery over", &no_answer()),
        }
        engine.turn.tenure = None;
    }
    let counts = timeout(DRAIN_TIMEOUT, outbox.counts()).await;
    let counts = counts.unwrap_or_else(|_| Err(no_answer()));
    match counts {
        Ok(counts) => {
            ledger.log(counts);
            DrainReport::of(counts, counts.pending == 0)
        }
        Err(error) => {
            telemetry::outbox_failed("count events", &error);
            let pending = engine.report.pending();
            DrainReport::of(Counts { pending, ..Counts::default() }, false)
        }
    }
}

fn no_answer() -> OutboxError {
    OutboxError::new("the outbox did not answer in time")
}

async fn call(
    outbox: &dyn Outbox,
    ask: Ask,
    standing: Standing,
    admissions: Vec<Admission>,
) -> Answer {
    match ask {
        Ask::Lease(limit) => {
            let leased = outbox.lease(standing, limit).instrument(spans::receive(limit));
            Answer::Turn(leased.await)
        }
        Ask::Admit => {
            let Standing::Delivering(epoch) = standing else {
                return Answer::Admitted(Ok(admissions.iter().map(|one| one.id).collect()));
            };
            Answer::Admitted(outbox.admit(epoch, &admissions).await)
        }
    }
}

/// Passes the outbox's answer to the engine. Returns whether events may have left.
fn answered(engine: &mut Engine, answer: Answer, now: Instant) -> bool {
    match answer {
        Answer::Turn(turn) => {
            engine.handle_turn(turn, now);
            false
        }
        Answer::Admitted(admitted) => {
            engine.admitted(admitted, now);
            true
        }
    }
}

/// Logs the ledger if it has changed.
struct LedgerLog<'a> {
    intake: &'a Intake,
    logged: Mutex<Ledger>,
}

impl LedgerLog<'_> {
    fn log(&self, counts: Counts) {
        let waiting = self.intake.waiting() as u64;
        let ledger = self.intake.tally.ledger(counts, waiting);
        // The number of waiting callers changes often, and is not logged.
        let terms = Ledger { waiting: 0, ..ledger };
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *logged, terms) != terms {
            telemetry::ledger(&ledger);
        }
    }
}

/// Logs the ledger, publishes the number of pending events, and checks the system's clock, once an
/// interval.
async fn look(
    log: &LedgerLog<'_>,
    outbox: &dyn Outbox,
    health: &Health,
    wall_clock: ReadClock,
    interval: Duration,
) {
    let mut steps = Steps::new(Instant::now(), wall_clock());
    loop {
        sleep_until(later(Instant::now(), interval)).await;
        if let Some(seconds) = steps.look(Instant::now(), wall_clock()) {
            telemetry::clock_stepped(seconds);
        }
        let Ok(counts) = outbox.counts().await else { continue };
        log.log(counts);
        if health.published().turn.is_some() {
            health.set_pending(counts.pending);
            log.intake.metrics.set_pending(counts.pending);
            if let Some(age) = counts.oldest_pending {
                log.intake.metrics.set_oldest_pending(age);
            }
        }
    }
}

/// Closes the intake at any end of the engine, even before it has run.
pub(crate) struct Ending(pub(crate) Parts);

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            telemetry::died();
        }
        let Parts { intake, health, settled, .. } = &self.0;
        intake.close();
        intake.metrics.left_turn(false);
        let mut published = health.published();
        published.condition = Condition::Ended;
        published.turn = None;
        drop(published);
        health.set_in_flight(0);
        settled.notify_waiters();
    }
}
