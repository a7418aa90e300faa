//! The pacer of all requests: it uses the rate limit, and never overruns it.

use std::time::Duration;

use intercom_core::Receipt;
use intercom_delivery::{Delivery, DrainReport, MemoryOutbox, State};
use tokio::time::{Instant, sleep};

use crate::scripted::{Act, DAY, HOUR, MINUTE, SECOND, Scripted, answer, guarded, rate_limit};
use crate::support::{Headers, LimitedIntercom, Windows, events};

const WINDOW: Duration = Duration::from_secs(10);

/// Delivers `number` events, and returns how long that took.
async fn deliver(intercom: &LimitedIntercom, number: u64) -> Duration {
    let delivery = Delivery::builder(intercom.clone())
        .outbox(MemoryOutbox::new().capacity(1_000_000))
        .jitter_seed(7)
        .start()
        .unwrap();
    let begun = Instant::now();
    delivery.send_all(&events(number)).await.unwrap();
    let DrainReport { delivered, dead, pending, .. } = delivery.flush(DAY).await;
    assert_eq!((delivered, dead, pending), (number, 0, 0));
    begun.elapsed()
}

/// Returns the used share of the limit.
fn share_used(number: u64, limit: u32, took: Duration) -> f64 {
    let allowed = f64::from(limit) * (took.as_secs_f64() / WINDOW.as_secs_f64());
    number as f64 / allowed
}

/// The header's reset is a whole second, and no window ends at one.
#[tokio::test(start_paused = true)]
async fn a_limit_is_used_and_never_overrun() {
    for windows in [Windows::ByRequest, Windows::BackToBack] {
        for (limit, later) in [(83, 0), (167, 0), (1667, 0), (83, 300), (167, 600), (1667, 620)] {
            let later = Duration::from_millis(later);
            let intercom = LimitedIntercom::new(limit, Headers::All).windows(windows).later(later);
            // Exactly the events of whole windows, so that the last window is full too.
            let number = u64::from(limit) * if limit > 1000 { 5 } else { 20 };
            let took = deliver(&intercom, number).await;
            let refused = intercom.refused().len();
            assert_eq!(refused, 0, "limit {limit}, {windows:?}, {later:?} later");
            let share = share_used(number, limit, took);
            assert!(share >= 0.95, "limit {limit}, {windows:?}: {share:.3} used in {took:?}");
        }
    }
}

