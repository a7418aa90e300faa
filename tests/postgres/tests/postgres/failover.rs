//! Failover to a standby that lacks the last commits. The new primary assigns ids again, and the
//! epoch can decrease.

use std::time::Duration;

use intercom_delivery::outbox::{Epoch, EventId, Outbox, Standing, Turn};
use intercom_postgres::PostgresOutbox;
use test_postgres::{Server, Stop};

use super::support::{Engine, LONG, Place, accept, delivered, events, put_back};

/// More than the ids that a server logs ahead (32). Beyond those, the new primary assigns ids
/// again.
const LOST: i64 = 40;

const ACCEPTED: i64 = 20;

/// A primary with an asynchronous standby.
struct Pair {
    primary: Server,
    standby: Server,
    place: Place,
}

impl Pair {
    fn new() -> Self {
        let mut primary = Server::start().unwrap();
        let standby = primary.standby("standby").unwrap();
        let (first, second) = (primary.port(), standby.port());
        let url = format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres");
        let place = Place::on(url + "?target_session_attrs=read-write");
        Pair { primary, standby, place }
    }

    async fn open(&self) -> PostgresOutbox {
        let lease = Duration::from_secs(1);
        let poll = Duration::from_millis(20);
        self.place.builder().lease_time(lease).poll_interval(poll).connect().await.unwrap()
    }

    /// Waits until the standby has all of the primary's commits, and cuts it off from later ones.
    async fn cut_off(&self) {
        let written = "SELECT pg_current_wal_insert_lsn()::text";
        let written: String = self.place.rows(written).await[0].get(0);
        let standby = Place { url: self.standby.url(), ..self.place.clone() };
        let has_all = format!("SELECT (pg_last_wal_replay_lsn() >= '{written}')::int::bigint");
        while standby.number(&has_all).await == 0 {
            tokio::task::yield_now().await;
        }
        standby.psql().await.batch_execute("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
        standby.run("SELECT pg_reload_conf()").await;
        let receives = "SELECT count(*) FROM pg_stat_wal_receiver";
        while standby.number(receives).await > 0 {
            tokio::task::yield_now().await;
        }
    }

    fn fail_over(&mut self) {
        self.primary.stop(Stop::Kill).unwrap();
        self.standby.promote().unwrap();
    }
}

/// Waits for the next turn of an engine that does not know yet that its turn has ended.
async fn next_turn(engine: &Engine) -> Engine {
    let mut standing = Standing::Delivering(engine.epoch());
    let turn = async {
        loop {
            match engine.outbox.lease(standing, 100).await {
                Ok(Turn::Began(tenure)) => {
                    return Engine { outbox: engine.outbox.clone(), tenure };
                }
                Ok(Turn::Standby(standby)) => standing = Standing::Standby(standby.epoch),
                Ok(Turn::Leased(_)) | Err(_) => {}
            }
        }
    };
    tokio::time::timeout(LONG, turn).await.expect("the lost turn goes on")
}

/// Accepts events, and repeats what fails during the reconnect.
async fn accept_all(outbox: &PostgresOutbox) {
    while outbox.accept(&events(ACCEPTED)).await.is_err() {}
}

async fn expect_drained(engine: &Engine, pending: i64, gone: u64) {
    let leases = engine.lease_all().await;
    assert_eq!(leases.len() as i64, pending);
    engine.settle(&leases, delivered).await;
    let counts = engine.outbox.counts().await.unwrap();
    let accepted = gone + pending.unsigned_abs();
    assert_eq!((counts.accepted, counts.delivered, counts.pending), (accepted, accepted, 0));
}

/// The failover loses events that the deliverer had read, whether it had stored its cursor or not.
#[tokio::test]
async fn events_with_ids_assigned_again_after_a_failover_are_read() {
    for is_settled in [true, false] {
        let mut pair = Pair::new();
        let outbox = pair.open().await;
        accept(&outbox, &events(2)).await;
        let engine = Engine::begin(&outbox).await;
        engine.deliver(2).await;
        pair.cut_off().await;
        accept(&outbox, &events(LOST)).await;
        let lost = engine.lease(100).await;
        assert_eq!(lost.len() as i64, LOST);
        if is_settled {
            engine.settle(&lost, delivered).await;
        }
        pair.fail_over();
        accept_all(&outbox).await;
        let later = next_turn(&engine).await;
        assert!(later.epoch() > engine.epoch());
        // This process held the turn all the time.
        assert_eq!(outbox.takeovers(), 0);
        expect_drained(&later, ACCEPTED, 2).await;
    }
}

/// The store has lost the beginning of the turn. Verdicts of the lost turn must not count for later
/// events with the same ids.
#[tokio::test]
async fn an_epoch_lost_in_a_failover_is_not_used_again() {
    let mut pair = Pair::new();
    let outbox = pair.open().await;
    accept(&outbox, &events(2)).await;
    let earlier = Engine::begin(&outbox).await;
    earlier.deliver(2).await;
    outbox.release(earlier.epoch()).await.unwrap();
    pair.cut_off().await;
    let lost = Engine::take_over(&outbox, Standing::Unknown).await;
    accept(&outbox, &events(LOST)).await;
    let leases = lost.lease(100).await;
    assert_eq!((lost.epoch(), leases.len() as i64), (Epoch::new(2), LOST));
    pair.fail_over();
    accept_all(&outbox).await;
    let later = next_turn(&lost).await;
    assert!(later.epoch() > lost.epoch());
    let again = later.lease(100).await;
    assert!(again.iter().any(|lease| leases.iter().any(|lost| lost.id == lease.id)));
    let verdicts: Vec<_> = leases.iter().map(|lease| lease.settle(delivered(lease))).collect();
    assert_eq!(lost.try_settle(&verdicts).await.unwrap().len(), leases.len());
    later.settle(&again, delivered).await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.delivered, counts.pending), (2 + again.len() as u64, 0));
    assert_eq!(again.len() as i64, ACCEPTED);
}

