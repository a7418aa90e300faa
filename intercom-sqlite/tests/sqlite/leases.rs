//! `lease` waits, loses no event when dropped, and leases no event twice.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, UNIX_EPOCH};

use intercom_delivery::outbox::{
    DeadLetterReason, Epoch, Lease, Operate, Outbox, Selection, Standing, Turn,
};
use intercom_sqlite::SqliteOutbox;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::support::{Engine, Place, accept, bury, delivered, event, events, put_back};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_lease_waits_until_an_event_is_accepted() {
    let place = Place::new();
    let builder = place.builder().poll_interval(Duration::from_secs(3600));
    let engine = Engine::begin(&builder.open().unwrap()).await;
    assert_eq!(engine.lease(1).await.len(), 0);
    let leasing = tokio::spawn({
        let (outbox, standing) = (engine.outbox.clone(), Standing::Delivering(engine.epoch()));
        async move { outbox.lease(standing, 10).await.unwrap() }
    });
    yield_now().await;
    accept(&engine.outbox, &events(1)).await;
    let Turn::Leased(leased) = timeout(LONG, leasing).await.unwrap().unwrap() else {
        panic!("deposed")
    };
    assert_eq!((leased.events.len(), leased.pending, leased.valid_for), (1, 1, None));
}

#[tokio::test]
async fn a_lease_waits_until_an_event_is_due_again() {
    let place = Place::new();
    // The wait follows the system's clock.
    let outbox = intercom_sqlite::SqliteOutbox::builder(place.path())
        .poll_interval(Duration::from_secs(3600))
        .open()
        .unwrap();
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &events(1)).await;
    let leases = engine.lease(1).await;
    engine.settle(&leases, put_back(Duration::from_millis(50))).await;
    let lease = outbox.lease(Standing::Delivering(engine.epoch()), 1);
    let turn = timeout(LONG, lease).await.unwrap().unwrap();
    assert!(matches!(turn, Turn::Leased(leased) if leased.events.len() == 1));
}

/// The writer sent the answer, and the caller has gone.
#[tokio::test]
async fn a_lease_that_is_dropped_before_it_is_read_gives_its_events_back() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(5)).await;
    let first = engine.lease(1).await;
    let standing = Standing::Delivering(engine.epoch());
    {
        // Otherwise the writer could answer before the first poll returns.
        let stopped = place.clock.stop(&engine.outbox);
        let mut lease = pin!(engine.outbox.lease(standing, 3));
        let mut context = Context::from_waker(Waker::noop());
        assert!(lease.as_mut().poll(&mut context).is_pending());
        drop(stopped);
        // The outbox serves this call after the lease.
        accept(&engine.outbox, &[event("signed_up", 0)]).await;
    }
    assert_eq!(engine.lease_ids(10).await, [2, 3, 4, 5, 6]);
    engine.settle(&first, delivered).await;
}

/// The caller drops the call before the answer.
#[tokio::test]
async fn a_lease_that_is_dropped_while_it_is_asked_for_gives_its_events_back() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(3)).await;
    let stopped = place.clock.stop(&engine.outbox);
    let leasing = tokio::spawn({
        let (outbox, standing) = (engine.outbox.clone(), Standing::Delivering(engine.epoch()));
        async move { outbox.lease(standing, 2).await.unwrap() }
    });
    yield_now().await;
    leasing.abort();
    assert!(leasing.await.unwrap_err().is_cancelled());
    drop(stopped);
    assert_eq!(engine.lease_ids(10).await, [1, 2, 3]);
}

/// The caller drops the call before the writer begins it, and then the deliverer's turn ends.
#[tokio::test]
async fn a_lease_that_is_dropped_before_it_begins_begins_no_turn() {
    let place = Place::new();
    let Engine { outbox, tenure } = place.engine().await;
    let (epoch, standby) = (tenure.epoch, place.open());
    let stopped = place.clock.stop(&standby);
    {
        let mut lease = pin!(standby.lease(Standing::Standby(epoch), 1));
        let mut context = Context::from_waker(Waker::noop());
        assert!(lease.as_mut().poll(&mut context).is_pending());
    }
    drop(tenure);
    drop(stopped);
    // The standby serves this call after the lease.
    accept(&standby, &events(1)).await;
    assert_eq!(Engine::begin(&outbox).await.epoch().get(), epoch.get() + 1);
}

