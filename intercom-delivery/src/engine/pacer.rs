//! Paces all requests by what Intercom says about its rate limit.
//!
//! Pure: the caller passes the time and the jitter. What is left of a window is the least that any
//! answer said, less the requests in flight, until the earliest end that any answer named. `Date` and
//! the reset come in whole seconds, and answers overtake each other; each of these errors is on the
//! careful side. A window that no answer has spoken of is taken to have the limit of the last one.
//! At the start and after a refusal nothing is known, so one request goes alone, for a second at most.

use std::time::Duration;

use intercom_core::{RateLimit, SendError};
use tokio::time::Instant;

use crate::policy::{MAX_WAIT, backoff};

/// Length of Intercom's windows. Used where no answer says better: until the first answer of a window,
/// and after a refusal without headers.
const WINDOW: Duration = Duration::from_secs(10);

/// Longest back-off after refusals in a row.
const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// By how much two ends of windows must differ to be of two windows. `Date` and the reset are whole
/// seconds.
const SLACK: Duration = Duration::from_millis(1500);

/// How long the first request goes alone while nothing is known of the limit. A slow one holds up the
/// others no longer than this.
const ALONE: Duration = Duration::from_secs(1);

/// Jitter of the first request of a window when the last window was used up, so that many clients do
/// not come at once.
const JITTER: Duration = Duration::from_millis(200);

/// The same after a refusal.
const REFUSED_JITTER: Duration = Duration::from_secs(1);

/// What is left of a window is spread once it is less than this part of it, however little waits.
const RESERVE: u32 = 4;

#[derive(Debug)]
pub(crate) struct Pacer {
    /// Until when nothing goes: because a window is used up, and because an answer asked for a pause.
    limited_until: Option<Instant>,
    asked_until: Option<Instant>,
    /// Whether a request was answered since the start or the last pause. Until then one goes alone.
    answered: bool,
    /// When that one began.
    alone_since: Option<Instant>,
    limit: Option<u32>,
    window: Option<Window>,
    /// When the window before this one ended: an answer from it may still come.
    previous_end: Option<Instant>,
    /// When the next request may go while requests are spread.
    next: Option<Instant>,
    /// Whether the window was used up while an event waited.
    spent: bool,
    /// Refusals in a row.
    refusals: u32,
    /// What the last answer with headers said.
    reported: Option<RateLimit>,
}

