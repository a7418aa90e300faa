//! The way in: events are accepted here, or refused with a reason, or wait for room.

use std::slice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{self, Arc, PoisonError};

use intercom_core::{DataEvent, ErrorKind, Receipt, SendError};
use tokio::sync::{Mutex, Notify};
use tokio::task::coop::consume_budget;

use crate::ledger::Tally;
use crate::outbox::{AcceptError, Collisions, Outbox, Unaccepted, Wake};
use crate::telemetry;

/// What becomes of an event for which the outbox has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backpressure {
    /// `send` waits until there is room, in the order in which it was called. `try_send`, which cannot wait, refuses.
    #[default]
    Wait,
    /// It is refused, with [`ErrorKind::Full`].
    Refuse,
}

pub(crate) struct Intake {
    outbox: Arc<dyn Outbox>,
    backpressure: Backpressure,
    collisions: Collisions,
    closed: AtomicBool,
    /// How many calls are under way. Once it is closed and none is, nothing more is accepted.
    inside: AtomicUsize,
    /// Wakes the engine, which waits for that.
    wake: Wake,
    /// How many calls wait for room. They take turns; who comes later does not overtake them.
    waiting: AtomicUsize,
    turn: Mutex<()>,
    room: Notify,
    closing: Notify,
    /// What the outbox said when it could not keep an event safe, and whether it did.
    trouble: sync::Mutex<Option<String>>,
    troubled: AtomicBool,
    pub(crate) tally: Tally,
}

impl Intake {
    pub(crate) fn new(
        outbox: Arc<dyn Outbox>,
        backpressure: Backpressure,
        collisions: Collisions,
        wake: Wake,
    ) -> Self {
        Intake {
            outbox,
            backpressure,
            collisions,
            closed: AtomicBool::new(false),
            inside: AtomicUsize::new(0),
            wake,
            waiting: AtomicUsize::new(0),
            turn: Mutex::new(()),
            room: Notify::new(),
            closing: Notify::new(),
            trouble: sync::Mutex::default(),
            troubled: AtomicBool::new(false),
            tally: Tally::default(),
        }
    }

    /// Accepts one event, or refuses it, if that takes no waiting. Otherwise it is given back.
    #[expect(clippy::result_large_err, reason = "it is given back, not failed over")]
    pub(crate) fn accept_at_once(
        &self,
        event: DataEvent,
    ) -> Result<Result<Receipt, SendError>, DataEvent> {
        let _inside = match self.enter(1) {
            Ok(inside) => inside,
            Err(closed) => return Ok(Err(closed)),
        };
        match self.accept_now(event) {
            Ok(()) => Ok(self.book(Ok(()), 1)),
            Err(unaccepted) if self.is_worth_waiting(&unaccepted.error) => Err(unaccepted.event),
            Err(unaccepted) => Ok(self.book(Err(unaccepted.error.into()), 1)),
        }
    }

    /// Accepts one event.
    pub(crate) async fn accept(&self, event: DataEvent) -> Result<Receipt, SendError> {
        match self.accept_at_once(event) {
            Ok(accepted) => accepted,
            Err(event) => self.accept_all(slice::from_ref(&event)).await,
        }
    }

    /// Accepts many events, all of them or none.
    pub(crate) async fn accept_all(&self, events: &[DataEvent]) -> Result<Receipt, SendError> {
        consume_budget().await;
        let number = events.len() as u64;
        let accepted = match self.enter(number)? {
            _inside if self.waiting() == 0 => {
                self.outbox.accept(events, self.collisions).await.map_err(Refusal::Outbox)
            }
            _inside => Err(AcceptError::Full.into()),
        };
        let accepted = match accepted {
            Err(Refusal::Outbox(AcceptError::Full)) if self.backpressure == Backpressure::Wait => {
                self.accept_in_turn(events).await
            }
            accepted => accepted,
        };
        self.book(accepted, number)
    }

    /// Accepts one event, or refuses it, without waiting.
    pub(crate) fn try_accept(&self, event: DataEvent) -> Result<Receipt, SendError> {
        let _inside = self.enter(1)?;
        self.book(self.accept_now(event).map_err(|unaccepted| unaccepted.error.into()), 1)
    }

    /// Accepts nothing from now on. Who waits is told so.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.room.notify_one();
        self.closing.notify_waiters();
        self.wake.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether nothing more will be accepted.
    pub(crate) fn is_sealed(&self) -> bool {
        self.is_closed() && self.inside.load(Ordering::SeqCst) == 0
    }

    /// Events have left the outbox.
    pub(crate) fn made_room(&self) {
        if self.waiting() > 0 {
            self.room.notify_one();
        }
    }

