//! What happens when the disk, or somebody else, is in the way.

use std::fs;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{AcceptError, Collisions, Outbox, Verdict};
use tokio::task::yield_now;

use super::support::{NOON, Place, accept, event, lease, settle};

/// Events that do not fit into a small file.
fn too_many() -> Vec<DataEvent> {
    let event = DynamicEvent::new("report_made").unwrap().with("text", "x".repeat(250)).unwrap();
    let at = |second| Timestamp::from_unix_seconds(NOON + second);
    let event = |second| DataEvent::new(&event, Contact::user_id(7), at(second)).unwrap();
    (0..2_000).map(event).collect()
}

#[tokio::test]
async fn when_a_batch_fails_nothing_of_it_was_done_and_all_are_told() {
    let place = Place::new();
    let outbox = place.builder().max_pages(64).open().unwrap();
    accept(&outbox, &[event("before", 0), event("before", 1)]).await;
    let leases = lease(&outbox, 1).await;
    let counts = outbox.counts();

    place.clock.stop(&outbox);
    let offer = |events: Vec<DataEvent>| {
        let outbox = outbox.clone();
        tokio::spawn(async move { outbox.accept(&events, Collisions::Move).await })
    };
    let first = offer(vec![event("small", 0)]);
    let second = offer(too_many());
    let third = offer(vec![event("small", 1)]);
    let settling = tokio::spawn({
        let (outbox, settlement) = (outbox.clone(), leases[0].settle(Verdict::Acknowledge));
        async move { outbox.settle(&[settlement]).await }
    });
    for _ in 0..10 {
        yield_now().await;
    }
    place.clock.go_on();
    for offered in [first, second, third] {
        let error = offered.await.unwrap().unwrap_err();
        assert!(matches!(error, AcceptError::Storage(_)), "{error:?}");
        assert!(error.to_string().contains("make room"), "{error}");
    }
    assert!(settling.await.unwrap().is_err());
    assert_eq!(outbox.counts(), counts);

    // Things go on, and leases are what they were.
    settle(&outbox, &leases, Verdict::Acknowledge).await;
    accept(&outbox, &[event("small", 0)]).await;
    let ids: Vec<_> = lease(&outbox, 10).await.iter().map(|lease| lease.id.0).collect();
    assert_eq!(ids, [2, 3]);
    drop(outbox);
    let outbox = place.open();
    assert_eq!(outbox.counts().pending, 2);
}

#[tokio::test]
async fn a_full_disk_takes_events_again_when_others_have_left() {
    let place = Place::new();
    let outbox = place.builder().max_pages(64).open().unwrap();
    let mut accepted = 0;
    for event in too_many() {
        match outbox.accept(&[event], Collisions::Move).await {
            Ok(()) => accepted += 1,
            Err(error) => {
                assert!(matches!(error, AcceptError::Storage(_)), "{error:?}");
                break;
            }
        }
    }
    assert_eq!(outbox.counts().pending, accepted);
    let leases = lease(&outbox, 100).await;
    settle(&outbox, &leases, Verdict::Acknowledge).await;
    accept(&outbox, &[event("small", 0)]).await;
    assert_eq!(outbox.counts().pending, accepted - 99);
}

#[tokio::test]
async fn a_transaction_of_somebody_else_that_lasts_too_long() {
    let place = Place::new();
    let outbox = place.builder().lock_timeout(Duration::ZERO).open().unwrap();
    let conn = place.sqlite();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = outbox.accept(&[event("small", 0)], Collisions::Move).await.unwrap_err();
    assert!(error.to_string().contains("another program's transaction"), "{error}");
    // Leasing is reading, and goes on.
    assert_eq!(lease(&outbox, 1).await.len(), 0);
    conn.execute_batch("ROLLBACK").unwrap();
    accept(&outbox, &[event("small", 0)]).await;
}

/// How large the log is.
fn logged(place: &Place) -> u64 {
    fs::metadata(place.folder.path().join("events.db-wal")).unwrap().len()
}

/// Nobody knows whether it is on the disk: after a sync that failed, the system may show what is not.
#[tokio::test]
async fn nothing_is_added_to_a_log_that_was_found() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &[event("before", 0), event("before", 1)]).await;
    let crashed = place.crashed();
    assert!(logged(&crashed) > 0);
    let outbox = crashed.open();
    assert_eq!(logged(&crashed), 0);
    assert_eq!(lease(&outbox, 10).await.len(), 2);
}

#[tokio::test]
async fn the_log_comes_into_the_file_also_when_there_is_never_time() {
    let place = Place::new();
    let outbox = place.builder().poll_interval(Duration::from_secs(3600)).open().unwrap();
    let log_of_one = {
        accept(&outbox, &too_many()).await;
        logged(&place)
    };
    // Many times as much as the log may become, which begins anew in between.
    for _ in 0..40 {
        accept(&outbox, &too_many()).await;
    }
    let most = (4_000 * 4_120) + 2 * log_of_one;
    assert!(logged(&place) <= most, "the log has {} bytes", logged(&place));
    assert!(40 * log_of_one > 2 * most, "{log_of_one} bytes at a time prove nothing");
}
