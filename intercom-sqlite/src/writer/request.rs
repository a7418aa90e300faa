//! Requests to the writing thread, and their replies.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::Timestamp;
use intercom_delivery::outbox::{
    Epoch, EventId, Lease, Leased, OutboxError, Standby, Standing, Tenure, Tombstones,
};
use tokio::sync::oneshot;

use super::batch::Batch;
use crate::clock::{Millis, until};
use crate::error::Fault;
use crate::shared::Shared;
use crate::store::pending::{StoredEvent, readable};

/// A request to the writing thread.
pub(crate) enum Request {
    Write(Box<dyn Write>),
    Lease {
        standing: Standing,
        limit: usize,
        reply: oneshot::Sender<Result<Next, OutboxError>>,
    },
    /// Checks for others' writes to the file.
    Poll,
    /// Runs idle maintenance now.
    #[cfg(feature = "test-util")]
    Maintain {
        reply: oneshot::Sender<()>,
    },
}

/// The next action of a call of `lease`.
pub(crate) enum Next {
    Began(Tenure),
    Standby(Standby),
    Leased(Found),
    /// Waits this long, or until there is news.
    Wait(Duration),
}

/// Leased events, which the caller's thread reads. If the caller dropped the call, dropping this
/// returns the leases.
pub(crate) struct Found {
    pub(super) events: Vec<StoredEvent>,
    pub(super) epoch: Epoch,
    pub(super) pending: u64,
    pub(super) earliest_new: Option<Timestamp>,
    pub(super) tombstones: Option<Arc<Tombstones>>,
    pub(super) now: Millis,
    pub(super) shared: Arc<Shared>,
}

impl Found {
    pub(crate) fn read(mut self) -> Leased {
        let events = mem::take(&mut self.events).into_iter().filter_map(|stored| {
            let (id, stage) = (EventId::new(stored.id.unsigned_abs()), stored.stage());
            let event = readable(id, stored.body, stored.sensitive)?;
            let lease = Lease::new(id, event, stage)
                .with_attempts(stored.attempts)
                .with_last_failure(stored.failure.map(Arc::new))
                .with_age(until(stored.accepted, self.now));
            Some(lease)
        });
        Leased::new(events.collect(), self.pending, self.earliest_new)
            .with_tombstones(self.tombstones.take())
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        if !self.events.is_empty() {
            self.shared.give_back(self.epoch, self.events.iter().map(|stored| stored.id));
        }
        if self.tombstones.is_some() {
            self.shared.tell_again();
        }
    }
}

/// A change of the file, which shares a transaction with others.
pub(crate) trait Write: Send {
    /// Runs in each attempted transaction. A failure fails the whole transaction.
    fn perform(&mut self, batch: &mut Batch<'_>) -> rusqlite::Result<()>;

    /// Returns whether it takes room. A full disk has room only for deliveries.
    fn takes_room(&self) -> bool;

    /// Reports the outcome to the caller, after the commit or its failure.
    fn answer(self: Box<Self>, fault: Option<&Fault>);
}

/// A write, and its reply channel.
pub(crate) struct Job<W, T, E> {
    write: W,
    takes_room: bool,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<W, T, E> Job<W, T, E> {
    pub(crate) fn new(takes_room: bool, write: W) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answered) = oneshot::channel();
        (Job { write, takes_room, outcome: None, reply }, answered)
    }
}

impl<W, T, E> Write for Job<W, T, E>
where
    W: FnMut(&mut Batch<'_>) -> rusqlite::Result<Result<T, E>> + Send,
    T: Send,
    E: From<OutboxError> + Send,
{
    fn perform(&mut self, batch: &mut Batch<'_>) -> rusqlite::Result<()> {
        self.outcome = Some((self.write)(batch)?);
        Ok(())
    }

    fn takes_room(&self) -> bool {
        self.takes_room
    }

    fn answer(self: Box<Self>, fault: Option<&Fault>) {
        let outcome = match fault {
            Some(fault) => Some(Err(fault.to_error().into())),
            None => self.outcome,
        };
        // The caller may have stopped waiting.
        if let Some(outcome) = outcome {
            let _ = self.reply.send(outcome);
        }
    }
}
