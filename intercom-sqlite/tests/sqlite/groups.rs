//! Many callers share a commit, and are answered after it.

use intercom_delivery::outbox::{AcceptError, Collisions, Outbox, Verdict};
use tokio::task::{JoinSet, yield_now};

use super::support::{Place, accept, event, events, lease};

#[tokio::test]
async fn what_queued_up_during_one_commit_goes_into_the_next() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(2)).await;
    let leases = lease(&outbox, 2).await;
    let before = outbox.commits();

    place.clock.stop(&outbox);
    let mut callers = JoinSet::new();
    for second in 0..64 {
        let outbox = outbox.clone();
        callers.spawn(async move { accept(&outbox, &[event("signed_up", second)]).await });
    }
    for lease in leases {
        let outbox = outbox.clone();
        callers.spawn(async move {
            let settled = outbox.settle(&[lease.settle(Verdict::Acknowledge)]).await;
            assert_eq!(settled.unwrap(), []);
        });
    }
    // All of them have asked before one of them is answered.
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!((outbox.commits(), outbox.counts().accepted), (before, 2));
    place.clock.go_on();
    callers.join_all().await;
    let counts = outbox.counts();
    assert_eq!((counts.accepted, counts.delivered), (66, 2));
    // The writing thread may have taken the first few before the others came.
    assert!(outbox.commits() - before <= 2, "{} commits", outbox.commits() - before);
}

#[tokio::test]
async fn who_stops_waiting_does_no_harm() {
    let place = Place::new();
    let outbox = place.open();
    place.clock.stop(&outbox);
    let caller = tokio::spawn({
        let outbox = outbox.clone();
        async move { accept(&outbox, &events(3)).await }
    });
    yield_now().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    let leasing = tokio::spawn({
        let outbox = outbox.clone();
        async move { lease(&outbox, 1).await }
    });
    yield_now().await;
    leasing.abort();
    assert!(leasing.await.unwrap_err().is_cancelled());
    place.clock.go_on();
    // Whoever comes next finds the books balanced, and what was leased for nobody.
    accept(&outbox, &[event("signed_up", 0)]).await;
    let counts = outbox.counts();
    assert!(counts.is_balanced());
    assert_eq!(lease(&outbox, 10).await.len() as u64, counts.pending);
}

/// Not in a thread without a runtime either: `send` asks it first, and must not block whoever polls it.
#[test]
fn nothing_is_accepted_without_waiting_for_the_disk() {
    let place = Place::new();
    let outbox = place.open();
    let offered = event("signed_up", 0);
    let unaccepted = outbox.try_accept(offered.clone(), Collisions::Move).unwrap_err();
    assert!(matches!(unaccepted.error, AcceptError::Unsupported));
    assert_eq!(unaccepted.event, offered);
}
