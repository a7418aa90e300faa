//! The memory budget of the bodies that many slow clients send together. Each body also has a limit
//! of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The limit of incoming bytes, and the bytes in use.
pub(crate) struct BodyBudget {
    room: usize,
    taken: AtomicUsize,
}

/// The share of one body until the end of the read.
pub(crate) struct Share<'a> {
    budget: &'a BodyBudget,
    bytes: usize,
}

impl BodyBudget {
    pub(crate) fn new(room: usize) -> Self {
        Self { room, taken: AtomicUsize::new(0) }
    }

    pub(crate) fn share(&self) -> Share<'_> {
        Share { budget: self, bytes: 0 }
    }
}

impl Share<'_> {
    /// Reserves more bytes, and returns whether the budget had them.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let before = self.budget.taken.fetch_add(bytes, Ordering::Relaxed);
        before + bytes <= self.budget.room
    }

    pub(crate) fn give_back(&mut self) {
        if self.bytes > 0 {
            self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
            self.bytes = 0;
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
