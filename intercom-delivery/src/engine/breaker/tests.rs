use intercom_core::ErrorKind;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn failed(fault: Fault, evidence: Evidence) -> Failed {
    let cause = Cause { kind: Some(ErrorKind::Unavailable), message: "down".to_owned() };
    Failed { fault, evidence, asked: Duration::ZERO, cause }
}

/// Lets a first attempt begin and fail while other events that never failed are ready.
fn fail(breaker: &mut Breaker, now: Instant, fault: Fault) -> Option<Change> {
    let ticket = breaker.begin(true, now, 0.0);
    breaker.ended(ticket);
    breaker.failed(ticket, failed(fault, Evidence::First), true, now, 0.0)
}

/// Lets an event that failed before fail again. `first` says whether events that never failed are
/// ready.
fn fail_again(
    breaker: &mut Breaker,
    now: Instant,
    evidence: Evidence,
    first: bool,
) -> Option<Change> {
    let ticket = breaker.begin(false, now, 0.0);
    breaker.ended(ticket);
    breaker.failed(ticket, failed(Fault::Passing, evidence), first, now, 0.0)
}

fn pass(breaker: &mut Breaker, now: Instant) -> Option<Change> {
    let ticket = breaker.begin(true, now, 0.0);
    breaker.ended(ticket);
    breaker.answered(ticket, now)
}

fn outage() -> Option<Change> {
    Some(Change::Outage("down".to_owned()))
}

fn stopped() -> Option<Change> {
    Some(Change::Stopped("down".to_owned()))
}

/// Returns a breaker that ten first attempts have opened.
fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(4);
    for _ in 1..RUN.0 {
        assert_eq!(fail(&mut breaker, now, Fault::Passing), None);
    }
    assert_eq!(fail(&mut breaker, now, Fault::Passing), outage());
    breaker
}

#[test]
fn ten_first_attempts_in_a_row_open_it_and_one_that_gets_through_closes_it_step_by_step() {
    let now = Instant::now();
    let mut breaker = opened(now);
    assert_eq!(breaker.allowance(now, 0, true), Allowance::Wait);
    let next = breaker.open().unwrap().next_first;
    assert_eq!(breaker.allowance(next, 0, true), Allowance::Begin(4));
    assert_eq!(pass(&mut breaker, next), Some(Change::Recovered));
    assert_eq!(breaker.allowance(next, 0, true), Allowance::Begin(2));
    assert_eq!(pass(&mut breaker, next), None);
    assert_eq!(breaker.allowance(next, 0, true), Allowance::Begin(3));
    assert_eq!(breaker.next_action(next, true), Some(next + DOUBLING));
    // Also without responses.
    assert_eq!(breaker.allowance(next + DOUBLING, 0, true), Allowance::Begin(4));
    assert!(breaker.is_closed());
}

#[test]
fn an_outage_costs_many_probes_at_first_and_one_a_minute_in_the_end() {
    let began = Instant::now();
    let mut breaker = opened(began);
    let mut probes = Vec::new();
    let mut now = began;
    while now < began + 3 * 3600 * SECOND {
        now = breaker.open().unwrap().next_probe(true);
        assert_eq!(breaker.allowance(now, 0, true), Allowance::Begin(4));
        let ticket = breaker.begin(true, now, 0.5);
        assert_eq!(breaker.allowance(now, 1, true), Allowance::Wait);
        let failed = failed(Fault::Passing, Evidence::First);
        breaker.ended(ticket);
        assert_eq!(breaker.failed(ticket, failed, true, now, 0.5), Some(Change::StillOpen));
        probes.push(now - began);
    }
    let within = |time| probes.iter().filter(|probe| **probe < time).count();
    assert!((600..=630).contains(&within(60 * SECOND)), "{}", within(60 * SECOND));
    assert!((1000..=1100).contains(&probes.len()), "{}", probes.len());
    let last = probes[probes.len() - 1] - probes[probes.len() - 2];
    assert_eq!(last, 45 * SECOND);
}

#[test]
fn failures_of_events_that_failed_before_are_no_part_of_a_run() {
    let now = Instant::now();
    let mut breaker = Breaker::new(4);
    for _ in 0..100 {
        assert_eq!(fail_again(&mut breaker, now, Evidence::Again, true), None);
    }
    for _ in 1..RUN.0 {
        assert_eq!(fail(&mut breaker, now, Fault::Passing), None);
    }
    assert_eq!(fail(&mut breaker, now, Fault::Passing), outage());
}

