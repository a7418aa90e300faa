//! Counts heap allocations.
//!
//! Existing crates for this count always: several atomic or thread-local updates on each
//! allocation, which cost about as much as the allocation itself. This counter counts only on
//! demand and costs one load otherwise, so it does not slow down the side that allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static REALLOCATED: AtomicU64 = AtomicU64::new(0);
/// Bytes allocated and not freed since counting began.
static LIVE: AtomicI64 = AtomicI64::new(0);

struct Counting;

fn count(counter: Option<&AtomicU64>, more: usize, less: usize) {
    if COUNTING.load(Relaxed) {
        if let Some(counter) = counter {
            counter.fetch_add(1, Relaxed);
        }
        LIVE.fetch_add(more as i64 - less as i64, Relaxed);
    }
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; this one adds nothing to the system's"
)]
// SAFETY: every method passes its arguments to the same method of `System`, and returns its result.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(Some(&ALLOCATED), layout.size(), 0);
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(Some(&ALLOCATED), layout.size(), 0);
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(Some(&REALLOCATED), new_size, layout.size());
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(None, 0, layout.size());
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The allocations of all threads of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocations {
    /// Allocations.
    pub allocated: u64,
    /// Reallocations.
    pub reallocated: u64,
    /// The growth of the heap in bytes; negative if it shrank.
    pub held: i64,
}

/// Counts the allocations of the process while `work` runs.
pub fn count_allocations(work: impl FnOnce()) -> Allocations {
    let counters = [&ALLOCATED, &REALLOCATED];
    for counter in counters {
        counter.store(0, Relaxed);
    }
    LIVE.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    work();
    COUNTING.store(false, Relaxed);
    let [allocated, reallocated] = counters.map(|counter| counter.load(Relaxed));
    Allocations { allocated, reallocated, held: LIVE.load(Relaxed) }
}
