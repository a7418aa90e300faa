//! Migrates a file that version 1 wrote, with all its content.

use std::fs;
use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intercom_core::Timestamp;
use intercom_delivery::outbox::{
    Counts, DeadLetterReason, EventId, Failure, Operate, Outbox, Selection, Slot, Stage, UsedSlot,
};
use intercom_sqlite::rusqlite::{Connection, OpenFlags};
use intercom_sqlite::{OpenError, SCHEMA_VERSION, SqliteOutbox};

use super::support::{Engine, Place, accept, events};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1.db");

/// Copies the fixture to a new place. Also returns a connection to a second copy.
fn fixture() -> (Place, Connection) {
    let place = Place::new();
    fs::copy(FIXTURE, place.path()).unwrap();
    let copy = place.folder.path().join("before.db");
    fs::copy(FIXTURE, &copy).unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file:{}?immutable=1", copy.display());
    (place, Connection::open_with_flags(uri, flags).unwrap())
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

type Row = Vec<intercom_sqlite::rusqlite::types::Value>;

fn rows(conn: &Connection, sql: &str) -> Vec<Row> {
    let mut select = conn.prepare(sql).unwrap();
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn migration_changes_no_row() {
    let (place, before) = fixture();
    drop(SqliteOutbox::open(place.path()).unwrap());
    let after = place.sqlite();
    for table in [
        "id, created_at, accepted_at, due_at, attempts, last_failure, last_status, \
         last_request_id, body FROM outbox_events ORDER BY id",
        "id, reason, created_at, accepted_at, died_at, attempts, last_failure, last_status, \
         last_request_id, body FROM outbox_dead_letters ORDER BY id",
        "accepted, delivered, dead, pending, pending_bytes, dead_letters, moved, collided, newest, \
         capacity, max_bytes FROM outbox_counts",
        "* FROM pending_events",
        "* FROM dead_letters",
    ] {
        let [was, is] = [&before, &after].map(|conn| rows(conn, &format!("SELECT {table}")));
        assert!(!was.is_empty());
        // The views show how long until an event is due.
        let compared = |row: &Row| [&row[..5], &row[6..]].concat();
        assert!(was.iter().map(compared).eq(is.iter().map(compared)), "{table}");
    }
    let admitted = "SELECT id FROM outbox_events WHERE admitted = 1 ORDER BY id";
    assert_eq!(rows(&after, admitted).concat(), [2.into(), 6.into()]);
    let letters = "SELECT id, admitted FROM outbox_dead_letters ORDER BY id";
    assert_eq!(rows(&after, letters).concat(), [3.into(), 0.into(), 4.into(), 1.into()]);
    assert_eq!(place.number("PRAGMA user_version"), i64::from(SCHEMA_VERSION));
    assert_eq!(rows(&after, "PRAGMA integrity_check").concat(), ["ok".to_owned().into()]);
    let tables =
        "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%_v1' OR name LIKE '%seconds'";
    assert_eq!(place.number(tables), 0);
}

#[tokio::test]
async fn an_engine_finds_every_event_and_its_own_state() {
    let (place, before) = fixture();
    let began = now();
    let outbox = SqliteOutbox::open(place.path()).unwrap();
    let ended = now();
    let mut expected = Counts::default();
    (expected.accepted, expected.delivered, expected.pending) = (308, 2, 304);
    (expected.dead, expected.dead_letters) = (2, 2);
    (expected.moved, expected.collided) = (280, 1);
    expected.newest = Some(EventId::new(308));
    let counts = outbox.counts().await.unwrap();
    assert!(counts.oldest_pending.is_some());
    expected.oldest_pending = counts.oldest_pending;
    assert_eq!(counts, expected);

    let engine = Engine::begin(&outbox).await;
    let used = |key: i64, second: i64, keep_until: i64| {
        let (key, second) = (key.cast_unsigned(), Timestamp::from_unix_seconds(second));
        let keep_until = Timestamp::from_unix_seconds(keep_until);
        UsedSlot::new(Slot::new(key, second), keep_until)
    };
    let [left, left_ahead, dead @ ..] = &engine.tenure.used[..] else {
        panic!("{:?}", engine.tenure.used)
    };
    // The slot of the dead letter whose attempt may have arrived.
    assert_eq!(dead.len(), 1);
    assert!(dead.iter().all(|used| used.keep_until == UsedSlot::WHILE_DEAD));
    let keep_until = left.keep_until.unix_seconds();
    assert!((began + 120..=ended + 120).contains(&keep_until), "{keep_until}");
    assert_eq!(*left, used(5_556_767_343_663_496_048, 1_700_000_000, keep_until));
    let ahead = 2_741_997_442;
    assert_eq!(*left_ahead, used(4_057_466_620_276_521_015, ahead, ahead + 120));

    let mut leases = engine.lease(usize::MAX).await;
    leases.sort_by_key(|lease| lease.id);
    let held: Vec<_> = leases
        .iter()
        .filter(|lease| lease.stage == Stage::Admitted)
        .map(|lease| Slot::of(&lease.event))
        .collect();
    assert_eq!(engine.tenure.held, held);
    let found: Vec<Row> = leases
        .iter()
        .map(|lease| {
            let body = str::from_utf8(lease.event.body()).unwrap().to_owned();
            let failure = lease.last_failure.as_ref().map(|failure| failure.message.clone());
            let id = lease.id.get().cast_signed();
            vec![id.into(), i64::from(lease.attempts).into(), failure.into(), body.into()]
        })
        .collect();
    let stored = "SELECT id, attempts, last_failure, body FROM outbox_events ORDER BY id";
    assert_eq!(found, rows(&before, stored));
    let again = |lease: &&intercom_delivery::outbox::Lease| lease.stage == Stage::Admitted;
    assert!(leases.iter().filter(again).map(|lease| lease.id.get()).eq([2, 6]));
    assert!(leases.iter().all(|lease| lease.stage != Stage::Redriven));

    let letters = outbox.dead_letters(None, 10).await.unwrap();
    let failures: Vec<_> = letters.iter().map(|letter| letter.failure.clone().unwrap()).collect();
    let refused = Failure::new("Intercom refused it (HTTP 422)")
        .with_status(422)
        .with_request_id("req-3".to_owned());
    assert_eq!(failures, [refused, Failure::new("no answer came in time")]);
    let reasons = [DeadLetterReason::Rejected, DeadLetterReason::AttemptLimit];
    assert!(letters.iter().map(|letter| letter.reason).eq(reasons));

    // The bounds of version 1 still hold, and no id is assigned twice.
    let error = outbox.accept(&events(697)).await.unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    accept(&outbox, &events(1)).await;
    assert_eq!(engine.lease_ids(10).await, [309]);
    assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 2);
    let stages: Vec<_> =
        engine.lease(10).await.iter().map(|lease| (lease.id.get(), lease.stage)).collect();
    assert_eq!(stages, [(3, Stage::Redriven), (4, Stage::Admitted)]);
}

/// The migration keeps the slots of events that version 1 had delivered but not filed.
#[tokio::test]
async fn migration_keeps_the_slots_of_recent_events() {
    let (place, _) = fixture();
    let conn = place.sqlite();
    let ahead = now() + 1_000;
    conn.execute_batch(&format!(
        "INSERT INTO outbox_new_seconds VALUES (2, 11, 101, 2), (3, 12, 102, 2), (309, 13, 103, 2);
         INSERT INTO outbox_new_seconds VALUES (310, 9223372036854775807, 104, 2);
         INSERT INTO outbox_seconds VALUES (20, 201, 21, 0, 0, 0), (21, 202, 22, 1, 2, 0);
         INSERT INTO outbox_seconds VALUES ({ahead}, 203, 0, 0, 0, 1), (22, 204, 23, 0, 0, 1);
         UPDATE outbox_counts SET newest = 310"
    ))
    .unwrap();
    drop(conn);
    let engine = Engine::begin(&SqliteOutbox::open(place.path()).unwrap()).await;
    let left = engine.tenure.used.iter().filter(|used| used.keep_until != UsedSlot::WHILE_DEAD);
    let mut keys: Vec<_> = left.map(|used| used.slot.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [103, 104, 203, 4_057_466_620_276_521_015, 5_556_767_343_663_496_048]);
}

#[test]
fn a_file_open_in_version_1_is_left_unchanged() {
    let (place, _) = fixture();
    let lock = File::create(place.folder.path().join("events.db-lock")).unwrap();
    lock.try_lock().unwrap();
    let error = place.builder().lock_timeout(Duration::ZERO).open().unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("an earlier version of intercom-sqlite"), "{error}");
    assert_eq!(fs::read(place.path()).unwrap(), fs::read(FIXTURE).unwrap());
    let error = SqliteOutbox::inspect(place.path()).unwrap_err();
    assert!(matches!(error, OpenError::OlderSchema { found: 1, .. }), "{error:?}");
    lock.unlock().unwrap();
    place.open();
}

