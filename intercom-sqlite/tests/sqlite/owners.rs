//! One delivers, others may look and redrive.

use std::os::unix::fs::symlink;
use std::time::Duration;

use intercom_delivery::outbox::{DeathReason, EventId, Outbox, Selection, Wake};
use intercom_sqlite::{OpenError, SqliteOutbox};
use tokio::time::timeout;

use super::support::{Place, accept, bury, events, lease, lease_ids, settle};

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_second_owner_is_told_so_by_whatever_name_it_comes() {
    let place = Place::new();
    let outbox = place.open();
    let other_name = place.folder.path().join("other.db");
    symlink(place.path(), &other_name).unwrap();
    for path in [place.path(), other_name] {
        let error = SqliteOutbox::open(path).unwrap_err();
        assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
        assert!(error.to_string().contains("SqliteOutbox::inspect"));
    }
    accept(&outbox, &events(1)).await;
    let handle = outbox.clone();
    drop(outbox);
    assert!(SqliteOutbox::open(place.path()).is_err());
    drop(handle);
    assert_eq!(place.open().counts().pending, 1);
}

#[tokio::test]
async fn a_tool_sees_what_is_there_and_the_owner_notices_what_it_does() {
    let place = Place::new();
    // By the wall clock, as the tool goes.
    let builder = SqliteOutbox::builder(place.path()).poll_interval(Duration::from_millis(1));
    let outbox = builder.open().unwrap();
    let wake = Wake::new();
    outbox.attach(wake.clone());
    accept(&outbox, &events(4)).await;
    let leases = lease(&outbox, 3).await;
    settle(&outbox, &leases, bury(DeathReason::Rejected)).await;
    timeout(LONG, wake.woken()).await.unwrap();

    let mut tool = SqliteOutbox::inspect(place.path()).unwrap();
    let counts = tool.counts().unwrap();
    assert_eq!((counts.pending, counts.dead_letters), (1, 3));
    let pending = tool.pending(None, 10).unwrap();
    assert_eq!(pending.iter().map(|event| event.id.0).collect::<Vec<_>>(), [4]);
    assert_eq!(tool.dead_letters(Some(EventId(1)), 10).unwrap().len(), 2);
    assert_eq!(tool.check().unwrap(), Vec::<String>::new());
    assert_eq!(tool.purge(&Selection::One(EventId(1))).unwrap(), 1);
    assert_eq!(tool.redrive(&Selection::Name("PROJECT_created".to_owned())).unwrap(), 2);

    timeout(LONG, wake.woken()).await.unwrap();
    assert_eq!(lease_ids(&outbox, 10).await, [4, 2, 3]);
    let counts = outbox.counts();
    assert_eq!((counts.pending, counts.dead_letters, counts.dead), (3, 0, 1));
    assert!(counts.is_balanced());
}

#[tokio::test]
async fn what_is_leased_is_not_given_twice_because_somebody_else_has_written() {
    let place = Place::new();
    let outbox = place.open();
    accept(&outbox, &events(3)).await;
    assert_eq!(lease_ids(&outbox, 2).await, [1, 2]);
    place.sqlite().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    assert_eq!(lease_ids(&outbox, 10).await, [3]);
}
