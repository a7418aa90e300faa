//! The circuit breaker: whether anything is sent.
//!
//! Closed, all requests go. Open, one event at a time probes, with back-off: an outage costs one
//! request a minute, however many events wait. When a probe gets through, the breaker is half open:
//! it lets through as many requests more as were answered, until it is closed.
//!
//! It opens for two reasons. In an outage, ten attempts in a row fail. When an operator is needed, the
//! first answer that says so opens it.
//!
//! Pure: the caller passes the time and the jitter.

use std::time::Duration;

use tokio::time::Instant;

use crate::policy::backoff;
use crate::status::{Cause, Open};

/// How many failures in a row, over all events, make an outage.
const OUTAGE: u32 = 10;

/// First and longest wait between probes in an outage.
const OUTAGE_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// First and longest wait between probes when an operator is needed. `replace_token` in
/// intercom-http promises the longest.
const STOPPED_BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5 * 60));

#[derive(Debug)]
pub(super) struct Breaker {
    /// How many requests may be in flight when it is closed.
    concurrency: usize,
    /// Failures in a row.
    failures: u32,
    state: State,
    /// Whether a probe is in flight.
    probing: bool,
    /// How often it was resumed. A request from before that proves nothing about a fault.
    resumed: u64,
}

#[derive(Debug)]
enum State {
    Closed,
    /// Up to `allowed` requests may be in flight. A fault that comes back continues its back-off.
    HalfOpen {
        allowed: usize,
        probes: u32,
    },
    Open(Open),
}

/// What the breaker must know of a request when it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    begun: Instant,
    probe: bool,
    resumed: u64,
}

/// A change that is worth logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Outage(String),
    Stopped(String),
    /// A probe failed.
    StillOpen,
    Recovered,
}

/// How many requests may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// Up to this many.
    Begin(usize),
    /// None before the next probe.
    Wait,
}

impl Breaker {
    pub(super) fn new(concurrency: usize) -> Self {
        Breaker { concurrency, failures: 0, state: State::Closed, probing: false, resumed: 0 }
    }

