//! The circuit breaker: decides whether requests may go.
//!
//! # The model
//!
//! The breaker must tell an outage from *poison*: events that fail by themselves. An outage fails
//! every event. Poison fails itself alone. So only the first attempt of an event counts as evidence
//! of an outage. What an event does after its first failure proves nothing about others.
//!
//! **Closed**: all requests go. It opens
//! - after a *run* of first attempts that failed, while no request succeeded. The run is ten long,
//!   and longer if many first attempts failed by themselves lately: long enough that chance makes
//!   one in a thousand such runs. It is at most 500 long.
//! - at the first attempt that Intercom itself refuses for the token (401) or the plan (402, 403),
//!   because an event rarely causes those. If some events do, a run of up to 20 is needed.
//! - when ten attempts in a row failed and every ready event has failed before. Then it holds back
//!   only events that have failed, and sends others at once.
//!
//! A failure is an event's *own* when other events succeeded since its last one. It never counts.
//!
//! **Open**: single events probe. A *probe* is the next event that never failed. The first 600 go
//! about ten a second, so that good events succeed among 99 % poison within one time-out. Then
//! the interval doubles with each 32 of them, up to a minute. Three hours of outage cost 1,050
//! requests, more than half of them in the first minute. When all ready events have failed, they
//! probe in rotation, with back-off up to a minute. For a token or a plan, all probes have
//! back-off, up to five minutes. All events wait as long as a response asks, for up to a minute.
//!
//! The first success of a request that began after it opened makes it **half open**. Then two
//! requests may be in flight, twice as many each quarter of a second, and one more for each
//! success. Another failure then continues the back-off, and restarts the intervals.
//!
//! Pure: the caller passes the time and the jitter.

use std::time::Duration;

use tokio::time::Instant;

use super::failures::Evidence;
use crate::metrics::BreakerState;
use crate::policy::backoff;
use crate::status::{Cause, Open};

/// The shortest and the longest run of failed first attempts that opens it.
const RUN: (u32, u32) = (10, 500);

/// The same if Intercom refuses the token or the plan.
const ACCOUNT_RUN: (u32, u32) = (1, 20);

/// The probability at which a run may be chance.
const CHANCE: f64 = 0.001;

/// The number of first attempts in the record.
const RECORD: u32 = 1024;

/// The first interval between two probes by events that never failed, and the number of such
/// probes. If 99 % of the events are poison, all of these probes are poison once in four hundred
/// times. They take a minute if there are that many.
const DENSE: (Duration, u32) = (Duration::from_millis(130), 600);

/// The number of further such probes that double the interval, and its limit.
const SPARSE: (u32, Duration) = (32, Duration::from_secs(60));

/// First and longest wait between probes by events that have failed before.
const OUTAGE_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// First and longest wait between probes when the token or the plan is wrong. `replace_token` in
/// intercom-http promises the longest.
const STOPPED_BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5 * 60));

/// The longest wait that a failed probe can ask for. Longer ones hold for its event alone.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// How long half open takes to double the requests in flight.
const DOUBLING: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Breaker {
    /// The limit of requests in flight while it is closed.
    concurrency: usize,
    /// First attempts that failed since the last success, and those of them that Intercom refused
    /// for the token or the plan.
    run: u32,
    account_run: u32,
    /// The same for events that had failed before, except their own failures.
    streak: u32,
    /// First attempts that are in flight.
    first_in_flight: usize,
    record: Record,
    account_record: Record,
    state: Circuit,
    /// The number of resumes. A request from before that proves nothing about a fault.
    resumed: u64,
}

#[derive(Debug)]
enum Circuit {
    Closed,
    HalfOpen(HalfOpen),
    Open(Open),
}

#[derive(Debug)]
struct HalfOpen {
    since: Instant,
    /// How many requests succeeded.
    passed: usize,
    /// The number of failed probes. Their back-off continues if the fault returns.
    probes: u32,
}

