//! The bounded memory of de-duplication.
//!
//! The memory has two generations and keeps no order: when the current one is full, the sandbox
//! drops the previous one. It remembers a key by a 64-bit hash, so that tens of thousands fit the
//! processor's cache. By a collision of hashes, one event in many billions counts as a duplicate
//! and is none.

use std::hash::BuildHasher;
use std::mem::swap;
use std::sync::Mutex;

use foldhash::HashSet;
use foldhash::quality::RandomState;

use crate::event::EventKey;
use crate::sync::lock;

/// The default capacity of a generation. Two generations of this size fit the processor's cache.
pub(crate) const DEFAULT_CAPACITY: usize = 25_000;

pub(crate) struct Duplicates {
    capacity: usize,
    hashes: RandomState,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    current: HashSet<u64>,
    previous: HashSet<u64>,
}

impl Duplicates {
    /// Remembers at least this many of the last filings, and at most twice as many.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, hashes: RandomState::default(), generations: Mutex::default() }
    }

    /// Remembers the key of an event; returns `false` if it is a duplicate.
    pub(crate) fn remember(&self, event_key: EventKey) -> bool {
        let event_key = self.hashes.hash_one(event_key);
        let mut generations = lock(&self.generations);
        let Generations { current, previous } = &mut *generations;
        if previous.contains(&event_key) || !current.insert(event_key) {
            return false;
        }
        if current.len() >= self.capacity {
            // Reuses the allocation of the dropped generation, so that a full memory allocates
            // nothing.
            swap(current, previous);
            current.clear();
        }
        true
    }

    pub(crate) fn clear(&self) {
        *lock(&self.generations) = Generations::default();
    }
}
