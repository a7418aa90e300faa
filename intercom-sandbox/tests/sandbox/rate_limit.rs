//! The rate limit in ten-second windows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intercom_sandbox::{Clock, ManualClock, OpenRules, Sandbox};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{
    Answered, client, connect, event, finish, friendly, post_event, post_text, raw_event, request,
};

const NOON: u64 = 1_700_000_003;

fn budget(answered: &Answered) -> [Option<u64>; 3] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
        .map(|name| answered.header(name).map(|value| value.parse().expect("a number")))
}

#[tokio::test]
async fn a_window_has_its_budget_and_a_new_one_opens_after_ten_seconds() {
    let clock = ManualClock::at_unix_seconds(NOON);
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .deduplicate(false)
        .rate_limit(2)
        .clock(clock.clone())
        .start()
        .await
        .unwrap();
    let send = || async { post_event(&sandbox, &event("project_created")).await };

    let first = send().await;
    assert_eq!((first.status, budget(&first)), (202, [Some(2), Some(1), Some(NOON + 10)]));

    clock.advance(Duration::from_secs(7));
    let second = send().await;
    assert_eq!((second.status, budget(&second)), (202, [Some(2), Some(0), Some(NOON + 10)]));

    clock.advance(Duration::from_millis(2_999));
    let third = send().await;
    assert_eq!((third.status, budget(&third)), (429, [Some(2), Some(0), Some(NOON + 10)]));
    assert_eq!(third.errors(), ["rate_limit_exceeded"]);

    // Refused requests do not count in the next window, which opens with its first request.
    clock.advance(Duration::from_millis(1));
    let fourth = send().await;
    assert_eq!((fourth.status, budget(&fourth)), (202, [Some(2), Some(1), Some(NOON + 20)]));

    clock.advance(Duration::from_secs(12));
    let fifth = send().await;
    assert_eq!((fifth.status, budget(&fifth)), (202, [Some(2), Some(1), Some(NOON + 32)]));
    assert_eq!(sandbox.events().len(), 4);
}

/// The headers have whole seconds, as Intercom's do, so a window can outlast its reset.
#[tokio::test]
async fn a_window_opens_at_any_moment_and_its_reset_has_no_fraction() {
    let clock = ManualClock::at_unix_seconds(NOON);
    clock.advance(Duration::from_millis(630));
    let sandbox = Sandbox::builder()
        .rate_limit(1)
        .open_rules(OpenRules::default().retry_after(true))
        .clock(clock.clone())
        .start()
        .await
        .unwrap();
    let me = || async { finish(request(&sandbox, Method::GET, "/me")).await };
    let first = me().await;
    assert_eq!((first.status, budget(&first)), (200, [Some(1), Some(0), Some(NOON + 10)]));

    // The reset has passed, and the window is still open.
    clock.advance(Duration::from_millis(9_999));
    let second = me().await;
    assert_eq!((second.status, budget(&second)), (429, [Some(1), Some(0), Some(NOON + 10)]));
    assert_eq!(second.header("retry-after"), Some("1"));

    clock.advance(Duration::from_millis(1));
    let third = me().await;
    assert_eq!((third.status, budget(&third)), (200, [Some(1), Some(0), Some(NOON + 20)]));
}

/// A clock that the test sets.
#[derive(Clone, Default)]
struct Settable(Arc<AtomicU64>);

impl Clock for Settable {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Concurrent requests can read the clock in one order and arrive in another. A clock that goes
/// back a little has the same effect.
#[tokio::test]
async fn an_earlier_clock_reading_opens_no_new_window() {
    let clock = Settable::default();
    let sandbox = Sandbox::builder().rate_limit(2).clock(clock.clone()).start().await.unwrap();
    let at = async |second| {
        clock.0.store(second, Ordering::SeqCst);
        finish(request(&sandbox, Method::GET, "/me")).await
    };
    assert_eq!(budget(&at(NOON).await), [Some(2), Some(1), Some(NOON + 10)]);
    assert_eq!(budget(&at(NOON - 1).await), [Some(2), Some(0), Some(NOON + 10)]);
    let refused = at(NOON - 9).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, None));
    // A time this far back is in another window.
    assert_eq!(budget(&at(NOON - 10).await), [Some(2), Some(1), Some(NOON)]);
}

