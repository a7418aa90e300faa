//! Where every event is, in numbers that always balance.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::outbox::{Counts, DeadLetterReason};

/// Where every event is, in one moment. Made by [`Delivery::ledger`](crate::Delivery::ledger).
///
/// Always `accepted + derived == delivered + dead + pending + withheld + dropped + erased`. These are the numbers of the outbox, over all
/// processes that use it. A durable outbox counts since it was made. The numbers from `refused` on
/// are of this process, since the delivery was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Ledger {
    /// Events that were accepted.
    pub accepted: u64,
    /// Events that rules derived from others.
    pub derived: u64,
    /// Events that Intercom has taken.
    pub delivered: u64,
    /// Events that became dead letters, less those that were redriven.
    pub dead: u64,
    /// Events that are on their way.
    pub pending: u64,
    /// Events that were deleted unsent because their contacts did not consent, or were erased.
    pub withheld: u64,
    /// Events that were deleted unsent because a rule says so.
    pub dropped: u64,
    /// Pending events and dead letters that were deleted because their contacts were erased.
    pub erased: u64,
    /// Dead letters that can still be read and redriven.
    pub dead_letters: u64,
    /// Dead letters that were purged: by an operator, or because the outbox keeps no more.
    pub purged: u64,
    /// Events that were moved to another second, because Intercom would have ignored them as
    /// duplicates.
    pub moved: u64,
    /// Events that Intercom will ignore as duplicates, because they were kept as they are.
    pub collided: u64,
    /// Events that were refused, by reason. Each caller got an error.
    pub refused: Refused,
    /// Callers that wait for room, each with an event that is neither accepted nor refused.
    pub waiting: u64,
    /// Panics of the transport, or of the hook for dead letters, that were contained.
    pub panics: u64,
    /// How often an event became a dead letter, by reason. Those that were redriven are counted.
    pub deaths: Deaths,
}

impl Ledger {
    /// Returns whether every accepted event is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.balance().is_balanced()
    }

    /// The terms of the balance.
    fn balance(&self) -> Counts {
        Counts {
            accepted: self.accepted,
            derived: self.derived,
            delivered: self.delivered,
            dead: self.dead,
            pending: self.pending,
            withheld: self.withheld,
            dropped: self.dropped,
            erased: self.erased,
            ..Counts::default()
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {} refused", self.balance(), self.refused.total())
    }
}

/// Events that were not accepted, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Refused {
    /// The outbox had no room.
    pub full: u64,
    /// The delivery had been shut down.
    pub closed: u64,
    /// The outbox could not keep them safe.
    pub storage: u64,
    /// The outbox cannot say whether it accepted them: see
    /// [`AcceptError::InDoubt`](crate::outbox::AcceptError::InDoubt). Those that it did are counted as
    /// accepted too.
    pub in_doubt: u64,
    /// They were more at once than the outbox can ever hold.
    pub unsupported: u64,
    /// The caller stopped waiting for room.
    pub abandoned: u64,
}

impl Refused {
    /// Returns the sum of all reasons.
    pub fn total(&self) -> u64 {
        self.full + self.closed + self.storage + self.in_doubt + self.unsupported + self.abandoned
    }
}

/// How often an event became a dead letter, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Deaths([u64; DeadLetterReason::ALL.len()]);

impl Deaths {
    /// Returns how often for this reason.
    pub fn of(&self, reason: DeadLetterReason) -> u64 {
        self.0[reason as usize]
    }

    /// Iterates over the reasons that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (DeadLetterReason, u64)> + '_ {
        let all = DeadLetterReason::ALL.iter().copied().zip(self.0);
        all.filter(|(_, number)| *number > 0)
    }
}

/// A map of the reasons that occurred.
#[cfg(feature = "serde")]
impl serde::Serialize for Deaths {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(reason, number)| (reason.as_str(), number)))
    }
}

impl fmt::Debug for Deaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(reason, number)| (reason.as_str(), number)))
            .finish()
    }
}

/// How far delivery had come when a flush or a shutdown ended.
///
/// ```
/// # async fn end(delivery: intercom_delivery::Delivery) {
/// let report = delivery.shutdown(std::time::Duration::from_secs(30)).await;
/// if !report.is_complete() {
///     eprintln!("not all is delivered: {report}");
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it says whether everything was delivered"]
#[non_exhaustive]
pub struct Report {
    /// Events that Intercom has taken, as in the [`Ledger`].
    pub delivered: u64,
    /// Events that became dead letters, less those that were redriven, as in the [`Ledger`].
    pub dead: u64,
    /// Events that the outbox still holds to be delivered. A durable outbox keeps them. From one in
    /// memory they are lost when the process ends.
    pub pending: u64,
    complete: bool,
}

impl Report {
    /// Reports what the outbox counts. `complete` says whether there is nothing left to wait for.
    pub(crate) fn of(counts: Counts, complete: bool) -> Self {
        let Counts { delivered, dead, pending, .. } = counts;
        Report { delivered, dead, pending, complete }
    }

    /// Returns whether nothing is left to wait for: after a shutdown, that no event is pending; after
    /// a flush, that no event is pending that this process accepted before it.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { delivered, dead, pending, .. } = self;
        write!(f, "{delivered} delivered, {dead} dead, {pending} pending")
    }
}

/// What this process counts itself.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) full: Count,
    pub(crate) closed: Count,
    pub(crate) storage: Count,
    pub(crate) in_doubt: Count,
    pub(crate) unsupported: Count,
    pub(crate) abandoned: Count,
    pub(crate) panics: Count,
    deaths: [Count; DeadLetterReason::ALL.len()],
    drops: Mutex<BTreeMap<Arc<str>, u64>>,
}

impl Tally {
    pub(crate) fn deaths(&self, reason: DeadLetterReason, number: u64) {
        self.deaths[reason as usize].add(number);
    }

    pub(crate) fn drop_by(&self, rule: Arc<str>) {
        *self.drops.lock().unwrap_or_else(PoisonError::into_inner).entry(rule).or_default() += 1;
    }

    pub(crate) fn drops(&self) -> BTreeMap<Arc<str>, u64> {
        self.drops.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn ledger(&self, counts: Counts, waiting: u64) -> Ledger {
        Ledger {
            accepted: counts.accepted,
            derived: counts.derived,
            delivered: counts.delivered,
            dead: counts.dead,
            pending: counts.pending,
            withheld: counts.withheld,
            dropped: counts.dropped,
            erased: counts.erased,
            dead_letters: counts.dead_letters,
            purged: counts.purged,
            moved: counts.moved,
            collided: counts.collided,
            refused: Refused {
                full: self.full.get(),
                closed: self.closed.get(),
                storage: self.storage.get(),
                in_doubt: self.in_doubt.get(),
                unsupported: self.unsupported.get(),
                abandoned: self.abandoned.get(),
            },
            waiting,
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
