//! Limits of pending events, and a full disk.

use std::fs;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{AcceptError, DeadLetterReason, Operate, Outbox, Selection};

use intercom_sqlite::SqliteOutbox;

use super::support::{Engine, NOON, Place, accept, bury, delivered, events};

fn large(number: i64) -> DataEvent {
    let mut event = DynamicEvent::new("report_made").unwrap();
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        event = event.with(key, "x".repeat(250)).unwrap();
    }
    let second = Timestamp::from_unix_seconds(NOON + number);
    DataEvent::new(&event, Contact::user_id(42), second).unwrap()
}

#[tokio::test]
async fn a_full_outbox_refuses_and_drops_nothing() {
    let place = Place::new();
    let outbox = place.builder().capacity(3).open().unwrap();
    let refused = |error| matches!(error, AcceptError::Full);
    accept(&outbox, &events(2)).await;
    let error = outbox.accept(&events(2)).await.unwrap_err();
    assert!(refused(error));
    let error = outbox.accept(&events(4)).await.unwrap_err();
    assert!(matches!(error, AcceptError::ExceedsCapacity));
    assert_eq!(outbox.counts().await.unwrap().pending, 2);
    accept(&outbox, &events(1)).await;
    drop(outbox);

    // A reopen with a lower limit keeps the pending events.
    let outbox = place.builder().capacity(2).open().unwrap();
    assert_eq!(outbox.counts().await.unwrap().pending, 3);
    assert!(refused(outbox.accept(&events(1)).await.unwrap_err()));
    // A process without its own setting obeys the file's limit.
    let other = place.open();
    assert!(refused(other.accept(&events(1)).await.unwrap_err()));
    Engine::begin(&outbox).await.deliver(2).await;
    accept(&other, &events(1)).await;
    assert!(refused(outbox.accept(&events(1)).await.unwrap_err()));
}

#[tokio::test]
async fn bytes_are_bounded_too() {
    let place = Place::new();
    let size = large(0).body().len();
    let outbox = place.builder().max_bytes(2 * size as u64).open().unwrap();
    accept(&outbox, &[large(0), large(1)]).await;
    let error = outbox.accept(&events(1)).await.unwrap_err();
    assert!(matches!(error, AcceptError::Full));
    let error = outbox.accept(&[large(0), large(1), large(2)]).await.unwrap_err();
    assert!(matches!(error, AcceptError::ExceedsCapacity));
    // Dead letters count towards no limit of pending events.
    let engine = Engine::begin(&outbox).await;
    let leases = engine.lease(1).await;
    engine.settle(&leases, bury(DeadLetterReason::Rejected)).await;
    accept(&outbox, &[large(2)]).await;
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 1);
    assert_eq!(outbox.counts().await.unwrap().pending, 3);
}

#[tokio::test]
async fn the_file_shrinks_after_all_deliveries() {
    let place = Place::new();
    let engine = place.engine().await;
    let outbox = &engine.outbox;
    let number = 8_000;
    for batch in 0..number / 1_000 {
        let events: Vec<_> = (0..1_000).map(|event| large(batch * 1_000 + event)).collect();
        accept(outbox, &events).await;
    }
    let size = || {
        let files = fs::read_dir(place.folder.path()).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    outbox.maintain().await;
    let full = size();
    assert!(full > 16_000_000, "{full}");
    while outbox.counts().await.unwrap().pending > 0 {
        engine.deliver(1_000).await;
    }
    outbox.maintain().await;
    let empty = size();
    assert!(empty < full / 10, "{empty} of {full} bytes remain");
}

#[tokio::test]
async fn dead_letters_are_bounded_and_the_oldest_are_purged() {
    let place = Place::new();
    let engine = Engine::begin(&place.builder().max_dead_letters(3).open().unwrap()).await;
    let outbox = &engine.outbox;
    accept(outbox, &events(6)).await;
    let mut leases = engine.lease(6).await;
    leases.reverse();
    for lease in leases {
        engine.settle(&[lease], bury(DeadLetterReason::Rejected)).await;
        place.clock.advance(Duration::from_millis(1));
    }
    let ids = async |outbox: &SqliteOutbox| {
        let letters = outbox.dead_letters(None, 10).await.unwrap();
        letters.iter().map(|letter| letter.id.get()).collect::<Vec<_>>()
    };
    assert_eq!(ids(outbox).await, [1, 2, 3]);
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.dead, counts.dead_letters, counts.purged), (6, 3, 3));
    assert!(counts.is_balanced());
    drop(engine);

    // The file keeps the bound until a process sets another one.
    assert_eq!(place.number("SELECT max_dead_letters FROM outbox_keeping"), 3);
    drop(place.open());
    assert_eq!(place.number("SELECT max_dead_letters FROM outbox_keeping"), 3);
    let engine = Engine::begin(&place.builder().max_dead_letters(1).open().unwrap()).await;
    engine.outbox.maintain().await;
    assert_eq!(ids(&engine.outbox).await, [1]);
    assert_eq!(engine.outbox.redrive(&Selection::All).await.unwrap(), 1);
    assert_eq!(engine.outbox.counts().await.unwrap().purged, 5);
}

#[tokio::test]
async fn too_old_dead_letters_are_purged() {
    let place = Place::new();
    let day = Duration::from_secs(86_400);
    let engine = Engine::begin(&place.builder().max_dead_letter_age(day).open().unwrap()).await;
    let outbox = &engine.outbox;
    accept(outbox, &events(3)).await;
    let leases = engine.lease(3).await;
    engine.settle(&leases[..1], bury(DeadLetterReason::Rejected)).await;
    place.clock.advance(day);
    outbox.maintain().await;
    engine.settle(&leases[1..2], bury(DeadLetterReason::Rejected)).await;
    assert_eq!(outbox.counts().await.unwrap().dead_letters, 2);
    // For an idle outbox and for a busy one.
    place.clock.advance(Duration::from_secs(61));
    outbox.maintain().await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.dead, counts.dead_letters, counts.purged), (2, 1, 1));
    place.clock.advance(day);
    engine.settle(&leases[2..], delivered).await;
    assert_eq!(outbox.counts().await.unwrap().purged, 2);
    assert_eq!(place.number("SELECT max_dead_age FROM outbox_keeping"), 86_400_000);
}

#[tokio::test]
async fn a_new_file_keeps_the_documented_number_of_dead_letters() {
    let place = Place::new();
    drop(place.open());
    let kept = place.number("SELECT max_dead_letters FROM outbox_keeping");
    assert_eq!(kept, 100_000);
    assert_eq!(place.number("SELECT max_dead_age IS NULL FROM outbox_keeping"), 1);
}
