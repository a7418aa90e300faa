//! Paces all requests by Intercom's rate-limit headers.
//!
//! Pure: the caller passes the time and the jitter. The rest of a window is the lowest number in
//! any response, less the requests in flight, until the window has certainly ended ([`window`]). So
//! a response that overtakes another makes the pacer more careful. A window without a response has
//! the limit of the last window. At the start and after a refusal, one request goes alone, for up
//! to a second.

mod window;

use std::time::Duration;

use intercom_core::{RateLimit, SendError};
use tokio::time::Instant;

use self::window::{Resets, WINDOW, WindowEnd};
use crate::policy::{MAX_WAIT, backoff};

pub(crate) use self::window::Doubt;

/// Longest back-off after refusals in a row.
const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// How long the first request goes alone while the limit is unknown. A slow first request delays
/// the others no longer.
const ALONE: Duration = Duration::from_secs(1);

/// The jitter of the first request after a used-up window, so that many clients do not begin at
/// once.
const JITTER: Duration = Duration::from_millis(200);

/// The same after a refusal.
const REFUSED_JITTER: Duration = Duration::from_secs(1);

/// The pacer spreads the rest of a window below this part, even with few waiting events.
const RESERVE: u32 = 4;

#[derive(Debug)]
pub(crate) struct Pacer {
    /// The end of the wait for a used-up window, and of a pause that a response asked for.
    limited_until: Option<Instant>,
    asked_until: Option<Instant>,
    /// Whether there was a response since the start or the last pause. Until then, one request goes
    /// alone.
    answered: bool,
    /// The start of that request.
    alone_since: Option<Instant>,
    limit: Option<u32>,
    window: Option<Window>,
    /// The end of the previous window, from which a response may still come.
    previous_end: Option<Instant>,
    /// When the next request may go while the pacer spreads requests.
    next: Option<Instant>,
    /// Whether the window was used up while an event waited.
    spent: bool,
    /// Refusals in a row.
    refusals: u32,
    resets: Resets,
    /// The headers of the last response that had some.
    reported: Option<RateLimit>,
}

#[derive(Debug)]
struct Window {
    /// The lowest rest in any response.
    floor: u32,
    end: WindowEnd,
    /// Whether no response of this window has come yet.
    guessed: bool,
    /// The rest in its first response, less the responses since. `None` once a response has the
    /// reset. Until then, the next window may have begun unnoticed, and its responses have a higher
    /// rest.
    unnamed: Option<u32>,
}

/// Whether a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Up to this many may go now.
    Go(usize),
    /// None before this time.
    At(Instant),
}

impl Pacer {
    pub(crate) fn new() -> Self {
        Pacer {
            limited_until: None,
            asked_until: None,
            answered: false,
            alone_since: None,
            limit: None,
            window: None,
            previous_end: None,
            next: None,
            spent: false,
            refusals: 0,
            resets: Resets::default(),
            reported: None,
        }
    }

