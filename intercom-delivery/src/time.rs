//! Times that never overflow.

use std::time::Duration;

use tokio::time::Instant;

/// Who waits for longer waits for this long: 30 years.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A time so long after another, or as late as can be told.
pub(crate) fn later(time: Instant, by: Duration) -> Instant {
    time + by.min(FAR)
}
