//! The end of a rate limit window, as far as responses show it, and which resets to believe.
//!
//! Windows last 10 seconds and begin at any moment. Intercom cuts `Date` and the reset to whole
//! seconds, so each response gives only two moments between which its window ends. Several
//! responses narrow that.

use std::fmt;
use std::time::Duration;

use intercom_core::RateLimit;
use tokio::time::Instant;

/// Length of Intercom's windows.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// The largest error of a reset: two times cut to whole seconds.
const CUT: Duration = Duration::from_secs(1);

/// The number of fitting windows in a row before the pacer believes a reset again.
const FITTING: u32 = 2;

/// The end of a window: after the first moment, and not after the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WindowEnd {
    pub(super) after: Instant,
    pub(super) by: Instant,
}

impl WindowEnd {
    /// Returns the end of a request's window, from its response.
    pub(super) fn told(sent: Instant, now: Instant, resets_in: Option<Duration>) -> Self {
        match resets_in {
            // The window was open when the server answered.
            None => WindowEnd { after: sent, by: now + WINDOW },
            Some(wait) => WindowEnd {
                after: sent + wait.saturating_sub(CUT),
                by: now + (wait + CUT).min(WINDOW),
            },
        }
    }

    /// Returns the combined end if both belong to the same window.
    pub(super) fn and(self, other: WindowEnd) -> Option<WindowEnd> {
        let both = WindowEnd { after: self.after.max(other.after), by: self.by.min(other.by) };
        (both.after <= both.by).then_some(both)
    }

    /// Returns whether a window that ends here can be the next one, or a later one.
    fn follows(self, other: WindowEnd) -> bool {
        self.by + CUT >= other.after + WINDOW
    }
}

/// Judges whether resets fit windows of 10 seconds.
#[derive(Debug, Default)]
pub(super) struct Resets {
    /// The window that the last responses claim, and the arrival of the first of them.
    claimed: Option<(WindowEnd, Instant)>,
    /// The number of fitting windows in a row.
    fitting: u32,
    doubt: Option<Doubt>,
}

/// Why the pacer ignores resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// A reset was this far ahead.
    TooFar(Duration),
    /// Two successive windows would end less than 10 seconds apart.
    TooClose,
}

impl Resets {
    /// Returns the reset of a response if the pacer believes it.
    pub(super) fn judge(
        &mut self,
        sent: Instant,
        now: Instant,
        resets_in: Option<Duration>,
    ) -> Option<Duration> {
        let wait = resets_in?;
        if wait > RateLimit::MAX_RESET {
            self.disbelieve(Doubt::TooFar(wait), None);
        } else if now - sent < WINDOW / 2 {
            // A slow response can belong to either of two windows.
            self.compare(sent, now, wait);
        }
        self.doubt.is_none().then_some(wait)
    }

    /// Returns why the pacer ignores resets, while it does.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    fn compare(&mut self, sent: Instant, now: Instant, wait: Duration) {
        let told = WindowEnd::told(sent, now, Some(wait));
        let Some((claimed, seen)) = self.claimed else {
            self.claimed = Some((told, now));
            return;
        };
        if let Some(both) = claimed.and(told) {
            self.claimed = Some((both, seen));
        } else if told.follows(claimed) {
            self.claimed = Some((told, now));
            self.fitting = self.fitting.saturating_add(1);
            if self.fitting >= FITTING {
                self.doubt = None;
            }
        } else if sent >= seen {
            // The first response of the next window may have overtaken any other response.
            self.disbelieve(Doubt::TooClose, Some((told, now)));
        }
    }

    fn disbelieve(&mut self, doubt: Doubt, claimed: Option<(WindowEnd, Instant)>) {
        self.claimed = claimed;
        self.fitting = 0;
        self.doubt.get_or_insert(doubt);
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::TooFar(wait) => write!(f, "a reset was {} s ahead", wait.as_secs())?,
            Doubt::TooClose => f.write_str("two windows would end less than 10 s apart")?,
        }
        f.write_str(
            ", which Intercom's windows of 10 s cannot; requests are paced without the reset until \
             it fits again; check what rewrites headers or clocks between here and Intercom",
        )
    }
}
