//! A clock that never runs backwards.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest time that anything waits: 30 years.
pub(crate) const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Unix milliseconds.
pub(crate) type Millis = i64;

/// Tells the time in Unix milliseconds.
#[derive(Clone)]
pub(crate) struct Clock {
    source: Arc<dyn Fn() -> Millis + Send + Sync>,
    last: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock. If that is set forward, so is this. If it is set back, this goes on
    /// evenly, so that an event that is due in a second does not wait for an hour.
    pub(crate) fn system() -> Self {
        let (began, began_at) = (Instant::now(), SystemTime::now());
        Clock::given(move || (began_at + began.elapsed()).max(SystemTime::now()))
    }

    pub(crate) fn given(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let source = Arc::new(move || millis(now()));
        Clock { source, last: Arc::new(AtomicI64::new(Millis::MIN)) }
    }

    pub(crate) fn now(&self) -> Millis {
        let read = (self.source)();
        self.last.fetch_max(read, Ordering::Relaxed).max(read)
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

/// Returns the time that is so long after another. It rounds up: nothing is due too early.
pub(crate) fn later(time: Millis, by: Duration) -> Millis {
    let by = by.min(FAR);
    let part = Millis::from(!by.subsec_nanos().is_multiple_of(1_000_000));
    time.saturating_add(whole_millis(by)).saturating_add(part)
}

/// Returns how long it is until a time: zero if that is past.
pub(crate) fn until(now: Millis, time: Millis) -> Duration {
    Duration::from_millis(u64::try_from(time.saturating_sub(now)).unwrap_or_default())
}

/// Returns the moment that a number of Unix milliseconds stands for.
pub(crate) fn moment(millis: Millis) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let moment = match millis < 0 {
        true => UNIX_EPOCH.checked_sub(distance),
        false => UNIX_EPOCH.checked_add(distance),
    };
    moment.unwrap_or(UNIX_EPOCH)
}

fn whole_millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
