//! Names, copies and mounts that would damage a file are refused, and errors say so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use intercom_delivery::outbox::{AcceptError, Outbox};
use intercom_sqlite::{OpenError, SqliteOutbox};

use super::support::{Place, accept, event, events};

/// Opening this path must fail, every time. The error says what to do.
fn refused(path: &Path, advice: &str) -> OpenError {
    let refused = || SqliteOutbox::open(path).expect_err("it was opened");
    refused();
    let error = refused();
    assert!(error.to_string().contains(advice), "{error}");
    error
}

fn beside(place: &Place, suffix: &str) -> PathBuf {
    place.folder.path().join(format!("events.db{suffix}"))
}

#[test]
fn a_path_is_a_path_and_no_uri() {
    let place = Place::new();
    for uri in [":memory:", "file:events.db", "FILE:/srv/events.db?mode=ro", "sqlite://events.db"] {
        let error = refused(Path::new(uri), "give the outbox a path");
        assert!(matches!(error, OpenError::NotAPath { .. }), "{error:?}");
        let error = SqliteOutbox::inspect(uri).unwrap_err();
        assert!(matches!(error, OpenError::NotAPath { .. }), "{error:?}");
    }
    // In a folder, such a name is a file name.
    drop(SqliteOutbox::open(place.folder.path().join("file:events.db")).unwrap());
}

/// Each name would have its own WAL, and one could destroy the other's events.
#[tokio::test]
async fn a_file_with_two_names_is_refused() {
    let place = Place::new();
    let outbox = place.open();
    let other = place.folder.path().join("other.db");
    fs::hard_link(place.path(), &other).unwrap();
    for name in [&place.path(), &other] {
        let error = refused(name, "remove the others");
        assert!(matches!(error, OpenError::HardLinked { links: 2, .. }), "{error:?}");
        SqliteOutbox::inspect(name).unwrap_err();
    }
    // An open outbox goes on.
    accept(&outbox, &events(1)).await;
    fs::remove_file(other).unwrap();
    assert_eq!(place.open().counts().await.unwrap().pending, 1);
}

/// The copy would open as an empty outbox, or as an old one.
#[tokio::test]
async fn a_copy_without_its_wal_is_refused() {
    let place = Place::new();
    let outbox = place.open();
    let mut copies = vec![copied(&place)];
    accept(&outbox, &events(3)).await;
    copies.push(copied(&place));
    outbox.maintain().await;
    copies.push(copied(&place));
    accept(&outbox, &[event("signed_up", 0)]).await;
    copies.push(copied(&place));
    for copy in copies {
        let error = refused(&copy.path(), "copied without it");
        assert!(matches!(error, OpenError::MissingWal { .. }), "{error:?}");
        // An operator can still open a copy without the WAL on purpose.
        fs::write(beside(&copy, "-wal"), "").unwrap();
        drop(copy.open());
        drop(copy.open());
    }
    // A copy with its WAL is complete. So is a copy by SQLite's backup, and a closed file.
    assert_eq!(place.crashed().open().counts().await.unwrap().pending, 4);
    let backup = Place::new();
    place.sqlite().execute("VACUUM INTO ?1", [backup.path().to_str().unwrap()]).unwrap();
    assert_eq!(backup.open().counts().await.unwrap().pending, 4);
    drop(outbox);
    assert_eq!(copied(&place).open().counts().await.unwrap().pending, 4);
}

/// A process is killed within a checkpoint. Then the last connection of another program copies the
/// WAL into the file, and deletes it.
#[tokio::test]
async fn a_file_closed_by_another_program_after_a_crash_is_refused() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(3)).await;
    place.sqlite().execute("UPDATE outbox_keeping SET needs_wal = 1", []).unwrap();
    let crashed = place.crashed();
    assert_eq!(crashed.number("SELECT count(*) FROM outbox_events"), 3);
    assert!(!beside(&crashed, "-wal").exists());
    let error = refused(&crashed.path(), "another program such as `sqlite3`");
    assert!(matches!(error, OpenError::MissingWal { .. }), "{error:?}");
    // No event is lost, and the error says what to do.
    fs::write(beside(&crashed, "-wal"), "").unwrap();
    assert_eq!(crashed.open().counts().await.unwrap().pending, 3);
}

/// Copies the file alone to a new place.
fn copied(place: &Place) -> Place {
    let copy = Place::new();
    fs::copy(place.path(), copy.path()).unwrap();
    copy
}

