//! The policies of a delivery: for a full outbox, collisions, failures and unknown contacts.
//!
//! [`RetryPolicy::decide`] is a pure function: it decides whether and when to send a failed event
//! again.

use std::time::Duration;

use intercom_core::{ErrorKind, EventName, SendError};

use crate::outbox::{DeadLetterReason, EventId};

/// The longest wait that an answer can ask for by `Retry-After`: an hour. The engine shortens a
/// longer one to it, because a proxy may ask for years.
pub const MAX_WAIT: Duration = Duration::from_secs(60 * 60);

/// The number of panics of the transport after which an event becomes a dead letter.
pub(crate) const MAX_PANICS: u32 = 3;

/// What the delivery does with an event when the outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backpressure {
    /// `send` waits for room. Callers wait in FIFO order. `try_send`, which cannot wait, refuses.
    #[default]
    Wait,
    /// `send` fails with [`ErrorKind::Full`].
    Refuse,
}

/// What the engine does with an event that has the contact, name and second of another event.
///
/// Intercom takes two such events for one, and silently ignores the second. The comparison ignores
/// the case of names and email addresses. It does not know whether a user id and an email address
/// belong to one contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Collisions {
    /// Moves the event to the next free second, by up to a day, and counts it. Without a free
    /// second in that day, the event keeps its own.
    #[default]
    Move,
    /// Leaves the event at its second, and counts it. Intercom will ignore it.
    Keep,
}

/// What the engine does with an event whose contact Intercom does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownContact {
    /// The event becomes a dead letter.
    DeadLetter,
    /// Sends the event again for this long after the first such answer. Then it becomes a dead
    /// letter. Intercom may not know a contact in the moment after its creation.
    RetryFor(Duration),
    /// Creates the contact once, as a user, and sends the event again. If Intercom refuses this
    /// contact, its events become dead letters. If Intercom refuses every creation, they wait.
    Create,
}

impl UnknownContact {
    /// The default: sends the event again for a minute.
    pub const DEFAULT: UnknownContact = UnknownContact::RetryFor(Duration::from_secs(60));
}

impl Default for UnknownContact {
    fn default() -> Self {
        UnknownContact::DEFAULT
    }
}

/// The answer of a [consent check](crate::DeliveryBuilder::consent): whether to send an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consent {
    /// Sends the event.
    Given,
    /// Deletes the event, and counts it as withheld.
    Denied,
    /// Asks again after this long, as often as the answer is `Later`.
    Later(Duration),
}

/// The result of [`Delivery::erase`](crate::Delivery::erase): what it deleted, and what it was too
/// late for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// Pending events, those in flight included. They count as erased.
    pub pending: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// The pending events for which this process had begun a request. All of these requests have
    /// ended.
    pub in_flight: Vec<InFlight>,
}

/// An event that was in flight during the erasure of its contact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// Its number in the outbox.
    pub id: EventId,
    /// Its name.
    pub event_name: EventName,
    /// Whether Intercom answered that it has the event. If not, it may still have it, unless it
    /// refused the event with a `status` from 400 to 499.
    pub is_delivered: bool,
    /// The HTTP status, if Intercom answered.
    pub status: Option<u16>,
    /// The id that Intercom gave the request.
    pub request_id: Option<String>,
}

/// When the engine sends a failed event again, and when it gives the event up.
///
/// ```
/// use std::time::Duration;
/// use intercom_delivery::RetryPolicy;
///
/// // Waits up to 1, 2, 4, 8 and so on seconds, at most a minute, and gives up after a week.
/// let policy = RetryPolicy::new()
///     .cap(Duration::from_secs(60))
///     .max_age(Duration::from_secs(7 * 86_400));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RetryPolicy {
    base: Duration,
    cap: Duration,
    max_age: Option<Duration>,
    max_attempts: Option<u32>,
    poison: Option<(u32, Duration)>,
}

impl RetryPolicy {
    /// Returns the default policy. It waits up to 1 second after the first failure, and up to twice
    /// as long after each further one, but at most 5 minutes. Each wait is random, from zero to
    /// that time (full jitter).
    ///
    /// An event that fails 12 times over at least an hour, while Intercom takes others, is *poison*
    /// and becomes a dead letter.
    pub const fn new() -> Self {
        RetryPolicy {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(5 * 60),
            max_age: None,
            max_attempts: None,
            poison: Some((12, Duration::from_secs(60 * 60))),
        }
    }

    /// Sets the longest wait after the first failure. The default is 1 second.
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Sets the longest wait after any failure. The default is 5 minutes.
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Sets the age, counted from acceptance, at which an event becomes a dead letter. The default
    /// is none.
    ///
    /// The delivering process measures the age by elapsed time, so it does not change when someone
    /// sets a clock. When a process starts or takes over, the age of each pending event begins at
    /// zero.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets the maximum number of attempts, after which an event becomes a dead letter. Rate
    /// limits, and faults that need an operator, do not count. An answer that is not Intercom's
    /// counts, but the maximum does not apply after such an attempt. The default is no maximum.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Sets when an event counts as poison and becomes a dead letter: after this many failures,
    /// over at least this time. The default is 12 failures over an hour.
    ///
    /// A failure counts only if Intercom takes other events meanwhile. So an outage makes no event
    /// poison. The count begins again when another process takes over.
    pub const fn poison(mut self, failures: u32, over: Duration) -> Self {
        self.poison = Some((failures, over));
        self
    }

