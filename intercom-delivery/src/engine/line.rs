//! Whether anything is sent at all: the way to Intercom is open, or it is down, or an operator is needed.
//!
//! While it is not open one event at a time tries whether it is again, with back-off; that is the retry budget: an
//! outage costs a request every minute, however many events wait. When one gets through, as many more are let
//! through as have been answered, until it is open again.

use std::time::Duration;

use tokio::time::Instant;

use crate::retry::backoff;

/// How many failures in a row, over all events, are an outage.
const OUTAGE: u32 = 10;

/// The first wait in an outage, and the longest one.
const OUTAGE_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The same when an operator is needed.
const STOPPED_BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5 * 60));

#[derive(Debug)]
pub(crate) struct Line {
    /// How many requests may be under way when all is well.
    full: usize,
    failures: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    /// It is open again, for so many requests. What the trouble was is remembered, in case it comes back.
    Opening {
        allowed: usize,
        tries: u32,
    },
    Closed(Closed),
}

/// Why nothing is sent.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) stopped: bool,
    pub(crate) since: Instant,
    /// How often it was tried since.
    pub(crate) tries: u32,
    pub(crate) next_try: Instant,
}

/// What a change of the line is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Outage,
    Stopped,
    /// A try failed again.
    StillClosed,
    Opened,
}

impl Line {
    pub(crate) fn new(full: usize) -> Self {
        Line { full, failures: 0, state: State::Open }
    }

    /// How many requests may be under way. While the line is closed that is one, when its time has come.
    pub(crate) fn allowed(&self) -> usize {
        match &self.state {
            State::Open => self.full,
            State::Opening { allowed, .. } => *allowed,
            State::Closed(_) => 1,
        }
    }

    /// Whether as many requests may be under way as is ever allowed.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// When it is tried again whether the line is open.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.closed().map(|closed| closed.next_try)
    }

    pub(crate) fn closed(&self) -> Option<&Closed> {
        match &self.state {
            State::Closed(closed) => Some(closed),
            State::Open | State::Opening { .. } => None,
        }
    }

    /// Intercom has answered, in earnest, to a request that began at this time: whatever it said about the event, it is
    /// there and knows us.
    pub(crate) fn works(&mut self, begun: Instant) -> Option<Change> {
        if self.closed().is_some_and(|closed| begun < closed.since) {
            return None;
        }
        self.failures = 0;
        match &mut self.state {
            State::Open => None,
            State::Opening { allowed, .. } => {
                *allowed += 1;
                if *allowed >= self.full {
                    self.state = State::Open;
                }
                None
            }
            State::Closed(closed) => {
                let allowed = self.full.min(2);
                self.state = State::Opening { allowed, tries: closed.tries };
                Some(Change::Opened)
            }
        }
    }

    /// Something is there that refuses everybody for now: no outage, but no proof that we are known either.
    pub(crate) fn lives(&mut self, begun: Instant) -> Option<Change> {
        match &self.state {
            State::Closed(closed) if closed.stopped => None,
            _ => self.works(begun),
        }
    }

    /// An attempt failed in a way that may pass.
    pub(crate) fn failed(&mut self, now: Instant, probe: bool, roll: f64) -> Option<Change> {
        self.failures = self.failures.saturating_add(1);
        match &self.state {
            State::Closed(_) if probe => Some(self.close_again(now, false, roll)),
            State::Open | State::Opening { .. } if self.failures >= OUTAGE => {
                Some(self.close(now, false, roll))
            }
            _ => None,
        }
    }

    /// An attempt met a fault that every event would meet.
    pub(crate) fn stop(&mut self, now: Instant, probe: bool, roll: f64) -> Option<Change> {
        match &self.state {
            State::Closed(closed) if !probe && closed.stopped => None,
            State::Closed(closed) if closed.stopped => Some(self.close_again(now, true, roll)),
            _ => Some(self.close(now, true, roll)),
        }
    }

    /// Tries again at once.
    pub(crate) fn resume(&mut self, now: Instant) {
        if let State::Closed(closed) = &mut self.state {
            closed.next_try = now;
        }
    }

    fn close(&mut self, now: Instant, stopped: bool, roll: f64) -> Change {
        // An outage that comes back while the line opens goes on where it was.
        let tries = match &self.state {
            State::Opening { tries, .. } => *tries,
            State::Open | State::Closed(_) => 0,
        };
        let next_try = now + wait(stopped, tries, roll);
        self.state = State::Closed(Closed { stopped, since: now, tries, next_try });
        if stopped { Change::Stopped } else { Change::Outage }
    }

    fn close_again(&mut self, now: Instant, stopped: bool, roll: f64) -> Change {
        if let State::Closed(closed) = &mut self.state {
            closed.tries = closed.tries.saturating_add(1);
            closed.next_try = now + wait(stopped || closed.stopped, closed.tries, roll);
        }
        Change::StillClosed
    }
}

/// How long until the next try: half of the back-off, and up to as much again.
fn wait(stopped: bool, tries: u32, roll: f64) -> Duration {
    let (base, cap) = if stopped { STOPPED_BACKOFF } else { OUTAGE_BACKOFF };
    backoff(base, cap, tries).mul_f64((1.0 + roll) / 2.0)
}
