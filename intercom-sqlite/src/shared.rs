//! What the handles of an outbox share with its writer.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use intercom_delivery::Epoch;
use tokio::sync::Notify;

/// What the handles of an outbox share with its writer.
#[derive(Default)]
pub(crate) struct Shared {
    /// Wakes the calls of `lease` that wait: something may be due, or the epoch has ended.
    pub(crate) news: Notify,
    /// Events that were leased for a call of `lease` that was dropped.
    unread: Mutex<Vec<(Epoch, i64)>>,
    /// Whether no caller has seen what it was told of erased contacts.
    untold: AtomicBool,
    commits: AtomicU64,
}

impl Shared {
    /// Gives leased events back that no caller has seen.
    pub(crate) fn give_back(&self, epoch: Epoch, ids: impl Iterator<Item = i64>) {
        self.unread().extend(ids.map(|id| (epoch, id)));
        self.news.notify_waiters();
    }

    /// Takes the events that were given back.
    pub(crate) fn take_unread(&self) -> Vec<(Epoch, i64)> {
        mem::take(&mut *self.unread())
    }

    /// Has the tombstones told once more.
    pub(crate) fn tell_again(&self) {
        self.untold.store(true, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    /// Returns whether to tell the tombstones once more.
    pub(crate) fn take_untold(&self) -> bool {
        self.untold.swap(false, Ordering::Relaxed)
    }

    /// Returns how many transactions were committed.
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
