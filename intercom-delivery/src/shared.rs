//! What the handles and the engine have in common.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, OwnedSend, RateLimit, Receipt, SendError,
    Transport, async_trait,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

use crate::engine::Closed;
use crate::intake::Intake;
use crate::ledger::{Ledger, Report};
use crate::outbox::{EventId, Outbox, Wake};
use crate::status::{LineStatus, Status, Trouble};

pub(crate) struct Shared {
    pub(crate) intake: Intake,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) wake: Wake,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) in_flight: AtomicUsize,
    health: Mutex<Health>,
}

/// What a handle asks of the engine. It never waits behind events.
pub(crate) enum Command {
    /// Tell when everything up to this event is settled.
    Flush { newest: EventId, reply: oneshot::Sender<Report> },
    /// End when everything is settled, and not later than this.
    Shutdown { deadline: Instant, reply: oneshot::Sender<Report> },
    /// Try again at once.
    Resume,
    /// End now.
    Stop,
}

/// What the engine says of itself.
#[derive(Default)]
pub(crate) struct Health {
    pub(crate) line: Line,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) outbox: Option<String>,
    pub(crate) contact_creation: Option<String>,
}

#[derive(Default)]
pub(crate) enum Line {
    #[default]
    Open,
    Paused(Instant),
    Closed {
        closed: Closed,
        kind: Option<ErrorKind>,
        message: String,
    },
    Ended,
}

impl Shared {
    pub(crate) fn new(
        intake: Intake,
        outbox: Arc<dyn Outbox>,
        transport: Arc<dyn Transport>,
        wake: Wake,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Self {
        Shared {
            intake,
            outbox,
            transport,
            wake,
            commands,
            in_flight: AtomicUsize::new(0),
            health: Mutex::default(),
        }
    }

    /// Its fields are set one by one, and each is good by itself: a panic leaves nothing half done.
    pub(crate) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let waiting = self.intake.waiting() as u64;
        self.intake.tally.ledger(self.outbox.counts(), waiting)
    }

    pub(crate) fn report(&self) -> Report {
        self.outbox.counts().into()
    }

    pub(crate) fn status(&self) -> Status {
        let now = Instant::now();
        let health = self.health();
        Status {
            line: health.line.status(now),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            rate_limit: health.rate_limit,
            outbox: health.outbox.clone().or_else(|| self.intake.trouble()),
            contact_creation: health.contact_creation.clone(),
        }
    }
}

impl Line {
    fn status(&self, now: Instant) -> LineStatus {
        let until = |time: Instant| time.saturating_duration_since(now);
        match self {
            Line::Open => LineStatus::Open,
            Line::Paused(end) if until(*end) == Duration::ZERO => LineStatus::Open,
            Line::Paused(end) => LineStatus::Paused { resumes_in: until(*end) },
            Line::Ended => LineStatus::Ended,
            Line::Closed { closed, kind, message } => {
                let trouble = Trouble {
                    kind: *kind,
                    message: message.clone(),
                    lasts: now.saturating_duration_since(closed.since),
                    tries: closed.tries,
                    next_try_in: until(closed.next_try),
                };
                match closed.stopped {
                    true => LineStatus::Stopped(trouble),
                    false => LineStatus::Outage(trouble),
                }
            }
        }
    }
}

/// The way in, as a transport: what a tracker of a delivery sends through.
pub(crate) struct Entrance(pub(crate) Arc<Shared>);

#[async_trait]
impl Transport for Entrance {
    async fn send(&self, event: DataEvent) -> Result<Receipt, SendError> {
        self.0.intake.accept(event).await
    }

    fn send_owned(self: Arc<Self>, event: DataEvent) -> OwnedSend {
        Box::pin(Accepting { shared: self.0.clone(), event: Some(event), waiting: None })
    }

    fn try_send(&self, event: DataEvent) -> Result<Receipt, SendError> {
        self.0.intake.try_accept(event)
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        self.0.transport.create_contact(contact).await
    }

    async fn changed(&self) {
        self.0.transport.changed().await;
    }
}

/// An event that is being accepted. Written by hand, because nearly all are accepted as soon as it is asked for: what
/// those need that must wait is made when they must.
struct Accepting {
    shared: Arc<Shared>,
    event: Option<DataEvent>,
    waiting: Option<OwnedSend>,
}

impl Future for Accepting {
    type Output = Result<Receipt, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(waiting) = &mut self.waiting {
            return waiting.as_mut().poll(context);
        }
        // A loop of calls that never wait must let others run now and then, the engine among them.
        let budget = ready!(poll_proceed(context));
        budget.made_progress();
        let event = self.event.take().expect("a future is not polled after its end");
        match self.shared.intake.accept_at_once(event) {
            Ok(accepted) => Poll::Ready(accepted),
            Err(event) => {
                let shared = self.shared.clone();
                let waiting = async move { shared.intake.accept(event).await };
                self.waiting.insert(Box::pin(waiting)).as_mut().poll(context)
            }
        }
    }
}
