use intercom_core::ErrorKind;

use super::*;

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// What an answer says of a window of 100 requests.
fn left(remaining: u32, resets_in: Duration) -> RateLimit {
    RateLimit { limit: Some(100), remaining: Some(remaining), resets_in: Some(resets_in) }
}

fn refusal(resets_in: Option<Duration>) -> SendError {
    let error = SendError::new(ErrorKind::RateLimited);
    match resets_in {
        Some(wait) => error.with_rate_limit(left(0, wait)),
        None => error,
    }
}

/// Asks while nothing waits, without jitter.
fn ask(pacer: &mut Pacer, now: Instant, in_flight: usize) -> Permit {
    pacer.ask(now, in_flight, || 0, || 0.0)
}

/// A pacer that was told what is left of a window.
fn told(now: Instant, remaining: u32, resets_in: Duration) -> Pacer {
    let mut pacer = Pacer::new();
    pacer.answered(now, Some(left(remaining, resets_in)));
    pacer
}

#[test]
fn the_first_request_goes_alone_until_it_is_answered_or_a_second_has_passed() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(1));
    pacer.sent(now, 0);
    assert_eq!(ask(&mut pacer, now, 1), Permit::At(now + ALONE));
    assert_eq!(ask(&mut pacer, now + ALONE, 1), Permit::Go(usize::MAX));

    let mut pacer = Pacer::new();
    pacer.sent(now, 0);
    pacer.answered(now, None);
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(usize::MAX));
}

#[test]
fn requests_in_flight_are_still_to_be_counted() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    assert_eq!(ask(&mut pacer, now, 10), Permit::Go(30));
    // One that ended without an answer may have been counted, and one without headers was.
    pacer.unanswered();
    pacer.answered(now, None);
    assert_eq!(ask(&mut pacer, now, 10), Permit::Go(28));
}

#[test]
fn what_does_not_fit_into_the_window_is_spread_over_it() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    assert_eq!(pacer.ask(now, 0, || 40, || 0.0), Permit::Go(40));
    assert_eq!(pacer.ask(now, 0, || 41, || 0.0), Permit::Go(1));
    pacer.sent(now, 0);
    let next = now + seconds(8) / 40;
    assert_eq!(pacer.ask(now, 1, || 40, || 0.0), Permit::At(next));
    assert_eq!(pacer.ask(next, 1, || 40, || 0.0), Permit::Go(1));
    // The last quarter is spread however little waits.
    let mut pacer = told(now, 24, seconds(8));
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(1));
}

#[test]
fn of_answers_that_overtake_each_other_the_least_counts() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    pacer.answered(now, Some(left(45, seconds(9))));
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(40));
    assert_eq!(pacer.reported(), Some(left(45, seconds(9))));
}

#[test]
fn a_window_that_is_used_up_is_waited_for_and_the_next_has_the_same_limit() {
    let now = Instant::now();
    let mut pacer = told(now, 30, seconds(8));
    let ends = now + seconds(8);
    assert_eq!(ask(&mut pacer, now, 30), Permit::At(ends));
    assert_eq!((pacer.paused_until(), pacer.blocked_until()), (None, Some(ends)));
    let jitter = ends + JITTER / 2;
    assert_eq!(pacer.ask(ends, 0, || 0, || 0.5), Permit::At(jitter));
    assert_eq!(ask(&mut pacer, jitter, 0), Permit::Go(100));
    // An answer of the window before says nothing of this one.
    pacer.answered(jitter, Some(left(0, seconds(1))));
    assert_eq!(ask(&mut pacer, jitter, 0), Permit::Go(100));
    pacer.answered(jitter, Some(left(70, seconds(9))));
    assert_eq!(ask(&mut pacer, jitter, 0), Permit::Go(70));
}

#[test]
fn after_a_refusal_nothing_goes_before_the_reset_and_then_one_alone() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    pacer.refused(now, &refusal(Some(seconds(4))), 0.5);
    let until = now + seconds(4) + REFUSED_JITTER / 2;
    assert_eq!(ask(&mut pacer, now, 0), Permit::At(until));
    assert_eq!(ask(&mut pacer, until, 0), Permit::Go(1));
}

#[test]
fn refusals_in_a_row_wait_longer_and_those_in_flight_together_are_one() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    let mut began = now;
    for wait in [10, 20, 40, 80, 160, 300, 300] {
        pacer.refused(began, &refusal(None), 0.0);
        pacer.refused(began, &refusal(None), 0.0);
        let until = began + seconds(wait);
        assert_eq!(ask(&mut pacer, began, 0), Permit::At(until), "{wait}");
        assert_eq!(ask(&mut pacer, until, 0), Permit::Go(1));
        began = until;
    }
    pacer.answered(began, None);
    pacer.refused(began, &refusal(None), 0.0);
    assert_eq!(ask(&mut pacer, began, 0), Permit::At(began + WINDOW));
}

#[test]
fn an_operator_ends_a_pause_that_was_asked_for_and_not_a_rate_limit() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    pacer.refused(now, &refusal(None).with_retry_after(seconds(60)), 0.0);
    assert_eq!(ask(&mut pacer, now, 0), Permit::At(now + seconds(60)));
    pacer.resume();
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(1));
    pacer.answered(now, None);
    pacer.refused(now, &refusal(Some(seconds(4))), 0.0);
    pacer.resume();
    assert_eq!(ask(&mut pacer, now, 0), Permit::At(now + seconds(4)));
}
