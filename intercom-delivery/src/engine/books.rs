//! The engine's side of the outbox: what it is given, and what it tells.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::time::Instant;

use super::Engine;
use crate::outbox::{
    DeadLetter, EventId, Failure, Lease, Leased, Outbox, OutboxError, Settlement, Verdict,
};
use crate::retry::backoff;
use crate::telemetry;
use crate::time::later;

/// How long the outbox is left alone after it failed: at first, and at most.
const OUTBOX_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long an outbox is left alone at the most when it has been told how requests ended, while others are under way.
const SETTLE_PAUSE: Duration = Duration::from_millis(10);

/// How long an outbox that promised events and gave none is left alone.
const EMPTY_HANDED: Duration = Duration::from_millis(10);

/// What the outbox is asked for: so many events, since then.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    pub(super) wanted: usize,
    pub(super) since: Instant,
}

/// How leases have ended, to be told to the outbox at once.
#[derive(Default)]
pub(super) struct Batch {
    settlements: Vec<Settlement>,
    /// The dead letters among them, each with the place of its settlement.
    letters: Vec<(usize, DeadLetter)>,
    /// How long the delivered ones were on their way, in the same manner.
    delays: Vec<(usize, Duration)>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.settlements.len()
    }

    pub(super) fn acknowledge(&mut self, lease: &Lease, delay: Duration) {
        // Nobody else wants to know.
        if cfg!(feature = "metrics") {
            self.delays.push((self.len(), delay));
        }
        self.settlements.push(lease.settle(Verdict::Acknowledge));
    }

    pub(super) fn put_back(
        &mut self,
        lease: &Lease,
        after: Duration,
        attempts: u32,
        failure: Option<Failure>,
    ) {
        self.settlements.push(lease.settle(Verdict::PutBack { after, attempts, failure }));
    }

    pub(super) fn bury(&mut self, lease: &Lease, letter: DeadLetter) {
        let DeadLetter { reason, attempts, failure, .. } = &letter;
        let verdict =
            Verdict::Bury { reason: *reason, attempts: *attempts, failure: failure.clone() };
        self.letters.push((self.len(), letter));
        self.settlements.push(lease.settle(verdict));
    }

    /// Tells the outbox, and gives the batch back.
    pub(super) async fn settle(
        self,
        outbox: &dyn Outbox,
    ) -> (Batch, Result<Vec<EventId>, OutboxError>) {
        let settled = outbox.settle(&self.settlements).await;
        (self, settled)
    }

    fn append(&mut self, mut later: Batch) {
        let before = self.len();
        self.settlements.append(&mut later.settlements);
        self.letters.extend(later.letters.drain(..).map(|(at, letter)| (before + at, letter)));
        self.delays.extend(later.delays.drain(..).map(|(at, delay)| (before + at, delay)));
    }

    /// Forgets those that came too late: a batch may settle two leases of one event, of which the first had ended.
    fn forget_late(&mut self, mut late: Vec<EventId>) {
        if late.is_empty() {
            return;
        }
        let is_late = |settlement: &Settlement| {
            let found = late.iter().position(|id| *id == settlement.id);
            found.map(|found| late.remove(found)).is_some()
        };
        let late: Vec<bool> = self.settlements.iter().map(is_late).collect();
        self.letters.retain(|(at, _)| !late[*at]);
        self.delays.retain(|(at, _)| !late[*at]);
    }
}

/// What the outbox may fail to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    Lease,
    Settle,
}

impl Trouble {
    fn doing(self) -> &'static str {
        match self {
            Trouble::Lease => "lease events",
            Trouble::Settle => "settle events",
        }
    }
}

/// The outbox failed, and is not asked again for a while.
pub(super) struct OutboxTrouble {
    pub(super) until: Instant,
    /// How often it failed in a row.
    times: u32,
    pub(super) message: String,
}

