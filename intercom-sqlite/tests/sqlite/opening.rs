//! `open` refuses unfit files, each with its reason, and leaves them unchanged.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use intercom_delivery::outbox::{Outbox, Standing, Turn};
use intercom_sqlite::rusqlite::Connection;
use intercom_sqlite::{APPLICATION_ID, OpenError, SCHEMA_VERSION, SqliteOutbox};

use super::support::{Engine, Place, accept, event, events, turn_now};

/// Opening this file must fail and change no byte of it. The error says what to do.
fn refused(path: &Path, advice: &str) -> OpenError {
    let before = fs::read(path).ok();
    let error = SqliteOutbox::open(path).unwrap_err();
    assert_eq!(fs::read(path).ok(), before, "the file was changed");
    let text = error.to_string();
    assert!(text.contains(advice), "{text}");
    error
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let place = Place::new();
    fs::write(
        place.path(),
        "these are the notes of somebody, and longer than a header is. ".repeat(9),
    )
    .unwrap();
    let error = refused(&place.path(), "give the outbox another name");
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
}

#[test]
fn a_database_of_another_application_is_refused() {
    for setting in ["PRAGMA user_version = 3", "PRAGMA application_id = 77", "SELECT 1"] {
        let place = Place::new();
        let conn = place.sqlite();
        conn.execute_batch("CREATE TABLE customers (name TEXT)").unwrap();
        conn.execute_batch(setting).unwrap();
        drop(conn);
        let error = refused(&place.path(), "in_application_file");
        assert!(matches!(error, OpenError::AnotherApplication { .. }), "{error:?}");
    }
}

#[test]
fn opening_a_newer_schema_asks_for_an_upgrade() {
    let place = Place::new();
    drop(place.open());
    let newer = SCHEMA_VERSION + 1;
    let conn = place.sqlite();
    conn.pragma_update(None, "user_version", newer).unwrap();
    drop(conn);
    let error = refused(&place.path(), "upgrade intercom-sqlite");
    assert!(matches!(error, OpenError::NewerSchema { found, .. } if found == newer), "{error:?}");
    let error = SqliteOutbox::inspect(place.path()).unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { .. }), "{error:?}");
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date() {
    let place = Place::new();
    let conn = place.sqlite();
    // A file of version 0: it has the application id, and no table.
    conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    drop(conn);
    let outbox = place.open();
    accept(&outbox, &events(1)).await;
    assert_eq!(place.number("PRAGMA user_version"), i64::from(SCHEMA_VERSION));
    assert_eq!(place.number("PRAGMA application_id"), i64::from(APPLICATION_ID));
}

#[tokio::test]
async fn opening_a_damaged_file_names_the_damage() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(200)).await;
    drop(outbox);
    let size = fs::metadata(place.path()).unwrap().len();
    for page in 1..size / 4096 {
        // Every page but the first, which identifies the file.
        let damaged = Place::new();
        fs::copy(place.path(), damaged.path()).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(damaged.path()).unwrap();
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xA5; 4096]).unwrap();
        drop(file);
        let error = refused(&damaged.path(), "move it away");
        assert!(matches!(error, OpenError::Corrupt { .. }), "page {page}: {error:?}");
    }
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(200)).await;
    drop(outbox);
    let file = fs::OpenOptions::new().write(true).open(place.path()).unwrap();
    file.set_len(8192).unwrap();
    drop(file);
    let error = refused(&place.path(), "move it away");
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[test]
fn a_read_only_file_is_refused() {
    let place = Place::new();
    drop(place.open());
    let mut mode = fs::metadata(place.path()).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(place.path(), mode).unwrap();
    let error = refused(&place.path(), "the right to");
    assert!(matches!(error, OpenError::ReadOnlyFile { .. }), "{error:?}");
}

#[test]
fn a_read_only_folder_is_refused() {
    let place = Place::new();
    let folder = place.folder.path().join("locked");
    fs::create_dir(&folder).unwrap();
    let mut mode = fs::metadata(&folder).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&folder, mode).unwrap();
    let error = refused(&folder.join("events.db"), "use another folder");
    assert!(matches!(error, OpenError::ReadOnlyFolder { .. }), "{error:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_missing_folder_and_a_folder_in_place_of_a_file_are_refused() {
    let place = Place::new();
    let error = refused(&place.folder.path().join("none").join("events.db"), "make it first");
    assert!(matches!(error, OpenError::MissingFolder { .. }), "{error:?}");
    let error = refused(place.folder.path(), "name a file in it");
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");
    let mut beside = place.folder.path().as_os_str().to_owned();
    beside.push("-lock");
    assert!(!Path::new(&beside).exists());
    let error = SqliteOutbox::inspect(place.path()).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
    assert!(!place.path().exists());
}

#[test]
fn opening_on_a_full_disk_asks_for_room() {
    let place = Place::new();
    let error = place.builder().max_pages(3).open().unwrap_err();
    assert!(matches!(error, OpenError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("make room"));
    // The file opens once there is room.
    drop(place.open());
}

#[test]
fn a_file_locked_by_another_program_is_refused() {
    let place = Place::new();
    let conn = place.sqlite();
    conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = place.builder().lock_timeout(Duration::ZERO).open().unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
}

/// A starting child briefly has this process's files, the lock among them.
#[cfg(unix)]
#[test]
fn a_starting_child_does_not_keep_an_ended_turn() {
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    let (place, runtime) = (Place::new(), tokio::runtime::Runtime::new().unwrap());
    let outbox = place.open();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                Command::new("true").status().unwrap();
            }
        });
        let turns = || (0..100).map(|_| runtime.block_on(turn_now(&outbox, Standing::Unknown, 0)));
        let began = turns().all(|turn| matches!(turn, Some(Turn::Began(_))));
        ended.store(true, Ordering::Relaxed);
        assert!(began);
    });
}