/// Later events would go into a WAL that no start finds.
#[tokio::test]
async fn a_wal_deleted_in_use_fails_an_accept() {
    let place = Place::new();
    let engine = place.engine().await;
    let outbox = &engine.outbox;
    accept(outbox, &events(40)).await;
    fs::remove_file(beside(&place, "-wal")).unwrap();
    let refusal = outbox.accept(&[event("signed_up", 0)]).await;
    let Err(AcceptError::Storage(error)) = refusal else { panic!("{refusal:?}") };
    assert!(error.to_string().contains("WAL was deleted"), "{error}");
    // A process that opens the file now sees no WAL.
    let error = refused(&place.path(), "put it back");
    assert!(matches!(error, OpenError::MissingWal { .. }), "{error:?}");
    let error = SqliteOutbox::inspect(place.path()).unwrap_err();
    assert!(matches!(error, OpenError::MissingWal { .. }), "{error:?}");

    // All accepted events survive any end of this process.
    assert_eq!(copied(&place).open().counts().await.unwrap().pending, 40);
    engine.deliver(10).await;
    assert_eq!(copied(&place).open().counts().await.unwrap().pending, 30);
    drop(engine);
    assert_eq!(place.open().counts().await.unwrap().pending, 30);
}

/// A killed process left its shared memory.
#[tokio::test]
async fn left_over_shared_memory_is_no_sign_of_a_wal() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(4)).await;
    let left = fs::read(beside(&place, "-shm")).unwrap();
    drop(outbox);
    fs::write(beside(&place, "-shm"), left).unwrap();
    assert_eq!(place.open().counts().await.unwrap().pending, 4);
}

/// The same, without a call in between.
#[tokio::test]
async fn a_wal_deleted_while_the_outbox_is_idle_loses_no_event() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(40)).await;
    fs::remove_file(beside(&place, "-wal")).unwrap();
    outbox.maintain().await;
    assert_eq!(copied(&place).open().counts().await.unwrap().pending, 40);
}

const CHILD: &str = "INTERCOM_SQLITE_TEST_PLACE";

/// Runs this test again on this file, in another process.
fn child(test: &str, path: &Path, prepare: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, path);
    prepare(&mut command);
    command.output().unwrap()
}

/// A superuser may do everything, so the child runs as another user.
#[test]
fn a_lock_of_another_user_is_refused() {
    if let Some(path) = std::env::var_os(CHILD) {
        let error = SqliteOutbox::open(PathBuf::from(path)).unwrap_err();
        assert!(matches!(error, OpenError::LockOfAnotherUser { .. }), "{error:?}");
        assert!(error.to_string().contains("events.db-lock belongs to another user"), "{error}");
        return;
    }
    let place = Place::new();
    drop(place.open());
    let mode =
        |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    if nix::unistd::geteuid().is_root() {
        mode(place.folder.path(), 0o777);
        mode(&place.path(), 0o666);
        let test = "places::a_lock_of_another_user_is_refused";
        let output = child(test, &place.path(), |command| {
            command.uid(65_534);
        });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    } else {
        mode(&beside(&place, "-lock"), 0o400);
        let error = refused(&place.path(), "belongs to another user");
        assert!(matches!(error, OpenError::LockOfAnotherUser { .. }), "{error:?}");
    }
}

#[test]
fn a_process_without_free_file_descriptors_names_the_cause() {
    use nix::sys::resource::{Resource, setrlimit};
    if let Some(path) = std::env::var_os(CHILD) {
        let path = PathBuf::from(path);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outbox = SqliteOutbox::open(&path).unwrap();
        let (_, most) = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // With any number of free descriptors during the opening.
        let open = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        for left in 0..8 {
            setrlimit(Resource::RLIMIT_NOFILE, open - 1 + left, most).unwrap();
            match SqliteOutbox::open(path.with_extension("other")) {
                Err(OpenError::TooManyFiles { .. }) => {}
                Ok(_) if left > 3 => break,
                other => panic!("{left} left: {other:?}"),
            }
        }
        setrlimit(Resource::RLIMIT_NOFILE, 0, most).unwrap();
        let leased =
            runtime.block_on(outbox.lease(intercom_delivery::outbox::Standing::Unknown, 1));
        let error = leased.unwrap_err();
        assert!(error.to_string().contains("no file descriptor is left"), "{error:?}");
        return;
    }
    let place = Place::new();
    let output = child(
        "places::a_process_without_free_file_descriptors_names_the_cause",
        &place.path(),
        |_| {},
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
