//! The room for bodies that are on their way in: what many clients send slowly together is bounded
//! too, and not only what each of them sends.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of bodies may be there at a time, and how many are.
pub(crate) struct BodyBudget {
    room: usize,
    taken: AtomicUsize,
}

/// What one body takes of the room, until it is read.
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
    /// Takes so many more, and says whether there was room for them.
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
