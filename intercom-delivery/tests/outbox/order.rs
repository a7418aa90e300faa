//! What comes out of the outbox in memory when.

use std::time::Duration;

use intercom_delivery::outbox::{AcceptError, Collisions, EventId, Outbox, Verdict, Wake};
use intercom_delivery::{DeathReason, MemoryOutbox, Selection};
use tokio::time::advance;

use super::support::{TERM, bury, event, events, lease, lease_ids, put_back, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn first_in_first_out() {
    let outbox = MemoryOutbox::new();
    // More than one block of the queue in it.
    outbox.accept(&events(1_000), Collisions::Move).await.unwrap();
    for first in (0..1_000).step_by(100) {
        let ids: Vec<_> = (first..first + 100).collect();
        assert_eq!(lease_ids(&outbox, 100).await, ids);
    }
    assert_eq!(lease_ids(&outbox, 100).await, [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_put_back_comes_by_its_due_time() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(4), Collisions::Move).await.unwrap();
    let leases = lease(&outbox, 3).await;
    settle(&outbox, &leases[..1], put_back(3 * SECOND)).await;
    settle(&outbox, &leases[1..2], put_back(SECOND)).await;
    settle(&outbox, &leases[2..], put_back(Duration::ZERO)).await;
    advance(2 * SECOND).await;
    outbox.accept(&[event("invoice_paid", 0)], Collisions::Move).await.unwrap();
    advance(2 * SECOND).await;
    // Due for four seconds, four again, three, two, and one.
    assert_eq!(lease_ids(&outbox, 9).await, [2, 3, 1, 4, 0]);
}

#[tokio::test(start_paused = true)]
async fn next_due_is_exact() {
    let outbox = MemoryOutbox::new();
    assert_eq!(outbox.lease(9, TERM).await.unwrap().next_due, None);
    outbox.accept(&events(2), Collisions::Move).await.unwrap();

    let leased = outbox.lease(1, TERM).await.unwrap();
    assert_eq!(leased.next_due, Some(Duration::ZERO));
    settle(&outbox, &leased.events, put_back(5 * SECOND)).await;
    advance(SECOND).await;

    let leased = outbox.lease(9, TERM).await.unwrap();
    assert_eq!((leased.events.len(), leased.next_due), (1, Some(4 * SECOND)));
    advance(4 * SECOND).await;
    let leased = outbox.lease(9, TERM).await.unwrap();
    assert_eq!((leased.events.len(), leased.next_due), (1, Some(TERM - 4 * SECOND)));
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_by_itself_and_not_before() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(1), Collisions::Move).await.unwrap();
    let first = lease(&outbox, 1).await;
    advance(TERM - Duration::from_nanos(1)).await;
    assert_eq!(lease_ids(&outbox, 1).await, [0; 0]);
    advance(Duration::from_nanos(1)).await;

    let late = first[0].settle(Verdict::Acknowledge);
    assert_eq!(outbox.settle(std::slice::from_ref(&late)).await.unwrap(), [EventId(0)]);
    let second = lease(&outbox, 1).await;
    assert_eq!(outbox.settle(&[late]).await.unwrap(), [EventId(0)]);
    settle(&outbox, &second, Verdict::Acknowledge).await;
    assert_eq!(outbox.counts().delivered, 1);
}

#[tokio::test(start_paused = true)]
async fn waits_of_any_length_are_borne() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(2), Collisions::Move).await.unwrap();
    let leased = outbox.lease(1, Duration::MAX).await.unwrap().events;
    settle(&outbox, &leased, put_back(Duration::MAX)).await;
    let leased = outbox.lease(1, Duration::MAX).await.unwrap();
    assert_eq!(leased.events[0].id, EventId(1));
    assert!(leased.next_due.unwrap() > Duration::from_secs(365 * 86_400));
    settle(&outbox, &leased.events, Verdict::Acknowledge).await;
    assert_eq!(outbox.counts().pending, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_redriven_is_new_again_and_keeps_its_id() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(1), Collisions::Move).await.unwrap();
    let leased = lease(&outbox, 1).await;
    settle(&outbox, &leased, bury(DeathReason::AgeLimit)).await;
    advance(10 * TERM).await;
    assert_eq!(outbox.redrive(&Selection::Reason(DeathReason::AgeLimit)).await.unwrap(), 1);
    advance(SECOND).await;

    let again = lease(&outbox, 1).await;
    assert_eq!((again[0].id, again[0].attempts, again[0].age), (EventId(0), 0, SECOND));
    assert_eq!(again[0].event, leased[0].event);
}

#[tokio::test(start_paused = true)]
async fn one_wake_up_is_kept_for_who_is_awake() {
    let (outbox, wake) = (MemoryOutbox::new(), Wake::new());
    outbox.attach(wake.clone());
    outbox.try_accept(event("project_created", 0), Collisions::Move).unwrap();
    outbox.try_accept(event("project_created", 1), Collisions::Move).unwrap();
    wake.woken().await;
    let again = tokio::time::timeout(SECOND, wake.woken());
    assert!(again.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn pointers_forward_everything() {
    let outbox: Box<dyn Outbox> = Box::new(std::sync::Arc::new(MemoryOutbox::new().capacity(1)));
    outbox.try_accept(event("project_created", 0), Collisions::Move).unwrap();
    let refused = outbox.try_accept(event("project_created", 1), Collisions::Move).unwrap_err();
    assert_eq!(refused.event, event("project_created", 1));
    // What an outbox gives that cannot do it is `Unsupported`.
    assert!(matches!(refused.error, AcceptError::Full));
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_no_time_hands_each_event_out_once() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(1), Collisions::Move).await.unwrap();
    let leased = outbox.lease(usize::MAX, Duration::ZERO).await.unwrap();
    assert_eq!(leased.events.len(), 1);
}
