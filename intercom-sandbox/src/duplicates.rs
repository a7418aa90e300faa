//! The bounded memory of de-duplication.
//!
//! The memory has two halves and keeps no order: when the younger half is full, the sandbox drops
//! the older half. It remembers a filing by a 64-bit hash, so that tens of thousands fit the
//! processor's cache. About one event in many billions is wrongly taken for a duplicate.

use std::hash::BuildHasher;
use std::mem::swap;
use std::sync::Mutex;

use foldhash::HashSet;
use foldhash::quality::RandomState;

use crate::event::Filing;
use crate::sync::lock;

/// The default capacity of a half. Two halves of this size fit the processor's cache.
pub(crate) const DEFAULT_HALF: usize = 25_000;

pub(crate) struct Duplicates {
    half: usize,
    hashes: RandomState,
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    younger: HashSet<u64>,
    older: HashSet<u64>,
}

impl Duplicates {
    /// Remembers at least this many of the last filings, and at most twice as many.
    pub(crate) fn new(half: usize) -> Self {
        Self { half, hashes: RandomState::default(), halves: Mutex::default() }
    }

    /// Remembers a filing; returns `false` if it is a duplicate.
    pub(crate) fn remember(&self, filing: Filing) -> bool {
        let filing = self.hashes.hash_one(filing);
        let mut halves = lock(&self.halves);
        let Halves { younger, older } = &mut *halves;
        if older.contains(&filing) || !younger.insert(filing) {
            return false;
        }
        if younger.len() >= self.half {
            // Reuses the allocation of the dropped half, so that a full memory allocates nothing.
            swap(younger, older);
            younger.clear();
        }
        true
    }

    pub(crate) fn clear(&self) {
        *lock(&self.halves) = Halves::default();
    }
}
