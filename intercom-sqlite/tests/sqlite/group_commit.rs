//! Group commit: the answers come after the shared commit.

use intercom_delivery::Outbox;
use tokio::task::{JoinSet, yield_now};

use super::support::{EARLY, Place, accept, delivered, event, events};

#[tokio::test]
async fn writes_during_one_commit_share_the_next() {
    let place = Place::new();
    let engine = place.engine().await;
    let outbox = &engine.outbox;
    accept(outbox, &events(2)).await;
    let leases = engine.lease(2).await;
    accept(outbox, &[]).await;
    let before = outbox.commits();

    let stopped = place.clock.stop(outbox);
    let mut callers = JoinSet::new();
    for second in 0..64 {
        let outbox = outbox.clone();
        callers.spawn(async move { accept(&outbox, &[event("signed_up", second)]).await });
    }
    for lease in leases {
        let (outbox, epoch) = (outbox.clone(), engine.epoch());
        callers.spawn(async move {
            let settlement = lease.settle(delivered(&lease));
            assert_eq!(outbox.settle(epoch, &[settlement], EARLY).await.unwrap(), []);
        });
    }
    // All callers have called before the first gets its answer.
    for _ in 0..10 {
        yield_now().await;
    }
    let counts = outbox.counts().await.unwrap();
    assert_eq!((outbox.commits(), counts.accepted), (before, 2));
    drop(stopped);
    callers.join_all().await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered), (66, 2));
    // The writing thread may have begun with the first few before the others came.
    assert!(outbox.commits() - before <= 2, "{} commits", outbox.commits() - before);
}

#[tokio::test]
async fn a_caller_that_stops_waiting_does_no_harm() {
    let place = Place::new();
    let engine = place.engine().await;
    let stopped = place.clock.stop(&engine.outbox);
    let caller = tokio::spawn({
        let outbox = engine.outbox.clone();
        async move { accept(&outbox, &events(3)).await }
    });
    yield_now().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    drop(stopped);
    accept(&engine.outbox, &[event("signed_up", 0)]).await;
    let counts = engine.outbox.counts().await.unwrap();
    assert!(counts.is_balanced());
    assert_eq!(engine.lease(10).await.len() as u64, counts.pending);
}
