//! Two events that Intercom would take for one, also across a crash.

use std::collections::HashSet;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::DeathReason;
use intercom_delivery::outbox::{Collisions, MAX_AHEAD, Outbox, Selection, Verdict};

use super::support::{NOON, Place, accept, bury, deliver, event, lease, seconds, settle};

const MINUTE: Duration = Duration::from_secs(60);

fn numbered(number: u64, second: i64) -> DataEvent {
    let event = DynamicEvent::new("project_created").unwrap().with("number", number).unwrap();
    let second = Timestamp::from_unix_seconds(NOON + second);
    DataEvent::new(&event, Contact::user_id(42), second).unwrap()
}

#[tokio::test]
async fn a_burst_of_one_second_ends_in_a_second_each() {
    let place = Place::new();
    let outbox = place.open();
    let burst: Vec<_> = (0..10_000).map(|number| numbered(number, 0)).collect();
    accept(&outbox, &burst).await;
    assert_eq!(outbox.counts().moved, 9_999);
    assert!(seconds(&outbox).await.into_iter().eq(0..10_000));
}

/// 10,000 stand there already, and as many come for each of their seconds. If each went past all of those that stand
/// there, that would be 100,000,000 steps.
#[tokio::test]
async fn who_comes_into_a_burst_does_not_go_all_the_way() {
    let place = Place::new();
    let outbox = place.open();
    let burst: Vec<_> = (0..10_000).map(|number| numbered(number, 0)).collect();
    accept(&outbox, &burst).await;
    let others: Vec<_> = (0..10_000).map(|second| event("project_created", second)).collect();
    accept(&outbox, &others).await;
    let taken: HashSet<_> = seconds(&outbox).await.into_iter().collect();
    assert_eq!(taken, (0..20_000).collect());
}

#[tokio::test]
async fn what_is_held_and_what_left_not_long_ago_is_known_after_a_crash() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &[event("delivered", 0), event("dead", 0), event("pending", 0)]).await;
    deliver(&outbox, 1).await;
    let leases = lease(&outbox, 1).await;
    settle(&outbox, &leases, bury(DeathReason::Rejected)).await;

    let place = place.crashed();
    let outbox = place.open();
    accept(&outbox, &[event("DELIVERED", 0), event("Dead", 0), event("pending", 0)]).await;
    assert_eq!(outbox.counts().moved, 3);
    // The one that was pending, and the three.
    assert_eq!(seconds(&outbox).await, [0, 1, 1, 1]);
}

#[tokio::test]
async fn what_left_is_remembered_for_two_minutes_at_least_and_forgotten_some_time() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &[event("project_created", 0)]).await;
    deliver(&outbox, 1).await;
    place.clock.advance(2 * MINUTE - Duration::from_millis(1));
    outbox.accept(&[event("project_created", 0)], Collisions::Keep).await.unwrap();
    assert_eq!(outbox.counts().collided, 1);
    deliver(&outbox, 1).await;
    place.clock.advance(10 * MINUTE);
    outbox.accept(&[event("project_created", 0)], Collisions::Keep).await.unwrap();
    assert_eq!(outbox.counts().collided, 1);
}

/// It counts from when an event left, not from when it was accepted.
#[tokio::test]
async fn what_waited_for_long_is_remembered_for_as_long_as_anything_else() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &[event("project_created", 0)]).await;
    place.clock.advance(3 * MINUTE);
    accept(&outbox, &[event("signed_up", 0)]).await;
    deliver(&outbox, 2).await;
    place.clock.advance(2 * MINUTE - Duration::from_millis(1));
    outbox.accept(&[event("project_created", 0)], Collisions::Keep).await.unwrap();
    assert_eq!(outbox.counts().collided, 1);
}

/// Seconds are filed when many others have come. What is held then stays taken, and what has left is forgotten some time.
#[tokio::test]
async fn what_stays_while_many_come_and_go_keeps_its_second() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &[event("stays", 0), event("goes", 0)]).await;
    assert_eq!(lease(&outbox, 1).await.len(), 1);
    for batch in 0..3 {
        let seconds = batch * 5_000..(batch + 1) * 5_000;
        let others: Vec<_> = seconds.map(|second| event("signed_up", second)).collect();
        accept(&outbox, &others).await;
        deliver(&outbox, usize::MAX).await;
    }
    assert!(place.number("SELECT count(*) FROM outbox_seconds WHERE held > 0") >= 1);
    place.clock.advance(10 * MINUTE);
    let both = [event("stays", 0), event("goes", 0)];
    outbox.accept(&both, Collisions::Keep).await.unwrap();
    assert_eq!(outbox.counts().collided, 1);
}

