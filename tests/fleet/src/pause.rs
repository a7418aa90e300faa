//! Waits for other processes.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// The limit of every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the condition holds. Returns whether it did so in time.
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
