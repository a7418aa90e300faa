//! How an outbox tells the engine that there is something to lease.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the engine that the outbox works for. Cheap to call, also when the engine is awake.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// One that nobody has heard of yet. An engine makes its own; this is for tests of an outbox.
    pub fn new() -> Self {
        Wake::default()
    }

    /// Says that an event is due which was not known before.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits until [`wake`](Self::wake) is called, or has been since this was last done.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}
