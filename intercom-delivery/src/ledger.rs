//! Where every event is: in numbers that always balance.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::outbox::{Counts, DeathReason};

/// Where every event is that was offered, in one moment.
///
/// Always `offered == accepted + refused.total()` and `accepted == delivered + dead + pending`. With a durable outbox
/// what was in it from the start was accepted, and so was what other programs put there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// Events that were accepted or refused.
    pub offered: u64,
    /// Events that were accepted.
    pub accepted: u64,
    /// Events that were not, and why. Who offered them was told.
    pub refused: Refused,
    /// Events that Intercom has taken.
    pub delivered: u64,
    /// Events that ended in the dead letters, less those that were redriven.
    pub dead: u64,
    /// Dead letters that can still be read and redriven.
    pub dead_letters: u64,
    /// Dead letters that were forgotten: when told to, or because there were more than the outbox keeps.
    pub purged: u64,
    /// Events that are on their way.
    pub pending: u64,
    /// Callers that wait for room, each with an event that is not yet offered.
    pub waiting: u64,
    /// Events that were moved to another second, because Intercom would have ignored them as repetitions.
    pub moved: u64,
    /// Events that Intercom will ignore as repetitions, because they were kept as they are.
    pub collided: u64,
    /// Panics of the transport, or of the hook for dead letters, that were contained.
    pub panics: u64,
    /// For each reason, how often an event ended in the dead letters for it. Those that were redriven are counted.
    pub deaths: Deaths,
}

impl Ledger {
    /// Whether the books are balanced.
    pub fn is_balanced(&self) -> bool {
        self.offered == self.accepted + self.refused.total()
            && self.accepted == self.delivered + self.dead + self.pending
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ledger { offered, accepted, delivered, dead, pending, .. } = self;
        write!(
            f,
            "{offered} offered = {accepted} accepted + {} refused; \
             {accepted} accepted = {delivered} delivered + {dead} dead + {pending} pending",
            self.refused.total()
        )
    }
}

/// Events that were not accepted, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// There was no room.
    pub full: u64,
    /// Delivery had been shut down.
    pub closed: u64,
    /// They could not be kept safe.
    pub storage: u64,
    /// Who offered them stopped waiting for room.
    pub abandoned: u64,
}

impl Refused {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.full + self.closed + self.storage + self.abandoned
    }
}

/// For each reason, how often an event ended in the dead letters for it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Deaths([u64; DeathReason::ALL.len()]);

impl Deaths {
    /// How often for this one.
    pub fn of(&self, reason: DeathReason) -> u64 {
        self.0[reason as usize]
    }

    /// The reasons that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (DeathReason, u64)> + '_ {
        let all = DeathReason::ALL.iter().copied().zip(self.0);
        all.filter(|(_, number)| *number > 0)
    }
}

impl fmt::Debug for Deaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(reason, number)| (reason.as_str(), number)))
            .finish()
    }
}

/// What became of the events when a flush or a shutdown ended, counted since the start.
///
/// ```
/// # async fn end(delivery: intercom_delivery::Delivery) {
/// let report = delivery.shutdown(std::time::Duration::from_secs(30)).await;
/// if report.pending > 0 {
///     eprintln!("not all is delivered: {report}");
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it says whether everything was delivered"]
#[non_exhaustive]
pub struct Report {
    /// Events that Intercom has taken.
    pub delivered: u64,
    /// Events that ended in the dead letters, less those that were redriven.
    pub dead: u64,
    /// Events that are not delivered. A durable outbox has them still; from one in memory they are lost when the
    /// process ends.
    pub pending: u64,
}

impl Report {
    /// Whether nothing is pending.
    pub fn is_complete(&self) -> bool {
        self.pending == 0
    }
}

impl From<Counts> for Report {
    fn from(counts: Counts) -> Self {
        Report { delivered: counts.delivered, dead: counts.dead, pending: counts.pending }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { delivered, dead, pending } = self;
        write!(f, "{delivered} delivered, {dead} dead, {pending} pending")
    }
}

/// The part of the ledger that no outbox keeps.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) full: Count,
    pub(crate) closed: Count,
    pub(crate) storage: Count,
    pub(crate) abandoned: Count,
    pub(crate) panics: Count,
    deaths: [Count; DeathReason::ALL.len()],
}

impl Tally {
    pub(crate) fn death(&self, reason: DeathReason) {
        self.deaths[reason as usize].add(1);
    }

    pub(crate) fn ledger(&self, counts: Counts, waiting: u64) -> Ledger {
        let refused = Refused {
            full: self.full.get(),
            closed: self.closed.get(),
            storage: self.storage.get(),
            abandoned: self.abandoned.get(),
        };
        Ledger {
            offered: counts.accepted + refused.total(),
            accepted: counts.accepted,
            refused,
            delivered: counts.delivered,
            dead: counts.dead,
            dead_letters: counts.dead_letters,
            purged: counts.purged,
            pending: counts.pending,
            waiting,
            moved: counts.moved,
            collided: counts.collided,
            panics: self.panics.get(),
            deaths: Deaths(std::array::from_fn(|reason| self.deaths[reason].get())),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
