//! Correct outboxes that differ from the one in memory.

use std::time::Duration;

use intercom_core::{DataEvent, Timestamp, async_trait};
use intercom_delivery::conformance::{Forward, Forwarding};
use intercom_delivery::outbox::{
    AcceptError, Admission, Counts, DeadLetter, Epoch, EventId, Leased, MemoryOutbox, Operate,
    Outbox, OutboxError, Selection, Settlement, Standing, Turn,
};
use tokio::task::yield_now;
use tokio::time::advance;

/// An outbox whose ids and epochs have gaps. It leases at most two events at once, reports new
/// events as older than they are, and sometimes returns without events.
pub(crate) struct Different(MemoryOutbox);

impl Different {
    pub(crate) fn new(inner: MemoryOutbox) -> Forwarding<Self> {
        Forwarding(Different(inner))
    }
}

fn outer(id: EventId) -> EventId {
    EventId::new(7 + 3 * id.get())
}

fn inner(id: EventId) -> EventId {
    EventId::new((id.get() - 7) / 3)
}

fn outer_epoch(epoch: Epoch) -> Epoch {
    Epoch::new(7 + 3 * epoch.get())
}

fn inner_epoch(epoch: Epoch) -> Epoch {
    Epoch::new((epoch.get() - 7) / 3)
}

fn inner_selection(which: &Selection) -> Selection {
    match which {
        Selection::One(id) => Selection::One(inner(*id)),
        others => others.clone(),
    }
}

fn late(ids: Vec<EventId>) -> Vec<EventId> {
    let mut ids: Vec<_> = ids.into_iter().rev().map(outer).collect();
    ids.dedup();
    ids
}

#[async_trait]
impl Forward for Different {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.0
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        let standing = match standing {
            Standing::Unknown => Standing::Unknown,
            Standing::Standby(epoch) => Standing::Standby(inner_epoch(epoch)),
            Standing::Delivering(epoch) => Standing::Delivering(inner_epoch(epoch)),
        };
        let earlier = Timestamp::from_unix_seconds(0);
        let valid_for = Duration::from_secs(6);
        let present = async {
            // Many polls later, unless an event is due before.
            for _ in 0..8 {
                yield_now().await;
            }
            let pending = self.0.counts().await?.pending;
            let leased = Leased::new(Vec::new(), pending, Some(earlier));
            Ok(Turn::Leased(leased.with_valid_for(valid_for)))
        };
        let asked = self.0.lease(standing, limit.min(2));
        let turn = match standing {
            Standing::Delivering(_) => tokio::select! {
                biased;
                turn = asked => turn,
                turn = present => turn,
            },
            _ => asked.await,
        };
        Ok(match turn? {
            Turn::Began(mut tenure) => {
                tenure.epoch = outer_epoch(tenure.epoch);
                tenure.held.reverse();
                tenure.used.extend_from_within(..);
                Turn::Began(tenure)
            }
            Turn::Leased(mut leased) => {
                for lease in &mut leased.events {
                    lease.id = outer(lease.id);
                }
                leased.earliest_new = Some(earlier);
                Turn::Leased(leased.with_valid_for(valid_for))
            }
            Turn::Standby(mut standby) => {
                standby.epoch = outer_epoch(standby.epoch);
                Turn::Standby(standby)
            }
        })
    }

    async fn admit(
        &self,
        epoch: Epoch,
        admissions: &[Admission],
    ) -> Result<Vec<EventId>, OutboxError> {
        let mut admissions = admissions.to_vec();
        for admission in &mut admissions {
            admission.id = inner(admission.id);
        }
        self.0.admit(inner_epoch(epoch), &admissions).await.map(late)
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let mut settlements = settlements.to_vec();
        for settlement in &mut settlements {
            settlement.id = inner(settlement.id);
        }
        self.0.settle(inner_epoch(epoch), &settlements, forget_before).await.map(late)
    }

    async fn release(&self, epoch: Epoch) -> Result<(), OutboxError> {
        self.0.release(inner_epoch(epoch)).await
    }

    async fn counts(&self) -> Result<Counts, OutboxError> {
        let mut counts = self.0.counts().await?;
        counts.oldest_own = counts.oldest_own.map(outer);
        counts.newest = counts.newest.map(outer);
        Ok(counts)
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let mut letters = self.0.dead_letters(after.map(inner), limit).await?;
        for letter in &mut letters {
            letter.id = outer(letter.id);
        }
        Ok(letters)
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.redrive(&inner_selection(which)).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.purge(&inner_selection(which)).await
    }

    async fn bury(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.bury(&inner_selection(which)).await
    }
}

/// An outbox with slow operations, as over a file.
pub(crate) struct Ageing(MemoryOutbox);

const WHILE: Duration = Duration::from_micros(7_300);

impl Ageing {
    pub(crate) fn new(inner: MemoryOutbox) -> Forwarding<Self> {
        Forwarding(Ageing(inner))
    }
}

#[async_trait]
impl Forward for Ageing {
    type Inner = MemoryOutbox;

    fn inner(&self) -> &MemoryOutbox {
        &self.0
    }

    async fn accept(&self, events: &[DataEvent]) -> Result<(), AcceptError> {
        advance(WHILE).await;
        self.0.accept(events).await
    }

    async fn lease(&self, standing: Standing, limit: usize) -> Result<Turn, OutboxError> {
        advance(WHILE).await;
        self.0.lease(standing, limit).await
    }

    async fn settle(
        &self,
        epoch: Epoch,
        settlements: &[Settlement],
        forget_before: Timestamp,
    ) -> Result<Vec<EventId>, OutboxError> {
        let mut late = Vec::new();
        for settlement in settlements {
            advance(WHILE).await;
            late.extend(
                self.0.settle(epoch, std::slice::from_ref(settlement), forget_before).await?,
            );
        }
        Ok(late)
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        advance(WHILE).await;
        self.0.redrive(which).await
    }
}
