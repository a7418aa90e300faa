//! The deliverer's clock, which follows the database's without its steps back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The longest time that anything waits: 30 years.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Unix milliseconds.
pub(crate) type Millis = i64;

/// A test's offset to the database's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skew(pub(crate) Arc<AtomicI64>);

impl Skew {
    pub(crate) fn millis(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }
}

/// Runs evenly from the last reading of the database's clock. A step forward of that clock moves
/// this one too. A step back does not: otherwise an event due in a second would wait for an hour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Millis,
    at: Instant,
}

impl Clock {
    pub(crate) fn new(now: Millis) -> Self {
        Clock { base: now, at: Instant::now() }
    }

    /// Takes a reading of the database's clock.
    pub(crate) fn observe(&mut self, now: Millis) {
        if now > self.now() {
            *self = Clock::new(now);
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.base.saturating_add(whole_millis(self.at.elapsed()))
    }
}

/// Returns a duration in milliseconds. It rounds up: nothing is due too early.
pub(crate) fn millis_of(duration: Duration) -> Millis {
    let duration = duration.min(FAR);
    let part = Millis::from(!duration.subsec_nanos().is_multiple_of(1_000_000));
    whole_millis(duration) + part
}

/// Returns the wait until a time, or zero for a past time.
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

/// Returns a time in Unix milliseconds.
pub(crate) fn millis(time: SystemTime) -> Millis {
    time.duration_since(UNIX_EPOCH).map_or(0, whole_millis)
}

fn whole_millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