#[tokio::test]
async fn an_applications_file_keeps_the_applications_content() {
    let (place, _) = fixture();
    let conn = place.sqlite();
    conn.execute_batch(
        "PRAGMA application_id = 0; PRAGMA user_version = 41;
         CREATE VIEW broken AS SELECT a FROM no_table;
         CREATE VIEW waiting AS SELECT count(*) AS events FROM outbox_events",
    )
    .unwrap();
    drop(conn);
    let outbox = place.builder().in_application_file().open().unwrap();
    assert_eq!(outbox.counts().await.unwrap().pending, 304);
    assert_eq!(place.number("SELECT events FROM waiting"), 304);
    assert_eq!(place.number("PRAGMA user_version"), 41);
}

/// The application uses a name that a migration step needs.
#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let (place, before) = fixture();
    let conn = place.sqlite();
    conn.execute_batch("CREATE TABLE outbox_used_slots (a)").unwrap();
    let error = SqliteOutbox::open(place.path()).unwrap_err();
    assert!(matches!(error, OpenError::Sqlite { .. }), "{error:?}");
    for table in ["outbox_schema", "outbox_counts", "outbox_events", "outbox_dead_letters"] {
        let select = format!("SELECT * FROM {table}");
        assert_eq!(rows(&conn, &select), rows(&before, &select), "{table}");
    }
    conn.execute_batch("DROP TABLE outbox_used_slots").unwrap();
    drop(conn);
    SqliteOutbox::open(place.path()).unwrap();
}

