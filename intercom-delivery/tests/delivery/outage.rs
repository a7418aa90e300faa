//! Outages of Intercom: no event is lost, and requests do not storm.

use std::collections::HashSet;
use std::time::Duration;

use intercom_core::ErrorKind;
use intercom_delivery::{Delivery, MemoryOutbox, State};
use tokio::time::{Instant, advance, sleep};
use tracing_subscriber::filter::LevelFilter;

use crate::scripted::{Act, DAY, Logs, SECOND, Scripted, Sent, answer, guarded};
use crate::support::{UnreliableIntercom, events};

const OUTAGE: Duration = Duration::from_secs(3 * 3600);

#[tokio::test(start_paused = true)]
async fn an_outage_of_three_hours_loses_no_event() {
    let intercom = UnreliableIntercom::new();
    let delivery = Delivery::builder(intercom.clone())
        .outbox(MemoryOutbox::new().capacity(100_000))
        .start()
        .unwrap();
    intercom.set_down(true);
    let all = events(100_000);
    delivery.send_all(&all).await.unwrap();

    let begun = Instant::now();
    while begun.elapsed() < OUTAGE {
        advance(Duration::from_secs(10)).await;
    }
    let ledger = delivery.ledger().await.unwrap();
    assert!(ledger.is_balanced(), "{ledger}");
    assert_eq!((ledger.pending, ledger.delivered, ledger.dead), (100_000, 0, 0));
    assert!(matches!(delivery.status().state, State::Outage(_)), "{}", delivery.status());
    // Time advances in steps of ten seconds here, so there are few requests in the first minute.
    let asked = intercom.asked().len();
    assert!((200..=900).contains(&asked), "{asked} requests in the outage");

    intercom.set_down(false);
    let recovered = Instant::now();
    let report = delivery.flush(DAY).await;
    assert_eq!((report.delivered, report.dead, report.pending), (100_000, 0, 0));
    // The next probe comes within a minute. The events take just over another minute, at 32 in 20
    // ms.
    assert!(recovered.elapsed() < Duration::from_secs(130), "{:?}", recovered.elapsed());

    // Each event arrived once, and unchanged.
    let taken = intercom.taken();
    assert_eq!(taken.len(), 100_000);
    let taken: HashSet<_> = taken.iter().map(|event| event.body().clone()).collect();
    assert!(all.iter().all(|event| taken.contains(event.body())));
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_concurrency_grows_step_by_step() {
    let intercom = UnreliableIntercom::new();
    let delivery = Delivery::builder(intercom.clone()).start().unwrap();
    intercom.set_down(true);
    delivery.send_all(&events(2_000)).await.unwrap();
    while !matches!(delivery.status().state, State::Outage(_)) {
        advance(Duration::from_millis(10)).await;
    }
    advance(Duration::from_secs(60)).await;
    let before = intercom.asked().len();
    intercom.set_down(false);
    assert!(delivery.flush(DAY).await.is_complete());
    let asked = intercom.asked();
    let first = asked[before..].iter().position(|time| *time > asked[before]).unwrap() + before;
    // One probe, then two requests, then four, …
    let begin = asked[first];
    let at_once = asked[first..].iter().filter(|time| **time == begin).count();
    assert!(at_once <= 4, "{at_once} requests at once, right after the outage");
}

#[tokio::test(start_paused = true)]
async fn occasional_failures_are_no_outage() {
    for percent in [5, 30] {
        let intercom = UnreliableIntercom::new().failing_percent(percent);
        let delivery = Delivery::builder(intercom.clone()).jitter_seed(7).start().unwrap();
        delivery.send_all(&events(10_000)).await.unwrap();
        let begun = Instant::now();
        let report = delivery.flush(DAY).await;
        assert_eq!((report.delivered, report.pending), (10_000, 0));
        // Without failures the delivery takes 6.3 s. The last events are those that failed several
        // times.
        assert!(begun.elapsed() < Duration::from_secs(120), "{percent} %: {:?}", begun.elapsed());
        assert!(matches!(delivery.status().state, State::Delivering));
        let asked = intercom.asked().len();
        let expected = 10_000.0 / (1.0 - f64::from(percent) / 100.0);
        assert!((asked as f64) < 1.1 * expected, "{percent} %: {asked} requests");
    }
}

#[tokio::test(start_paused = true)]
async fn an_intermittent_outage_causes_no_storm() {
    let intercom = UnreliableIntercom::new().failing_percent(95);
    let delivery = Delivery::builder(intercom.clone()).jitter_seed(7).start().unwrap();
    delivery.send_all(&events(5_000)).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3600) {
        advance(Duration::from_secs(1)).await;
    }
    // Intercom is up, so this is no outage: each event has its own back-off. The 18,096 requests
    // are 4 for each event. At full speed they would be millions.
    let asked = intercom.asked().len();
    assert!(asked < 20_000, "{asked} requests in an hour");
    assert!(delivery.ledger().await.unwrap().is_balanced());
}

/// Each `resume` replaces the probe, which may hang.
#[tokio::test(start_paused = true)]
async fn repeated_resumes_never_exceed_the_concurrency() {
    guarded(async {
        let down: [fn() -> Sent; 2] = [|| Act::fails(ErrorKind::Connection), || Act::status(401)];
        for down in down {
            let transport = Scripted::new(move |_| down());
            let delivery = Delivery::builder(transport.clone()).concurrency(4).start().unwrap();
            delivery.send_all(&events(1000)).await.unwrap();
            sleep(5 * SECOND).await;
            let line = delivery.status().state;
            assert!(matches!(line, State::Outage(_) | State::Stopped(_)), "{line}");
            transport.script(|_| Act::Hang);
            for _ in 0..100 {
                delivery.resume();
                sleep(SECOND / 200).await;
                assert!(delivery.status().in_flight <= 4, "{}", delivery.status());
            }
            assert!(transport.most_running() <= 4, "{} at once", transport.most_running());
            // None of the events is lost.
            transport.script(|_| Act::taken());
            assert_eq!(delivery.flush(DAY).await.delivered, 1000);
        }
    })
    .await;
}

/// Their results date from before the revocation of the token.
#[tokio::test(start_paused = true)]
async fn requests_from_before_a_stop_do_not_end_it_when_they_succeed() {
    guarded(async {
        let (logs, _guard) = Logs::capture(LevelFilter::ERROR);
        let revoked = 3 * SECOND / 2;
        let transport = Scripted::new(move |call| match call.at < revoked {
            true => Act::taken_after(SECOND + SECOND * (call.number as u32 % 32) / 27),
            false => Act::Late(SECOND / 300, Err(answer(401))),
        });
        let delivery = Delivery::builder(transport.clone()).start().unwrap();
        delivery.send_all(&events(200)).await.unwrap();
        let mut stopped = vec![false];
        for _ in 0..4000 {
            sleep(SECOND / 1000).await;
            let is = matches!(delivery.status().state, State::Stopped(_));
            if stopped.last() != Some(&is) {
                stopped.push(is);
            }
        }
        assert_eq!(stopped, [false, true]);
        assert!(transport.taken().len() >= 32, "{} of before", transport.taken().len());
        assert_eq!(logs.lines("ERROR").len(), 1, "{}", logs.text());
        // One request discovered it, and one probes for all.
        let refused = transport.attempts().iter().filter(|attempt| attempt.at >= revoked).count();
        assert!(refused <= 3, "{refused} requests with a revoked token");
    })
    .await;
}
