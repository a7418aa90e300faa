//! The order of leases from the outbox in memory.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use intercom_delivery::outbox::{
    AcceptError, Admission, DeadLetterReason, EventId, MemoryOutbox, Operate, Outbox, Selection,
    Stage, Standing, Turn,
};
use tokio::time::{Instant, advance};

use super::support::{
    begin, bury, delivered, event, events, lease, lease_ids, leased, put_back, settle,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn first_in_first_out() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(10_000)).await.unwrap();
    let turn = begin(&outbox);
    for first in (0..10_000).step_by(100) {
        let ids: Vec<_> = (first..first + 100).collect();
        assert_eq!(lease_ids(&outbox, turn.epoch, 100), ids);
    }
    assert!(leased(&outbox, turn.epoch, 100).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_event_put_back_is_leased_by_its_due_time() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(4)).await.unwrap();
    let turn = begin(&outbox);
    let leases = lease(&outbox, turn.epoch, 3);
    settle(&outbox, turn.epoch, &leases[..1], put_back(3 * SECOND));
    settle(&outbox, turn.epoch, &leases[1..2], put_back(SECOND));
    settle(&outbox, turn.epoch, &leases[2..], put_back(Duration::ZERO));
    advance(2 * SECOND).await;
    outbox.accept(&[event("invoice_paid", 0)]).await.unwrap();
    advance(2 * SECOND).await;
    // Due for four seconds, four, three, two, and one. Of the first two, the lower id comes first.
    assert_eq!(lease_ids(&outbox, turn.epoch, 9), [2, 3, 1, 4, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_returns_when_the_next_event_is_due_and_not_before() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(2)).await.unwrap();
    let turn = begin(&outbox);
    let leases = lease(&outbox, turn.epoch, 2);
    settle(&outbox, turn.epoch, &leases[..1], put_back(5 * SECOND));
    settle(&outbox, turn.epoch, &leases[1..], put_back(4 * SECOND));

    for (id, after) in [(1, 4), (0, 5)] {
        let begin = Instant::now();
        let turn = outbox.lease(Standing::Delivering(turn.epoch), 9).await.unwrap();
        let Turn::Leased(leased) = turn else { panic!("{turn:?}") };
        assert_eq!(leased.events[0].id, EventId::new(id));
        assert_eq!(begin.elapsed(), if id == 1 { after * SECOND } else { SECOND });
    }
}

#[tokio::test(start_paused = true)]
async fn waits_of_any_length_work() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(2)).await.unwrap();
    let turn = begin(&outbox);
    let leases = lease(&outbox, turn.epoch, 1);
    settle(&outbox, turn.epoch, &leases, put_back(Duration::MAX));
    let leases = lease(&outbox, turn.epoch, 9);
    assert_eq!(leases[0].id, EventId::new(1));
    settle(&outbox, turn.epoch, &leases, delivered());
    advance(365 * 86_400 * SECOND).await;
    assert!(leased(&outbox, turn.epoch, 9).is_none());
    assert_eq!(outbox.counts().await.unwrap().pending, 1);
}

#[tokio::test(start_paused = true)]
async fn a_redriven_event_keeps_its_id() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(1)).await.unwrap();
    let turn = begin(&outbox);
    let leased = lease(&outbox, turn.epoch, 1);
    settle(&outbox, turn.epoch, &leased, bury(DeadLetterReason::AgeLimit));
    advance(600 * SECOND).await;
    let redriven = outbox.redrive(&Selection::Reason(DeadLetterReason::AgeLimit)).await;
    assert_eq!(redriven.unwrap(), 1);
    advance(SECOND).await;

    let again = lease(&outbox, turn.epoch, 1);
    assert_eq!((again[0].id, again[0].attempts, again[0].age), (EventId::new(0), 0, SECOND));
    assert_eq!((&again[0].event, again[0].stage), (&leased[0].event, Stage::Redriven));
}

/// A new event may have been sent in an earlier turn without a stored record. The next turn must
/// admit it in the same way.
#[tokio::test(start_paused = true)]
async fn a_takeover_repeats_the_order_of_admission() {
    let outbox = MemoryOutbox::new();
    outbox.accept(&events(4)).await.unwrap();
    let turn = begin(&outbox);
    let leases = lease(&outbox, turn.epoch, 3);
    settle(&outbox, turn.epoch, &leases[..1], bury(DeadLetterReason::Rejected));
    let kept = Admission::kept(EventId::new(2), false);
    assert_eq!(outbox.admit(turn.epoch, &[kept]).await.unwrap(), []);
    advance(SECOND).await;
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 1);

    drop(turn);
    let turn = begin(&outbox);
    assert_eq!(lease_ids(&outbox, turn.epoch, 9), [1, 2, 3, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_when_the_turn_ends_in_either_way() {
    for releases in [true, false] {
        let outbox = MemoryOutbox::new();
        let first = begin(&outbox);
        let turn = outbox.lease(Standing::Unknown, 1).await.unwrap();
        let Turn::Standby(standby) = turn else { panic!("{turn:?}") };
        assert_eq!(standby.epoch, first.epoch);
        let mut waiting = outbox.lease(Standing::Standby(standby.epoch), 1);
        assert!((&mut waiting).now_or_never().is_none());

        let epoch = first.epoch;
        let kept = if releases {
            outbox.release(epoch).await.unwrap();
            Some(first)
        } else {
            drop(first);
            None
        };
        let turn = waiting.await.unwrap();
        let Turn::Began(second) = turn else { panic!("{turn:?}") };
        assert!(second.epoch > epoch);
        drop(kept);
        let turn = outbox.lease(Standing::Delivering(epoch), 1).await.unwrap();
        assert!(matches!(turn, Turn::Standby(standby) if standby.epoch == second.epoch));
    }
}

#[tokio::test(start_paused = true)]
async fn pointers_to_an_outbox_forward_every_method() {
    let outbox: Arc<dyn Outbox> = Arc::new(Arc::new(MemoryOutbox::new().capacity(1)));
    outbox.accept(&events(1)).await.unwrap();
    let refused = outbox.accept(&events(1)).await;
    assert!(matches!(refused, Err(AcceptError::Full)));
    let turn = begin(&*outbox);
    let leases = lease(&*outbox, turn.epoch, 1);
    settle(&*outbox, turn.epoch, &leases, delivered());
    outbox.release(turn.epoch).await.unwrap();
    assert!(begin(&*outbox).epoch > turn.epoch);
    assert_eq!(outbox.counts().await.unwrap().delivered, 1);
}
