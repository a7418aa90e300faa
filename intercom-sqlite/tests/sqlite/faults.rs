//! Faults of the disk, and other programs that lock the file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{AcceptError, Outbox};
use intercom_sqlite::SqliteOutbox;
use intercom_sqlite::rusqlite::Connection;
use tokio::task::yield_now;

use super::support::{EARLY, Engine, NOON, Place, accept, delivered, event, events};

/// More events than fit into a small file.
fn too_many() -> Vec<DataEvent> {
    let event = DynamicEvent::new("report_made").unwrap().with("text", "x".repeat(250)).unwrap();
    let at = |second| Timestamp::from_unix_seconds(NOON + second);
    let event = |second| DataEvent::new(&event, Contact::user_id(7), at(second)).unwrap();
    (0..2_000).map(event).collect()
}

#[tokio::test]
async fn a_failed_batch_stores_nothing_and_fails_all_callers() {
    let place = Place::new();
    let outbox = place.builder().max_pages(64).open().unwrap();
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &[event("before", 0), event("before", 1)]).await;
    let leases = engine.lease(1).await;
    let counts = outbox.counts().await.unwrap();

    let stopped = place.clock.stop(&outbox);
    let offer = |events: Vec<DataEvent>| {
        let outbox = outbox.clone();
        tokio::spawn(async move { outbox.accept(&events).await })
    };
    let first = offer(vec![event("small", 0)]);
    let second = offer(too_many());
    let third = offer(vec![event("small", 1)]);
    let settling = tokio::spawn({
        let (outbox, settlement) = (outbox.clone(), leases[0].settle(delivered(&leases[0])));
        let epoch = engine.epoch();
        async move { outbox.settle(epoch, &[settlement], EARLY).await }
    });
    for _ in 0..10 {
        yield_now().await;
    }
    drop(stopped);
    for offered in [first, second, third] {
        let error = offered.await.unwrap().unwrap_err();
        assert!(matches!(error, AcceptError::Storage(_)), "{error:?}");
        assert!(error.to_string().contains("make room"), "{error}");
    }
    // A delivered event takes no room.
    assert_eq!(settling.await.unwrap().unwrap(), []);
    let mut before = outbox.counts().await.unwrap();
    (before.delivered, before.pending) = (0, 2);
    before.oldest_own = counts.oldest_own;
    assert_eq!(before, counts);

    // The outbox works again.
    accept(&outbox, &[event("small", 0)]).await;
    assert_eq!(engine.lease_ids(10).await, [2, 3]);
    drop((outbox, engine));
    assert_eq!(place.open().counts().await.unwrap().pending, 2);
}

#[tokio::test]
async fn a_full_disk_accepts_again_after_deliveries() {
    let place = Place::new();
    let outbox = place.builder().max_pages(64).open().unwrap();
    let engine = Engine::begin(&outbox).await;
    let mut accepted = 0;
    for event in too_many() {
        match outbox.accept(&[event]).await {
            Ok(()) => accepted += 1,
            Err(error) => {
                assert!(matches!(error, AcceptError::Storage(_)), "{error:?}");
                break;
            }
        }
    }
    assert_eq!(outbox.counts().await.unwrap().pending, accepted);
    engine.deliver(100).await;
    accept(&outbox, &[event("small", 0)]).await;
    assert_eq!(outbox.counts().await.unwrap().pending, accepted - 99);
}

#[tokio::test]
async fn a_long_transaction_of_another_program_fails_an_accept() {
    let place = Place::new();
    let outbox = place.builder().lock_timeout(Duration::ZERO).open().unwrap();
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &[event("small", 1)]).await;
    let conn = place.sqlite();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = outbox.accept(&[event("small", 0)]).await.unwrap_err();
    assert!(error.to_string().contains("another program's transaction"), "{error}");
    // Leasing only reads, and still works.
    assert_eq!(engine.lease(1).await.len(), 1);
    conn.execute_batch("ROLLBACK").unwrap();
    accept(&outbox, &[event("small", 0)]).await;
}

/// The writer serves leases during an idle clean-up.
#[tokio::test]
async fn an_idle_outbox_does_not_wait_for_a_transaction_of_another_program() {
    let place = Place::new();
    let outbox = place.builder().lock_timeout(Duration::MAX).open().unwrap();
    accept(&outbox, &[event("small", 0)]).await;
    let conn = place.sqlite();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let long = Duration::from_secs(30);
    tokio::time::timeout(long, outbox.maintain()).await.expect("it waits");
    conn.execute_batch("ROLLBACK").unwrap();
    accept(&outbox, &[event("small", 1)]).await;
}

/// Returns the size of the WAL.
fn logged(place: &Place) -> u64 {
    fs::metadata(place.folder.path().join("events.db-wal")).unwrap().len()
}

/// After a failed fsync, the system may show data that is not on the disk.
#[tokio::test]
async fn an_opened_outbox_adds_nothing_to_a_wal_that_it_found() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &[event("before", 0), event("before", 1)]).await;
    let crashed = place.crashed();
    assert!(logged(&crashed) > EMPTY);
    let outbox = crashed.open();
    assert!(logged(&crashed) <= EMPTY);
    assert_eq!(Engine::begin(&outbox).await.lease(10).await.len(), 2);
}

/// Accepts many times the WAL's limit, so that the WAL restarts in between.
async fn accept_much(place: &Place, outbox: &SqliteOutbox, most_pages: u64) {
    let before = logged(place);
    accept(outbox, &too_many()).await;
    let log_of_one = logged(place).saturating_sub(before);
    for _ in 0..most_pages / 100 {
        accept(outbox, &too_many()).await;
    }
    let most = (most_pages * 4_120) + 2 * log_of_one;
    assert!(logged(place) <= most, "the WAL has {} bytes", logged(place));
    assert!(most_pages / 100 * log_of_one > most, "{log_of_one} bytes at a time are too few");
}

