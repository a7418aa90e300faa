//! The events that this process accepted.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// No event of this process has a lower id, in any outbox of the process.
static LOWEST: AtomicI64 = AtomicI64::new(i64::MAX);

/// Returns a unique number of this process, other than 0.
pub(crate) fn origin() -> i64 {
    static ORIGIN: OnceLock<i64> = OnceLock::new();
    *ORIGIN.get_or_init(|| {
        let seed = fastrand::i64(..) ^ i64::from(process::id());
        if seed == 0 { 1 } else { seed }
    })
}

/// Records that this process accepted events with these ids, or may have.
pub(crate) fn accepted(ids: &[i64]) {
    if let Some(lowest) = ids.iter().min() {
        LOWEST.fetch_min(*lowest, Ordering::Relaxed);
    }
}

/// Returns an id below which no event is this process's, or `None` if it has accepted none.
pub(crate) fn lowest() -> Option<i64> {
    Some(LOWEST.load(Ordering::Relaxed)).filter(|lowest| *lowest != i64::MAX)
}