/// A deliverer that has not noticed the failover stores its old cursor.
#[tokio::test]
async fn a_stored_cursor_beyond_the_last_id_moves_back() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &events(3)).await;
    engine.deliver(1).await;
    // A handover stores the cursor.
    outbox.release(engine.epoch()).await.unwrap();
    place
        .run("UPDATE {s}.progress SET cursor = 100, low = 101, gap_from = '{40}', gap_to = '{50}'")
        .await;
    let engine = Engine::begin(&place.open().await).await;
    accept(&outbox, &events(2)).await;
    expect_drained(&engine, 4, 1).await;
}

/// A transaction took an id before the new turn moved the cursor back. It commits after the
/// delivery of all others.
#[tokio::test]
async fn an_open_transaction_is_not_missed_when_a_cursor_moves_back() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let open = super::gaps::begin(&place, 7).await;
    accept(&outbox, &events(5)).await;
    let leases = engine.lease(2).await;
    engine.settle(&leases[..1], delivered).await;
    engine.settle(&leases[1..], put_back(Duration::ZERO)).await;
    outbox.release(engine.epoch()).await.unwrap();
    place
        .run("UPDATE {s}.progress SET cursor = 100, low = 101, gap_from = '{}', gap_to = '{}'")
        .await;
    let engine = Engine::begin(&place.open().await).await;
    let mut ids = engine.all_ids().await;
    ids.sort_unstable();
    assert_eq!(ids, [3, 4, 5, 6]);
    let counts = engine.outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered, counts.pending), (5, 1, 4));
    open.batch_execute("COMMIT").await.unwrap();
    assert_eq!(engine.lease_ids(10).await, [1]);
    let counts = engine.outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered, counts.pending), (6, 1, 5));
}

/// A flush waits for the oldest event of its own process. After a failover, that event may have an
/// id below the cursor.
#[tokio::test]
async fn own_events_below_the_cursor_are_found_after_a_failover() {
    let mut pair = Pair::new();
    let outbox = pair.open().await;
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &events(2)).await;
    engine.deliver(2).await;
    pair.cut_off().await;
    accept(&outbox, &events(LOST)).await;
    engine.deliver(100).await;
    // The outbox looks twice: at once, and again after the last transaction from before has ended.
    for _ in 0..3 {
        assert_eq!(outbox.counts().await.unwrap().oldest_own, None);
    }
    pair.fail_over();
    while outbox.accept(&events(2)).await.is_err() {}
    let counts = loop {
        if let Ok(counts) = outbox.counts().await {
            break counts;
        }
    };
    let first = pair.place.number("SELECT min(id) FROM {s}.events").await;
    assert!(first <= LOST, "the new primary assigned no id again: {first}");
    assert_eq!(counts.oldest_own.map(EventId::get), Some(first.unsigned_abs()));
}
