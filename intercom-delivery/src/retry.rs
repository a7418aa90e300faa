//! Whether an event is sent again, and when: a pure function of how the attempt ended.

use std::time::Duration;

use intercom_core::{ErrorKind, SendError};

use crate::outbox::DeathReason;

/// The longest wait that an answer can ask for. A longer one is read as this.
///
/// `Retry-After` is undocumented at Intercom, and something between here and there may ask for years.
pub const MAX_WAIT: Duration = Duration::from_secs(60 * 60);

/// How many panics of the transport over one event are enough.
pub(crate) const MAX_PANICS: u32 = 3;

/// When an event is sent again, and when it is given up.
///
/// ```
/// use std::time::Duration;
/// use intercom_core::{ErrorKind, SendError};
/// use intercom_delivery::retry::{Decision, Outcome, RetryPolicy, Tried};
///
/// let policy = RetryPolicy::new().max_age(Duration::from_secs(3600));
/// let tried = Tried { attempts: 2, panics: 0, age: Duration::from_secs(60) };
///
/// let down = SendError::new(ErrorKind::Unavailable);
/// // The third attempt failed: between nothing and 1 s · 2² is waited, here half of it.
/// let decision = policy.decide(Outcome::Failed(&down), tried, 0.5);
/// assert_eq!(decision, Decision::Retry { after: Duration::from_secs(2), attempts: 3 });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RetryPolicy {
    base: Duration,
    cap: Duration,
    max_age: Option<Duration>,
    max_attempts: Option<u32>,
}

impl RetryPolicy {
    /// Waits up to 1 second after the first failure, up to twice as long after each further one, and never longer
    /// than 5 minutes. It gives up nothing that may still pass.
    pub const fn new() -> Self {
        RetryPolicy {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(5 * 60),
            max_age: None,
            max_attempts: None,
        }
    }

    /// The longest wait after the first failure. The default is 1 second.
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The longest wait after any failure. The default is 5 minutes.
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// How old an event may become, counted from when it was accepted, before it ends in the dead letters. The
    /// default is that it may become any age.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// How many attempts may be spent on an event before it ends in the dead letters. Rate limits, and faults that
    /// need an operator, spend none. The default is any number.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Whether an event of this age is to be given up, whatever happened to it.
    pub fn is_too_old(&self, age: Duration) -> bool {
        self.max_age.is_some_and(|most| age >= most)
    }

    /// What becomes of an event after an attempt. `roll` is the jitter: a random number from 0 up to 1.
    pub fn decide(&self, outcome: Outcome<'_>, tried: Tried, roll: f64) -> Decision {
        let attempts = tried.attempts.saturating_add(1);
        let spent = |after| match () {
            () if self.spends_last(tried.attempts) => Decision::Bury(DeathReason::AttemptLimit),
            () if self.is_too_old(tried.age) => Decision::Bury(DeathReason::AgeLimit),
            () => Decision::Retry { after, attempts },
        };
        let error = match outcome {
            Outcome::Taken => return Decision::Done,
            Outcome::Panicked if tried.panics.saturating_add(1) >= MAX_PANICS => {
                return Decision::Bury(DeathReason::Panic);
            }
            Outcome::Panicked => return spent(self.backoff(tried.attempts, roll)),
            Outcome::Failed(error) => error,
        };
        let asked = error.retry_after().unwrap_or_default().min(MAX_WAIT);
        match error.kind() {
            ErrorKind::UnknownContact => Decision::UnknownContact,
            // Who waits for the limit, or for an operator, has not been tried in earnest.
            ErrorKind::RateLimited => Decision::Retry { after: asked, attempts: tried.attempts },
            _ if error.needs_operator() => {
                Decision::Retry { after: Duration::ZERO, attempts: tried.attempts }
            }
            kind if error.is_permanent() => Decision::Bury(reason(kind)),
            _ => spent(self.backoff(tried.attempts, roll).max(asked)),
        }
    }

    /// Whether another attempt is the last one that there may be, after so many.
    pub(crate) fn spends_last(&self, attempts: u32) -> bool {
        self.max_attempts.is_some_and(|most| attempts.saturating_add(1) >= most)
    }

    /// The wait after a failure, when so many came before it: exponential, with full jitter.
    pub(crate) fn backoff(&self, failures: u32, roll: f64) -> Duration {
        backoff(self.base, self.cap, failures).mul_f64(roll.clamp(0.0, 1.0))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy::new()
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The event was taken.
    Taken,
    /// It was not.
    Failed(&'a SendError),
    /// The transport panicked.
    Panicked,
}

/// What is known of an event when an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// How many attempts were spent before this one.
    pub attempts: u32,
    /// How many of them ended because the transport panicked.
    pub panics: u32,
    /// How long ago it was accepted.
    pub age: Duration,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is delivered.
    Done,
    /// It is sent again.
    Retry {
        /// In how long, at the earliest.
        after: Duration,
        /// How many attempts are spent by now.
        attempts: u32,
    },
    /// It is given up.
    Bury(DeathReason),
    /// The policy for unknown contacts decides.
    UnknownContact,
}

/// `base` doubled so many times, and at most `cap`.
pub(crate) fn backoff(base: Duration, cap: Duration, doublings: u32) -> Duration {
    let factor = 1_u32.checked_shl(doublings).filter(|factor| *factor > 0).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(cap)
}

/// The name of a permanent fault as a loss.
pub(crate) fn reason(kind: ErrorKind) -> DeathReason {
    match kind {
        ErrorKind::EventNameLimit => DeathReason::EventNameLimit,
        ErrorKind::AmbiguousContact => DeathReason::AmbiguousContact,
        ErrorKind::InvalidContact => DeathReason::ContactNotCreated,
        _ => DeathReason::Rejected,
    }
}
