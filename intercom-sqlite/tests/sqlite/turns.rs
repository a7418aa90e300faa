//! Turns: any process accepts, and one delivers.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use intercom_core::Timestamp;
use intercom_delivery::outbox::{
    Admission, DeadLetterReason, Epoch, EventId, Outbox, Selection, Standing, Turn,
};
use intercom_sqlite::SqliteOutbox;
use tokio::time::timeout;

use super::support::{
    EARLY, Engine, LONG, Place, accept, bury, delivered, event, events, put_back, turn_now,
};

#[tokio::test]
async fn two_handles_accept_and_one_delivers() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let engine = Engine::begin(&first).await;
    assert_eq!(engine.epoch(), Epoch::new(1));
    assert!(engine.tenure.durable);

    // The other process gets `Turn::Standby` once, and waits.
    let Turn::Standby(standby) = second.lease(Standing::Unknown, 1).await.unwrap() else {
        panic!("two deliver")
    };
    assert_eq!(standby.epoch, Epoch::new(1));
    assert_eq!(standby.deliverer, format!("process {}", std::process::id()));
    assert_eq!((standby.since, engine.tenure.since), (place.clock.now(), place.clock.now()));
    assert!(turn_now(&second, Standing::Standby(Epoch::new(1)), 1).await.is_none());
    let tool = SqliteOutbox::inspect(place.path()).unwrap();
    assert_eq!(tool.deliverer().unwrap(), Some(standby));

    // Both accept, with distinct ids.
    accept(&second, &events(2)).await;
    accept(&first, &[event("signed_up", 0)]).await;
    accept(&second, &[event("signed_up", 1)]).await;
    first.notify();
    assert_eq!(engine.lease_ids(10).await, [1, 2, 3, 4]);
    assert_eq!(second.counts().await.unwrap().pending, 4);
    // A killed process does not release, and its name stays in the file.
    drop(engine.tenure);
    second.notify();
    assert_eq!(second.counts().await.unwrap().pending, 4);
    assert_eq!(place.number("SELECT deliverer IS NOT NULL FROM outbox_counts"), 1);
    assert_eq!(tool.deliverer().unwrap(), None);
}

#[tokio::test]
async fn two_engines_of_one_handle_take_turns_too() {
    let place = Place::new();
    let outbox = place.open();
    let engine = Engine::begin(&outbox).await;
    let turn = outbox.lease(Standing::Unknown, 1).await.unwrap();
    assert!(matches!(turn, Turn::Standby(standby) if standby.epoch == Epoch::new(1)));
    drop(engine.tenure);
    assert_eq!(
        Engine::take_over(&outbox, Standing::Standby(Epoch::new(1))).await.epoch(),
        Epoch::new(2)
    );
}

#[tokio::test]
async fn a_standby_takes_over_when_the_tenure_is_dropped() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    accept(&first, &events(3)).await;
    let engine = Engine::begin(&first).await;
    let leases = engine.lease(2).await;
    let turn = second.lease(Standing::Unknown, 1).await.unwrap();
    assert!(matches!(turn, Turn::Standby(_)));

    let Engine { tenure, .. } = engine;
    drop(tenure);
    let engine = Engine::take_over(&second, Standing::Standby(Epoch::new(1))).await;
    assert_eq!(engine.epoch(), Epoch::new(2));
    // All earlier leases are void.
    let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(delivered(lease))).collect();
    let late = first.settle(Epoch::new(1), &settlements, EARLY).await.unwrap();
    assert_eq!(late, [EventId::new(1), EventId::new(2)]);
    assert_eq!(engine.lease_ids(10).await, [1, 2, 3]);
}

#[tokio::test]
async fn release_hands_over_at_once_and_both_go_on_accepting() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    accept(&first, &events(2)).await;
    let engine = Engine::begin(&first).await;
    let leases = engine.lease(1).await;
    first.release(Epoch::new(1)).await.unwrap();
    // The release holds also for the process that delivered.
    let settlement = leases[0].settle(delivered(&leases[0]));
    assert_eq!(engine.try_settle(&[settlement]).await.unwrap(), [EventId::new(1)]);
    assert_eq!(place.number("SELECT deliverer IS NULL FROM outbox_counts"), 1);
    drop(engine.tenure);
    let engine = Engine::take_over(&second, Standing::Unknown).await;
    // A release in an ended epoch does nothing.
    first.release(Epoch::new(1)).await.unwrap();
    accept(&first, &[event("signed_up", 0)]).await;
    second.notify();
    assert_eq!(engine.lease_ids(10).await, [1, 2, 3]);
    engine.deliver(10).await;
}

