//! The rate limit of one transport, from its latest responses.
//!
//! This never holds back an event: its sender paces events by each response's headers. A read waits
//! while the window is spent, and through the window's last tenth, which is left to events.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use intercom_core::RateLimit;
use tokio::time::{Instant, sleep_until};

/// How much a window may outlast its reset, because Intercom truncates its times to whole seconds.
const CUT: Duration = Duration::from_secs(1);

/// The share of a window that is left to events: one part in this many.
const RESERVED_PART: u32 = 10;

#[derive(Default)]
pub(crate) struct Rate {
    /// The time from which reads may begin again.
    reads_from: Mutex<Option<Instant>>,
}

impl Rate {
    /// Learns from a response, to an event or a read. Locks only when a window is nearly spent.
    pub(crate) fn learn(&self, rate_limit: Option<RateLimit>, retry_after: Option<Duration>) {
        let window = rate_limit.and_then(|window| {
            let reserved = window.limit.unwrap_or_default() / RESERVED_PART;
            let is_spent = window.remaining.is_some_and(|left| left <= reserved);
            // Ignores a reset beyond any window.
            let reset = window.resets_in.filter(|wait| is_spent && *wait <= RateLimit::MAX_RESET);
            reset.map(|wait| wait + CUT)
        });
        if let Some(wait) = window.max(retry_after) {
            let from = Instant::now() + wait;
            let mut reads_from = self.reads_from.lock().unwrap_or_else(PoisonError::into_inner);
            // Responses come in any order, and the latest end counts.
            *reads_from = (*reads_from).max(Some(from));
        }
    }

    /// Waits until a read may begin.
    pub(crate) async fn read_may_begin(&self) {
        loop {
            let from = *self.reads_from.lock().unwrap_or_else(PoisonError::into_inner);
            match from {
                Some(from) if from > Instant::now() => sleep_until(from).await,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESET: Duration = Duration::from_secs(7);

    async fn waited(learn: impl FnOnce(&Rate)) -> Duration {
        let rate = Rate::default();
        learn(&rate);
        let begun = Instant::now();
        rate.read_may_begin().await;
        begun.elapsed()
    }

    fn left(remaining: u32) -> Option<RateLimit> {
        let window = RateLimit::new().with_limit(100).with_remaining(remaining);
        Some(window.with_resets_in(RESET))
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_waits_for_the_window() {
        assert_eq!(waited(|rate| rate.learn(left(11), None)).await, Duration::ZERO);
        assert!(waited(|rate| rate.learn(left(10), None)).await >= RESET + CUT);
        assert!(waited(|rate| rate.learn(left(0), None)).await >= RESET);
        assert_eq!(waited(|rate| rate.learn(None, None)).await, Duration::ZERO);
        let wrong = left(0).map(|window| window.with_resets_in(Duration::from_secs(3600)));
        assert_eq!(waited(|rate| rate.learn(wrong, None)).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_counts() {
        let long = Duration::from_secs(60);
        let wait = waited(|rate| {
            rate.learn(left(0), Some(long));
            rate.learn(left(90), None);
            rate.learn(left(5), None);
        });
        let wait = wait.await;
        assert!((long..long + Duration::from_secs(1)).contains(&wait), "{wait:?}");
    }
}
