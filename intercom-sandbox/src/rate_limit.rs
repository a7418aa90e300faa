//! Intercom's rate limit: so many requests in a ten-second window, told in three headers.

use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::{Clock, unix_seconds};
use crate::sync::lock;

/// How long a window is, in seconds. The length is Intercom's.
const WINDOW_SECONDS: u64 = 10;

/// Intercom's documented 10,000 calls a minute, as it grants them: spread over ten-second windows.
pub(crate) const DEFAULT_LIMIT: u32 = 10_000 / 6;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The limit and the window that is open.
pub(crate) struct RateLimit {
    limit: Option<u32>,
    window: Mutex<Window>,
}

struct Window {
    opened: u64,
    used: u32,
}

/// What is left of a window after a request.
pub(crate) struct Budget {
    pub(crate) limit: u32,
    remaining: u32,
    reset: u64,
    /// Whether the request was within the limit.
    pub(crate) granted: bool,
}

impl RateLimit {
    /// `None` stands for no limit at all.
    pub(crate) fn new(limit: Option<u32>) -> Self {
        Self { limit, window: Mutex::new(Window { opened: 0, used: 0 }) }
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

    fn with_window(
        &self,
        clock: &dyn Clock,
        spend: impl FnOnce(&mut Window, u32) -> bool,
    ) -> Option<Budget> {
        let limit = self.limit?;
        let now = unix_seconds(clock.now());
        let mut window = lock(&self.window);
        // A window opens with the first request that finds none open, so it is not aligned to the
        // clock; it starts on a whole second, so that the reset in the header is exact.
        if now < window.opened || now >= window.opened + WINDOW_SECONDS {
            *window = Window { opened: now, used: 0 };
        }
        let granted = spend(&mut window, limit);
        Some(Budget {
            limit,
            remaining: limit - window.used,
            reset: window.opened + WINDOW_SECONDS,
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