#[tokio::test]
async fn a_takeover_leases_events_in_the_order_of_their_ids() {
    let place = Place::new();
    let first = place.open();
    accept(&first, &events(8)).await;
    let engine = Engine::begin(&first).await;
    let leases = engine.lease(6).await;
    engine.settle(&leases[1..2], delivered).await;
    engine.settle(&leases[3..4], put_back(Duration::from_secs(9))).await;
    let kept = Admission::kept(EventId::new(5), false);
    assert_eq!(first.admit(Epoch::new(1), &[kept]).await.unwrap(), []);
    let second = place.open();
    drop(engine.tenure);
    let engine = Engine::take_over(&second, Standing::Unknown).await;
    assert_eq!(engine.lease_ids(10).await, [1, 3, 5, 6, 7, 8]);
    place.clock.advance(Duration::from_secs(9));
    assert_eq!(engine.lease_ids(10).await, [4]);
}

/// After a removal of the lock file, another process locks a new one. Both believe that they
/// deliver.
#[tokio::test]
async fn a_deposed_engine_changes_nothing() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    accept(&first, &events(3)).await;
    let deposed = Engine::begin(&first).await;
    let leases = deposed.lease(3).await;
    fs::remove_file(place.folder.path().join("events.db-lock")).unwrap();
    let engine = Engine::begin(&second).await;
    assert_eq!(engine.epoch(), Epoch::new(2));

    let before = second.counts().await.unwrap();
    let moved = Admission::moved(EventId::new(1), event("project_created", 70));
    let kept = Admission::kept(EventId::new(2), true);
    let late = first.admit(Epoch::new(1), &[moved, kept]).await.unwrap();
    assert_eq!(late, [EventId::new(1), EventId::new(2)]);
    let settlements = [
        leases[0].settle(delivered(&leases[0])),
        leases[1].settle(put_back(Duration::ZERO)(&leases[1])),
        leases[2].settle(bury(DeadLetterReason::Rejected)(&leases[2])),
    ];
    let late = deposed.try_settle(&settlements).await.unwrap();
    assert_eq!(late, [EventId::new(1), EventId::new(2), EventId::new(3)]);
    assert_eq!(second.counts().await.unwrap(), before);
    assert_eq!(place.number("SELECT count(*) FROM outbox_used_slots"), 0);
    first.release(Epoch::new(1)).await.unwrap();

    // The first engine learns that it is deposed, and who delivers.
    let turn = first.lease(Standing::Delivering(Epoch::new(1)), 1).await.unwrap();
    assert!(matches!(turn, Turn::Standby(standby) if standby.epoch == Epoch::new(2)));
    let leases = engine.lease(10).await;
    assert!(leases.iter().map(|lease| &lease.event).eq(&events(3)));
    engine.settle(&leases, delivered).await;
}

#[tokio::test]
async fn two_names_of_one_file_have_one_deliverer() {
    let place = Place::new();
    let outbox = place.open();
    let other_name = place.folder.path().join("other.db");
    symlink(place.path(), &other_name).unwrap();
    let _engine = Engine::begin(&outbox).await;
    let other = SqliteOutbox::open(other_name).unwrap();
    let turn = other.lease(Standing::Unknown, 1).await.unwrap();
    assert!(matches!(turn, Turn::Standby(_)));
    accept(&other, &events(1)).await;
    assert_eq!(outbox.counts().await.unwrap().pending, 1);
}

const CHILD: &str = "INTERCOM_SQLITE_TEST_CHILD";

