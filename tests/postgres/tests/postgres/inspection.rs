//! Inspection of the outbox by a tool while another process delivers.

use std::time::Duration;

use intercom_core::Contact;
use intercom_delivery::outbox::{DeadLetterReason, EventId, Outbox, Selection, Standing, Turn};
use intercom_postgres::{ConnectError, Inspection, PostgresOutbox};
use tokio::time::timeout;

use super::support::{Engine, LONG, Place, accept, bury, event, events, put_back};

async fn inspect(place: &Place) -> Inspection {
    place.builder().inspect().await.unwrap()
}

#[tokio::test]
async fn a_tool_sees_and_changes_what_another_process_delivers() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &[event("signed_up", 0), event("paid", 1), event("gone", 2)]).await;
    let leases = engine.lease(3).await;
    engine.settle(&leases[..1], put_back(Duration::from_secs(90))).await;
    engine.settle(&leases[2..], bury(DeadLetterReason::UnknownContact)).await;

    let tool = inspect(&place).await;
    let deliverer = tool.deliverer().await.unwrap().unwrap();
    assert_eq!(deliverer.epoch, engine.epoch());
    assert!(deliverer.deliverer.contains(&std::process::id().to_string()), "{deliverer:?}");
    let counts = tool.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.pending, counts.dead_letters), (3, 2, 1));
    assert_eq!(counts.oldest_own, None);
    let pending = tool.pending(None, 9).await.unwrap();
    let shown: Vec<_> = pending.iter().map(ToString::to_string).collect();
    let first = "pending event 1 `signed_up` (attempts: 1): it did not answer";
    assert_eq!(shown, [first, "pending event 2 `paid` (attempts: 0)"]);
    let wait = pending[0].due_at.duration_since(pending[0].accepted_at).unwrap();
    assert!(wait >= Duration::from_secs(90), "{wait:?}");
    assert_eq!(pending[1].due_at, pending[1].accepted_at);
    assert_eq!(tool.pending(Some(EventId::new(1)), 1).await.unwrap()[0].id, EventId::new(2));
    let letters = tool.dead_letters(None, 9).await.unwrap();
    assert_eq!((letters.len(), letters[0].reason), (1, DeadLetterReason::UnknownContact));

    // A leased event can be buried too: the tool does not know of leases.
    assert_eq!(tool.bury(&Selection::Name("PAID".to_owned())).await.unwrap(), 1);
    assert_eq!(tool.redrive(&Selection::One(EventId::new(3))).await.unwrap(), 1);
    assert_eq!(engine.lease_ids(9).await, [3]);
    assert_eq!(tool.purge(&Selection::All).await.unwrap(), 1);
    let erased = tool.erase(&Contact::user_id(42)).await.unwrap();
    assert_eq!((erased.pending, erased.dead_letters), (2, 0));
    let told = async {
        loop {
            let turn = outbox.lease(Standing::Delivering(engine.epoch()), 9).await.unwrap();
            if matches!(turn, Turn::Leased(leased) if leased.tombstones.is_some()) {
                return;
            }
        }
    };
    timeout(LONG, told).await.unwrap();
    assert!(tool.forgive(&Contact::user_id(42)).await.unwrap());
    assert!(!tool.forgive(&Contact::user_id(42)).await.unwrap());
    for counts in [tool.counts().await.unwrap(), outbox.counts().await.unwrap()] {
        let numbers = (counts.accepted, counts.pending, counts.dead, counts.purged, counts.erased);
        assert_eq!(numbers, (3, 0, 1, 1, 2));
    }
    // The tool has taken no turn, and blocks none.
    outbox.release(engine.epoch()).await.unwrap();
    assert_eq!(tool.deliverer().await.unwrap(), None);
    drop(engine);
    let engine = Engine::take_over(&outbox, Standing::Unknown).await;
    accept(&outbox, &events(1)).await;
    engine.deliver(1).await;
}

#[tokio::test]
async fn an_inspection_creates_and_migrates_nothing() {
    let place = Place::new();
    let error = place.builder().inspect().await.unwrap_err();
    assert!(matches!(error, ConnectError::OlderSchema { found: 0 }), "{error:?}");
    let error = PostgresOutbox::inspect("postgres://postgres@127.0.0.1:1/postgres").await;
    assert!(matches!(error, Err(ConnectError::Unreachable { .. })), "{error:?}");
}

#[tokio::test]
async fn a_statement_survives_a_migration_of_what_it_reads() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let tool = inspect(&place).await;
    for _ in 0..3 {
        assert_eq!(tool.deliverer().await.unwrap().unwrap().epoch, engine.epoch());
    }
    let owner = "DROP VIEW {s}.counts; ALTER TABLE {s}.deliverer ALTER COLUMN owner TYPE varchar";
    place.run(owner).await;
    assert_eq!(tool.deliverer().await.unwrap().unwrap().epoch, engine.epoch());
}