    /// Returns how many requests may begin while `in_flight` are pending.
    pub(super) fn allowance(&self, now: Instant, in_flight: usize) -> Allowance {
        Allowance::Begin(match &self.state {
            State::Closed => self.concurrency.saturating_sub(in_flight),
            State::HalfOpen { allowed, .. } => allowed.saturating_sub(in_flight),
            State::Open(open) if now < open.next_probe => return Allowance::Wait,
            State::Open(_) if self.probing => 0,
            State::Open(_) => self.concurrency.saturating_sub(in_flight).min(1),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Returns why nothing is sent, if nothing is.
    pub(super) fn open(&self) -> Option<&Open> {
        match &self.state {
            State::Open(open) => Some(open),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    /// Records that a request begins.
    pub(super) fn begin(&mut self, now: Instant) -> Ticket {
        let probe = self.open().is_some();
        self.probing |= probe;
        Ticket { begun: now, probe, resumed: self.resumed }
    }

    /// Records that a request has ended. Comes before what its outcome says.
    pub(super) fn ended(&mut self, ticket: Ticket) {
        if self.is_probe(ticket) {
            self.probing = false;
        }
    }

    /// Returns whether the request probes, and began after the last resume.
    pub(super) fn is_probe(&self, ticket: Ticket) -> bool {
        ticket.probe && ticket.resumed == self.resumed
    }

    /// Records an answer of Intercom's own. Whatever it says about the event, Intercom is there and
    /// knows us.
    pub(super) fn answered(&mut self, ticket: Ticket) -> Option<Change> {
        if self.open().is_some_and(|open| ticket.begun < open.since) {
            return None;
        }
        self.failures = 0;
        match &mut self.state {
            State::Closed => None,
            State::HalfOpen { allowed, .. } => {
                *allowed += 1;
                if *allowed >= self.concurrency {
                    self.state = State::Closed;
                }
                None
            }
            State::Open(open) => {
                let allowed = self.concurrency.min(2);
                self.state = State::HalfOpen { allowed, probes: open.probes };
                Some(Change::Recovered)
            }
        }
    }

    /// Records a refusal for the rate limit. It ends an outage, but does not prove that the token is
    /// good.
    pub(super) fn rate_limited(&mut self, ticket: Ticket) -> Option<Change> {
        match self.open() {
            Some(open) if open.stopped => None,
            _ => self.answered(ticket),
        }
    }

    /// Records a failure that may pass.
    pub(super) fn failed(
        &mut self,
        ticket: Ticket,
        now: Instant,
        roll: f64,
        cause: Cause,
    ) -> Option<Change> {
        self.failures = self.failures.saturating_add(1);
        match &self.state {
            State::Open(_) if self.is_probe(ticket) => {
                Some(self.stay_open(now, false, roll, cause))
            }
            State::Closed | State::HalfOpen { .. } if self.failures >= OUTAGE => {
                Some(self.trip(now, false, roll, cause))
            }
            _ => None,
        }
    }

    /// Records a fault that every event would meet, until an operator fixes it.
    pub(super) fn refused(
        &mut self,
        ticket: Ticket,
        now: Instant,
        roll: f64,
        cause: Cause,
    ) -> Option<Change> {
        if ticket.resumed < self.resumed {
            return None;
        }
        match &self.state {
            State::Open(open) if open.stopped && !ticket.probe => None,
            State::Open(open) if open.stopped => Some(self.stay_open(now, true, roll, cause)),
            _ => Some(self.trip(now, true, roll, cause)),
        }
    }

    /// Probes at once. What began before proves nothing any more.
    pub(super) fn resume(&mut self, now: Instant) {
        self.resumed += 1;
        self.probing = false;
        if let State::Open(open) = &mut self.state {
            open.next_probe = now;
        }
    }

    fn trip(&mut self, now: Instant, stopped: bool, roll: f64, cause: Cause) -> Change {
        let probes = match &self.state {
            State::HalfOpen { probes, .. } => *probes,
            State::Closed | State::Open(_) => 0,
        };
        let change = if stopped { Change::Stopped } else { Change::Outage }(cause.message.clone());
        let next_probe = now + wait(stopped, probes, roll);
        self.state = State::Open(Open { stopped, since: now, probes, next_probe, cause });
        change
    }

    fn stay_open(&mut self, now: Instant, stopped: bool, roll: f64, cause: Cause) -> Change {
        if let State::Open(open) = &mut self.state {
            open.probes = open.probes.saturating_add(1);
            open.next_probe = now + wait(stopped || open.stopped, open.probes, roll);
            open.cause = cause;
        }
        Change::StillOpen
    }
}

/// Returns the wait for the next probe: half of the back-off, and up to as much again.
fn wait(stopped: bool, probes: u32, roll: f64) -> Duration {
    let (base, cap) = if stopped { STOPPED_BACKOFF } else { OUTAGE_BACKOFF };
    backoff(base, cap, probes).mul_f64((1.0 + roll) / 2.0)
}

#[cfg(test)]
mod tests {
    use intercom_core::ErrorKind;

    use super::*;

    fn cause() -> Cause {
        Cause { kind: Some(ErrorKind::Unavailable), message: "down".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn ten_failures_in_a_row_open_it_and_a_probe_that_gets_through_closes_it_step_by_step() {
        let (now, mut breaker) = (Instant::now(), Breaker::new(4));
        for _ in 1..OUTAGE {
            let ticket = breaker.begin(now);
            assert_eq!(breaker.failed(ticket, now, 0.0, cause()), None);
        }
        let ticket = breaker.begin(now);
        assert_eq!(
            breaker.failed(ticket, now, 0.0, cause()),
            Some(Change::Outage("down".to_owned()))
        );
        assert_eq!(breaker.allowance(now, 0), Allowance::Wait);
        let next = breaker.open().unwrap().next_probe;
        assert_eq!(breaker.allowance(next, 0), Allowance::Begin(1));
        let probe = breaker.begin(next);
        assert_eq!(breaker.allowance(next, 1), Allowance::Begin(0));
        breaker.ended(probe);
        assert_eq!(breaker.answered(probe), Some(Change::Recovered));
        assert_eq!(breaker.allowance(next, 0), Allowance::Begin(2));
        for allowed in [3, 4] {
            let ticket = breaker.begin(next);
            assert_eq!(breaker.answered(ticket), None);
            assert_eq!(breaker.allowance(next, 0), Allowance::Begin(allowed));
        }
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_from_before_a_resume_does_not_open_it() {
        let (now, mut breaker) = (Instant::now(), Breaker::new(4));
        let before = breaker.begin(now);
        breaker.resume(now);
        assert_eq!(breaker.refused(before, now, 0.0, cause()), None);
        let after = breaker.begin(now);
        let stopped = Some(Change::Stopped("down".to_owned()));
        assert_eq!(breaker.refused(after, now, 0.0, cause()), stopped);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_from_before_a_resume_is_no_probe() {
        let (now, mut breaker) = (Instant::now(), Breaker::new(4));
        let ticket = breaker.begin(now);
        breaker.refused(ticket, now, 0.0, cause());
        let next = breaker.open().unwrap().next_probe;
        let stale = breaker.begin(next);
        breaker.resume(next);
        assert_eq!(breaker.allowance(next, 1), Allowance::Begin(1));
        let probe = breaker.begin(next);
        breaker.ended(stale);
        // The new probe is still in flight.
        assert_eq!(breaker.allowance(next, 1), Allowance::Begin(0));
        assert_eq!(breaker.failed(stale, next, 0.0, cause()), None);
        breaker.ended(probe);
        assert_eq!(breaker.failed(probe, next, 0.0, cause()), Some(Change::StillOpen));
    }
}
