//! Turns: any process accepts, and one delivers.

use std::time::Duration;

use intercom_core::ErrorKind;
use intercom_core::testing::FailingTransport;
use intercom_delivery::Delivery;
use intercom_delivery::outbox::{Admission, Epoch, EventId, Outbox, Standing, Turn};
use intercom_postgres::PostgresOutbox;

use super::support::{EARLY, Engine, Place, accept, delivered, event, events, put_back, turn_now};

/// Short enough for a test, and long enough for a slow machine.
const LEASE: Duration = Duration::from_millis(400);

async fn open(place: &Place) -> PostgresOutbox {
    let poll = Duration::from_millis(20);
    place.builder().lease_time(LEASE).poll_interval(poll).connect().await.unwrap()
}

#[tokio::test]
async fn two_handles_accept_and_one_delivers() {
    let place = Place::new();
    let (first, second) =
        (place.open().await, place.builder().name("two").connect().await.unwrap());
    let engine = Engine::begin(&second).await;
    assert_eq!(engine.epoch(), Epoch::new(1));
    assert!(engine.tenure.durable);

    // The other process gets `Turn::Standby` once, and waits.
    let Turn::Standby(standby) = first.lease(Standing::Unknown, 1).await.unwrap() else {
        panic!("two deliver")
    };
    assert_eq!((standby.epoch, standby.deliverer.as_str()), (Epoch::new(1), "two"));
    assert!(turn_now(&first, Standing::Standby(Epoch::new(1)), 1).await.is_none());

    accept(&second, &events(2)).await;
    accept(&first, &[event("signed_up", 0)]).await;
    accept(&second, &[event("signed_up", 1)]).await;
    assert_eq!(engine.lease_ids(10).await, [1, 2, 3, 4]);
    assert_eq!(first.counts().await.unwrap().pending, 4);
}

#[tokio::test]
async fn release_hands_over_at_once_and_both_go_on_accepting() {
    let place = Place::new();
    let (first, second) = (place.open().await, place.open().await);
    accept(&first, &events(2)).await;
    let engine = Engine::begin(&first).await;
    let leases = engine.lease(1).await;
    let turn = second.lease(Standing::Unknown, 1).await.unwrap();
    assert!(matches!(turn, Turn::Standby(_)));
    first.release(Epoch::new(1)).await.unwrap();
    // After its release, a settlement of the old deliverer changes nothing.
    let settlement = leases[0].settle(delivered(&leases[0]));
    assert_eq!(engine.try_settle(&[settlement]).await.unwrap(), [EventId::new(1)]);
    let engine = Engine::take_over(&second, Standing::Standby(Epoch::new(1))).await;
    assert_eq!((engine.epoch(), second.takeovers()), (Epoch::new(2), 0));
    // A release in an ended epoch does nothing.
    first.release(Epoch::new(1)).await.unwrap();
    accept(&first, &[event("signed_up", 0)]).await;
    assert_eq!(engine.all_ids().await, [1, 2, 3]);
}

#[tokio::test]
async fn a_standby_takes_over_when_the_tenure_is_dropped() {
    let place = Place::new();
    let (first, second) = (place.open().await, place.open().await);
    accept(&first, &events(3)).await;
    let engine = Engine::begin(&first).await;
    let leases = engine.lease(2).await;
    drop(engine);
    let engine = Engine::take_over(&second, Standing::Unknown).await;
    assert_eq!((engine.epoch(), second.takeovers()), (Epoch::new(2), 0));
    // All earlier leases are void.
    let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(delivered(lease))).collect();
    let late = first.settle(Epoch::new(1), &settlements, EARLY).await.unwrap();
    assert_eq!(late, [EventId::new(1), EventId::new(2)]);
    assert_eq!(engine.all_ids().await, [1, 2, 3]);
}

/// The deliverer's process stops: its runtime does nothing, and its connections stay open.
#[test]
fn a_standby_takes_over_from_a_process_that_is_stopped() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (stopped, running) = (runtime(), runtime());
    let place = Place::new();
    let (first, engine, leases) = stopped.block_on(async {
        let first = open(&place).await;
        accept(&first, &events(3)).await;
        let engine = Engine::begin(&first).await;
        let leases = engine.lease(2).await;
        (first, engine, leases)
    });
    let (second, later) = running.block_on(async {
        let second = open(&place).await;
        let turn = second.lease(Standing::Unknown, 1).await.unwrap();
        assert!(matches!(turn, Turn::Standby(_)));
        let later = Engine::take_over(&second, Standing::Standby(Epoch::new(1))).await;
        assert_eq!((later.epoch(), second.takeovers()), (Epoch::new(2), 1));
        assert_eq!(later.all_ids().await, [1, 2, 3]);
        (second, later)
    });
    // The stopped process goes on, changes nothing, and learns that it was deposed.
    stopped.block_on(async {
        let kept = Admission::kept(EventId::new(1), true);
        assert_eq!(first.admit(Epoch::new(1), &[kept]).await.unwrap(), [EventId::new(1)]);
        let settlement = leases[0].settle(delivered(&leases[0]));
        assert_eq!(engine.try_settle(&[settlement]).await.unwrap(), [EventId::new(1)]);
        let turn = first.lease(Standing::Delivering(Epoch::new(1)), 5).await.unwrap();
        assert!(matches!(turn, Turn::Standby(standby) if standby.epoch == Epoch::new(2)));
        // The end of its tenure ends nothing either.
        drop(engine);
        first.release(Epoch::new(1)).await.unwrap();
    });
    running.block_on(async {
        let counts = second.counts().await.unwrap();
        assert_eq!((counts.pending, counts.delivered, counts.collided), (3, 0, 0));
        second.settle(later.epoch(), &[], EARLY).await.unwrap();
        later.outbox.release(later.epoch()).await.unwrap();
    });
}

