//! What time it is, in a way that never runs backwards.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Who waits for longer waits for this long: 30 years.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Unix milliseconds.
pub(crate) type Millis = i64;

/// Tells the time in Unix milliseconds.
#[derive(Clone)]
pub(crate) struct Clock {
    source: Source,
    last: Arc<AtomicI64>,
}

#[derive(Clone)]
enum Source {
    System { began: Instant, began_at: Millis },
    Given(Arc<dyn Fn() -> SystemTime + Send + Sync>),
}

impl Clock {
    /// The clock on the wall. Where it is set forward, so is this; where it is set back, this goes on evenly, so that
    /// nothing that is due in a second waits for an hour.
    pub(crate) fn system() -> Self {
        let began_at = millis(SystemTime::now());
        Clock {
            source: Source::System { began: Instant::now(), began_at },
            last: Arc::new(AtomicI64::new(began_at)),
        }
    }

    pub(crate) fn given(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Clock { source: Source::Given(Arc::new(now)), last: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    pub(crate) fn now(&self) -> Millis {
        let told = match &self.source {
            Source::System { began, began_at } => {
                let even = began_at.saturating_add(whole_millis(began.elapsed()));
                even.max(millis(SystemTime::now()))
            }
            Source::Given(now) => millis(now()),
        };
        self.last.fetch_max(told, Ordering::Relaxed).max(told)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::System { .. } => "system",
            Source::Given(_) => "given",
        })
    }
}

/// A time in Unix milliseconds.
pub(crate) fn millis(time: SystemTime) -> Millis {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole_millis(since),
        Err(before) => -whole_millis(before.duration()),
    }
}

/// A time so long after another. Parts of a millisecond count as one: nothing is due too early.
pub(crate) fn later(time: Millis, by: Duration) -> Millis {
    let by = by.min(FAR);
    let part = Millis::from(!by.subsec_nanos().is_multiple_of(1_000_000));
    time.saturating_add(whole_millis(by)).saturating_add(part)
}

/// How long it is from one time to another; nothing, when that is past.
pub(crate) fn until(now: Millis, time: Millis) -> Duration {
    Duration::from_millis(u64::try_from(time.saturating_sub(now)).unwrap_or_default())
}

/// The moment that a number of Unix milliseconds stands for.
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