#[derive(Debug)]
struct Window {
    /// The least that an answer said was left.
    floor: u32,
    ends: Instant,
    /// Whether no answer has spoken of it yet.
    guessed: bool,
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
            reported: None,
        }
    }

    /// Returns how many requests may go now, given those in flight and the events that wait besides.
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
        if self.window.as_ref().is_some_and(|window| now >= window.ends) {
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
            // Requests that end may show that more is left.
            return Permit::At(window.ends);
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

    /// Records that a request was sent while `in_flight` others were pending.
    pub(crate) fn sent(&mut self, now: Instant, in_flight: usize) {
        self.alone_since = Some(now);
        if let Some(window) = &self.window {
            let left = window.left(in_flight).max(1);
            self.next = Some(now + window.ends.saturating_duration_since(now) / left);
        }
    }

    /// Records that a request was answered.
    pub(crate) fn answered(&mut self, now: Instant, rate_limit: Option<RateLimit>) {
        // A request from before a pause proves nothing.
        if self.paused_until().is_none() {
            self.answered = true;
            self.refusals = 0;
        }
        self.read(now, rate_limit);
    }

    /// Records that a request ended without an answer. Intercom may have counted it.
    pub(crate) fn unanswered(&mut self) {
        self.answered = true;
        if let Some(window) = &mut self.window {
            window.floor = window.floor.saturating_sub(1);
        }
    }

    /// Records that Intercom refused a request for the rate limit: nothing goes before the reset.
    pub(crate) fn refused(&mut self, now: Instant, error: &SendError, roll: f64) {
        self.read(now, error.rate_limit());
        let resets_in = error.rate_limit().and_then(|limit| limit.resets_in);
        let asked = error.retry_after().or(resets_in).map(|wait| wait.min(MAX_WAIT));
        // Of requests that were in flight together, only the first refusal counts.
        if self.paused_until().is_none_or(|until| now >= until) {
            self.refusals = self.refusals.saturating_add(1);
        }
        let backed_off = match (asked, self.refusals) {
            (Some(_), ..=1) => Duration::ZERO,
            (Some(_), refusals) => backoff(WINDOW, MAX_BACKOFF, refusals - 2),
            (None, refusals) => backoff(WINDOW, MAX_BACKOFF, refusals.saturating_sub(1)),
        };
        let wait = asked.unwrap_or_default().max(backed_off);
        match resets_in.is_some_and(|wait| !wait.is_zero()) {
            true => self.limited_until = self.limited_until.max(Some(end_of(now, wait, roll))),
            false => self.asked_until = self.asked_until.max(Some(end_of(now, wait, roll))),
        }
        self.forget();
    }

    /// Forgets what may go: after a pause nothing is known.
    fn forget(&mut self) {
        self.answered = false;
        self.alone_since = None;
        self.window = None;
        self.spent = false;
    }

    /// Returns until when nothing goes: because of a pause, or because the window is used up.
    pub(crate) fn blocked_until(&self) -> Option<Instant> {
        let spent = self.window.as_ref().filter(|_| self.spent).map(|window| window.ends);
        self.paused_until().or(spent)
    }

    /// Ends a pause that an answer asked for. A rate limit stays.
    pub(crate) fn resume(&mut self) {
        self.asked_until = None;
    }

    /// Returns until when nothing goes because of a pause.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.limited_until.max(self.asked_until)
    }

    /// Returns what the last answer with headers said.
    pub(crate) fn reported(&self) -> Option<RateLimit> {
        self.reported
    }

    /// Returns whether what waits may not fit into what is left, or little is left.
    fn is_tight(&self, window: &Window, left: u32, backlog: impl FnOnce() -> u64) -> bool {
        let limit = self.limit.unwrap_or(window.floor);
        left < limit / RESERVE || backlog() > u64::from(left)
    }

    /// Begins the next window: with the same limit, and now, until an answer says better.
    fn next_window(&mut self, now: Instant) {
        let ended = self.window.take().map(|window| window.ends);
        self.previous_end = ended.or(self.previous_end);
        self.next = None;
        match self.limit {
            Some(limit) => {
                self.window = Some(Window { floor: limit, ends: now + WINDOW, guessed: true });
            }
            None => {
                self.answered = false;
                self.alone_since = None;
            }
        }
    }

    fn read(&mut self, now: Instant, rate_limit: Option<RateLimit>) {
        let Some(reported) = rate_limit else {
            // Intercom counted it all the same.
            if let Some(window) = &mut self.window {
                window.floor = window.floor.saturating_sub(1);
            }
            return;
        };
        self.reported = Some(reported);
        // A limit of 0 would stop everything for ever.
        self.limit = reported.limit.filter(|limit| *limit > 0).or(self.limit);
        let (Some(remaining), Some(resets_in)) = (reported.remaining, reported.resets_in) else {
            return;
        };
        // A reset that is past says nothing of the present window.
        if resets_in.is_zero() || resets_in > MAX_WAIT {
            return;
        }
        let ends = now + resets_in;
        if self.previous_end.is_some_and(|previous| ends <= previous + SLACK) {
            return;
        }
        match &mut self.window {
            Some(window) if !window.guessed && ends <= window.ends + SLACK => {
                window.floor = window.floor.min(remaining);
                window.ends = window.ends.min(ends);
            }
            other => {
                if let Some(window) = other
                    && !window.guessed
                {
                    self.previous_end = Some(window.ends.min(now));
                }
                *other = Some(Window { floor: remaining, ends, guessed: false });
            }
        }
    }
}

/// Returns the end of a wait that an answer asked for.
fn end_of(now: Instant, wait: Duration, roll: f64) -> Instant {
    now + wait.min(MAX_WAIT) + REFUSED_JITTER.mul_f64(roll)
}

impl Window {
    /// Returns what is left when all requests in flight are still to be counted.
    fn left(&self, in_flight: usize) -> u32 {
        self.floor.saturating_sub(u32::try_from(in_flight).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests;
