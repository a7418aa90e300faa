//! Settles leased events with the outbox, many at a time.

use std::mem;
use std::time::Duration;

use intercom_core::Timestamp;
use tokio::time::Instant;
use tracing::Instrument;

use super::call_failures::CallFailures;
use crate::outbox::{DeadLetter, Epoch, EventId, Outbox, OutboxError, Settlement, Verdict};
use crate::telemetry::spans;
use crate::time::later;

/// The longest pause between two settlements while requests are in flight.
const MAX_REST: Duration = Duration::from_millis(10);

/// Settlements for one call of the outbox.
pub(super) struct Batch {
    settlements: Vec<Settlement>,
    /// The dead letters among them, each with the index of its settlement.
    letters: Vec<(usize, DeadLetter)>,
    /// The times from acceptance to delivery, in the same form.
    delays: Vec<(usize, Duration)>,
    forget_before: Timestamp,
}

impl Batch {
    fn new() -> Self {
        let forget_before = Timestamp::from_unix_seconds(i64::MIN);
        Batch { settlements: Vec::new(), letters: Vec::new(), delays: Vec::new(), forget_before }
    }

    fn append(&mut self, mut later: Batch) {
        let before = self.settlements.len();
        self.settlements.append(&mut later.settlements);
        self.letters.extend(later.letters.into_iter().map(|(at, letter)| (before + at, letter)));
        self.delays.extend(later.delays.into_iter().map(|(at, delay)| (before + at, delay)));
        self.forget_before = self.forget_before.max(later.forget_before);
    }

    /// Returns the events of the settlements.
    pub(super) fn ids(&self) -> impl Iterator<Item = EventId> {
        self.settlements.iter().map(|settlement| settlement.id)
    }

    /// Settles the batch, and returns it.
    pub(super) async fn settle(
        self,
        epoch: Epoch,
        outbox: &dyn Outbox,
    ) -> (Batch, Result<Vec<EventId>, OutboxError>) {
        let span = spans::settle(self.settlements.len());
        let settled = outbox.settle(epoch, &self.settlements, self.forget_before);
        let settled = settled.instrument(span).await;
        (self, settled)
    }
}

/// The effects of a settled batch.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) delivered: u64,
    pub(super) delays: Vec<Duration>,
    pub(super) letters: Vec<DeadLetter>,
    /// The due times of the events after a put-back.
    pub(super) due: Vec<Instant>,
    /// The number of late settlements.
    pub(super) late: usize,
}

pub(super) struct Settlements {
    concurrency: usize,
    batch: Batch,
    /// The events whose settlements are with the outbox.
    in_progress: Vec<EventId>,
    began: Instant,
    next: Instant,
    failures: CallFailures,
}

impl Settlements {
    pub(super) fn new(concurrency: usize) -> Self {
        Settlements {
            concurrency,
            batch: Batch::new(),
            in_progress: Vec::new(),
            began: Instant::now(),
            next: Instant::now(),
            failures: CallFailures::with("settle events"),
        }
    }

    pub(super) fn failures(&self) -> &CallFailures {
        &self.failures
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.settlements.is_empty() && self.in_progress.is_empty()
    }

    /// Returns whether the verdict on this event is not settled.
    pub(super) fn contains(&self, id: EventId) -> bool {
        self.in_progress.contains(&id) || self.batch.ids().any(|one| one == id)
    }

    /// Returns whether the number of ended but unsettled events has reached its limit. After a
    /// crash they are sent again: with those in flight, at most ten times the concurrency, and half
    /// of that while the outbox fails.
    pub(super) fn is_full(&self) -> bool {
        let times = if self.failures.message().is_some() { 4 } else { 9 };
        self.in_progress.len() + self.batch.settlements.len()
            > self.concurrency.saturating_mul(times)
    }

    /// Returns when the next batch may go, if there is one.
    pub(super) fn next_action(&self) -> Option<Instant> {
        let next = self.failures.until().map_or(self.next, |until| until.max(self.next));
        (!self.batch.settlements.is_empty()).then_some(next)
    }

    pub(super) fn push(&mut self, settlement: Settlement) {
        self.batch.settlements.push(settlement);
    }

    pub(super) fn push_delivered(&mut self, settlement: Settlement, delay: Duration) {
        // Only metrics use it.
        if cfg!(feature = "metrics") {
            self.batch.delays.push((self.batch.settlements.len(), delay));
        }
        self.push(settlement);
    }

    pub(super) fn push_dead(&mut self, settlement: Settlement, letter: DeadLetter) {
        self.batch.letters.push((self.batch.settlements.len(), letter));
        self.push(settlement);
    }

    /// Lets the outbox delete used slots with an earlier end.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        self.batch.forget_before = time;
    }

    /// Takes the batch if it is time to settle it. `idle` says whether no request is in flight.
    pub(super) fn take(&mut self, idle: bool, now: Instant) -> Option<Batch> {
        let number = self.batch.settlements.len();
        let is_time = idle || now >= self.next || number >= self.concurrency.saturating_mul(4);
        if number == 0
            || !self.in_progress.is_empty()
            || self.failures.is_backing_off(now)
            || !is_time
        {
            return None;
        }
        let forget_before = self.batch.forget_before;
        self.began = now;
        self.in_progress.extend(self.batch.ids());
        let batch = mem::replace(&mut self.batch, Batch::new());
        self.batch.forget_before = forget_before;
        Some(batch)
    }

    /// Records the result of a settlement. A failed batch comes again, before later ones.
    pub(super) fn settled(
        &mut self,
        mut batch: Batch,
        settled: Result<Vec<EventId>, OutboxError>,
        now: Instant,
    ) -> Settled {
        self.in_progress.clear();
        // Larger batches cost a slow outbox less, so the pause is as long as the call took.
        let took = now.saturating_duration_since(self.began);
        self.next = later(now, took.min(MAX_REST));
        let late = match settled {
            Ok(late) => late,
            Err(error) => {
                batch.append(mem::replace(&mut self.batch, Batch::new()));
                self.batch = batch;
                self.failures.failed(&error, now);
                return Settled::default();
            }
        };
        self.failures.succeeded();
        let mut result = Settled { late: late.len(), ..Settled::default() };
        let is_late = |at: usize| late.contains(&batch.settlements[at].id);
        for settlement in batch.settlements.iter().filter(|one| !late.contains(&one.id)) {
            match settlement.verdict {
                Verdict::PutBack { after, .. } => result.due.push(later(now, after)),
                Verdict::Delivered { .. } => result.delivered += 1,
                Verdict::Bury { .. } => {}
            }
        }
        let delays = batch.delays.iter().filter(|(at, _)| !is_late(*at));
        result.delays = delays.map(|(_, delay)| *delay).collect();
        let letters = mem::take(&mut batch.letters);
        let letters = letters.into_iter().filter(|(at, _)| !is_late(*at));
        result.letters = letters.map(|(_, letter)| letter).collect();
        result
    }

    /// Drops the unsettled rest, because this engine no longer delivers.
    pub(super) fn clear(&mut self) {
        *self = Settlements::new(self.concurrency);
    }
}
