//! The memory of de-duplication: what was filed already, bounded.
//!
//! It forgets by halves, so that it needs to keep no order: when the younger half is full, the older
//! one goes. Each filing is remembered by 64 bits of a hash, so that tens of thousands of them stay near
//! the processor: as far as the memory reaches, one event in many billions is taken for a duplicate
//! that is none.

use std::hash::BuildHasher;
use std::mem::swap;
use std::sync::Mutex;

use foldhash::HashSet;
use foldhash::quality::RandomState;

use crate::event::Filing;
use crate::sync::lock;

/// How many filings a half holds when nothing else is said. Two halves of this size stay near the
/// processor.
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
    /// Remembers at least so many of the last filings, and at most twice as many.
    pub(crate) fn new(half: usize) -> Self {
        Self { half, hashes: RandomState::default(), halves: Mutex::default() }
    }

    /// Remembers a filing; `false` where it was remembered already.
    pub(crate) fn remember(&self, filing: Filing) -> bool {
        let filing = self.hashes.hash_one(filing);
        let mut halves = lock(&self.halves);
        let Halves { younger, older } = &mut *halves;
        if older.contains(&filing) || !younger.insert(filing) {
            return false;
        }
        if younger.len() >= self.half {
            // The room of the half that goes is used again: a full memory allocates nothing.
            swap(younger, older);
            younger.clear();
        }
        true
    }

    pub(crate) fn clear(&self) {
        *lock(&self.halves) = Halves::default();
    }
}
