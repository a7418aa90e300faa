//! Outboxes that keep all promises in other ways than the one in memory does.

use std::time::Duration;

use intercom_core::{DataEvent, async_trait};
use intercom_delivery::outbox::{
    AcceptError, Collisions, Counts, DeadLetter, EventId, LeaseToken, Leased, Outbox, OutboxError,
    Selection, Settlement, Unaccepted, Wake,
};
use tokio::time::advance;

/// Its ids have gaps, it leases no more than two events at once, cannot accept without waiting, and wants to be asked
/// again soon.
pub(crate) struct Different<O>(O);

impl<O> Different<O> {
    pub(crate) fn new(inner: O) -> Self {
        Different(inner)
    }
}

fn outer(id: EventId) -> EventId {
    EventId(7 + 3 * id.0)
}

fn inner(id: EventId) -> EventId {
    EventId((id.0 - 7) / 3)
}

fn inner_selection(which: &Selection) -> Selection {
    match which {
        Selection::One(id) => Selection::One(inner(*id)),
        others => others.clone(),
    }
}

#[async_trait]
impl<O: Outbox> Outbox for Different<O> {
    async fn accept(
        &self,
        events: &[DataEvent],
        collisions: Collisions,
    ) -> Result<(), AcceptError> {
        self.0.accept(events, collisions).await
    }

    async fn lease(&self, most: usize, term: Duration) -> Result<Leased, OutboxError> {
        let mut leased = self.0.lease(most.min(2), term).await?;
        for lease in &mut leased.events {
            lease.id = outer(lease.id);
            lease.token = LeaseToken(lease.token.0 + 7);
        }
        let soon = Duration::from_secs(5);
        leased.next_due = Some(leased.next_due.map_or(soon, |due| due.min(soon)));
        Ok(leased)
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<EventId>, OutboxError> {
        let settlements: Vec<_> = settlements
            .iter()
            .map(|Settlement { id, token, verdict }| Settlement {
                id: inner(*id),
                token: LeaseToken(token.0 - 7),
                verdict: verdict.clone(),
            })
            .collect();
        let mut late = self.0.settle(&settlements).await?;
        late.dedup();
        Ok(late.into_iter().rev().map(outer).collect())
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let mut letters = self.0.dead_letters(after.map(inner), most).await?;
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

    fn counts(&self) -> Counts {
        let counts = self.0.counts();
        let oldest_pending = counts.oldest_pending.map(outer);
        Counts { oldest_pending, newest: counts.newest.map(outer), ..counts }
    }

    fn attach(&self, wake: Wake) {
        self.0.attach(wake);
    }
}

/// All that it does takes a while, as with a file.
pub(crate) struct Ageing<O>(pub(crate) O);

const WHILE: Duration = Duration::from_micros(7_300);

#[async_trait]
impl<O: Outbox> Outbox for Ageing<O> {
    async fn accept(
        &self,
        events: &[DataEvent],
        collisions: Collisions,
    ) -> Result<(), AcceptError> {
        advance(WHILE).await;
        self.0.accept(events, collisions).await
    }

    fn try_accept(&self, event: DataEvent, collisions: Collisions) -> Result<(), Box<Unaccepted>> {
        self.0.try_accept(event, collisions)
    }

    async fn lease(&self, most: usize, term: Duration) -> Result<Leased, OutboxError> {
        advance(WHILE).await;
        let leased = self.0.lease(most, term).await;
        advance(WHILE).await;
        leased
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<EventId>, OutboxError> {
        let mut late = Vec::new();
        for settlement in settlements {
            advance(WHILE).await;
            late.extend(self.0.settle(std::slice::from_ref(settlement)).await?);
        }
        Ok(late)
    }

    async fn dead_letters(
        &self,
        after: Option<EventId>,
        most: usize,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.0.dead_letters(after, most).await
    }

    async fn redrive(&self, which: &Selection) -> Result<u64, OutboxError> {
        advance(WHILE).await;
        self.0.redrive(which).await
    }

    async fn purge(&self, which: &Selection) -> Result<u64, OutboxError> {
        self.0.purge(which).await
    }

    fn counts(&self) -> Counts {
        self.0.counts()
    }

    fn attach(&self, wake: Wake) {
        self.0.attach(wake);
    }
}