#[tokio::test]
async fn what_is_forgotten_leaves_the_file() {
    let place = Place::new();
    let outbox = place.open();
    let rows = || {
        place.number(
            "SELECT (SELECT count(*) FROM outbox_seconds) + (SELECT count(*) FROM outbox_new_seconds)",
        )
    };
    accept(&outbox, &super::support::events(5_000)).await;
    deliver(&outbox, usize::MAX).await;
    assert_eq!(rows(), 5_000);
    for _ in 0..4 {
        place.clock.advance(2 * MINUTE);
        outbox.tidy().await;
    }
    assert_eq!(rows(), 0);
}

/// However quickly events leave, the memory of them stays small.
#[tokio::test]
async fn what_left_in_great_number_is_forgotten_sooner() {
    let place = Place::new();
    let outbox = place.open();
    for batch in 0..10 {
        let events: Vec<_> =
            (0..10_000).map(|second| event("project_created", batch * 10_000 + second)).collect();
        accept(&outbox, &events).await;
        deliver(&outbox, usize::MAX).await;
    }
    outbox.tidy().await;
    let rows = place.number("SELECT count(*) FROM outbox_seconds");
    assert!((16_384..=60_000).contains(&rows), "{rows}");
}

/// An event of its second may yet come of itself.
#[tokio::test]
async fn what_was_moved_into_the_future_is_remembered_until_that_is_past() {
    let place = Place::new();
    let outbox = place.open();
    let burst: Vec<_> = (0..2_000).map(|number| numbered(number, 0)).collect();
    accept(&outbox, &burst).await;
    deliver(&outbox, usize::MAX).await;
    for _ in 0..10 {
        place.clock.advance(2 * MINUTE);
        outbox.tidy().await;
    }
    // 20 minutes have passed, and the last was moved by 33.
    outbox.accept(&[event("project_created", 1_999)], Collisions::Keep).await.unwrap();
    assert_eq!(outbox.counts().collided, 1);
    outbox.accept(&[event("project_created", 900)], Collisions::Keep).await.unwrap();
    assert_eq!(outbox.counts().collided, 1);
}

#[tokio::test]
async fn no_event_is_moved_by_more_than_a_day() {
    let place = Place::new();
    let outbox = place.open();
    let day = usize::try_from(MAX_AHEAD).unwrap();
    let burst: Vec<_> = (0..day as u64 + 3).map(|number| numbered(number, 0)).collect();
    accept(&outbox, &burst).await;
    let counts = outbox.counts();
    assert_eq!((counts.moved, counts.collided), (day as u64, 2));
}

#[tokio::test]
async fn the_last_second_that_there_is_does_no_harm() {
    let place = Place::new();
    let outbox = place.open();
    let last = format!(
        r#"{{"event_name":"end","created_at":{},"user_id":"42","metadata":{{}}}}"#,
        i64::MAX
    );
    let last = DataEvent::from_body(last).unwrap();
    accept(&outbox, &[last.clone(), last.clone(), last]).await;
    let counts = outbox.counts();
    assert_eq!((counts.accepted, counts.collided), (3, 2));
}

#[tokio::test]
async fn purging_releases_and_redriving_does_not() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &[event("project_created", 0)]).await;
    let leases = lease(&outbox, 1).await;
    settle(&outbox, &leases, bury(DeathReason::Rejected)).await;
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 1);
    place.clock.advance(10 * MINUTE);
    outbox.accept(&[event("project_created", 0)], Collisions::Keep).await.unwrap();
    assert_eq!(outbox.counts().collided, 1);
    let leases = lease(&outbox, 2).await;
    settle(&outbox, &leases[..1], Verdict::Acknowledge).await;
    settle(&outbox, &leases[1..], bury(DeathReason::Rejected)).await;
    assert_eq!(outbox.purge(&Selection::All).await.unwrap(), 1);
    let held = "SELECT held FROM outbox_seconds";
    assert_eq!(place.number(held), 0);
}
