//! What the outbox in memory does when it is full.

use intercom_delivery::outbox::{AcceptError, Collisions, EventId, Outbox, Verdict};
use intercom_delivery::{DeathReason, MemoryOutbox, Selection};

use super::support::{bury, event, events, lease, settle};

#[tokio::test(start_paused = true)]
async fn it_takes_as_many_events_as_it_may() {
    let outbox = MemoryOutbox::new().capacity(3);
    outbox.accept(&events(2), Collisions::Move).await.unwrap();
    let two = [event("invoice_paid", 0), event("invoice_paid", 1)];
    let refused = outbox.accept(&two, Collisions::Move).await;
    assert!(matches!(refused, Err(AcceptError::Full)));
    assert_eq!((outbox.counts().accepted, outbox.counts().moved), (2, 0));

    outbox.accept(&two[..1], Collisions::Move).await.unwrap();
    let refused = outbox.try_accept(two[1].clone(), Collisions::Move).unwrap_err();
    assert!(matches!(refused.error, AcceptError::Full));
    assert_eq!(refused.event, two[1]);
    // What is leased takes its room still.
    let leased = lease(&outbox, 3).await;
    assert!(outbox.accept(&two[1..], Collisions::Move).await.is_err());
    settle(&outbox, &leased[..1], Verdict::Acknowledge).await;
    outbox.accept(&two[1..], Collisions::Move).await.unwrap();
    assert_eq!((outbox.counts().pending, outbox.counts().moved), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn it_takes_as_many_bytes_as_it_may() {
    let size = event("project_created", 1).body().len();
    let outbox = MemoryOutbox::new().max_bytes(3 * size - 1);
    outbox.accept(&events(2), Collisions::Move).await.unwrap();
    let third = event("project_created", 2);
    let refused = outbox.try_accept(third.clone(), Collisions::Move).unwrap_err();
    assert!(matches!(refused.error, AcceptError::Full));

    // A dead letter gives its bytes free, and takes them again when it is redriven.
    let leased = lease(&outbox, 1).await;
    settle(&outbox, &leased, bury(DeathReason::Rejected)).await;
    outbox.try_accept(third, Collisions::Move).unwrap();
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 1);
    let leased = lease(&outbox, 3).await;
    settle(&outbox, &leased[..1], Verdict::Acknowledge).await;
    let fourth = event("project_created", 3);
    assert!(outbox.try_accept(fourth.clone(), Collisions::Move).is_err());
    settle(&outbox, &leased[1..2], Verdict::Acknowledge).await;
    outbox.try_accept(fourth, Collisions::Move).unwrap();
}

#[tokio::test(start_paused = true)]
async fn more_at_once_than_it_can_ever_hold_is_not_full_but_an_error() {
    let events = events(4);
    let bytes = events.iter().map(|event| event.body().len()).sum::<usize>();
    for outbox in [MemoryOutbox::new().capacity(3), MemoryOutbox::new().max_bytes(bytes - 1)] {
        let refused = outbox.accept(&events, Collisions::Move).await;
        assert!(matches!(refused, Err(AcceptError::TooMuch)));
        assert_eq!(outbox.counts().accepted, 0);
        outbox.accept(&events[..3], Collisions::Move).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_oldest_dead_letter_is_purged_for_a_new_one() {
    let outbox = MemoryOutbox::new().max_dead_letters(2);
    outbox.accept(&events(5), Collisions::Move).await.unwrap();
    let leased = lease(&outbox, 5).await;
    settle(&outbox, &leased[..4], bury(DeathReason::Rejected)).await;

    let letters = outbox.dead_letters(None, 9).await.unwrap();
    let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    assert_eq!(ids, [EventId(2), EventId(3)]);
    let counts = outbox.counts();
    assert_eq!((counts.dead, counts.dead_letters, counts.pending), (4, 2, 1));
    assert!(counts.is_balanced());

    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 2);
    let counts = outbox.counts();
    assert_eq!((counts.dead, counts.dead_letters, counts.pending), (2, 0, 3));
    assert!(counts.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn redriving_is_never_refused() {
    let outbox = MemoryOutbox::new().capacity(2);
    outbox.accept(&events(2), Collisions::Move).await.unwrap();
    let leased = lease(&outbox, 2).await;
    settle(&outbox, &leased, bury(DeathReason::Rejected)).await;
    let two = [event("invoice_paid", 0), event("invoice_paid", 1)];
    outbox.accept(&two, Collisions::Move).await.unwrap();
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 2);
    assert_eq!(outbox.counts().pending, 4);

    let leased = lease(&outbox, 9).await;
    settle(&outbox, &leased[..2], Verdict::Acknowledge).await;
    let refused = outbox.try_accept(two[0].clone(), Collisions::Move).unwrap_err();
    assert!(matches!(refused.error, AcceptError::Full));
}