    /// Makes no event a dead letter as poison. The engine sends it again without end, with a
    /// back-off of its own.
    pub const fn keep_poison(mut self) -> Self {
        self.poison = None;
        self
    }

    /// Returns the age at which an event becomes a dead letter.
    pub(crate) fn greatest_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Returns whether an event of this age becomes a dead letter, for whatever failure.
    pub(crate) fn is_too_old(&self, age: Duration) -> bool {
        self.max_age.is_some_and(|limit| age >= limit)
    }

    /// Decides what to do with an event after an attempt. `roll` is the jitter: a random number
    /// from 0 up to 1.
    pub(crate) fn decide(&self, outcome: AttemptFailure<'_>, tried: Tried, roll: f64) -> Decision {
        let attempts = tried.attempts.saturating_add(1);
        let spent = |after| match () {
            () if self.spends_last(tried.attempts) => {
                Decision::Bury(DeadLetterReason::AttemptLimit)
            }
            () if self.is_too_old(tried.age) => Decision::Bury(DeadLetterReason::AgeLimit),
            () if self.is_poison(tried) => Decision::Bury(DeadLetterReason::Poison),
            () => Decision::Retry { after, attempts },
        };
        let kept = |after, attempts| match self.is_poison(tried) {
            true => Decision::Bury(DeadLetterReason::Poison),
            false => Decision::Retry { after, attempts },
        };
        let error = match outcome {
            AttemptFailure::Panicked if tried.panics.saturating_add(1) >= MAX_PANICS => {
                return Decision::Bury(DeadLetterReason::Panic);
            }
            AttemptFailure::Panicked => return spent(self.backoff(tried.attempts, roll)),
            AttemptFailure::Failed(error) => error,
        };
        let asked = error.retry_after().unwrap_or_default().min(MAX_WAIT);
        match error.kind() {
            ErrorKind::UnknownContact => Decision::UnknownContact,
            // A rate limit is not the event's fault, so the attempt does not count.
            ErrorKind::RateLimited => Decision::Retry { after: asked, attempts: tried.attempts },
            // A page of a gateway is no verdict on the event, so it never reaches the attempt limit
            // by it.
            ErrorKind::UnexpectedAnswer => {
                kept(self.backoff(tried.attempts, roll).max(asked), attempts)
            }
            // If it opens the breaker, that alone delays the event.
            _ if error.needs_operator() => {
                let failures = tried.attempts.max(tried.own_failures);
                kept(self.backoff(failures, roll).max(asked), tried.attempts)
            }
            kind if error.is_permanent() => Decision::Bury(reason(kind)),
            _ => spent(self.backoff(tried.attempts, roll).max(asked)),
        }
    }

    /// Returns whether the attempt after this many is the last one allowed.
    pub(crate) fn spends_last(&self, attempts: u32) -> bool {
        self.max_attempts.is_some_and(|limit| attempts.saturating_add(1) >= limit)
    }

    fn is_poison(&self, tried: Tried) -> bool {
        self.poison.is_some_and(|(failures, over)| {
            tried.own_failures >= failures.max(1) && tried.failing_for >= over
        })
    }

    /// Returns the longest back-off.
    pub(crate) fn longest(&self) -> Duration {
        self.cap
    }

    /// Returns the wait after a failure, given the number of earlier failures: exponential, with
    /// full jitter.
    pub(crate) fn backoff(&self, failures: u32, roll: f64) -> Duration {
        backoff(self.base, self.cap, failures).mul_f64(roll.clamp(0.0, 1.0))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy::new()
    }
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AttemptFailure<'a> {
    /// The transport returned an error.
    Failed(&'a SendError),
    /// The transport panicked.
    Panicked,
}

/// The history of an event at the end of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    /// The number of earlier attempts that count.
    pub(crate) attempts: u32,
    /// The number of them in which the transport panicked.
    pub(crate) panics: u32,
    /// How long ago it was accepted.
    pub(crate) age: Duration,
    /// How often it failed while other events succeeded, this attempt included.
    pub(crate) own_failures: u32,
    /// The time since the first of those failures.
    pub(crate) failing_for: Duration,
}

/// What the engine does with an event after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is delivered.
    Done,
    /// It is sent again.
    Retry {
        /// The minimum delay.
        after: Duration,
        /// The number of attempts that count so far.
        attempts: u32,
    },
    /// It becomes a dead letter.
    Bury(DeadLetterReason),
    /// The policy for unknown contacts decides.
    UnknownContact,
}

/// Returns `base` doubled `doublings` times, and at most `cap`.
pub(crate) fn backoff(base: Duration, cap: Duration, doublings: u32) -> Duration {
    let factor = 1_u32.checked_shl(doublings).filter(|factor| *factor > 0).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(cap)
}

/// Returns why an event with this permanent fault becomes a dead letter.
fn reason(kind: ErrorKind) -> DeadLetterReason {
    match kind {
        ErrorKind::EventNameLimit => DeadLetterReason::EventNameLimit,
        ErrorKind::AmbiguousContact => DeadLetterReason::AmbiguousContact,
        ErrorKind::InvalidContact => DeadLetterReason::ContactNotCreated,
        _ => DeadLetterReason::Rejected,
    }
}

#[cfg(test)]
mod tests;