#[tokio::test]
async fn a_request_counts_in_the_window_in_which_it_is_complete() {
    let clock = ManualClock::at_unix_seconds(NOON);
    let sandbox = Sandbox::builder().rate_limit(2).clock(clock.clone()).start().await.unwrap();
    let mut stream = connect(&sandbox).await;
    let event = raw_event(&sandbox)
        .replace("\r\n\r\n", "\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    let (head, body) = event.split_at(event.find('{').expect("a body"));
    stream.write_all(head.as_bytes()).await.unwrap();
    // `100 Continue` proves that the sandbox has read the head.
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    clock.advance(Duration::from_secs(12));
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(&format!("x-ratelimit-reset: {}", NOON + 22)), "{answer}");
}

#[tokio::test]
async fn all_endpoints_and_refused_events_share_one_budget() {
    let sandbox = Sandbox::builder()
        .rate_limit(2)
        .clock(ManualClock::at_unix_seconds(NOON))
        .start()
        .await
        .unwrap();
    assert_eq!(finish(request(&sandbox, Method::GET, "/me")).await.status, 200);
    assert_eq!(post_text(&sandbox, "nonsense").await.status, 400);
    assert_eq!(finish(request(&sandbox, Method::GET, "/me")).await.status, 429);
}

#[tokio::test]
async fn an_unauthorized_request_spends_nothing_and_gets_the_headers() {
    let sandbox = Sandbox::builder()
        .rate_limit(1)
        .clock(ManualClock::at_unix_seconds(NOON))
        .start()
        .await
        .unwrap();
    let stranger = finish(client().get(format!("{}/me", sandbox.url()))).await;
    assert_eq!((stranger.status, budget(&stranger)), (401, [Some(1), Some(1), Some(NOON + 10)]));
    let lost = finish(request(&sandbox, Method::GET, "/nowhere")).await;
    assert_eq!((lost.status, budget(&lost)), (404, [Some(1), Some(1), Some(NOON + 10)]));
    assert_eq!(finish(request(&sandbox, Method::GET, "/me")).await.status, 200);
}

#[tokio::test]
async fn reading_the_budget_and_unauthorized_requests_open_no_window() {
    let clock = ManualClock::at_unix_seconds(NOON);
    let sandbox =
        Sandbox::builder().know_everybody(true).clock(clock.clone()).start().await.unwrap();
    let state = format!("{}/_sandbox/state", sandbox.url());
    assert_eq!(finish(client().get(&state)).await.status, 200);
    let stranger = finish(client().get(format!("{}/me", sandbox.url()))).await;
    assert_eq!((stranger.status, budget(&stranger)[2]), (401, Some(NOON + 10)));

    clock.advance(Duration::from_secs(4));
    let first = post_event(&sandbox, &event("a")).await;
    assert_eq!(budget(&first)[2], Some(NOON + 14));
}

#[tokio::test]
async fn the_default_is_ten_thousand_a_minute() {
    let sandbox = friendly().await;
    let answered = post_event(&sandbox, &event("project_created")).await;
    assert_eq!(budget(&answered)[..2], [Some(1666), Some(1665)]);
}

#[tokio::test]
async fn without_a_limit_there_are_no_headers() {
    let sandbox = Sandbox::builder().know_everybody(true).no_rate_limit().start().await.unwrap();
    let answered = post_event(&sandbox, &event("project_created")).await;
    assert_eq!((answered.status, budget(&answered)), (202, [None, None, None]));
}

#[tokio::test]
async fn retry_after_is_optional() {
    let clock = ManualClock::at_unix_seconds(NOON);
    for wanted in [false, true] {
        let builder = Sandbox::builder()
            .rate_limit(1)
            .open_rules(OpenRules::default().retry_after(wanted))
            .clock(clock.clone());
        let sandbox = builder.start().await.unwrap();
        let me = || async { finish(request(&sandbox, Method::GET, "/me")).await };
        let first = me().await;
        assert_eq!((first.status, first.header("retry-after")), (200, None));
        clock.advance(Duration::from_secs(3));
        let second = me().await;
        assert_eq!((second.status, second.header("retry-after")), (429, wanted.then_some("7")));
    }
}
