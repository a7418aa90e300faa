//! The intake: accepts events, refuses them with a reason, or lets callers wait for room.

use std::iter;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{self, Arc, PoisonError};
use std::time::Duration;

use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, Receipt, SendError, Transport, async_trait,
};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio::task::coop::consume_budget;
use tokio::time::sleep;
use tracing::{Instrument, Span};

use crate::ledger::Tally;
use crate::metrics::{Metrics, RefusalReason};
use crate::outbox::{AcceptError, MemoryOutbox, Outbox};
use crate::policy::Backpressure;
use crate::telemetry::{self, spans};

/// The interval at which the first caller in the queue tries again without a wake-up, because
/// another process may have made room.
const ROOM_INTERVAL: Duration = Duration::from_secs(1);

/// Accepts events into the outbox.
pub(crate) struct Intake {
    outbox: Arc<dyn Outbox>,
    /// The same outbox, if it is the one in memory. It accepts without a future, which saves an
    /// allocation an event (`cargo bench -p benches --bench delivery` has the bound of 3).
    memory: Option<Arc<MemoryOutbox>>,
    backpressure: Backpressure,
    /// The runtime of the timers, because a caller may be outside any runtime.
    runtime: Handle,
    closed: AtomicBool,
    /// The calls in progress. A closed intake without any accepts nothing more.
    in_progress: AtomicUsize,
    /// Notified when that happens.
    sealed: Notify,
    /// The number of callers that wait for room, in FIFO order.
    waiting: AtomicUsize,
    turn: Mutex<()>,
    room: Notify,
    closing: Notify,
    /// The fault of the last acceptance, if it failed.
    trouble: sync::Mutex<Option<String>>,
    is_troubled: AtomicBool,
    /// The span in which the delivery logs. Disabled without labels.
    pub(crate) span: Span,
    pub(crate) metrics: Metrics,
    pub(crate) tally: Tally,
}

impl Intake {
    pub(crate) fn new(
        outbox: Arc<dyn Outbox>,
        memory: Option<Arc<MemoryOutbox>>,
        backpressure: Backpressure,
        runtime: Handle,
        span: Span,
        metrics: Metrics,
    ) -> Self {
        Intake {
            outbox,
            memory,
            backpressure,
            runtime,
            closed: AtomicBool::new(false),
            in_progress: AtomicUsize::new(0),
            sealed: Notify::new(),
            waiting: AtomicUsize::new(0),
            turn: Mutex::new(()),
            room: Notify::new(),
            closing: Notify::new(),
            trouble: sync::Mutex::default(),
            is_troubled: AtomicBool::new(false),
            span,
            metrics,
            tally: Tally::default(),
        }
    }

    /// Accepts one event.
    pub(crate) async fn accept_one(&self, event: DataEvent) -> Result<Receipt, SendError> {
        let memory = match &self.memory {
            Some(memory) if event.derived().is_empty() => memory,
            _ => return self.accept(slice::from_ref(&event)).await,
        };
        consume_budget().await;
        let mut event = Some(event);
        let accepted = self.accept_into(memory, &mut event);
        match (accepted, event) {
            (Err(Refusal::Outbox(AcceptError::Full)), Some(event))
                if self.backpressure == Backpressure::Wait =>
            {
                let accepted = self.wait_for_room(slice::from_ref(&event)).await;
                self.record(accepted, 1)
            }
            (accepted, _) => self.record(accepted, 1),
        }
    }

    /// Accepts one event into this outbox, or refuses it, without waiting.
    pub(crate) fn try_accept(
        &self,
        memory: &MemoryOutbox,
        event: DataEvent,
    ) -> Result<Receipt, SendError> {
        if event.derived().is_empty() {
            return self.record(self.accept_into(memory, &mut Some(event)), 1);
        }
        let events = with_derived(slice::from_ref(&event));
        let accepted = self.accept_at_once(|| memory.try_accept_all(&events));
        self.record(accepted, events.len() as u64)
    }

