//! What operators see: with `sqlite3`, in the file system, and in logs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{AcceptError, DeadLetterReason, Operate, Outbox};
use intercom_sqlite::SqliteOutbox;

use super::support::{Engine, NOON, Place, accept, bury, delivered, event, put_back};

/// An outbox with one failed event, one untried event and one dead letter.
async fn one_failed_one_new_one_dead(place: &Place) -> Engine {
    let engine = place.engine().await;
    let events = [event("signed_up", 0), event("invoice_paid", 1), event("gone", 2)];
    accept(&engine.outbox, &events).await;
    let leases = engine.lease(3).await;
    engine.settle(&leases[..1], put_back(Duration::from_secs(90))).await;
    engine.settle(&leases[2..], bury(DeadLetterReason::UnknownContact)).await;
    engine
}

#[tokio::test]
async fn the_views_say_what_is_pending_and_dead_and_why() {
    let place = Place::new();
    let _engine = one_failed_one_new_one_dead(&place).await;

    let conn = place.sqlite();
    let columns = "id, event_name, created_at, attempts, last_failure";
    let pending: Vec<(i64, String, String, i64, Option<String>)> = conn
        .prepare(&format!("SELECT {columns} FROM pending_events ORDER BY id"))
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let (at_noon, a_second_later) = ("2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z");
    assert_eq!(
        pending,
        [
            (
                1,
                "signed_up".to_owned(),
                at_noon.to_owned(),
                1,
                Some("it did not answer".to_owned())
            ),
            (2, "invoice_paid".to_owned(), a_second_later.to_owned(), 0, None),
        ]
    );
    let due_in = conn.query_row("SELECT max(due_in_seconds) FROM pending_events", [], |row| {
        row.get::<_, i64>(0)
    });
    assert_eq!(due_in.unwrap(), 0);
    let dead: (i64, String, String, String) = conn
        .query_row("SELECT id, event_name, reason, died_at FROM dead_letters", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    let expected = (3, "gone".to_owned(), "unknown_contact".to_owned(), at_noon.to_owned());
    assert_eq!(dead, expected);
}

#[tokio::test]
async fn each_inspected_value_displays_as_a_line() {
    let place = Place::new();
    let _engine = one_failed_one_new_one_dead(&place).await;

    let tool = SqliteOutbox::inspect(place.path()).unwrap();
    let counts = tool.counts().unwrap().to_string();
    assert_eq!(counts, "3 accepted = 0 delivered + 1 dead + 2 pending");
    let pending: Vec<_> = tool.pending(None, 9).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        pending,
        [
            "pending event 1 `signed_up` (attempts: 1): it did not answer",
            "pending event 2 `invoice_paid` (attempts: 0)",
        ]
    );
    let letter = tool.dead_letters(None, 9).unwrap()[0].to_string();
    assert_eq!(letter, "dead letter 3 `gone`: unknown_contact (attempts: 1)");
}

#[tokio::test]
async fn only_the_owner_can_access_the_files() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &[event("signed_up", 0)]).await;
    let mut names = Vec::new();
    for entry in fs::read_dir(place.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    let beside = ["-lock", "-reserve", "-shm", "-wal"].map(|suffix| format!("events.db{suffix}"));
    assert_eq!(names, [&["events.db".to_owned()], &beside[..]].concat());
}

/// No start would find events in an unlinked file.
#[tokio::test]
async fn a_deleted_file_accepts_nothing_and_delivers_its_events() {
    let place = Place::new();
    let engine = place.engine().await;
    let outbox = &engine.outbox;
    accept(outbox, &[event("signed_up", 0), event("signed_up", 1)]).await;
    let leases = engine.lease(1).await;
    fs::remove_file(place.path()).unwrap();

    let refused = outbox.accept(&[event("signed_up", 2)]).await;
    let Err(AcceptError::Storage(error)) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("deleted or moved"), "{error}");
    engine.settle(&leases, delivered).await;
    engine.deliver(1).await;
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.delivered, counts.pending), (2, 0));

    // A new file of that name is another file.
    fs::write(place.path(), "").unwrap();
    outbox.accept(&[event("signed_up", 2)]).await.unwrap_err();
    drop(engine);
    fs::remove_file(place.path()).unwrap();
    accept(&place.open(), &[event("signed_up", 2)]).await;
}

#[tokio::test]
async fn no_log_shows_a_contact_or_a_value() {
    let place = Place::new();
    let builder = place.builder();
    let mut told = format!("{builder:?}");
    let outbox = builder.open().unwrap();
    let engine = Engine::begin(&outbox).await;
    let secret = DynamicEvent::new("signed_up").unwrap().with("plan", "s3cret").unwrap();
    let contact = Contact::email("s3cret@example.com");
    let secret = DataEvent::new(&secret, contact, Timestamp::from_unix_seconds(NOON)).unwrap();
    accept(&outbox, &[secret.clone(), secret]).await;
    let tool = SqliteOutbox::inspect(place.path()).unwrap();
    let leases = engine.lease(1).await;
    told += &format!("{leases:?} {:?}", engine.tenure);
    engine.settle(&leases, bury(DeadLetterReason::Rejected)).await;
    told += &format!("{outbox:?} {tool:?} {:?}", tool.pending(None, 9).unwrap());
    told += &format!("{:?}", outbox.dead_letters(None, 9).await.unwrap());
    told += &tool.pending(None, 9).unwrap()[0].to_string();
    told += &tool.dead_letters(None, 9).unwrap()[0].to_string();

    // The table is missing, and the error has SQLite's own words.
    let conn = place.sqlite();
    conn.execute_batch("ALTER TABLE outbox_events RENAME TO moved_away").unwrap();
    let error = outbox.accept(&[event("signed_up", 9)]).await.unwrap_err();
    told += &format!("{error} {error:?}");
    assert!(told.contains("outbox_events") && !told.contains("s3cret"), "{told}");
}