    /// Returns how many requests may go now, given the requests in flight and the waiting events.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        in_flight: usize,
        backlog: impl FnOnce() -> u64,
        roll: impl FnOnce() -> f64,
    ) -> Permit {
        if let Some(until) = self.paused_until() {
            if now < until {
                return Permit::At(until);
            }
            (self.limited_until, self.asked_until) = (None, None);
        }
        if self.window.as_ref().is_some_and(|window| now >= window.end.by) {
            self.next_window(now);
            if std::mem::take(&mut self.spent) {
                let until = now + JITTER.mul_f64(roll());
                self.limited_until = Some(until);
                return Permit::At(until);
            }
        }
        if !self.answered {
            match self.alone_since.map(|since| since + ALONE) {
                Some(until) if in_flight > 0 && now < until => return Permit::At(until),
                Some(_) if in_flight > 0 => self.answered = true,
                _ => return Permit::Go(1),
            }
        }
        let Some(window) = &self.window else { return Permit::Go(usize::MAX) };
        let left = window.left(in_flight);
        if left == 0 {
            self.spent = true;
            // Ending requests may show a larger rest.
            return Permit::At(window.end.by);
        }
        if !self.is_tight(window, left, backlog) {
            self.next = None;
            return Permit::Go(left as usize);
        }
        match self.next {
            Some(next) if now < next => Permit::At(next),
            _ => Permit::Go(1),
        }
    }

    /// Records the start of a request while `in_flight` others were pending.
    pub(crate) fn sent(&mut self, now: Instant, in_flight: usize) {
        self.alone_since = Some(now);
        if let Some(window) = &self.window {
            let left = window.left(in_flight).max(1);
            self.next = Some(now + window.end.by.saturating_duration_since(now) / left);
        }
    }

    /// Records a response.
    pub(crate) fn answered(&mut self, sent: Instant, now: Instant, rate_limit: Option<RateLimit>) {
        // A request from before a pause proves nothing.
        if self.paused_until().is_none() {
            self.answered = true;
            self.refusals = 0;
        }
        self.read(sent, now, rate_limit);
    }

    /// Records that a request ended without a response. Intercom may have counted it.
    pub(crate) fn unanswered(&mut self) {
        self.answered = true;
        if let Some(window) = &mut self.window {
            window.count();
        }
    }

    /// Records that Intercom refused a request for the rate limit: nothing goes before the reset.
    pub(crate) fn refused(&mut self, sent: Instant, now: Instant, error: &SendError, roll: f64) {
        let resets_in = self.read(sent, now, error.rate_limit());
        // The earliest moment at which the refused request's window has certainly ended.
        let window_end = resets_in.map(|wait| {
            let told = WindowEnd::told(sent, now, Some(wait));
            let known = self.window.as_ref().and_then(|window| window.end.and(told));
            known.unwrap_or(told).by
        });
        let asked = error.retry_after().map(|wait| now + wait.min(MAX_WAIT)).max(window_end);
        // Of requests in flight together, only the first refusal counts.
        if self.paused_until().is_none_or(|until| now >= until) {
            self.refusals = self.refusals.saturating_add(1);
        }
        let backed_off = match (asked, self.refusals) {
            (Some(_), ..=1) => Duration::ZERO,
            (Some(_), refusals) => backoff(WINDOW, MAX_BACKOFF, refusals - 2),
            (None, refusals) => backoff(WINDOW, MAX_BACKOFF, refusals.saturating_sub(1)),
        };
        let until = asked.unwrap_or(now).max(now + backed_off) + REFUSED_JITTER.mul_f64(roll);
        match window_end.is_some() {
            true => self.limited_until = self.limited_until.max(Some(until)),
            false => self.asked_until = self.asked_until.max(Some(until)),
        }
        self.forget();
    }

    /// Drops the rest of the window, because the pacer knows nothing after a pause.
    fn forget(&mut self) {
        self.answered = false;
        self.alone_since = None;
        self.window = None;
        self.spent = false;
    }

    /// Returns the end of the wait, for a pause or a used-up window.
    pub(crate) fn blocked_until(&self) -> Option<Instant> {
        let spent = self.window.as_ref().filter(|_| self.spent).map(|window| window.end.by);
        self.paused_until().or(spent)
    }

    /// Ends a pause that a response asked for. A rate limit stays.
    pub(crate) fn resume(&mut self) {
        self.asked_until = None;
    }

    /// Returns the end of a pause.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.limited_until.max(self.asked_until)
    }

    /// Returns the headers of the last response that had some.
    pub(crate) fn reported(&self) -> Option<RateLimit> {
        self.reported
    }

    /// Returns why the pacer ignores resets, while it does.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        self.resets.doubt()
    }

    /// Returns whether the waiting events may not fit into the rest, or little is left.
    fn is_tight(&self, window: &Window, left: u32, backlog: impl FnOnce() -> u64) -> bool {
        let limit = self.limit.unwrap_or(window.floor);
        left < limit / RESERVE || backlog() > u64::from(left)
    }

    /// Begins the next window now, with the same limit, until a response corrects both.
    fn next_window(&mut self, now: Instant) {
        let ended = self.window.take();
        self.previous_end = ended.as_ref().map(|window| window.end.by).or(self.previous_end);
        self.next = None;
        self.window = self.limit.map(|limit| {
            let end = WindowEnd { after: now, by: now + WINDOW };
            Window { floor: limit, end, guessed: true, unnamed: None }
        });
        if self.window.is_none() || ended.is_some_and(|window| window.unnamed.is_some()) {
            self.answered = false;
            self.alone_since = None;
        }
    }

    /// Reads a response's headers. Returns the reset if the pacer believes it.
    fn read(
        &mut self,
        sent: Instant,
        now: Instant,
        rate_limit: Option<RateLimit>,
    ) -> Option<Duration> {
        let resets_in = rate_limit.and_then(|limit| limit.resets_in);
        let resets_in = self.resets.judge(sent, now, resets_in);
        if let Some(reported) = rate_limit {
            self.reported = Some(reported);
            // A limit of 0 would stop everything for ever.
            self.limit = reported.limit.filter(|limit| *limit > 0).or(self.limit);
        }
        match rate_limit.and_then(|limit| limit.remaining) {
            Some(remaining) => {
                self.see(remaining, WindowEnd::told(sent, now, resets_in), resets_in.is_some());
            }
            // Intercom counted the request all the same.
            None => {
                if let Some(window) = &mut self.window {
                    window.count();
                }
            }
        }
        resets_in
    }

    /// Takes the rest and the end of a window from a response.
    fn see(&mut self, remaining: u32, told: WindowEnd, named: bool) {
        match &mut self.window {
            Some(window) if !window.guessed => match window.end.and(told) {
                Some(end) => {
                    window.floor = window.floor.min(remaining);
                    window.end = end;
                    window.unnamed = match window.unnamed {
                        Some(left) if !named => Some(left.saturating_sub(1)),
                        _ => None,
                    };
                    window.floor = window.floor.min(window.unnamed.unwrap_or(u32::MAX));
                    return;
                }
                // The response belongs to an earlier window.
                None if told.by < window.end.after => return,
                None => self.previous_end = Some(window.end.by),
            },
            // The response may belong to the previous window.
            _ if self.previous_end.is_some_and(|previous| told.after < previous) => return,
            _ => {}
        }
        let unnamed = (!named).then_some(remaining);
        self.window = Some(Window { floor: remaining, end: told, guessed: false, unnamed });
    }
}

impl Window {
    /// Counts a request whose response has no rest.
    fn count(&mut self) {
        self.floor = self.floor.saturating_sub(1);
        self.unnamed = self.unnamed.map(|left| left.saturating_sub(1));
    }

    /// Returns the rest, less the requests in flight.
    fn left(&self, in_flight: usize) -> u32 {
        self.floor.saturating_sub(u32::try_from(in_flight).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests;
