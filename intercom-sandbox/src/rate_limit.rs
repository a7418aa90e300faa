//! Intercom's rate limit: a number of requests in a ten-second window, shown in three headers.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::unix_seconds;
use crate::sync::lock;

/// The length of a window, which is Intercom's.
const WINDOW: Duration = Duration::from_secs(10);

/// Intercom's documented 10,000 calls a minute, spread over ten-second windows as Intercom grants
/// them.
pub(crate) const DEFAULT_LIMIT: u32 = 10_000 / 6;

/// The documented 25,000 calls a minute of all apps of a workspace together.
pub(crate) const DEFAULT_WORKSPACE_LIMIT: u32 = 25_000 / 6;

pub(crate) const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
pub(crate) const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The limit and the open window.
pub(crate) struct RateLimit {
    limit: Option<u32>,
    window: Mutex<Window>,
}

#[derive(Clone, Copy)]
struct Window {
    opened: SystemTime,
    used: u32,
    /// Replaces a higher limit while set.
    ceiling: Option<u32>,
}

/// The state of a window after a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// When the window ends, in Unix seconds. Like Intercom's, the value has no fraction, so the
    /// window may last up to a second longer.
    pub(crate) reset: u64,
    /// The whole seconds until the window has ended.
    pub(crate) wait: u64,
    /// Whether the request was within the limit.
    pub(crate) granted: bool,
}

impl RateLimit {
    /// `None` means no limit.
    pub(crate) fn new(limit: Option<u32>) -> Self {
        Self { limit, window: Mutex::new(Window { opened: UNIX_EPOCH, used: 0, ceiling: None }) }
    }

    /// Counts one request in the open window; returns `None` without a limit.
    pub(crate) fn take(&self, now: SystemTime) -> Option<Budget> {
        let mut window = lock(&self.window);
        let limit = window.limit(self.limit)?;
        *window = window.at(now);
        let granted = window.used < limit;
        window.used += u32::from(granted);
        Some(window.budget(limit, now, granted))
    }

    /// Returns the state of the window without counting a request. Opens no window, so that an
    /// observer does not move the client's windows.
    pub(crate) fn peek(&self, now: SystemTime) -> Option<Budget> {
        let window = lock(&self.window);
        let limit = window.limit(self.limit)?;
        Some(window.at(now).budget(limit, now, true))
    }

    /// Lowers the limit to this value, in the open window too; `None` ends the lowering.
    pub(crate) fn set_ceiling(&self, ceiling: Option<u32>) {
        lock(&self.window).ceiling = ceiling;
    }
}

impl Window {
    /// Returns the limit, lowered to the ceiling.
    fn limit(&self, limit: Option<u32>) -> Option<u32> {
        limit.into_iter().chain(self.ceiling).min()
    }

    /// Returns the window of a request at this time. A window opens with the first request that
    /// finds none open, not with a full second of the clock. Concurrent requests may read the clock
    /// in another order than they arrive. So a request slightly before the window counts in it.
    fn at(self, now: SystemTime) -> Self {
        let apart = match now.duration_since(self.opened) {
            Ok(after) => after,
            Err(before) => before.duration(),
        };
        match apart < WINDOW {
            true => self,
            false => Self { opened: now, used: 0, ..self },
        }
    }

    fn budget(self, limit: u32, now: SystemTime, granted: bool) -> Budget {
        let end = self.opened + WINDOW;
        let reset = unix_seconds(end);
        // A lowered limit can be below the number of requests already counted.
        let remaining = limit.saturating_sub(self.used);
        // A clock that somebody sets back must not cause a wait longer than a window.
        let wait = end.duration_since(now).unwrap_or_default().min(WINDOW);
        let wait = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Budget { limit, remaining, reset, wait, granted }
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