impl Engine<'_> {
    fn outbox_rests(&self, trouble: Trouble, now: Instant) -> bool {
        self.outbox_troubles[trouble as usize].as_ref().is_some_and(|trouble| now < trouble.until)
    }

    pub(super) fn may_settle(&self, now: Instant) -> bool {
        self.settling == 0
            && self.batch.len() > 0
            && !self.outbox_rests(Trouble::Settle, now)
            && (now >= self.next_settle
                || self.in_flight.is_empty()
                || self.batch.len() >= self.settings.concurrency.saturating_mul(4))
    }

    /// Whether so many events have ended without the outbox knowing that nothing more is sent: after a crash they are
    /// sent again. With what is under way they are ten times as many as may be that, at the most, and half as many while
    /// the outbox fails to learn of them.
    pub(super) fn too_many_unsettled(&self) -> bool {
        let times = if self.outbox_troubles[Trouble::Settle as usize].is_some() { 4 } else { 9 };
        self.settling + self.batch.len() > self.settings.concurrency.saturating_mul(times)
    }

    pub(super) fn may_lease(&self, wanted: usize, now: Instant) -> bool {
        wanted > 0
            && self.more
            && self.leasing.is_none()
            && !self.outbox_rests(Trouble::Lease, now)
            && !self.too_many_unsettled()
    }

    pub(super) fn take_batch(&mut self, now: Instant) -> Batch {
        self.settle_began = now;
        let batch = mem::replace(&mut self.batch, mem::take(&mut self.spare));
        self.settling = batch.len();
        batch
    }

    pub(super) fn settled(
        &mut self,
        mut batch: Batch,
        settled: Result<Vec<EventId>, OutboxError>,
        now: Instant,
    ) {
        self.settling = 0;
        // One that takes its time has less to do when it is told of more at once, so it rests for as long as it took.
        let took = now.saturating_duration_since(self.settle_began);
        self.next_settle = later(now, took.min(SETTLE_PAUSE));
        let late = match settled {
            Ok(late) => late,
            Err(error) => {
                // It is told again, in front of what has come since.
                batch.append(mem::take(&mut self.batch));
                self.batch = batch;
                return self.outbox_failed(Trouble::Settle, &error, now);
            }
        };
        self.outbox_works(Trouble::Settle);
        batch.forget_late(late);
        let mut left = false;
        for settlement in batch.settlements.drain(..) {
            match settlement.verdict {
                Verdict::PutBack { after, .. } => self.expect(later(now, after)),
                Verdict::Acknowledge | Verdict::Bury { .. } => left = true,
            }
        }
        for (_, delay) in batch.delays.drain(..) {
            telemetry::delivered(delay);
        }
        for (_, letter) in batch.letters.drain(..) {
            self.announce(&letter);
        }
        self.spare = batch;
        if left {
            self.shared.intake.made_room();
        }
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
        let asked = self.leasing.take();
        let Leased { events, next_due } = match leased {
            Ok(leased) => leased,
            Err(error) => {
                self.more = true;
                return self.outbox_failed(Trouble::Lease, &error, now);
            }
        };
        self.outbox_works(Trouble::Lease);
        match next_due {
            Some(due) if events.is_empty() => self.expect(later(now, due.max(EMPTY_HANDED))),
            Some(due) => self.expect(later(now, due)),
            None => {}
        }
        let Asking { wanted, since } = asked.unwrap_or(Asking { wanted: 0, since: now });
        // An outbox that answers at once is never waited for, and one that has nothing more cannot give more.
        if since < now && events.len() == wanted {
            self.ahead.answered(self.ready.len());
        }
        self.ready.extend(events.into_iter().map(|lease| (since, lease)));
    }

    /// Events will be due at this time.
    fn expect(&mut self, due: Instant) {
        self.next_due = Some(self.next_due.map_or(due, |other| other.min(due)));
    }

    pub(super) fn outbox_failed(&mut self, what: Trouble, error: &OutboxError, now: Instant) {
        let trouble = &mut self.outbox_troubles[what as usize];
        let times = trouble.as_ref().map_or(0, |trouble| trouble.times);
        if times == 0 {
            telemetry::outbox_failed(what.doing(), error);
        }
        let (base, cap) = OUTBOX_BACKOFF;
        let until = later(now, backoff(base, cap, times));
        *trouble = Some(OutboxTrouble { until, times: times + 1, message: error.to_string() });
        self.changed = true;
    }

    fn outbox_works(&mut self, what: Trouble) {
        if self.outbox_troubles[what as usize].take().is_some() {
            telemetry::outbox_works(what.doing());
            self.changed = true;
        }
    }
}
