//! An engine without a transport: it leases and settles in its turn.

use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use intercom_core::Timestamp;
use intercom_delivery::outbox::{
    Epoch, EventId, Lease, Operate as _, Outbox as _, OutboxError, Selection, Slot, Standing,
    Tenure, Turn, UsedSlot, Verdict,
};
use intercom_sqlite::SqliteOutbox;

/// No settlement drops a used slot.
const FORGET_BEFORE: Timestamp = Timestamp::from_unix_seconds(0);

pub(crate) struct Engine {
    pub(crate) outbox: SqliteOutbox,
    tenure: Option<Tenure>,
}

impl Engine {
    /// An engine whose turn begins with its first lease.
    pub(crate) fn new(outbox: SqliteOutbox) -> Self {
        Engine { outbox, tenure: None }
    }

    /// Begins to deliver, unless it does.
    pub(crate) async fn begin(&mut self) -> Result<(), OutboxError> {
        if self.tenure.is_none() {
            match self.outbox.lease(Standing::Unknown, 0).await? {
                Turn::Began(tenure) => self.tenure = Some(tenure),
                other => return Err(unexpected(other)),
            }
        }
        Ok(())
    }

    /// Returns the epoch of its turn.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.tenure.as_ref().map(|tenure| tenure.epoch)
    }

    /// Leases due events.
    pub(crate) async fn lease(&mut self, limit: usize) -> Result<Vec<Lease>, OutboxError> {
        self.begin().await?;
        let standing = self
            .tenure
            .as_ref()
            .map_or(Standing::Unknown, |tenure| Standing::Delivering(tenure.epoch));
        let mut lease = pin!(self.outbox.lease(standing, limit));
        let none = Selection::One(EventId::new(u64::MAX));
        // The outbox answers in order. After its answer to the second call, the first one has its
        // events, or nothing is due.
        tokio::select! {
            biased;
            turn = &mut lease => return leased(turn?),
            _ = self.outbox.purge(&none) => {}
        }
        tokio::select! {
            biased;
            turn = lease => leased(turn?),
            () = ready(()) => Ok(Vec::new()),
        }
    }

    /// Settles leases.
    pub(crate) async fn settle(
        &self,
        leases: &[&Lease],
        verdict: impl Fn(&Lease) -> Verdict,
    ) -> Result<(), OutboxError> {
        let Some(tenure) = &self.tenure else { return Ok(()) };
        let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(verdict(lease))).collect();
        match &self.outbox.settle(tenure.epoch, &settlements, FORGET_BEFORE).await?[..] {
            [] => Ok(()),
            late => Err(OutboxError::new(format!("{} events are not leased", late.len()))),
        }
    }
}

/// Intercom accepted the event.
pub(crate) fn delivered(lease: &Lease) -> Verdict {
    let slot = Slot::of(&lease.event);
    let keep_until = Timestamp::from_unix_seconds(slot.second.unix_seconds() + 120);
    Verdict::Delivered { used: UsedSlot::new(slot, keep_until) }
}

/// The event is due again now.
pub(crate) fn put_back(_: &Lease) -> Verdict {
    Verdict::PutBack { after: Duration::ZERO, attempts: 1, failure: None }
}

fn leased(turn: Turn) -> Result<Vec<Lease>, OutboxError> {
    match turn {
        Turn::Leased(leased) => Ok(leased.events),
        other => Err(unexpected(other)),
    }
}

fn unexpected(turn: Turn) -> OutboxError {
    OutboxError::new(format!("not its turn: {turn:?}"))
}
