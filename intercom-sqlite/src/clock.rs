//! The clock of an outbox: steady, whatever happens to the system's clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest wait: 30 years.
pub(crate) const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Unix milliseconds.
pub(crate) type Millis = i64;

/// A clock in Unix milliseconds.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// Starts at the system's time, and follows the monotonic clock. A step of the system's clock
    /// makes nothing due too early or too late.
    pub(crate) fn system() -> Self {
        let (began, began_at) = (Instant::now(), SystemTime::now());
        Clock::given(move || began_at + began.elapsed())
    }

    pub(crate) fn given(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Millis {
        millis((self.0)())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Returns a time in Unix milliseconds.
pub(crate) fn millis(time: SystemTime) -> Millis {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole_millis(since),
        Err(before) => -whole_millis(before.duration()),
    }
}

/// Returns the time after a duration. Rounds up, so that nothing is due too early.
pub(crate) fn later(time: Millis, by: Duration) -> Millis {
    let by = by.min(FAR);
    let part = Millis::from(!by.subsec_nanos().is_multiple_of(1_000_000));
    time.saturating_add(whole_millis(by)).saturating_add(part)
}

/// Returns the duration until a time, or zero for a past time.
pub(crate) fn until(now: Millis, time: Millis) -> Duration {
    Duration::from_millis(u64::try_from(time.saturating_sub(now)).unwrap_or_default())
}

/// Converts Unix milliseconds to a time.
pub(crate) fn moment(millis: Millis) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let moment = match millis < 0 {
        true => UNIX_EPOCH.checked_sub(distance),
        false => UNIX_EPOCH.checked_add(distance),
    };
    moment.unwrap_or(UNIX_EPOCH)
}

pub(crate) fn whole_millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
