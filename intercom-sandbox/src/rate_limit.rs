//! Intercom's rate limit: so many requests in a ten-second window, told in three headers.

use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::{Clock, unix_seconds};
use crate::sync::lock;

/// How long a window is, in seconds. The length is Intercom's.
const WINDOW_SECONDS: u64 = 10;

/// Intercom's documented 10,000 calls a minute, as it grants them: spread over ten-second windows.
pub(crate) const DEFAULT_LIMIT: u32 = 10_000 / 6;

/// The documented 25,000 calls a minute of all apps of a workspace together.
pub(crate) const DEFAULT_WORKSPACE_LIMIT: u32 = 25_000 / 6;

pub(crate) const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
pub(crate) const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The limit and the window that is open.
pub(crate) struct RateLimit {
    limit: Option<u32>,
    window: Mutex<Window>,
}

struct Window {
    opened: u64,
    used: u32,
    /// Takes the place of a higher limit while there is one.
    ceiling: Option<u32>,
}

/// How a window stands after a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// When the window ends, in Unix seconds.
    pub(crate) reset: u64,
    /// How many seconds that is from now.
    pub(crate) wait: u64,
    /// Whether the request was within the limit.
    pub(crate) granted: bool,
}

impl RateLimit {
    /// `None` stands for no limit at all.
    pub(crate) fn new(limit: Option<u32>) -> Self {
        Self { limit, window: Mutex::new(Window { opened: 0, used: 0, ceiling: None }) }
    }

    /// Takes one request out of the open window; `None` where there is no limit.
    pub(crate) fn take(&self, clock: &dyn Clock) -> Option<Budget> {
        self.with_window(clock, |window, limit| {
            let granted = window.used < limit;
            window.used += u32::from(granted);
            granted
        })
    }

    /// How the open window stands, without taking anything out of it.
    pub(crate) fn look(&self, clock: &dyn Clock) -> Option<Budget> {
        self.with_window(clock, |_, _| true)
    }

    /// Lowers the limit to this from now on, in the open window too; with `None` no longer.
    pub(crate) fn set_ceiling(&self, ceiling: Option<u32>) {
        lock(&self.window).ceiling = ceiling;
    }

    fn with_window(
        &self,
        clock: &dyn Clock,
        spend: impl FnOnce(&mut Window, u32) -> bool,
    ) -> Option<Budget> {
        let mut window = lock(&self.window);
        let limit = self.limit.into_iter().chain(window.ceiling).min()?;
        let now = unix_seconds(clock.now());
        // A window opens with the first request that finds none open, so it is not aligned to the
        // clock; it starts on a whole second, so that the reset in the header is exact.
        if now < window.opened || now >= window.opened + WINDOW_SECONDS {
            window.opened = now;
            window.used = 0;
        }
        let granted = spend(&mut window, limit);
        let reset = window.opened + WINDOW_SECONDS;
        Some(Budget {
            limit,
            // A limit that was lowered can be below what was used already.
            remaining: limit.saturating_sub(window.used),
            reset,
            wait: reset - now,
            granted,
        })
    }
}

impl Budget {
    /// Writes Intercom's three headers.
    pub(crate) fn write_to(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.reset));
    }
}
