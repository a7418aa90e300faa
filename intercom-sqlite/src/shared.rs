//! What the outbox and its writing thread both know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use intercom_delivery::outbox::{Counts, Wake};

/// What the outbox and its writing thread both know.
#[derive(Default)]
pub(crate) struct Shared {
    counts: Mutex<Counts>,
    wake: Mutex<Option<Wake>>,
    commits: AtomicU64,
}

impl Shared {
    pub(crate) fn counts(&self) -> Counts {
        *lock(&self.counts)
    }

    pub(crate) fn set_counts(&self, counts: Counts) {
        *lock(&self.counts) = counts;
    }

    pub(crate) fn attach(&self, wake: Wake) {
        *lock(&self.wake) = Some(wake);
    }

    /// Wakes the engine: something may be due that was not known before.
    pub(crate) fn wake(&self) {
        if let Some(wake) = &*lock(&self.wake) {
            wake.wake();
        }
    }

    /// How often events were made safe.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is kept here is replaced as a whole, so what a panicking thread left behind is good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