#[test]
fn repeated_failures_of_one_event_open_the_breaker_only_if_no_other_event_is_due() {
    let now = Instant::now();
    let mut breaker = Breaker::new(4);
    let again = |breaker: &mut Breaker, evidence, first| fail_again(breaker, now, evidence, first);
    for _ in 0..100 {
        assert_eq!(again(&mut breaker, Evidence::Own, false), None);
    }
    // Events' own failures are not part of a run.
    assert_eq!(again(&mut breaker, Evidence::Again, false), None);
    for _ in 0..100 {
        assert_eq!(again(&mut breaker, Evidence::Again, true), None);
        assert_eq!(again(&mut breaker, Evidence::Own, false), None);
    }
    // An event that never failed is in flight.
    let in_flight = breaker.begin(true, now, 0.0);
    assert_eq!(again(&mut breaker, Evidence::Again, false), None);
    breaker.ended(in_flight);
    assert_eq!(again(&mut breaker, Evidence::Again, false), outage());
    assert_eq!(breaker.allowance(now, 0, true), Allowance::Begin(4));
    assert!(!breaker.may_go_again(now));
    assert_eq!(breaker.allowance(now + SECOND, 0, false), Allowance::Begin(4));
    assert!(breaker.may_go_again(now + SECOND));
    // The probes have back-off, up to a minute.
    let mut now = now;
    for _ in 0..10 {
        now = breaker.open().unwrap().next_again;
        let ticket = breaker.begin(false, now, 0.0);
        breaker.ended(ticket);
        let failed = failed(Fault::Passing, Evidence::Again);
        assert_eq!(breaker.failed(ticket, failed, false, now, 0.0), Some(Change::StillOpen));
    }
    let ticket = breaker.begin(false, now, 1.0);
    assert_eq!(breaker.open().unwrap().next_again, now + 60 * SECOND);
    // An event that never failed still goes at once.
    let open = breaker.open().unwrap();
    assert_eq!(open.next_first, open.since);
    breaker.ended(ticket);
}

#[test]
fn the_more_events_fail_by_themselves_the_longer_a_run_must_be() {
    let now = Instant::now();
    let mut breaker = Breaker::new(4);
    // Nine in ten fail.
    for _ in 0..20 {
        for _ in 0..9 {
            assert_eq!(fail(&mut breaker, now, Fault::Passing), None);
        }
        assert_eq!(pass(&mut breaker, now), None);
    }
    let run = (1..1000).find(|_| fail(&mut breaker, now, Fault::Passing).is_some());
    // 0.9 to the power of 60 is about one in a thousand.
    assert!((55..=70).contains(&run.unwrap()), "{run:?}");
    // The record drops old attempts.
    for _ in 0..4 * RECORD {
        pass(&mut breaker, now + SECOND);
        breaker.state = Circuit::Closed;
    }
    let run = (1..1000).find(|_| fail(&mut breaker, now, Fault::Passing).is_some());
    assert_eq!(run, Some(10));
}

#[test]
fn the_token_and_the_plan_open_it_at_once_unless_events_are_known_to_be_refused_alone() {
    let now = Instant::now();
    let mut breaker = Breaker::new(4);
    assert_eq!(fail(&mut breaker, now, Fault::Account), stopped());
    assert_eq!(breaker.open().unwrap().next_first, now + 5 * SECOND / 2);
    assert_eq!(breaker.allowance(now + 2 * SECOND, 0, true), Allowance::Wait);
    for _ in 0..3 {
        pass(&mut breaker, now + 3 * SECOND);
        fail(&mut breaker, now + 3 * SECOND, Fault::Account);
    }
    pass(&mut breaker, now + 3 * SECOND);
    breaker.state = Circuit::Closed;
    assert_eq!(fail(&mut breaker, now + 3 * SECOND, Fault::Account), None);
    let run = (2..100).find(|_| fail(&mut breaker, now, Fault::Account).is_some());
    assert!(run.unwrap() <= 20, "{run:?}");
    // An earlier outage does not make the next run longer.
    let mut breaker = opened(now);
    pass(&mut breaker, now + SECOND);
    assert_eq!(fail(&mut breaker, now + SECOND, Fault::Account), stopped());
}

