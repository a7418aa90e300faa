//! The sandbox's time source, so that a test ends a ten-second window without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;

/// A source of the current time, given to the sandbox with
/// [`SandboxBuilder::clock`](crate::SandboxBuilder::clock).
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> SystemTime;
}

/// The machine's own clock, which is the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that only a test moves.
///
/// The clock moves only the sandbox's time. A client that waits for a window to end waits in its
/// own time.
///
/// Clones share one time: give one to the sandbox and keep the other.
///
/// ```
/// use std::time::Duration;
/// use intercom_sandbox::{ManualClock, Sandbox};
///
/// let clock = ManualClock::at_unix_seconds(1_700_000_000);
/// let builder = Sandbox::builder().clock(clock.clone());
/// clock.advance(Duration::from_secs(10));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    nanoseconds: Arc<AtomicU64>,
}

impl ManualClock {
    /// Creates a clock with this time, in Unix seconds.
    pub fn at_unix_seconds(seconds: u64) -> Self {
        let clock = Self { nanoseconds: Arc::default() };
        clock.advance(Duration::from_secs(seconds));
        clock
    }

    /// Moves the time forward for every clone of this clock, at most to the year 2554.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let moved = |now: u64| Some(now.saturating_add(by));
        // The closure always returns a time, so this cannot fail.
        let _ = self.nanoseconds.fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.nanoseconds.load(Ordering::SeqCst))
    }
}

/// Returns the whole seconds since the Unix epoch; an earlier time counts as the epoch.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns the value of a `Date` header, if HTTP can express the time.
pub(crate) fn http_date(time: SystemTime) -> Option<HeaderValue> {
    /// The first second of the year 10000, which HTTP's date format cannot express.
    const END: u64 = 253_402_300_800;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    (since.as_secs() < END).then(|| httpdate::fmt_http_date(time))?.try_into().ok()
}