    /// How many calls wait for room.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    fn is_worth_waiting(&self, error: &AcceptError) -> bool {
        match error {
            AcceptError::Unsupported => true,
            AcceptError::Full => self.backpressure == Backpressure::Wait,
            AcceptError::TooMuch | AcceptError::Storage(_) => false,
        }
    }

    fn accept_now(&self, event: DataEvent) -> Result<(), Box<Unaccepted>> {
        if self.waiting() > 0 {
            return Err(Box::new(Unaccepted { event, error: AcceptError::Full }));
        }
        self.outbox.try_accept(event, self.collisions)
    }

    /// Accepts events when their turn has come and there is room. Rare, and boxed so that every call is smaller.
    ///
    /// While it waits, the call is not under way: nobody waits for who does not go on waiting.
    async fn accept_in_turn(&self, events: &[DataEvent]) -> Result<(), Refusal> {
        let waiting = Box::pin(async {
            let mut waiting = Waiting::begin(self, events.len());
            let closing = self.closing.notified();
            tokio::pin!(closing);
            closing.as_mut().enable();
            // Whoever has the turn may not go on, and yet those behind are to learn that it is closed.
            let _turn = match self.is_closed() {
                true => None,
                false => tokio::select! {
                    turn = self.turn.lock() => Some(turn),
                    () = closing => None,
                },
            };
            loop {
                let accepted = match Inside::begin(self) {
                    _inside if self.is_closed() => Err(Refusal::Closed),
                    _inside => {
                        self.outbox.accept(events, self.collisions).await.map_err(From::from)
                    }
                };
                if !matches!(accepted, Err(Refusal::Outbox(AcceptError::Full))) {
                    waiting.done = true;
                    return accepted;
                }
                self.room.notified().await;
            }
        });
        waiting.await
    }

    /// Begins a call, unless nothing is accepted any more.
    fn enter(&self, events: u64) -> Result<Inside<'_>, SendError> {
        let inside = Inside::begin(self);
        match self.is_closed() {
            true => Err(self.refuse(Refusal::Closed, events)),
            false => Ok(inside),
        }
    }

    /// Counts how a call ended.
    fn book(&self, accepted: Result<(), Refusal>, events: u64) -> Result<Receipt, SendError> {
        match accepted {
            Ok(()) => {
                if self.troubled.load(Ordering::Relaxed) {
                    self.set_trouble(None);
                }
                telemetry::accepted(events);
                Ok(Receipt::accepted())
            }
            Err(refusal) => Err(self.refuse(refusal, events)),
        }
    }

    /// What is wrong with the outbox, where it could not accept the last event that it was given.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.troubled.store(trouble.is_some(), Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn refuse(&self, refusal: Refusal, events: u64) -> SendError {
        let tally = &self.tally;
        let (count, reason, error) = match refusal {
            Refusal::Closed => (&tally.closed, "closed", SendError::new(ErrorKind::Closed)),
            Refusal::Outbox(AcceptError::Full) => {
                (&tally.full, "full", SendError::new(ErrorKind::Full))
            }
            Refusal::Outbox(AcceptError::TooMuch) => {
                let error = SendError::new(ErrorKind::Unsupported).with_detail(
                    "it is more at once than the outbox can ever hold; raise its bounds",
                );
                (&tally.storage, "storage", error)
            }
            Refusal::Outbox(AcceptError::Storage(error)) => {
                self.set_trouble(Some(error.to_string()));
                let error = SendError::new(ErrorKind::Storage).with_source(error);
                (&tally.storage, "storage", error)
            }
            Refusal::Outbox(AcceptError::Unsupported) => {
                let error = SendError::new(ErrorKind::Unsupported).with_detail(
                    "it takes waiting until an event is safe in this outbox; use `send`, and block on it where code \
                     is not `async`",
                );
                (&tally.storage, "storage", error)
            }
        };
        count.add(events);
        telemetry::refused(reason, events);
        error
    }
}

/// Why nothing was accepted.
enum Refusal {
    Closed,
    Outbox(AcceptError),
}

impl From<AcceptError> for Refusal {
    fn from(error: AcceptError) -> Self {
        Refusal::Outbox(error)
    }
}

/// A call under way.
struct Inside<'a>(&'a Intake);

impl<'a> Inside<'a> {
    fn begin(intake: &'a Intake) -> Self {
        intake.inside.fetch_add(1, Ordering::SeqCst);
        Inside(intake)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.is_closed() {
            self.0.wake.wake();
        }
    }
}

/// A call that waits for room.
struct Waiting<'a> {
    intake: &'a Intake,
    events: u64,
    done: bool,
}

impl<'a> Waiting<'a> {
    fn begin(intake: &'a Intake, events: usize) -> Self {
        intake.waiting.fetch_add(1, Ordering::SeqCst);
        // The engine looks for room now and then while somebody waits for it.
        intake.wake.wake();
        Waiting { intake, events: events as u64, done: false }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.intake.waiting.fetch_sub(1, Ordering::SeqCst);
        if !self.done {
            self.intake.tally.abandoned.add(self.events);
            telemetry::refused("abandoned", self.events);
            // The room that it was woken for is the next one's.
            self.intake.room.notify_one();
        }
    }
}
