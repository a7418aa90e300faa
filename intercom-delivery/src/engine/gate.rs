//! Pacing: one gate for every request, fed by what Intercom says about its rate limit.
//!
//! It knows nothing of clocks and chance: the time and the jitter are given. What is left of a window is judged so
//! that every error is on the careful side: the least that an answer said was left, less the requests under way, until
//! the earliest end that an answer named.

use std::time::Duration;

use intercom_core::{RateLimit, SendError};
use tokio::time::Instant;

use crate::retry::{MAX_WAIT, backoff};

/// How long a window of Intercom's lasts. It matters only where no answer says better: until the first answer of a
/// window, and after a refusal without headers.
const WINDOW: Duration = Duration::from_secs(10);

/// The longest back-off after refusals in a row.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// How much later than another end of a window one must lie to be that of another window. `Date` and the reset are
/// told in whole seconds.
const SLACK: Duration = Duration::from_millis(1500);

/// How long the first request goes alone, while nothing is known of the limit. It tells of it, and a slow one holds up
/// no other for longer.
const ALONE: Duration = Duration::from_secs(1);

/// How much later the first request of a window may come when the last one was used up, so that many machines do not
/// come at once.
const JITTER: Duration = Duration::from_millis(200);

/// The same after a refusal.
const REFUSED_JITTER: Duration = Duration::from_secs(1);

/// When this many parts of a window are used and one is left, what is left is spread, however little waits.
const RESERVE: u32 = 4;

#[derive(Debug)]
pub(crate) struct Gate {
    /// Until when nothing goes: for the end of a window, and for somebody's wish.
    limited_until: Option<Instant>,
    asked_until: Option<Instant>,
    /// Whether a request has been answered since the gate was new, or closed. Until then one goes alone, but for a while
    /// only.
    answered: bool,
    /// When that one went.
    alone_since: Option<Instant>,
    limit: Option<u32>,
    window: Option<Window>,
    /// When the window before this one ended: an answer from it may still come.
    previous_end: Option<Instant>,
    /// When the next request may go, where they are spread.
    next: Option<Instant>,
    /// Whether the window had nothing left while something waited.
    spent: bool,
    /// Refusals in a row.
    refusals: u32,
    /// What the last answer said.
    told: Option<RateLimit>,
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
    /// So many may go now.
    Go(usize),
    /// None before this time.
    At(Instant),
}

impl Gate {
    pub(crate) fn new() -> Self {
        Gate {
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
            told: None,
        }
    }