#[tokio::test]
async fn an_applications_file_holds_both() {
    let place = Place::new();
    let conn = place.sqlite();
    conn.execute_batch("CREATE TABLE customers (name TEXT); PRAGMA user_version = 41").unwrap();
    let outbox = place.builder().in_application_file().open().unwrap();
    accept(&outbox, &[event("signed_up", 0)]).await;
    drop(outbox);
    assert_eq!(place.number("PRAGMA user_version"), 41);
    assert_eq!(place.number("PRAGMA application_id"), 0);
    let outbox = place.builder().in_application_file().open().unwrap();
    let engine = Engine::begin(&outbox).await;
    assert_eq!(engine.lease_ids(10).await, [1]);
    drop((engine, outbox));
    // Without the setting, the file still counts as another program's.
    let error = refused(&place.path(), "in_application_file");
    assert!(matches!(error, OpenError::AnotherApplication { .. }), "{error:?}");
}

#[test]
fn a_table_name_of_the_application_is_a_conflict() {
    let place = Place::new();
    place.sqlite().execute_batch("CREATE VIEW Dead_Letters AS SELECT 1").unwrap();
    let error = place.builder().in_application_file().open().unwrap_err();
    assert!(
        matches!(&error, OpenError::NameTaken { name, .. } if name == "Dead_Letters"),
        "{error}"
    );
    assert_eq!(place.number("SELECT count(*) FROM sqlite_schema"), 1);
    let mode = place.sqlite().query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    assert_eq!(mode.unwrap(), "delete");
}

#[test]
fn inspecting_a_file_without_an_outbox_fails() {
    for sql in ["", "CREATE TABLE customers (name TEXT)"] {
        let place = Place::new();
        place.sqlite().execute_batch(sql).unwrap();
        let error = SqliteOutbox::inspect(place.path()).unwrap_err();
        assert!(matches!(error, OpenError::NoOutbox { .. }), "{error:?}");
    }
}

/// Opening reads almost none of the events, so 1,000,000 events take no longer. The test overwrites
/// most pages with garbage, and opening does not notice.
#[tokio::test]
async fn opening_does_not_read_pending_events() {
    let place = Place::new();
    let outbox = place.open();
    for batch in 0..12 {
        let events: Vec<_> =
            (0..5_000).map(|second| event("project_created", batch * 5_000 + second)).collect();
        accept(&outbox, &events).await;
    }
    drop(outbox);
    // Opening checks a smaller file from end to end.
    assert!(fs::metadata(place.path()).unwrap().len() > 8 << 20);
    let pages = leaves(&place, "outbox_events");
    let [_, between @ .., _] = &*pages else { panic!("{pages:?}") };
    assert!(between.len() > 1_000, "{}", between.len());
    let mut file = fs::OpenOptions::new().write(true).open(place.path()).unwrap();
    for page in between {
        file.seek(SeekFrom::Start(u64::from(page - 1) * 4096)).unwrap();
        file.write_all(&[0xA5; 4096]).unwrap();
    }
    drop(file);

    let outbox = place.open();
    assert_eq!(outbox.counts().await.unwrap().pending, 60_000);
    let engine = Engine::begin(&outbox).await;
    assert_eq!(engine.lease_ids(1).await, [1]);
    // An engine that reads them notices.
    outbox.lease(Standing::Delivering(engine.epoch()), usize::MAX).await.unwrap_err();
}

/// Returns the leaf pages of a table, in order.
fn leaves(place: &Place, table: &str) -> Vec<u32> {
    let conn = place.sqlite();
    let mut select = conn
        .prepare("SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path")
        .unwrap();
    let pages = select.query_map([table], |row| row.get(0)).unwrap();
    pages.map(Result::unwrap).collect()
}

/// A `main` that returns this error prints its `Debug`.
#[test]
fn the_debug_output_of_an_error_has_its_message_and_sources() {
    let place = Place::new();
    let error = SqliteOutbox::inspect(place.path()).unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    let error = SqliteOutbox::open("").unwrap_err();
    assert!(
        format!("{error:?}").ends_with(" could not be opened: the path names no file"),
        "{error:?}"
    );
}

#[test]
fn the_lock_timeout_may_be_any_duration() {
    let place = Place::new();
    drop(place.builder().lock_timeout(Duration::MAX).open().unwrap());
}

#[test]
fn commits_are_as_safe_as_sqlite_can_make_them() {
    let place = Place::new();
    let _outbox = place.open();
    let mode: String = Connection::open(place.path())
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(place.number("PRAGMA auto_vacuum"), 2);
}

/// Each process finds a new file, and one of them creates the tables.
#[test]
fn many_processes_can_open_a_new_file_at_once() {
    let place = Place::new();
    std::thread::scope(|scope| {
        let opening: Vec<_> = (0..8).map(|_| scope.spawn(|| place.open())).collect();
        opening.into_iter().for_each(|opening| drop(opening.join().unwrap()));
    });
    assert_eq!(place.number("SELECT count(*) FROM outbox_schema"), i64::from(SCHEMA_VERSION));
}

#[test]
fn the_error_of_a_network_file_system_names_its_kind_and_what_to_do() {
    let error = OpenError::SharedFileSystem { path: "events.db".into(), kind: "nfs4".to_owned() };
    let text = error.to_string();
    assert!(text.contains("nfs4") && text.contains("use a local disk"), "{text}");
}