/// A holder whose lease has ended by its own clock extends it before it leases anything out. A
/// deposed holder leases nothing out.
#[tokio::test]
async fn a_lease_says_for_how_long_requests_may_begin() {
    let place = Place::new();
    let outbox = place.builder().lease_time(Duration::from_secs(6)).connect().await.unwrap();
    accept(&outbox, &events(1)).await;
    let engine = Engine::begin(&outbox).await;
    let leased = engine.leased(1).await;
    let valid_for = leased.valid_for.unwrap();
    assert!(!valid_for.is_zero() && valid_for <= Duration::from_secs(4), "{valid_for:?}");
    // An operator with `psql` takes the turn during the lease.
    accept(&outbox, &events(1)).await;
    place.run("UPDATE {s}.deliverer SET epoch = 7, owner = 'psql'").await;
    engine.outbox.settle(engine.epoch(), &[], intercom_core::Timestamp::now()).await.unwrap();
    let turn = outbox.lease(Standing::Delivering(Epoch::new(1)), 5).await.unwrap();
    assert!(matches!(turn, Turn::Standby(standby) if standby.epoch == Epoch::new(7)));
}

/// The deliverer stops between the execution of a statement and its commit, and keeps the lock of
/// the row.
#[tokio::test]
async fn a_session_that_locks_the_deliverers_row_is_ended() {
    let place = Place::new();
    let outbox = open(&place).await;
    drop(Engine::begin(&outbox).await);
    let stuck = place.psql().await;
    let lock = place.sql("BEGIN; SELECT FROM {s}.deliverer FOR UPDATE");
    stuck.batch_execute(&lock).await.unwrap();
    // This session holds the row as a stopped deliverer does.
    let second = open(&place).await;
    let engine = Engine::take_over(&second, Standing::Unknown).await;
    assert!(engine.epoch() >= Epoch::new(2));
    stuck.batch_execute("SELECT").await.unwrap_err();
}

#[tokio::test]
async fn a_takeover_leases_events_in_the_order_of_their_ids() {
    let place = Place::new();
    let first = place.open().await;
    accept(&first, &events(8)).await;
    let engine = Engine::begin(&first).await;
    let leases = engine.lease(6).await;
    engine.settle(&leases[1..2], delivered).await;
    engine.settle(&leases[3..4], put_back(Duration::from_secs(9))).await;
    let kept = Admission::kept(EventId::new(5), false);
    assert_eq!(first.admit(Epoch::new(1), &[kept]).await.unwrap(), []);
    let second = place.open().await;
    drop(engine);
    let engine = Engine::take_over(&second, Standing::Unknown).await;
    assert_eq!(engine.lease_ids(2).await, [1, 3]);
    assert_eq!(engine.lease_ids(10).await, [5, 6]);
    assert_eq!(engine.lease_ids(10).await, [7, 8]);
    place.advance(Duration::from_secs(9));
    assert_eq!(engine.lease_ids(10).await, [4]);
}

/// The database's clock steps back by an hour, and forward again.
#[tokio::test]
async fn steps_of_the_databases_clock_delay_no_event() {
    let place = Place::new();
    let outbox = open(&place).await;
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &events(2)).await;
    let leases = engine.lease(2).await;
    engine.settle(&leases[..1], put_back(Duration::ZERO)).await;
    assert_eq!(engine.lease_ids(2).await, [1]);
    // By the tables' clock an hour has passed that did not.
    place.run("UPDATE {s}.progress SET clock = clock + 3600000").await;
    drop(engine);
    let engine = Engine::take_over(&place.open().await, Standing::Unknown).await;
    accept(&outbox, &events(1)).await;
    let leases = engine.lease_all().await;
    assert_eq!(leases.len(), 3);
    engine.settle(&leases, put_back(Duration::ZERO)).await;
    assert_eq!(engine.lease_all().await.len(), 3);
}

/// A program may drop a delivery after its runtime, or outside of it.
#[test]
fn a_delivery_can_be_dropped_outside_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let place = Place::new();
    for drops_runtime in [false, true] {
        let delivery = runtime.block_on(async {
            let outbox = open(&place).await;
            let transport = FailingTransport::always(ErrorKind::Connection);
            let delivery = Delivery::builder(transport).outbox(outbox).start().unwrap();
            delivery.send_all(&events(1)).await.unwrap();
            delivery
        });
        if drops_runtime {
            drop(runtime);
            drop(delivery);
            return;
        }
        drop(delivery);
    }
}
