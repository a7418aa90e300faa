use intercom_core::ErrorKind;

use super::*;

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Returns a response's headers for a window of 100 requests.
fn left(remaining: u32, resets_in: Duration) -> RateLimit {
    RateLimit::new().with_limit(100).with_remaining(remaining).with_resets_in(resets_in)
}

fn refusal(resets_in: Option<Duration>) -> SendError {
    let error = SendError::new(ErrorKind::RateLimited);
    match resets_in {
        Some(wait) => error.with_rate_limit(left(0, wait)),
        None => error,
    }
}

/// Returns a response that took no time.
fn answered(pacer: &mut Pacer, now: Instant, remaining: u32, resets_in: Duration) {
    pacer.answered(now, now, Some(left(remaining, resets_in)));
}

/// Asks the pacer without waiting events and without jitter.
fn ask(pacer: &mut Pacer, now: Instant, in_flight: usize) -> Permit {
    pacer.ask(now, in_flight, || 0, || 0.0)
}

/// Returns a pacer that knows the rest of a window.
fn told(now: Instant, remaining: u32, resets_in: Duration) -> Pacer {
    let mut pacer = Pacer::new();
    answered(&mut pacer, now, remaining, resets_in);
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
    pacer.answered(now, now, None);
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(usize::MAX));
}

#[test]
fn requests_in_flight_are_still_to_be_counted() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    assert_eq!(ask(&mut pacer, now, 10), Permit::Go(30));
    // Intercom may have counted a request without a response, and counted one without headers.
    pacer.unanswered();
    pacer.answered(now, now, None);
    assert_eq!(ask(&mut pacer, now, 10), Permit::Go(28));
}

#[test]
fn the_pacer_spreads_a_backlog_over_the_window() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    assert_eq!(pacer.ask(now, 0, || 40, || 0.0), Permit::Go(40));
    assert_eq!(pacer.ask(now, 0, || 41, || 0.0), Permit::Go(1));
    pacer.sent(now, 0);
    // The reset and the response's time are both cut to whole seconds.
    let next = now + seconds(9) / 40;
    assert_eq!(pacer.ask(now, 1, || 40, || 0.0), Permit::At(next));
    assert_eq!(pacer.ask(next, 1, || 40, || 0.0), Permit::Go(1));
    // The last quarter is spread even with few waiting events.
    let mut pacer = told(now, 24, seconds(8));
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(1));
}

#[test]
fn of_answers_that_overtake_each_other_the_least_counts() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    pacer.answered(now, now, Some(left(45, seconds(9))));
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(40));
    assert_eq!(pacer.reported(), Some(left(45, seconds(9))));
}

#[test]
fn a_window_that_is_used_up_is_waited_for_and_the_next_has_the_same_limit() {
    let now = Instant::now();
    let mut pacer = told(now, 30, seconds(8));
    let ends = now + seconds(9);
    assert_eq!(ask(&mut pacer, now, 30), Permit::At(ends));
    assert_eq!((pacer.paused_until(), pacer.blocked_until()), (None, Some(ends)));
    let jitter = ends + JITTER / 2;
    assert_eq!(pacer.ask(ends, 0, || 0, || 0.5), Permit::At(jitter));
    assert_eq!(ask(&mut pacer, jitter, 0), Permit::Go(100));
    // A response of the previous window does not count for this one.
    pacer.answered(now, jitter, Some(left(0, seconds(0))));
    assert_eq!(ask(&mut pacer, jitter, 0), Permit::Go(100));
    pacer.answered(jitter, jitter, Some(left(70, seconds(9))));
    assert_eq!(ask(&mut pacer, jitter, 0), Permit::Go(70));
}

#[test]
fn after_a_refusal_nothing_goes_before_the_reset_and_then_one_alone() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(4));
    pacer.refused(now, now, &refusal(Some(seconds(4))), 0.5);
    let until = now + seconds(5) + REFUSED_JITTER / 2;
    assert_eq!(ask(&mut pacer, now, 0), Permit::At(until));
    assert_eq!(ask(&mut pacer, until, 0), Permit::Go(1));
}