/// A tenure that a caller dropped does not block the next deliverer.
#[tokio::test]
async fn a_turn_that_is_dropped_before_it_is_read_ends() {
    let place = Place::new();
    let outbox = place.open();
    {
        let mut lease = pin!(outbox.lease(Standing::Unknown, 1));
        let mut context = Context::from_waker(Waker::noop());
        assert!(lease.as_mut().poll(&mut context).is_pending());
        accept(&outbox, &events(1)).await;
    }
    let engine = Engine::begin(&outbox).await;
    assert_eq!(engine.epoch(), Epoch::new(2));
    assert_eq!(engine.lease_ids(1).await, [1]);
}

#[tokio::test]
async fn with_a_limit_of_0_nothing_is_leased() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(1)).await;
    assert_eq!(engine.lease(0).await.len(), 0);
    assert_eq!(engine.lease_ids(1).await, [1]);
}

#[tokio::test]
async fn another_programs_write_leases_no_event_twice() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &events(3)).await;
    assert_eq!(engine.lease_ids(2).await, [1, 2]);
    place.sqlite().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    assert_eq!(engine.lease_ids(10).await, [3]);
}

#[tokio::test]
async fn the_longest_due_comes_first_whether_it_was_put_back_or_not() {
    let place = Place::new();
    let engine = place.engine().await;
    let second = Duration::from_secs(1);
    accept(&engine.outbox, &events(3)).await;
    let leases = engine.lease(2).await;
    engine.settle(&leases[..1], put_back(2 * second)).await;
    engine.settle(&leases[1..], put_back(4 * second)).await;
    place.clock.advance(3 * second);
    accept(&engine.outbox, &[event("signed_up", 0)]).await;
    place.clock.advance(2 * second);
    // Accepted at 0, due at 2, accepted at 3, due at 4.
    assert_eq!(engine.lease_ids(3).await, [3, 1, 4]);
    let [again] = &engine.lease(3).await[..] else { panic!("one is left") };
    assert_eq!((again.id.get(), again.attempts, again.age), (2, 1, 5 * second));
}

/// Accepts three events, puts them back for ten seconds, and leases the first of them again.
async fn first_of_three_again(place: &Place) -> (Engine, Lease) {
    let engine = place.engine().await;
    accept(&engine.outbox, &events(3)).await;
    let leases = engine.lease(3).await;
    engine.settle(&leases, put_back(Duration::from_secs(10))).await;
    place.clock.advance(Duration::from_secs(20));
    let [first] = <[Lease; 1]>::try_from(engine.lease(1).await).unwrap();
    assert_eq!(first.id.get(), 1);
    (engine, first)
}

#[tokio::test]
async fn an_event_that_is_put_back_by_an_earlier_clock_is_leased_again() {
    let place = Place::new();
    let (engine, first) = first_of_three_again(&place).await;
    place.clock.set_back(Duration::from_secs(15));
    engine.settle(&[first], put_back(Duration::from_secs(1))).await;
    place.clock.advance(Duration::from_secs(1));
    assert_eq!(engine.lease_ids(3).await, [1]);
    place.clock.advance(Duration::from_secs(5));
    assert_eq!(engine.lease_ids(3).await, [2, 3]);
}

#[tokio::test]
async fn an_event_that_is_redriven_by_an_earlier_clock_is_leased_again() {
    let place = Place::new();
    let (engine, first) = first_of_three_again(&place).await;
    engine.settle(&[first], bury(DeadLetterReason::Rejected)).await;
    place.clock.set_back(Duration::from_secs(15));
    assert_eq!(engine.outbox.redrive(&Selection::All).await.unwrap(), 1);
    assert_eq!(engine.lease_ids(3).await, [1]);
}

#[tokio::test]
async fn an_event_that_a_process_with_an_earlier_clock_redrives_is_leased_again() {
    let place = Place::new();
    let (engine, first) = first_of_three_again(&place).await;
    engine.settle(&[first], bury(DeadLetterReason::Rejected)).await;
    let early = || UNIX_EPOCH + Duration::from_secs(1);
    let other = SqliteOutbox::builder(place.path()).clock(early).open().unwrap();
    assert_eq!(other.redrive(&Selection::All).await.unwrap(), 1);
    assert_eq!(engine.lease_ids(3).await, [1, 2, 3]);
}

#[tokio::test]
async fn an_event_that_a_person_makes_due_is_leased_within_a_minute() {
    let place = Place::new();
    let (engine, first) = first_of_three_again(&place).await;
    let others = engine.lease(2).await;
    engine.settle(&others, put_back(Duration::from_secs(3600))).await;
    place.sqlite().execute("UPDATE outbox_events SET due_at = 1 WHERE id = 3", []).unwrap();
    place.clock.advance(Duration::from_secs(60));
    assert_eq!(engine.lease_ids(3).await, [3]);
    engine.settle(&[first], delivered).await;
}