/// The results of first attempts while the service was up.
#[derive(Debug, Default)]
struct Record {
    failed: u32,
    passed: u32,
}

/// The kind of a request's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A temporary fault.
    Passing,
    /// The response is not Intercom's: a gateway's page, or a wrong address.
    Foreign,
    /// Intercom refuses the token or the plan.
    Account,
}

/// A request that failed.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) evidence: Evidence,
    /// How long the response asks to wait.
    pub(super) asked: Duration,
    pub(super) cause: Cause,
}

/// What the breaker must know about a request at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    begun: Instant,
    /// Whether its event has never failed.
    pub(super) first: bool,
    probe: bool,
    resumed: u64,
}

/// A change for the log.
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

impl Record {
    /// Ends a run, because a request succeeded.
    fn end_run(&mut self, failed: u32, first: bool) {
        self.failed = self.failed.saturating_add(failed);
        self.passed += u32::from(first);
        if self.failed.saturating_add(self.passed) > RECORD {
            (self.failed, self.passed) = (self.failed / 2, self.passed / 2);
        }
    }

    /// Returns the length from which a run is not chance.
    fn needed(&self, (least, most): (u32, u32)) -> u32 {
        if self.failed == 0 {
            return least;
        }
        // A run has ended, so a request succeeded.
        let share = f64::from(self.failed) / f64::from(self.failed + self.passed.max(1));
        let run = (CHANCE.ln() / share.ln()).ceil();
        (run as u32).clamp(least, most)
    }
}

impl HalfOpen {
    fn allowed(&self, now: Instant) -> usize {
        let doublings =
            now.saturating_duration_since(self.since).as_millis() / DOUBLING.as_millis();
        let grown = 2_usize.checked_shl(doublings.try_into().unwrap_or(u32::MAX));
        grown.filter(|grown| *grown > 0).unwrap_or(usize::MAX).saturating_add(self.passed)
    }
}

impl Breaker {
    pub(super) fn new(concurrency: usize) -> Self {
        Breaker {
            concurrency,
            run: 0,
            account_run: 0,
            streak: 0,
            first_in_flight: 0,
            record: Record::default(),
            account_record: Record::default(),
            state: Circuit::Closed,
            resumed: 0,
        }
    }

    /// Returns how many requests may begin while `in_flight` are pending. `first` says whether an
    /// event that never failed is ready.
    pub(super) fn allowance(&mut self, now: Instant, in_flight: usize, first: bool) -> Allowance {
        let allowed = match &self.state {
            Circuit::Closed => self.concurrency,
            Circuit::HalfOpen(half) => {
                let allowed = half.allowed(now);
                if allowed >= self.concurrency {
                    self.state = Circuit::Closed;
                }
                allowed.min(self.concurrency)
            }
            Circuit::Open(open) if now < open.next_first && (first || now < open.next_again) => {
                return Allowance::Wait;
            }
            Circuit::Open(_) => self.concurrency,
        };
        Allowance::Begin(allowed.saturating_sub(in_flight))
    }

