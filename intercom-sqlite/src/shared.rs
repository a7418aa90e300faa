//! The state that the handles of an outbox share with its writer.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use intercom_delivery::Epoch;
use tokio::sync::Notify;

/// The state that the handles of an outbox share with its writer.
#[derive(Default)]
pub(crate) struct Shared {
    /// Wakes waiting calls of `lease`: an event may be due, or the epoch has ended.
    pub(crate) news: Notify,
    /// Events leased for a call of `lease` that was then dropped.
    unread: Mutex<Vec<(Epoch, i64)>>,
    /// Whether a caller dropped the tombstones before it saw them.
    untold: AtomicBool,
    commits: AtomicU64,
}

impl Shared {
    /// Returns leased events that no caller has seen.
    pub(crate) fn give_back(&self, epoch: Epoch, ids: impl Iterator<Item = i64>) {
        self.unread().extend(ids.map(|id| (epoch, id)));
        self.news.notify_waiters();
    }

    /// Takes the returned events.
    pub(crate) fn take_unread(&self) -> Vec<(Epoch, i64)> {
        mem::take(&mut *self.unread())
    }

    /// Requests that the tombstones are reported once more.
    pub(crate) fn tell_again(&self) {
        self.untold.store(true, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    /// Returns whether to report the tombstones once more.
    pub(crate) fn take_untold(&self) -> bool {
        self.untold.swap(false, Ordering::Relaxed)
    }

    /// Returns the number of commits.
    #[cfg(feature = "test-util")]
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// A panic leaves the list valid.
    fn unread(&self) -> MutexGuard<'_, Vec<(Epoch, i64)>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
