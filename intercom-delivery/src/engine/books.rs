//! The engine's side of the outbox: what it is given, and what it tells.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::time::Instant;

use super::Engine;
use crate::outbox::{DeadLetter, EventId, Leased, Outbox, OutboxError, Settlement, Verdict};
use crate::retry::backoff;
use crate::telemetry;
use crate::time::later;

/// How long the outbox is left alone after it failed: at first, and at most.
const OUTBOX_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long an outbox that promised events and gave none is left alone.
const EMPTY_HANDED: Duration = Duration::from_millis(10);

/// How leases have ended, to be told to the outbox at once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) settlements: Vec<Settlement>,
    /// The dead letters among them.
    pub(super) letters: Vec<DeadLetter>,
    /// How long the delivered ones were on their way.
    pub(super) delays: Vec<(EventId, Duration)>,
}

impl Batch {
    /// Tells the outbox, and gives the batch back.
    pub(super) async fn settle(
        self,
        outbox: &dyn Outbox,
    ) -> (Batch, Result<Vec<EventId>, OutboxError>) {
        let settled = outbox.settle(&self.settlements).await;
        (self, settled)
    }

    fn append(&mut self, later: &mut Batch) {
        self.settlements.append(&mut later.settlements);
        self.letters.append(&mut later.letters);
        self.delays.append(&mut later.delays);
    }
}

/// The outbox failed, and is left alone for a while.
pub(super) struct OutboxTrouble {
    pub(super) until: Instant,
    /// How often it failed in a row.
    times: u32,
    pub(super) message: String,
}

impl Engine<'_> {
    fn outbox_rests(&self, now: Instant) -> bool {
        self.outbox_trouble.as_ref().is_some_and(|trouble| now < trouble.until)
    }

    pub(super) fn may_settle(&self, now: Instant) -> bool {
        self.settling == 0 && !self.batch.settlements.is_empty() && !self.outbox_rests(now)
    }

    pub(super) fn may_lease(&self, wanted: usize, now: Instant) -> bool {
        // Events whose end the outbox does not learn of must not become more and more.
        let unsettled = self.settling + self.batch.settlements.len();
        wanted > 0
            && self.more
            && !self.leasing
            && !self.outbox_rests(now)
            && unsettled <= self.settings.concurrency.saturating_mul(4)
    }

    pub(super) fn take_batch(&mut self) -> Batch {
        let batch = mem::replace(&mut self.batch, mem::take(&mut self.spare));
        self.settling = batch.settlements.len();
        batch
    }

    pub(super) fn settled(
        &mut self,
        mut batch: Batch,
        settled: Result<Vec<EventId>, OutboxError>,
        now: Instant,
    ) {
        self.settling = 0;
        let late = match settled {
            Ok(late) => late,
            Err(error) => {
                // It is told again, in front of what has come since.
                batch.append(&mut self.batch);
                self.batch = batch;
                return self.outbox_failed("settle events", &error, now);
            }
        };
        self.outbox_works();
        let mut left = false;
        for settlement in batch.settlements.drain(..) {
            match settlement.verdict {
                Verdict::PutBack { after, .. } => self.expect(later(now, after)),
                Verdict::Acknowledge | Verdict::Bury { .. } => left = true,
            }
        }
        for (id, delay) in batch.delays.drain(..) {
            if !late.contains(&id) {
                telemetry::delivered(delay);
            }
        }
        for letter in batch.letters.drain(..) {
            if !late.contains(&letter.id) {
                self.announce(&letter);
            }
        }
        self.spare = batch;
        if left {
            self.shared.intake.made_room();
        }
        telemetry::pending(&*self.shared.outbox);
    }

    /// Tells whom it may concern that an event is a dead letter.
    fn announce(&self, letter: &DeadLetter) {
        self.shared.intake.tally.death(letter.reason);
        telemetry::dead(letter);
        if let Some(hook) = &self.settings.on_dead_letter
            && catch_unwind(AssertUnwindSafe(|| hook(letter))).is_err()
        {
            self.panicked("the hook for dead letters");
        }
    }

    pub(super) fn leased(&mut self, leased: Result<Leased, OutboxError>, now: Instant) {
        self.leasing = false;
        let Leased { events, next_due } = match leased {
            Ok(leased) => leased,
            Err(error) => return self.outbox_failed("lease events", &error, now),
        };
        self.outbox_works();
        self.more = false;
        match next_due {
            Some(due) if events.is_empty() => self.expect(later(now, due.max(EMPTY_HANDED))),
            Some(due) => self.expect(later(now, due)),
            None => {}
        }
        self.ready.extend(events);
    }

    /// Events will be due at this time.
    fn expect(&mut self, due: Instant) {
        self.next_due = Some(self.next_due.map_or(due, |other| other.min(due)));
    }

    pub(super) fn outbox_failed(&mut self, what: &'static str, error: &OutboxError, now: Instant) {
        let times = self.outbox_trouble.as_ref().map_or(0, |trouble| trouble.times);
        if times == 0 {
            telemetry::outbox_failed(what, error);
        }
        let (base, cap) = OUTBOX_BACKOFF;
        let until = now + backoff(base, cap, times);
        let message = error.to_string();
        self.outbox_trouble = Some(OutboxTrouble { until, times: times + 1, message });
        self.changed = true;
    }

    fn outbox_works(&mut self) {
        if self.outbox_trouble.take().is_some() {
            telemetry::outbox_works();
            self.changed = true;
        }
    }
}