#[tokio::test]
async fn the_wal_is_checkpointed_even_if_the_outbox_is_never_idle() {
    let place = Place::new();
    let outbox = place.builder().poll_interval(Duration::from_secs(3600)).open().unwrap();
    let _engine = Engine::begin(&outbox).await;
    accept_much(&place, &outbox, 4_000).await;
}

/// The processes only accept: no engine delivers, or the deliverer is idle for ever.
#[tokio::test]
async fn the_wal_does_not_grow_without_bound_when_processes_only_accept() {
    for delivering in [false, true] {
        let place = Place::new();
        let builder = || place.builder().poll_interval(Duration::from_secs(3600));
        let other = builder().open().unwrap();
        let _engine = match delivering {
            true => Some(Engine::begin(&other).await),
            false => None,
        };
        accept_much(&place, &builder().open().unwrap(), 8_000).await;
    }
}

/// Two processes that commit all the time leave no moment without a writer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wal_does_not_grow_without_bound_under_two_writers() {
    let place = Place::new();
    let builder = || place.builder().poll_interval(Duration::from_secs(3600));
    let outboxes = [(); 2].map(|()| builder().open().unwrap());
    let [first, second] = outboxes.clone().map(|outbox| {
        tokio::spawn(async move {
            for _ in 0..40 {
                accept(&outbox, &too_many()[..1000]).await;
            }
        })
    });
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(place.number("SELECT pending FROM outbox_counts"), 80_000);
    let bytes = logged(&place);
    assert!(bytes < 12_000 * 4_120, "the WAL has {bytes} bytes");
}

/// The WAL of an idle outbox holds only its mark.
const EMPTY: u64 = 2 * 4_120;

/// After a checkpoint with a failed fsync, SQLite's memory of the WAL is unreliable.
#[tokio::test]
async fn after_a_failed_checkpoint_no_process_checkpoints_until_the_file_was_closed_by_all() {
    let place = Place::new();
    let note = place.folder.path().join("events.db-stale");
    let size = || fs::metadata(place.path()).unwrap().len();
    let (outbox, standby) = (place.open(), place.open());
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &too_many()[..200]).await;
    // A part of the WAL is in the file.
    let reader = place.sqlite();
    reader.execute_batch("BEGIN; SELECT 1 FROM outbox_events").unwrap();
    accept(&outbox, &events(1)).await;
    outbox.maintain().await;
    fs::write(&note, "").unwrap();
    reader.execute_batch("COMMIT").unwrap();
    let (logged_before, size_before) = (logged(&place), size());
    assert!(logged_before > 0);

    // Another program has the file open. The outbox works, and the WAL stays.
    outbox.maintain().await;
    standby.maintain().await;
    accept(&outbox, &too_many()[200..]).await;
    accept(&standby, &[event("signed_up", 0)]).await;
    outbox.maintain().await;
    assert!(logged(&place) > logged_before && size() == size_before);
    // A process that opens the file does not change that.
    drop(place.open());
    assert_eq!((size(), note.exists()), (size_before, true));

    // If only idle processes have the file open, one of them can read the WAL again.
    drop(reader);
    standby.maintain().await;
    outbox.maintain().await;
    assert!(logged(&place) <= EMPTY && !note.exists());
    assert!(size() > size_before);
    assert_eq!(engine.lease(9_999).await.len(), 2_002);
    accept(&standby, &[event("signed_up", 1)]).await;
    assert_eq!(outbox.counts().await.unwrap().pending, 2_003);
}

const CHILD: &str = "INTERCOM_SQLITE_TEST_FAULT";

/// Returns the number of pages that a commit wrote into the WAL.
fn pages_logged(conn: &Connection) -> i64 {
    conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap()
}

/// The failed commit may be in the WAL beyond its end, where a crash would revive it.
///
/// A resource limit of the process makes all writes fail. So the test runs itself as a child.
#[tokio::test]
async fn a_failed_commit_is_overwritten_before_its_callers_learn_of_it() {
    use nix::sys::resource::{Resource, setrlimit};
    let Some(path) = std::env::var_os(CHILD) else {
        let place = Place::new();
        let name = "faults::a_failed_commit_is_overwritten_before_its_callers_learn_of_it";
        let program = std::env::current_exe().unwrap();
        // Otherwise the limit's signal would end the child.
        let ignore = "trap '' XFSZ; exec \"$0\" \"$@\"";
        let output = Command::new("sh")
            .args(["-c", ignore, program.to_str().unwrap(), "--exact", name, "--nocapture"])
            .env(CHILD, place.path())
            .output()
            .unwrap();
        return assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (path, hour) = (PathBuf::from(path), Duration::from_secs(3_600));
    let outbox = SqliteOutbox::builder(&path).poll_interval(hour).open().unwrap();
    accept(&outbox, &events(2)).await;
    let reader = Connection::open(&path).unwrap();
    let before = pages_logged(&reader);
    // Room for some of the commit's pages.
    let wal = fs::metadata(path.with_extension("db-wal")).unwrap().len();
    setrlimit(Resource::RLIMIT_FSIZE, wal + 10 * 4_120, u64::MAX).unwrap();
    let error = outbox.accept(&too_many()).await.unwrap_err();
    assert!(error.to_string().contains("the disk of the outbox failed"), "{error:?}");
    assert!((1..10).contains(&(pages_logged(&reader) - before)), "no later commit overwrote it");
    setrlimit(Resource::RLIMIT_FSIZE, u64::MAX, u64::MAX).unwrap();
    accept(&outbox, &[event("signed_up", 0)]).await;
    assert_eq!(outbox.counts().await.unwrap().pending, 3);
}