#[test]
fn refusals_in_a_row_wait_longer_and_those_in_flight_together_are_one() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    let mut began = now;
    for wait in [10, 20, 40, 80, 160, 300, 300] {
        pacer.refused(began, began, &refusal(None), 0.0);
        pacer.refused(began, began, &refusal(None), 0.0);
        let until = began + seconds(wait);
        assert_eq!(ask(&mut pacer, began, 0), Permit::At(until), "{wait}");
        assert_eq!(ask(&mut pacer, until, 0), Permit::Go(1));
        began = until;
    }
    pacer.answered(began, began, None);
    pacer.refused(began, began, &refusal(None), 0.0);
    assert_eq!(ask(&mut pacer, began, 0), Permit::At(began + WINDOW));
}

#[test]
fn an_operator_ends_a_pause_that_was_asked_for_and_not_a_rate_limit() {
    let now = Instant::now();
    let mut pacer = Pacer::new();
    pacer.refused(now, now, &refusal(None).with_retry_after(seconds(60)), 0.0);
    assert_eq!(ask(&mut pacer, now, 0), Permit::At(now + seconds(60)));
    pacer.resume();
    assert_eq!(ask(&mut pacer, now, 0), Permit::Go(1));
    pacer.answered(now, now, None);
    pacer.refused(now, now, &refusal(Some(seconds(4))), 0.0);
    pacer.resume();
    assert_eq!(ask(&mut pacer, now, 0), Permit::At(now + seconds(5)));
}

#[test]
fn answers_narrow_when_the_window_ends() {
    let millis = Duration::from_millis;
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    // The window is 10 seconds long, and was open at the first response.
    let mut first = told(now, 0, seconds(10));
    assert_eq!(ask(&mut first, now, 0), Permit::At(now + WINDOW));
    // Half a second later, the response's time is in the next second.
    answered(&mut pacer, now + millis(500), 0, seconds(7));
    assert_eq!(ask(&mut pacer, now + millis(500), 0), Permit::At(now + millis(8_500)));
    // Just before the next change, a response adds no information.
    answered(&mut pacer, now + millis(1_400), 0, seconds(7));
    assert_eq!(ask(&mut pacer, now + millis(1_400), 0), Permit::At(now + millis(8_500)));
}

#[test]
fn a_window_that_began_before_it_was_expected_is_seen() {
    let now = Instant::now();
    let mut pacer = told(now, 0, seconds(1));
    let later = now + seconds(1);
    answered(&mut pacer, later, 99, seconds(10));
    assert_eq!(ask(&mut pacer, later, 0), Permit::Go(99));
    // A late response of the previous window.
    pacer.answered(now, later, Some(left(0, seconds(0))));
    assert_eq!(ask(&mut pacer, later, 0), Permit::Go(99));
}

#[test]
fn a_reset_that_no_window_has_is_not_believed_until_two_windows_fit() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(3600));
    assert_eq!(pacer.doubt(), Some(Doubt::TooFar(seconds(3600))));
    assert_eq!(pacer.ask(now, 40, || 100, || 0.0), Permit::At(now + WINDOW));
    for (at, doubted) in [(1, true), (11, true), (15, true), (21, false)] {
        answered(&mut pacer, now + seconds(at), 40, seconds(10 - (at - 1) % 10));
        assert_eq!(pacer.doubt().is_some(), doubted, "after {at} s");
    }
    // Two windows that end 5 seconds apart.
    answered(&mut pacer, now + seconds(23), 40, seconds(13 % 11));
    assert_eq!(pacer.doubt(), Some(Doubt::TooClose));
}

#[test]
fn a_refusal_with_a_reset_that_cannot_be_waits_a_window() {
    let now = Instant::now();
    let mut pacer = told(now, 40, seconds(8));
    pacer.refused(now, now, &refusal(Some(seconds(3600))), 0.0);
    assert_eq!(ask(&mut pacer, now, 0), Permit::At(now + WINDOW));
}
