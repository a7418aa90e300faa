//! The ledger: the numbers of events by state, which always balance.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::outbox::{Counts, DeadLetterReason};

/// The numbers of events by state, at one moment. [`Delivery::ledger`](crate::Delivery::ledger)
/// makes it.
///
/// Always `accepted + derived == delivered + dead + pending + withheld + dropped + erased`. These
/// are the outbox's numbers, over all of its processes. A durable outbox counts from the creation
/// of its store. `refused`, `waiting`, `panics` and `deaths` are of this process, from the start of
/// the delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Ledger {
    /// Accepted events.
    pub accepted: u64,
    /// Events that rules derived from others.
    pub derived: u64,
    /// Events that Intercom has taken.
    pub delivered: u64,
    /// Events that became dead letters, minus the redriven and the erased ones.
    pub dead: u64,
    /// Events that wait, and events in flight.
    pub pending: u64,
    /// Events that the engine deleted unsent, because their contacts did not consent or are erased.
    pub withheld: u64,
    /// Events that the engine deleted unsent, because of a rule.
    pub dropped: u64,
    /// Pending events and dead letters that erasures deleted.
    pub erased: u64,
    /// Dead letters that the outbox still has.
    pub dead_letters: u64,
    /// Dead letters that an operator purged, or the outbox because of its limits.
    pub purged: u64,
    /// Events that the engine moved to another second, because Intercom would have ignored them as
    /// duplicates.
    pub moved: u64,
    /// Events that Intercom will ignore as duplicates, because the engine did not move them.
    pub collided: u64,
    /// Refused events, by reason. Each caller got an error.
    pub refused: Refused,
    /// Callers that wait for room. Their events count neither as accepted nor as refused.
    pub waiting: u64,
    /// Panics that the engine caught: of the transport, of the consent check, and of the hook for
    /// dead letters.
    pub panics: u64,
    /// The number of times that an event became a dead letter, by reason. Redriving does not reduce
    /// it.
    pub deaths: Deaths,
}

impl Ledger {
    /// Returns whether every accepted event is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.balance().is_balanced()
    }

    /// Returns the terms of the balance.
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

/// The numbers of refused events, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Refused {
    /// The outbox was full.
    pub full: u64,
    /// The delivery had ended.
    pub closed: u64,
    /// The outbox's store failed, or was not reached.
    pub storage: u64,
    /// The outbox does not know whether it accepted them: see
    /// [`AcceptError::InDoubt`](crate::outbox::AcceptError::InDoubt). If it did, they also count as
    /// accepted.
    pub in_doubt: u64,
    /// One call had more events, or more bytes, than the outbox can ever hold.
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

/// The number of times that an event became a dead letter, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Deaths([u64; DeadLetterReason::ALL.len()]);

impl Deaths {
    /// Returns the number for this reason.
    pub fn of(&self, reason: DeadLetterReason) -> u64 {
        self.0[reason as usize]
    }

    /// Iterates over the reasons with a number above 0.
    pub fn iter(&self) -> impl Iterator<Item = (DeadLetterReason, u64)> + '_ {
        let all = DeadLetterReason::ALL.iter().copied().zip(self.0);
        all.filter(|(_, number)| *number > 0)
    }
}

/// A map of the reasons with a number above 0.
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

/// The state of delivery at the end of a flush or a shutdown.
///
/// ```
/// # async fn end(delivery: intercom_delivery::Delivery) {
/// let report = delivery.shutdown(std::time::Duration::from_secs(30)).await;
/// if !report.is_complete() {
///     eprintln!("some events remain: {report}");
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it says whether events remain"]
#[non_exhaustive]
pub struct DrainReport {
    /// Events that Intercom has taken, as in the [`Ledger`].
    pub delivered: u64,
    /// Events that became dead letters, minus the redriven and the erased ones, as in the
    /// [`Ledger`].
    pub dead: u64,
    /// Events that the outbox still holds. A durable outbox keeps them. An outbox in memory loses
    /// them with the process.
    pub pending: u64,
    complete: bool,
}

impl DrainReport {
    /// Creates a report of these counts. `complete` says whether no event is left to wait for.
    pub(crate) fn of(counts: Counts, complete: bool) -> Self {
        let Counts { delivered, dead, pending, .. } = counts;
        DrainReport { delivered, dead, pending, complete }
    }

    /// Returns whether no event is left to wait for. After a shutdown, no event is pending. After a
    /// flush, no event is pending that this process had accepted before.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DrainReport { delivered, dead, pending, .. } = self;
        write!(f, "{delivered} delivered, {dead} dead, {pending} pending")
    }
}

/// The numbers that this process counts itself.
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