/// The delivery ignores and logs a reset that does not fit a window of 10 seconds.
#[tokio::test(start_paused = true)]
async fn an_impossible_reset_is_ignored() {
    for windows in [Windows::ByRequest, Windows::BackToBack] {
        for (headers, refusals, words) in [
            (Headers::Milliseconds, 0, "a reset was 3600 s ahead"),
            (Headers::Ahead(300), 0, "a reset was 3"),
            (Headers::Ahead(-300), 40, "less than 10 s apart"),
            (Headers::Ahead(-4), 40, "less than 10 s apart"),
            // This reset may seem valid until the second window.
            (Headers::Ahead(4), 2, "s ahead"),
        ] {
            let intercom = LimitedIntercom::new(83, headers).windows(windows);
            let delivery = Delivery::builder(intercom.clone()).jitter_seed(7).start().unwrap();
            let begun = Instant::now();
            delivery.send_all(&events(6 * 83)).await.unwrap();
            let mut said = None;
            while delivery.ledger().await.unwrap().pending > 0 {
                sleep(SECOND).await;
                said = said.or(delivery.status().rate_limit_doubt);
            }
            let (took, refused) = (begun.elapsed(), intercom.refused().len());
            let said = said.unwrap_or_else(|| panic!("{headers:?}, {windows:?}: not logged"));
            assert!(said.contains(words), "{headers:?}, {windows:?}: {said}");
            assert!(refused <= refusals, "{headers:?}, {windows:?}: {refused} refused");
            // At most twice the time with a correct reset.
            assert!(took <= 2 * 6 * WINDOW, "{headers:?}, {windows:?}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plausible_reset_is_used_again() {
    let intercom = LimitedIntercom::new(83, Headers::Milliseconds);
    let delivery = Delivery::builder(intercom.clone()).jitter_seed(7).start().unwrap();
    delivery.send_all(&events(10)).await.unwrap();
    assert_eq!(delivery.flush(DAY).await.delivered, 10);
    let status = delivery.status();
    assert!(status.rate_limit_doubt.is_some());
    assert!(status.to_string().contains("the rate limit's reset is not believed"), "{status}");
    intercom.set_headers(Headers::All);
    delivery.send_all(&events(4 * 83)).await.unwrap();
    assert_eq!(delivery.flush(DAY).await.delivered, 10 + 4 * 83);
    assert_eq!(delivery.status().rate_limit_doubt, None);
    assert_eq!(intercom.refused().len(), 0);
}

/// Without a reset, the delivery still respects the remaining requests. Each window counts from its
/// first response.
#[tokio::test(start_paused = true)]
async fn a_limit_without_a_reset_is_not_overrun() {
    for windows in [Windows::ByRequest, Windows::BackToBack] {
        let intercom = LimitedIntercom::new(83, Headers::NoReset).windows(windows);
        let took = deliver(&intercom, 6 * 83).await;
        assert_eq!(intercom.refused().len(), 0, "{windows:?}");
        assert!(took <= 2 * 6 * WINDOW, "{windows:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_responses_change_nothing() {
    let intercom = LimitedIntercom::new(83, Headers::All).far_away(Duration::from_millis(150));
    let took = deliver(&intercom, 20 * 83).await;
    assert!(intercom.refused().is_empty());
    let share = share_used(20 * 83, 83, took);
    assert!(share >= 0.95, "{share:.3} of the limit used");
}

#[tokio::test(start_paused = true)]
async fn requests_are_spread_over_the_window() {
    let limit = 83;
    let intercom = LimitedIntercom::new(limit, Headers::All);
    deliver(&intercom, 4 * u64::from(limit)).await;
    let taken = intercom.taken();
    // Each second in the middle has about a tenth of the window's requests.
    let middle = taken[0] + 2 * WINDOW;
    for second in 0..8 {
        let begin = middle + Duration::from_secs(second);
        let end = begin + Duration::from_secs(1);
        let number = taken.iter().filter(|time| (begin..end).contains(*time)).count();
        assert!((6..=12).contains(&number), "second {second}: {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_events_are_not_slowed_down() {
    let intercom = LimitedIntercom::new(83, Headers::All);
    let took = deliver(&intercom, 40).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_shared_with_others_is_used_up_to_its_rest() {
    let intercom = LimitedIntercom::new(167, Headers::All).used_by_others(120);
    let took = deliver(&intercom, 47 * 10).await;
    assert!(intercom.refused().is_empty());
    let share = share_used(47 * 10, 47, took);
    assert!(share >= 0.95, "{share:.3} of the remaining requests used");
}

#[tokio::test(start_paused = true)]
async fn a_limit_smaller_than_the_concurrency_is_kept() {
    let intercom = LimitedIntercom::new(5, Headers::All);
    deliver(&intercom, 50).await;
    assert!(intercom.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn refusals_without_headers_cause_back_off() {
    let intercom = LimitedIntercom::new(83, Headers::None);
    let took = deliver(&intercom, 830).await;
    // Each refusal belongs to one burst of requests in flight, and pauses the pacer for at least a
    // window.
    let bursts = bursts(&intercom.refused());
    assert!(bursts.len() <= 12, "{bursts:?}");
    assert!(took < Duration::from_secs(400), "{took:?}");
    for pair in bursts.windows(2) {
        assert!(pair[1] - pair[0] >= WINDOW, "{bursts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_in_the_past_neither_stops_nor_storms() {
    let intercom = LimitedIntercom::new(83, Headers::PastReset);
    deliver(&intercom, 300).await;
    let bursts = bursts(&intercom.refused());
    assert!(bursts.len() <= 12, "{bursts:?}");
}

#[tokio::test(start_paused = true)]
async fn an_absurd_retry_after_is_cut_to_an_hour() {
    let intercom = LimitedIntercom::new(83, Headers::AbsurdRetryAfter);
    // Another client uses up the limit in each window, so that there is a refusal.
    let others = intercom.clone().used_by_others(83);
    let delivery = Delivery::builder(others.clone()).start().unwrap();
    delivery.send_all(&events(1)).await.unwrap();
    let begun = Instant::now();
    while others.refused().len() < 2 {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let refused = others.refused();
    let apart = refused[1] - refused[0];
    assert!(apart >= Duration::from_secs(3600), "{apart:?}");
    assert!(begun.elapsed() < Duration::from_secs(3700));
}

#[tokio::test(start_paused = true)]
async fn no_request_goes_between_a_429_and_the_reset() {
    // Other clients use up the limit before the first request.
    let intercom = LimitedIntercom::new(20, Headers::All).used_by_others(20);
    let delivery = Delivery::builder(intercom.clone()).start().unwrap();
    delivery.send_all(&events(100)).await.unwrap();
    while intercom.refused().len() < 4 {
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    // One request probed each time, and all others waited for it.
    for pair in intercom.refused().windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(9), "{pair:?}");
    }
    let ledger = delivery.ledger().await.unwrap();
    assert_eq!((ledger.pending, ledger.dead), (100, 0));
}

/// A limit of zero cannot be kept.
#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_does_not_end_delivery() {
    guarded(async {
        for resets_in in [Duration::ZERO, 5 * SECOND, HOUR] {
            let limit = rate_limit(0, 0, resets_in);
            let nothing = Receipt::delivered(202).with_rate_limit(limit);
            let transport = Scripted::queue([Act::Late(SECOND / 100, Ok(nothing))]);
            let delivery = Delivery::builder(transport.clone()).start().unwrap();
            delivery.send_all(&events(3)).await.unwrap();
            assert_eq!(delivery.flush(DAY).await.delivered, 3);
            assert!(transport.elapsed() < resets_in + MINUTE, "{:?}", transport.elapsed());
        }
    })
    .await;
}

/// A proxy may ask for a pause, and be repaired before its end.
#[tokio::test(start_paused = true)]
async fn a_pause_that_is_no_rate_limit_ends_when_delivery_is_resumed() {
    guarded(async {
        let limited = answer(429).with_retry_after(HOUR);
        let transport = Scripted::queue([Act::End(Err(limited))]);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        delivery.send_all(&events(100)).await.unwrap();
        sleep(MINUTE).await;
        assert_eq!(transport.attempts().len(), 1);
        delivery.resume();
        sleep(SECOND).await;
        assert!(matches!(delivery.status().state, State::Delivering), "{}", delivery.status());
        // Also the event that was told to pause.
        assert_eq!(delivery.ledger().await.unwrap().delivered, 100);
        assert_eq!(delivery.flush(DAY).await.delivered, 100);
    })
    .await;
}

/// The failure of one event must not pause others.
#[tokio::test(start_paused = true)]
async fn a_pause_that_a_503_asks_for_delays_its_event_alone() {
    guarded(async {
        let transport = Scripted::queue([Act::End(Err(answer(503).with_retry_after(HOUR)))]);
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        delivery.send_all(&events(100)).await.unwrap();
        sleep(MINUTE).await;
        assert_eq!(delivery.ledger().await.unwrap().delivered, 99);
        assert_eq!(transport.attempts().len(), 100);
        assert_eq!(delivery.flush(DAY).await.delivered, 100);
        assert!(transport.elapsed() >= HOUR, "{:?}", transport.elapsed());
    })
    .await;
}

/// No operator can shorten that pause.
#[tokio::test(start_paused = true)]
async fn a_pause_for_the_rate_limit_does_not_end_when_delivery_is_resumed() {
    guarded(async {
        let limit = rate_limit(100, 0, 9 * SECOND);
        let limited = || answer(429).with_rate_limit(limit);
        for limited in [limited(), limited().with_retry_after(9 * SECOND)] {
            let transport = Scripted::queue([Act::End(Err(limited))]);
            let delivery = Delivery::builder(transport.clone()).start().unwrap();
            delivery.send_all(&events(3)).await.unwrap();
            for _ in 0..8 {
                sleep(SECOND).await;
                delivery.resume();
            }
            assert_eq!(transport.attempts().len(), 1);
            let line = delivery.status().state;
            assert!(matches!(line, State::Paused { .. }), "{line}");
            assert_eq!(delivery.flush(DAY).await.delivered, 3);
            assert!(transport.elapsed() < 12 * SECOND, "{:?}", transport.elapsed());
        }
    })
    .await;
}

/// The first response of a burst refuses for the rate limit, and another one asks for a short
/// pause.
#[tokio::test(start_paused = true)]
async fn a_shorter_pause_does_not_end_the_one_for_the_rate_limit() {
    guarded(async {
        let limited = answer(429).with_rate_limit(rate_limit(100, 0, 9 * SECOND));
        let transport = Scripted::queue([
            Act::taken(),
            Act::Late(SECOND / 10, Err(limited)),
            Act::Late(SECOND / 5, Err(answer(503).with_retry_after(SECOND))),
        ]);
        let delivery = Delivery::builder(transport.clone()).concurrency(2).start().unwrap();
        delivery.send_all(&events(10)).await.unwrap();
        sleep(4 * SECOND).await;
        assert_eq!(transport.attempts().len(), 3);
        delivery.resume();
        sleep(4 * SECOND).await;
        assert_eq!(transport.attempts().len(), 3);
        assert_eq!(delivery.flush(DAY).await.delivered, 10);
    })
    .await;
}

/// Returns the first refusal of each burst.
fn bursts(refused: &[Instant]) -> Vec<Instant> {
    let mut bursts: Vec<Instant> = Vec::new();
    let mut last = None;
    for time in refused {
        if last.is_none_or(|last| *time - last > Duration::from_secs(2)) {
            bursts.push(*time);
        }
        last = Some(*time);
    }
    bursts
}
