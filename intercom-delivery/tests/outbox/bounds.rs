//! The limits of the outbox in memory.

use intercom_delivery::outbox::{
    AcceptError, Admission, DeadLetterReason, EventId, MemoryOutbox, Operate, Outbox, Selection,
};

use super::support::{begin, bury, delivered, event, events, lease, settle};

#[tokio::test(start_paused = true)]
async fn a_memory_outbox_is_full_at_its_limit_of_events() {
    let outbox = MemoryOutbox::new().capacity(3);
    outbox.accept(&events(2)).await.unwrap();
    let two = [event("invoice_paid", 0), event("invoice_paid", 1)];
    let refused = outbox.accept(&two).await;
    assert!(matches!(refused, Err(AcceptError::Full)));
    assert_eq!(outbox.counts().await.unwrap().accepted, 2);

    outbox.accept(&two[..1]).await.unwrap();
    let refused = outbox.accept(&two[1..]).await;
    assert!(matches!(refused, Err(AcceptError::Full)));
    // Leased events still take their room.
    let turn = begin(&outbox);
    let leased = lease(&outbox, turn.epoch, 3);
    assert!(outbox.accept(&two[1..]).await.is_err());
    settle(&outbox, turn.epoch, &leased[..1], delivered());
    outbox.accept(&two[1..]).await.unwrap();
    assert_eq!(outbox.counts().await.unwrap().pending, 3);
}

#[tokio::test(start_paused = true)]
async fn a_memory_outbox_is_full_at_its_limit_of_bytes() {
    let size = event("project_created", 1).body().len();
    let outbox = MemoryOutbox::new().max_bytes(3 * size - 1);
    outbox.accept(&events(2)).await.unwrap();
    let third = [event("project_created", 2)];
    let refused = outbox.accept(&third).await;
    assert!(matches!(refused, Err(AcceptError::Full)));

    // A burial frees the event's bytes, and a redrive takes them again.
    let turn = begin(&outbox);
    let leased = lease(&outbox, turn.epoch, 1);
    settle(&outbox, turn.epoch, &leased, bury(DeadLetterReason::Rejected));
    outbox.accept(&third).await.unwrap();
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 1);
    let leased = lease(&outbox, turn.epoch, 3);
    settle(&outbox, turn.epoch, &leased[..1], delivered());
    let fourth = [event("project_created", 3)];
    assert!(outbox.accept(&fourth).await.is_err());
    settle(&outbox, turn.epoch, &leased[1..2], delivered());
    outbox.accept(&fourth).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_an_admitted_event_are_those_that_are_sent() {
    let short = event("a", 0);
    let long = event("a", 123_456_789);
    assert!(long.body().len() > short.body().len());
    let outbox = MemoryOutbox::new().max_bytes(long.body().len());
    outbox.accept(std::slice::from_ref(&short)).await.unwrap();
    let turn = begin(&outbox);
    let leased = lease(&outbox, turn.epoch, 1);
    let moved = Admission::moved(leased[0].id, long.clone());
    assert_eq!(outbox.admit(turn.epoch, &[moved]).await.unwrap(), []);
    settle(&outbox, turn.epoch, &leased, delivered());
    outbox.accept(std::slice::from_ref(&long)).await.unwrap();
    assert!(matches!(outbox.accept(&[short]).await, Err(AcceptError::Full)));
}

#[tokio::test(start_paused = true)]
async fn a_batch_beyond_the_limits_exceeds_the_capacity() {
    let events = events(4);
    let bytes = events.iter().map(|event| event.body().len()).sum::<usize>();
    for outbox in [MemoryOutbox::new().capacity(3), MemoryOutbox::new().max_bytes(bytes - 1)] {
        let refused = outbox.accept(&events).await;
        assert!(matches!(refused, Err(AcceptError::ExceedsCapacity)));
        assert_eq!(outbox.counts().await.unwrap().accepted, 0);
        outbox.accept(&events[..3]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_oldest_dead_letter_is_purged_for_a_new_one() {
    let outbox = MemoryOutbox::new().max_dead_letters(2);
    outbox.accept(&events(5)).await.unwrap();
    let turn = begin(&outbox);
    let leased = lease(&outbox, turn.epoch, 5);
    settle(&outbox, turn.epoch, &leased[..4], bury(DeadLetterReason::Rejected));

    let letters = outbox.dead_letters(None, 9).await.unwrap();
    let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    assert_eq!(ids, [EventId::new(2), EventId::new(3)]);
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.dead, counts.dead_letters, counts.purged), (4, 2, 2));
    assert_eq!(counts.pending, 1);
    assert!(counts.is_balanced());

    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 2);
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.dead, counts.dead_letters, counts.pending), (2, 0, 3));
    assert!(counts.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn redriving_is_never_refused() {
    let outbox = MemoryOutbox::new().capacity(2);
    outbox.accept(&events(2)).await.unwrap();
    let turn = begin(&outbox);
    let leased = lease(&outbox, turn.epoch, 2);
    settle(&outbox, turn.epoch, &leased, bury(DeadLetterReason::Rejected));
    let two = [event("invoice_paid", 0), event("invoice_paid", 1)];
    outbox.accept(&two).await.unwrap();
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 2);
    assert_eq!(outbox.counts().await.unwrap().pending, 4);

    let leased = lease(&outbox, turn.epoch, 9);
    settle(&outbox, turn.epoch, &leased[..2], delivered());
    let refused = outbox.accept(&two[..1]).await;
    assert!(matches!(refused, Err(AcceptError::Full)));
}