    /// How many requests may go now, with so many under way and so many events waiting besides.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        in_flight: usize,
        backlog: impl FnOnce() -> u64,
        roll: impl FnOnce() -> f64,
    ) -> Permit {
        if let Some(until) = self.closed_until() {
            if now < until {
                return Permit::At(until);
            }
            (self.limited_until, self.asked_until) = (None, None);
        }
        if self.window.as_ref().is_some_and(|window| now >= window.ends) {
            self.turn(now);
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

    /// A request goes; so many were under way before it.
    pub(crate) fn pass(&mut self, now: Instant, in_flight: usize) {
        self.alone_since = Some(now);
        if let Some(window) = &self.window {
            let left = window.left(in_flight).max(1);
            self.next = Some(now + window.ends.saturating_duration_since(now) / left);
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&mut self, now: Instant, rate_limit: Option<RateLimit>) {
        // Requests from before it closed prove nothing.
        if self.closed_until().is_none() {
            self.answered = true;
            self.refusals = 0;
        }
        self.listen(now, rate_limit);
    }

    /// A request ended without an answer, and may have been counted.
    pub(crate) fn unanswered(&mut self) {
        // Whatever holds requests back now, it is not that nothing is known of the limit.
        self.answered = true;
        if let Some(window) = &mut self.window {
            window.floor = window.floor.saturating_sub(1);
        }
    }

    /// A request was refused for the rate limit: nothing goes before the reset.
    pub(crate) fn refused(&mut self, now: Instant, error: &SendError, roll: f64) {
        self.listen(now, error.rate_limit());
        let resets_in = error.rate_limit().and_then(|limit| limit.resets_in);
        let asked = error.retry_after().or(resets_in).map(|wait| wait.min(MAX_WAIT));
        // Of the requests under way together only the first refusal counts.
        if self.closed_until().is_none_or(|until| now >= until) {
            self.refusals = self.refusals.saturating_add(1);
        }
        let backed_off = match (asked, self.refusals) {
            (Some(_), ..=1) => Duration::ZERO,
            (Some(_), refusals) => backoff(WINDOW, LONGEST, refusals - 2),
            (None, refusals) => backoff(WINDOW, LONGEST, refusals.saturating_sub(1)),
        };
        let wait = asked.unwrap_or_default().max(backed_off);
        match resets_in.is_some_and(|wait| !wait.is_zero()) {
            true => self.limited_until = self.limited_until.max(Some(end_of(now, wait, roll))),
            false => self.asked_until = self.asked_until.max(Some(end_of(now, wait, roll))),
        }
        self.forget();
    }

    /// Something asked every client to keep away for so long.
    pub(crate) fn close(&mut self, now: Instant, wait: Duration, roll: f64) {
        self.asked_until = self.asked_until.max(Some(end_of(now, wait, roll)));
        self.forget();
    }

    /// Nothing is known of what may go when it opens again.
    fn forget(&mut self) {
        self.answered = false;
        self.alone_since = None;
        self.window = None;
        self.spent = false;
    }

    /// Until when nothing goes: because somebody asked for that, or because the window is used up.
    pub(crate) fn shut_until(&self) -> Option<Instant> {
        let spent = self.window.as_ref().filter(|_| self.spent).map(|window| window.ends);
        self.closed_until().or(spent)
    }

    /// Somebody may have mended what made others ask for a pause. A limit is not mended.
    pub(crate) fn resume(&mut self) {
        self.asked_until = None;
    }

    /// Until when nothing goes, because somebody asked for that.
    pub(crate) fn closed_until(&self) -> Option<Instant> {
        self.limited_until.max(self.asked_until)
    }

    /// What the last answer with headers said.
    pub(crate) fn told(&self) -> Option<RateLimit> {
        self.told
    }

    /// Whether what waits may not fit into what is left, or little is left.
    fn is_tight(&self, window: &Window, left: u32, backlog: impl FnOnce() -> u64) -> bool {
        let limit = self.limit.unwrap_or(window.floor);
        left < limit / RESERVE || backlog() > u64::from(left)
    }

    /// The window has ended. The next one is taken to have the same limit, and to begin now, until an answer speaks
    /// of it.
    fn turn(&mut self, now: Instant) {
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

    fn listen(&mut self, now: Instant, rate_limit: Option<RateLimit>) {
        let Some(told) = rate_limit else {
            // It was counted all the same.
            if let Some(window) = &mut self.window {
                window.floor = window.floor.saturating_sub(1);
            }
            return;
        };
        self.told = Some(told);
        // A limit of nothing is no limit of anything.
        self.limit = told.limit.filter(|limit| *limit > 0).or(self.limit);
        let (Some(remaining), Some(resets_in)) = (told.remaining, told.resets_in) else { return };
        // A reset that is past says nothing of the window that is.
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

/// When a wait is over that was asked for.
fn end_of(now: Instant, wait: Duration, roll: f64) -> Instant {
    now + wait.min(MAX_WAIT) + REFUSED_JITTER.mul_f64(roll)
}

impl Window {
    /// What is left when all requests under way are still to be counted.
    fn left(&self, in_flight: usize) -> u32 {
        self.floor.saturating_sub(u32::try_from(in_flight).unwrap_or(u32::MAX))
    }
}