    /// Accepts many events with their derived events, all of them or none.
    pub(crate) async fn accept(&self, events: &[DataEvent]) -> Result<Receipt, SendError> {
        consume_budget().await;
        let flat;
        let events = match events.iter().all(|event| event.derived().is_empty()) {
            true => events,
            false => {
                flat = with_derived(events);
                &flat
            }
        };
        let accepted = match InProgress::begin(self) {
            _call if self.is_closed() => Err(Refusal::Closed),
            _call if self.waiting() > 0 => Err(AcceptError::Full.into()),
            _call => self.outbox.accept(events).await.map_err(Refusal::from),
        };
        let accepted = match accepted {
            Err(Refusal::Outbox(AcceptError::Full)) if self.backpressure == Backpressure::Wait => {
                self.wait_for_room(events).await
            }
            accepted => accepted,
        };
        self.record(accepted, events.len() as u64)
    }

    /// Closes the intake. Callers that wait for room get an error.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.room.notify_one();
        self.closing.notify_waiters();
        self.sealed.notify_one();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Returns whether the intake can accept nothing more.
    pub(crate) fn is_sealed(&self) -> bool {
        self.is_closed() && self.in_progress.load(Ordering::SeqCst) == 0
    }

    /// Waits until the intake is closed and no call is in progress.
    pub(crate) async fn sealed(&self) {
        self.sealed.notified().await;
    }

    /// Lets the first caller in the queue try again: events have left the outbox.
    pub(crate) fn made_room(&self) {
        if self.waiting() > 0 {
            self.room.notify_one();
        }
    }

    /// Returns how many callers wait for room.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Returns why the outbox could not accept the last event, if it could not.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn accept_into(
        &self,
        memory: &MemoryOutbox,
        event: &mut Option<DataEvent>,
    ) -> Result<(), Refusal> {
        self.accept_at_once(|| memory.try_accept(event))
    }

    fn accept_at_once(
        &self,
        accept: impl FnOnce() -> Result<(), AcceptError>,
    ) -> Result<(), Refusal> {
        match InProgress::begin(self) {
            _call if self.is_closed() => Err(Refusal::Closed),
            _call if self.waiting() > 0 => Err(AcceptError::Full.into()),
            _call => accept().map_err(Refusal::from),
        }
    }

    /// Accepts events when it is the caller's turn and there is room. Boxed, because it is rare,
    /// and its future would enlarge every other call.
    ///
    /// A waiting call does not count as in progress, so an abandoned one cannot block a shutdown.
    async fn wait_for_room(&self, events: &[DataEvent]) -> Result<(), Refusal> {
        let waiting = Box::pin(async {
            let mut waiting = Waiting::begin(self, events.len());
            let closing = self.closing.notified();
            tokio::pin!(closing);
            closing.as_mut().enable();
            // The first caller in the queue may not be polled, so each caller watches for the end
            // itself.
            let _turn = match self.is_closed() {
                true => None,
                false => tokio::select! {
                    turn = self.turn.lock() => Some(turn),
                    () = closing => None,
                },
            };
            loop {
                waiting.in_call = true;
                let accepted = match InProgress::begin(self) {
                    _call if self.is_closed() => Err(Refusal::Closed),
                    _call => self.outbox.accept(events).await.map_err(Refusal::from),
                };
                waiting.in_call = false;
                if !matches!(accepted, Err(Refusal::Outbox(AcceptError::Full))) {
                    waiting.done = true;
                    return accepted;
                }
                let interval = {
                    let _within = self.runtime.enter();
                    sleep(ROOM_INTERVAL)
                };
                tokio::select! {
                    // Polled first, because the timer's runtime may have ended.
                    biased;
                    () = self.room.notified() => {}
                    () = interval => {}
                }
            }
        });
        waiting.await
    }

    /// Counts the result of a call, and returns it.
    fn record(&self, accepted: Result<(), Refusal>, events: u64) -> Result<Receipt, SendError> {
        match accepted {
            Ok(()) => {
                if self.is_troubled.load(Ordering::Relaxed) {
                    self.set_trouble(None);
                }
                self.metrics.accepted(events);
                Ok(Receipt::accepted())
            }
            Err(refusal) => Err(self.refuse(refusal, events)),
        }
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.is_troubled.store(trouble.is_some(), Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn note_refused(&self, reason: RefusalReason, events: u64) {
        self.metrics.refused(reason, events);
        self.span.in_scope(|| telemetry::refused(reason.as_str(), events));
    }

    fn refuse(&self, refusal: Refusal, events: u64) -> SendError {
        let tally = &self.tally;
        let (count, reason, error) = match refusal {
            Refusal::Closed => {
                (&tally.closed, RefusalReason::Closed, SendError::new(ErrorKind::Closed))
            }
            Refusal::Outbox(AcceptError::Full) => {
                (&tally.full, RefusalReason::Full, SendError::new(ErrorKind::Full))
            }
            Refusal::Outbox(AcceptError::ExceedsCapacity) => {
                let error = SendError::new(ErrorKind::Unsupported)
                    .with_detail("more at once than the outbox can ever hold; raise its capacity");
                (&tally.unsupported, RefusalReason::Unsupported, error)
            }
            Refusal::Outbox(AcceptError::Storage(error)) => {
                self.set_trouble(Some(error.to_string()));
                let error = SendError::new(ErrorKind::Storage).with_source(error);
                (&tally.storage, RefusalReason::Storage, error)
            }
            Refusal::Outbox(AcceptError::Unavailable(error)) => {
                self.set_trouble(Some(error.to_string()));
                let error = SendError::new(ErrorKind::StoreUnavailable).with_source(error);
                (&tally.storage, RefusalReason::Storage, error)
            }
            Refusal::Outbox(AcceptError::InDoubt(error)) => {
                self.set_trouble(Some(error.to_string()));
                let error = SendError::new(ErrorKind::Storage).with_doubt().with_source(error);
                (&tally.in_doubt, RefusalReason::InDoubt, error)
            }
        };
        count.add(events);
        self.note_refused(reason, events);
        error
    }
}

/// Why a call accepted nothing.
enum Refusal {
    Closed,
    Outbox(AcceptError),
}

impl From<AcceptError> for Refusal {
    fn from(error: AcceptError) -> Self {
        Refusal::Outbox(error)
    }
}

/// A call in progress.
struct InProgress<'a>(&'a Intake);