    /// Returns whether an event that failed before may go now, if no other is ready.
    pub(super) fn may_go_again(&self, now: Instant) -> bool {
        self.open().is_none_or(|open| now >= open.next_again)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, Circuit::Closed)
    }

    pub(super) fn state(&self) -> BreakerState {
        match &self.state {
            Circuit::Closed => BreakerState::Closed,
            Circuit::HalfOpen(_) => BreakerState::HalfOpen,
            Circuit::Open(open) if open.stopped => BreakerState::Stopped,
            Circuit::Open(_) => BreakerState::Outage,
        }
    }

    /// Returns why no request goes, if none does.
    pub(super) fn open(&self) -> Option<&Open> {
        match &self.state {
            Circuit::Open(open) => Some(open),
            Circuit::Closed | Circuit::HalfOpen(_) => None,
        }
    }

    /// Returns when a request may begin that must wait now. `first` is as in
    /// [`allowance`](Self::allowance).
    pub(super) fn next_action(&self, now: Instant, first: bool) -> Option<Instant> {
        match &self.state {
            Circuit::Closed => None,
            Circuit::HalfOpen(half) => {
                let steps =
                    now.saturating_duration_since(half.since).as_millis() / DOUBLING.as_millis();
                let steps = u32::try_from(steps).unwrap_or(u32::MAX).saturating_add(1);
                Some(half.since + DOUBLING * steps)
            }
            Circuit::Open(open) => Some(open.next_probe(first)),
        }
    }

    /// Records the start of a request. `first` says whether its event has never failed.
    pub(super) fn begin(&mut self, first: bool, now: Instant, roll: f64) -> Ticket {
        self.first_in_flight += usize::from(first);
        let resumed = self.resumed;
        let Circuit::Open(open) = &mut self.state else {
            return Ticket { begun: now, first, probe: false, resumed };
        };
        match first && !open.account {
            true => {
                open.firsts = open.firsts.saturating_add(1);
                open.next_first = now + first_interval(open.firsts, roll);
            }
            false => {
                open.next_again = now + again_wait(open, roll);
                if open.account {
                    open.next_first = open.next_again;
                }
            }
        }
        Ticket { begun: now, first, probe: true, resumed }
    }

    /// Records the end of a request. Call it before recording the outcome.
    pub(super) fn ended(&mut self, ticket: Ticket) {
        self.first_in_flight = self.first_in_flight.saturating_sub(usize::from(ticket.first));
    }

    /// Returns whether the request is a probe that began after the last resume.
    pub(super) fn is_probe(&self, ticket: Ticket) -> bool {
        ticket.probe && ticket.resumed == self.resumed
    }

    /// Records a response of Intercom's own. Whatever it says about the event, Intercom is up and
    /// takes the token.
    pub(super) fn answered(&mut self, ticket: Ticket, now: Instant) -> Option<Change> {
        // It began before the token or the plan changed.
        if self.open().is_some_and(|open| open.account && ticket.begun < open.since) {
            return None;
        }
        self.record.end_run(self.run, ticket.first);
        self.account_record.end_run(self.account_run, ticket.first);
        (self.run, self.account_run, self.streak) = (0, 0, 0);
        match &mut self.state {
            Circuit::Closed => None,
            Circuit::HalfOpen(half) => {
                half.passed += 1;
                None
            }
            Circuit::Open(open) => {
                let probes = open.probes;
                self.state = Circuit::HalfOpen(HalfOpen { since: now, passed: 0, probes });
                Some(Change::Recovered)
            }
        }
    }

    /// Records a refusal for the rate limit. It ends an outage, but does not prove that the token
    /// is good.
    pub(super) fn rate_limited(&mut self, ticket: Ticket, now: Instant) -> Option<Change> {
        match self.open() {
            Some(open) if open.stopped => None,
            _ => self.answered(ticket, now),
        }
    }

    /// Records a failure. `first` says whether an event that never failed is ready.
    pub(super) fn failed(
        &mut self,
        ticket: Ticket,
        failed: Failed,
        first: bool,
        now: Instant,
        roll: f64,
    ) -> Option<Change> {
        let Failed { fault, evidence, .. } = failed;
        if fault == Fault::Account && ticket.resumed < self.resumed {
            return None;
        }
        let is_account = fault == Fault::Account;
        let is_first = evidence == Evidence::First;
        self.run = self.run.saturating_add(u32::from(is_first));
        self.account_run = self.account_run.saturating_add(u32::from(is_first && is_account));
        self.streak = self.streak.saturating_add(u32::from(evidence != Evidence::Own));
        let by_first = is_first
            && match is_account {
                true => self.account_run >= self.account_record.needed(ACCOUNT_RUN),
                false => self.run >= self.record.needed(RUN),
            };
        let is_probe = self.is_probe(ticket);
        let trips = match &self.state {
            Circuit::Open(open) if is_account => !open.account && (by_first || is_probe),
            Circuit::Open(open) => {
                // The outage turns out to need an operator.
                is_probe && !open.stopped && fault == Fault::Foreign && evidence != Evidence::Own
            }
            Circuit::Closed | Circuit::HalfOpen(_) => {
                let least = if is_account { ACCOUNT_RUN } else { RUN }.0;
                // No ready event could give better evidence.
                let by_all = evidence == Evidence::Again
                    && self.streak >= least
                    && !first
                    && self.first_in_flight == 0;
                by_first || by_all
            }
        };
        match trips {
            true => Some(self.trip(failed, now, roll)),
            false if is_probe && self.open().is_some() => Some(self.stay_open(failed, now, roll)),
            false => None,
        }
    }

    /// Probes at once. Earlier requests prove nothing any more.
    pub(super) fn resume(&mut self, now: Instant) {
        self.resumed += 1;
        if let Circuit::Open(open) = &mut self.state {
            (open.next_first, open.next_again) = (now, now);
        }
    }

    fn trip(&mut self, failed: Failed, now: Instant, roll: f64) -> Change {
        let Failed { fault, evidence, asked, cause } = failed;
        let (firsts, probes, next_first) = match &self.state {
            Circuit::HalfOpen(half) => (0, half.probes, now),
            Circuit::Open(open) if fault != Fault::Account => {
                (open.firsts, open.probes, open.next_first)
            }
            Circuit::Closed | Circuit::Open(_) => (0, 0, now),
        };
        let stopped = fault != Fault::Passing;
        let change = if stopped { Change::Stopped } else { Change::Outage }(cause.message.clone());
        let account = fault == Fault::Account;
        let mut open = Open {
            stopped,
            account,
            since: now,
            firsts,
            probes,
            next_first,
            next_again: now,
            cause,
        };
        open.next_again = now + again_wait(&open, roll).max(asked.min(LONGEST_ASKED));
        if account {
            open.next_first = open.next_again;
        } else if evidence == Evidence::First {
            let interval = first_interval(firsts, roll);
            open.next_first = now + interval.max(asked.min(LONGEST_ASKED));
        }
        self.state = Circuit::Open(open);
        change
    }

    /// A probe failed.
    fn stay_open(&mut self, failed: Failed, now: Instant, roll: f64) -> Change {
        let Failed { evidence, asked, cause, .. } = failed;
        if let Circuit::Open(open) = &mut self.state {
            open.probes = open.probes.saturating_add(1);
            let asked = now + asked.min(LONGEST_ASKED);
            open.next_again = open.next_again.max(asked);
            if open.account {
                open.next_again = open.next_again.max(now + again_wait(open, roll));
                open.next_first = open.next_again;
            } else if evidence == Evidence::First {
                open.next_first = open.next_first.max(asked);
            }
            open.cause = cause;
        }
        Change::StillOpen
    }
}

/// Returns the interval after this many probes by events that never failed.
fn first_interval(firsts: u32, roll: f64) -> Duration {
    let ((dense, number), (doubling, most)) = (DENSE, SPARSE);
    let doublings = f64::from(firsts.saturating_sub(number)) / f64::from(doubling);
    let interval = dense.as_secs_f64() * doublings.min(64.0).exp2();
    jittered(Duration::from_secs_f64(interval).min(most), roll)
}

/// Returns the wait for the next probe with back-off.
fn again_wait(open: &Open, roll: f64) -> Duration {
    let (base, cap) = if open.account { STOPPED_BACKOFF } else { OUTAGE_BACKOFF };
    jittered(backoff(base, cap, open.probes), roll)
}

/// Returns half of a wait plus a random part of the other half.
fn jittered(wait: Duration, roll: f64) -> Duration {
    wait.mul_f64((1.0 + roll) / 2.0)
}

#[cfg(test)]
mod tests;
