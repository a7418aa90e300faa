//! Waits for what other processes do.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// How long anything may take that must happen at some time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until this is so. Returns whether it came to be so in time.
pub(crate) async fn until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > patience {
            return false;
        }
        sleep(Duration::from_millis(10)).await;
    }
    true
}
