//! What the writing thread is asked for, and how its callers are answered.

use std::time::Duration;

use intercom_delivery::EventId;
use intercom_delivery::outbox::{AcceptError, Collisions, OutboxError, Selection, Settlement};
use tokio::sync::oneshot;

use super::leases::RawLeased;
use crate::error::Fault;
use crate::store::accept::Incoming;

/// What the writing thread is asked for.
pub(crate) enum Request {
    Write(Write),
    Lease {
        most: usize,
        term: Duration,
        reply: oneshot::Sender<Result<RawLeased, OutboxError>>,
    },
    /// Somebody else may have written to the file.
    Look,
    /// To do at once all that is done when there is time.
    Tidy {
        reply: oneshot::Sender<()>,
    },
}

/// Something that changes the file, and rides in a transaction with others.
pub(crate) enum Write {
    Accept {
        events: Vec<Incoming>,
        collisions: Collisions,
        /// With the list that they were in: it is freed where it was made, because two threads that free what is the
        /// other's wait for each other.
        answer: Answer<Vec<Incoming>, AcceptError>,
    },
    Settle {
        settlements: Vec<Settlement>,
        answer: Answer<Vec<EventId>, OutboxError>,
    },
    Redrive {
        which: Selection,
        answer: Answer<u64, OutboxError>,
    },
    Purge {
        which: Selection,
        answer: Answer<u64, OutboxError>,
    },
}

/// Where the answer goes, and what it will be once it is safe.
pub(crate) struct Answer<T, E> {
    reply: oneshot::Sender<Result<T, E>>,
    outcome: Option<Result<T, E>>,
}

impl<T, E> Answer<T, E> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answered) = oneshot::channel();
        (Answer { reply, outcome: None }, answered)
    }

    pub(super) fn will_be(&mut self, outcome: Result<T, E>) {
        self.outcome = Some(outcome);
    }

    /// Tells it. Who asked may have stopped waiting.
    fn tell(self) {
        if let Some(outcome) = self.outcome {
            let _ = self.reply.send(outcome);
        }
    }

    fn fail(self, error: E) {
        let _ = self.reply.send(Err(error));
    }
}

impl Write {
    /// Tells the caller what became of it, now that it is safe.
    pub(super) fn answer(self) {
        match self {
            Write::Accept { answer, .. } => answer.tell(),
            Write::Settle { answer, .. } => answer.tell(),
            Write::Redrive { answer, .. } | Write::Purge { answer, .. } => answer.tell(),
        }
    }

    /// Tells the caller that nothing became of it.
    pub(super) fn fail(self, fault: &Fault) {
        match self {
            Write::Accept { answer, .. } => answer.fail(fault.to_error().into()),
            Write::Settle { answer, .. } => answer.fail(fault.to_error()),
            Write::Redrive { answer, .. } | Write::Purge { answer, .. } => {
                answer.fail(fault.to_error());
            }
        }
    }
}