/// The test starts itself as a child, which leases, reports that, and is killed.
#[tokio::test]
async fn a_standby_takes_over_from_a_process_that_is_killed() {
    if let Some(path) = std::env::var_os(CHILD) {
        let outbox = SqliteOutbox::open(PathBuf::from(path)).unwrap();
        let engine = Engine::begin(&outbox).await;
        accept(&outbox, &[event("signed_up", 0)]).await;
        let ids = engine.lease_ids(2).await;
        writeln!(io::stdout(), "\nleased {ids:?}").unwrap();
        std::future::pending::<()>().await;
    }
    let place = Place::new();
    let outbox = SqliteOutbox::open(place.path()).unwrap();
    accept(&outbox, &events(2)).await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "turns::a_standby_takes_over_from_a_process_that_is_killed"])
        .arg("--nocapture")
        .env(CHILD, place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map(Result::unwrap).find(|line| line.starts_with("leased"));
    assert_eq!(said.as_deref(), Some("leased [1, 2]"));

    let Turn::Standby(standby) = outbox.lease(Standing::Unknown, 1).await.unwrap() else {
        panic!("two deliver")
    };
    assert_eq!(standby.deliverer, format!("process {}", child.id()));
    accept(&outbox, &[event("signed_up", 1)]).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let engine = Engine::take_over(&outbox, Standing::Standby(standby.epoch)).await;
    assert_eq!(engine.epoch(), Epoch::new(2));
    assert_eq!(engine.lease_ids(10).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_tool_sees_all_events_and_the_engine_notices_its_changes() {
    let place = Place::new();
    // By the system's clock, which the tool also uses.
    let builder = SqliteOutbox::builder(place.path()).poll_interval(Duration::from_millis(1));
    let engine = Engine::begin(&builder.open().unwrap()).await;
    accept(&engine.outbox, &events(4)).await;
    let leases = engine.lease(4).await;
    engine.settle(&leases[..3], bury(DeadLetterReason::Rejected)).await;

    let mut tool = SqliteOutbox::inspect(place.path()).unwrap();
    let counts = tool.counts().unwrap();
    assert_eq!((counts.pending, counts.dead_letters), (1, 3));
    let pending = tool.pending(None, 10).unwrap();
    assert_eq!(pending.iter().map(|event| event.id.get()).collect::<Vec<_>>(), [4]);
    assert_eq!(tool.dead_letters(Some(EventId::new(1)), 10).unwrap().len(), 2);
    assert_eq!(tool.check().unwrap(), Vec::<String>::new());
    assert_eq!(tool.purge(&Selection::One(EventId::new(1))).unwrap(), 1);
    assert_eq!(tool.redrive(&Selection::Name("PROJECT_created".to_owned())).unwrap(), 2);

    // The redrive wakes a waiting call.
    let lease = engine.outbox.lease(Standing::Delivering(engine.epoch()), 10);
    let Turn::Leased(leased) = timeout(LONG, lease).await.unwrap().unwrap() else {
        panic!("deposed")
    };
    assert_eq!(leased.events.iter().map(|lease| lease.id.get()).collect::<Vec<_>>(), [2, 3]);
    let counts = engine.outbox.counts().await.unwrap();
    assert_eq!((counts.pending, counts.dead_letters, counts.dead), (3, 0, 1));
    assert!(counts.is_balanced());
}

#[tokio::test]
async fn a_tool_buries_pending_events_and_the_engine_learns_that_it_is_too_late() {
    let place = Place::new();
    let builder = SqliteOutbox::builder(place.path()).poll_interval(Duration::from_millis(1));
    let engine = Engine::begin(&builder.open().unwrap()).await;
    accept(&engine.outbox, &events(4)).await;
    let leases = engine.lease(2).await;

    let mut tool = SqliteOutbox::inspect(place.path()).unwrap();
    assert_eq!(tool.bury(&Selection::Reason(DeadLetterReason::Buried)).unwrap(), 0);
    assert_eq!(tool.bury(&Selection::Name("nothing".to_owned())).unwrap(), 0);
    assert_eq!(tool.bury(&Selection::One(EventId::new(1))).unwrap(), 1);
    assert_eq!(tool.bury(&Selection::One(EventId::new(1))).unwrap(), 0);
    assert_eq!(tool.bury(&Selection::One(EventId::new(3))).unwrap(), 1);
    let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(delivered(lease))).collect();
    let forget = Timestamp::from_unix_seconds(0);
    let late = engine.outbox.settle(engine.epoch(), &settlements, forget).await.unwrap();
    assert_eq!(late, [EventId::new(1)]);
    assert_eq!(engine.lease_ids(10).await, [4]);
    let counts = engine.outbox.counts().await.unwrap();
    assert_eq!((counts.delivered, counts.pending, counts.dead_letters), (1, 1, 2));
    assert!(counts.is_balanced());
    let letters = tool.dead_letters(None, 10).unwrap();
    assert!(letters.iter().all(|letter| letter.reason == DeadLetterReason::Buried));
}

/// A process of version 1 holds the lock as long as it lives.
#[tokio::test]
async fn the_lock_is_the_deliverers_and_opening_needs_it_only_to_prepare_the_file() {
    let place = Place::new();
    let lock = File::create(place.folder.path().join("events.db-lock")).unwrap();
    lock.try_lock().unwrap();
    let error = place.builder().lock_timeout(Duration::ZERO).open().unwrap_err();
    assert!(error.to_string().contains("end that process"), "{error}");
    assert_eq!(fs::metadata(place.path()).unwrap().len(), 0);
    lock.unlock().unwrap();
    let outbox = place.open();
    lock.try_lock().unwrap();
    accept(&place.open(), &events(1)).await;
    // No engine has begun an epoch yet, so the answer names none.
    assert!(turn_now(&outbox, Standing::Unknown, 1).await.is_none());
    lock.unlock().unwrap();
    let engine = Engine::take_over(&outbox, Standing::Unknown).await;
    assert_eq!(engine.lease_ids(10).await, [1]);
}