impl<'a> InProgress<'a> {
    fn begin(intake: &'a Intake) -> Self {
        intake.in_progress.fetch_add(1, Ordering::SeqCst);
        InProgress(intake)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        if self.0.in_progress.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.is_closed() {
            self.0.sealed.notify_one();
        }
    }
}

/// A call that waits for room.
struct Waiting<'a> {
    intake: &'a Intake,
    events: u64,
    /// Whether the outbox has the call. Then it may accept the events even if the caller abandons
    /// it.
    in_call: bool,
    done: bool,
}

impl<'a> Waiting<'a> {
    fn begin(intake: &'a Intake, events: usize) -> Self {
        intake.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting { intake, events: events as u64, in_call: false, done: false }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.intake.waiting.fetch_sub(1, Ordering::SeqCst);
        if !self.done {
            // Events that the outbox may accept do not count as refused.
            if !self.in_call {
                self.intake.tally.abandoned.add(self.events);
                self.intake.note_refused(RefusalReason::Abandoned, self.events);
            }
            // Passes the wake-up on to the next caller.
            self.intake.room.notify_one();
        }
    }
}

/// Lists events, each before its derived events.
fn with_derived(events: &[DataEvent]) -> Vec<DataEvent> {
    let split = events.iter().map(|event| event.clone().split_derived());
    split.flat_map(|(event, derived)| iter::once(event).chain(derived)).collect()
}

/// The transport of a delivery's trackers: it accepts events, and leaves contacts to the transport
/// that delivers.
pub(crate) struct IntakeTransport {
    pub(crate) intake: Arc<Intake>,
    pub(crate) transport: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for IntakeTransport {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        let span = spans::send(1 + event.derived().len());
        let accepted = self.intake.accept_one(event).instrument(span.clone()).await;
        if let Err(error) = &accepted {
            span.record("error.type", telemetry::outcome(error.kind()));
        }
        accepted
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        self.transport.create_contact(contact).await
    }
}
