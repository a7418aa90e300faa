//! Times that never overflow.

use std::time::Duration;

use tokio::time::Instant;

/// The upper bound of any wait, 30 years, so that adding it to an `Instant` cannot overflow.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Returns the time that is `by` after `time`.
pub(crate) fn later(time: Instant, by: Duration) -> Instant {
    time + by.min(FOREVER)
}