#[test]
fn pages_of_a_gateway_stop_it_when_ten_events_get_them_that_never_failed() {
    let now = Instant::now();
    let mut breaker = Breaker::new(4);
    for _ in 1..RUN.0 {
        assert_eq!(fail(&mut breaker, now, Fault::Foreign), None);
    }
    assert_eq!(fail(&mut breaker, now, Fault::Foreign), stopped());
    // An outage can turn out to need an operator.
    let mut breaker = opened(now);
    let later = now + 60 * SECOND;
    assert_eq!(fail(&mut breaker, later, Fault::Foreign), stopped());
    assert_eq!(breaker.open().unwrap().firsts, 1);
}

#[test]
fn a_probe_that_asks_for_a_pause_gets_up_to_a_minute() {
    let now = Instant::now();
    for (asked, gets) in [(7, 7), (3600, 60)] {
        let mut breaker = opened(now);
        let next = breaker.open().unwrap().next_first;
        let ticket = breaker.begin(true, next, 0.0);
        breaker.ended(ticket);
        let mut failed = failed(Fault::Passing, Evidence::First);
        failed.asked = asked * SECOND;
        breaker.failed(ticket, failed, true, next, 0.0);
        assert_eq!(breaker.open().unwrap().next_first, next + gets * SECOND);
    }
}

#[test]
fn a_fault_that_comes_back_while_it_is_half_open_continues_its_back_off() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(4);
    for wait in [5, 10, 20, 40] {
        assert!(fail(&mut breaker, now, Fault::Account).is_some());
        let next = breaker.open().unwrap().next_first;
        assert_eq!(next, now + wait * SECOND / 2);
        now = next;
    }
    assert_eq!(pass(&mut breaker, now), Some(Change::Recovered));
    breaker.account_record = Record::default();
    assert_eq!(fail(&mut breaker, now, Fault::Account), stopped());
    assert_eq!(breaker.open().unwrap().next_first, now + 20 * SECOND);
}

#[test]
fn a_refusal_from_before_a_resume_does_not_open_it() {
    let now = Instant::now();
    let mut breaker = Breaker::new(4);
    let refused = || failed(Fault::Account, Evidence::First);
    let before = breaker.begin(true, now, 0.0);
    breaker.resume(now);
    assert_eq!(breaker.failed(before, refused(), true, now, 0.0), None);
    let after = breaker.begin(true, now, 0.0);
    assert_eq!(breaker.failed(after, refused(), true, now, 0.0), stopped());
}

#[test]
fn a_probe_from_before_a_resume_is_no_probe() {
    let now = Instant::now();
    let mut breaker = Breaker::new(4);
    fail(&mut breaker, now, Fault::Account);
    let next = breaker.open().unwrap().next_first;
    let stale = breaker.begin(true, next, 0.0);
    breaker.resume(next);
    assert_eq!(breaker.allowance(next, 1, true), Allowance::Begin(3));
    let probe = breaker.begin(true, next, 0.0);
    assert_eq!(breaker.allowance(next, 2, true), Allowance::Wait);
    let passing = || failed(Fault::Passing, Evidence::First);
    assert_eq!(breaker.failed(stale, passing(), true, next, 0.0), None);
    assert_eq!(breaker.failed(probe, passing(), true, next, 0.0), Some(Change::StillOpen));
}

#[test]
fn a_success_from_before_the_new_token_does_not_close_the_breaker() {
    let now = Instant::now();
    let mut breaker = Breaker::new(4);
    let before = breaker.begin(true, now, 0.0);
    let later = now + SECOND;
    assert_eq!(fail(&mut breaker, later, Fault::Account), stopped());
    assert_eq!(breaker.answered(before, later), None);
    assert!(breaker.open().is_some());
    // In an outage, a rate limit shows that the service is up.
    let mut breaker = Breaker::new(4);
    let before = breaker.begin(true, now, 0.0);
    for _ in 0..RUN.0 {
        fail(&mut breaker, later, Fault::Passing);
    }
    assert!(breaker.open().is_some());
    assert_eq!(breaker.answered(before, later), Some(Change::Recovered));
}