const FIXTURE_2: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v2.db");

/// The fixture is a file of version 2.
#[tokio::test]
async fn a_file_of_version_2_keeps_everything_too() {
    let place = Place::new();
    fs::copy(FIXTURE_2, place.path()).unwrap();
    let copy = place.folder.path().join("before.db");
    fs::copy(FIXTURE_2, &copy).unwrap();
    let before = Connection::open(copy).unwrap();
    let outbox = place.open();
    let after = place.sqlite();
    for table in [
        "id, created_at, accepted_at, due_at, origin, attempts, last_failure, last_status, \
         last_request_id, body FROM outbox_events",
        "id, reason, created_at, accepted_at, died_at, admitted, origin, attempts, last_failure, \
         last_status, last_request_id, body FROM outbox_dead_letters",
        "* FROM outbox_used_slots",
    ] {
        let [was, is] =
            [&before, &after].map(|conn| rows(conn, &format!("SELECT {table} ORDER BY 1, 2, 3")));
        assert!(!was.is_empty() && was == is, "{table}");
    }
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered, counts.dead, counts.pending), (10, 2, 2, 6));
    assert!(counts.is_balanced());
    assert_eq!(place.number("SELECT capacity FROM outbox_counts"), 9_000);
    assert_eq!(place.number("PRAGMA user_version"), i64::from(SCHEMA_VERSION));
    let engine = Engine::begin(&outbox).await;
    assert_eq!(
        (engine.epoch().get(), engine.tenure.held.len(), engine.tenure.used.len()),
        (2, 2, 4)
    );
    assert_eq!(engine.lease_ids(10).await, [5, 7, 8, 9, 10]);
    assert_eq!(rows(&after, "PRAGMA integrity_check").concat(), ["ok".to_owned().into()]);
}

/// A file of version 2, made by its own steps.
#[tokio::test]
async fn a_file_of_version_2_keeps_the_state_of_each_admission() {
    let place = Place::new();
    let conn = place.sqlite();
    conn.execute_batch(concat!(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
         CREATE TABLE outbox_schema (version INTEGER PRIMARY KEY) STRICT;
         INSERT INTO outbox_schema VALUES (1), (2);
         PRAGMA application_id = 0x69636F6D; PRAGMA user_version = 2;",
        include_str!("../../src/schema/v1.sql"),
        include_str!("../../src/schema/v2.sql"),
    ))
    .unwrap();
    // New; put back; redriven after a refusal; admitted and never put back.
    for (id, due, admitted) in
        [(1, None, 0), (2, Some(1_000), 1), (3, Some(2_000), 0), (4, None::<i64>, 1)]
    {
        let body = r#"{"event_name":"a","created_at":1700000000,"user_id":"42"}"#;
        let row = (id, due, admitted, body);
        conn.execute(
            "INSERT INTO outbox_events (id, created_at, accepted_at, due_at, admitted, origin, body)
             VALUES (?1, 1700000000, 0, ?2, ?3, 0, ?4)",
            row,
        )
        .unwrap();
    }
    conn.execute_batch(
        "UPDATE outbox_counts SET accepted = 6, delivered = 2, pending = 4, newest = 6,
         pending_bytes = (SELECT sum(octet_length(body)) FROM outbox_events)",
    )
    .unwrap();
    drop(conn);
    let engine = Engine::begin(&SqliteOutbox::open(place.path()).unwrap()).await;
    let mut expected = Counts::default();
    (expected.accepted, expected.delivered, expected.pending) = (6, 2, 4);
    expected.newest = Some(EventId::new(6));
    let counts = engine.outbox.counts().await.unwrap();
    assert!(counts.oldest_pending.is_some());
    expected.oldest_pending = counts.oldest_pending;
    assert_eq!(counts, expected);
    // The redriven event is admitted again.
    assert_eq!(engine.tenure.held.len(), 2);
    let mut leases = engine.lease(9).await;
    leases.sort_by_key(|lease| lease.id);
    let stages: Vec<_> = leases.iter().map(|lease| lease.stage).collect();
    assert_eq!(stages, [Stage::New, Stage::Admitted, Stage::Redriven, Stage::Admitted]);
    assert_eq!(place.number("PRAGMA user_version"), i64::from(SCHEMA_VERSION));
    // Each file has its own key.
    assert_eq!(place.number("SELECT length(tombstone_key) FROM outbox_counts"), 16);
}
