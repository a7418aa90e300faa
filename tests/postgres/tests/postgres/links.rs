//! Connections that break at the worst moment.

use std::time::Duration;

use intercom_delivery::outbox::{
    AcceptError, Admission, EventId, Operate, Outbox, Selection, Standing, Turn,
};

use super::proxy::{Cut, Proxy};
use super::support::{EARLY, Engine, Place, accept, delivered, event, events, put_back};

/// An outbox behind a proxy, and one that is not.
async fn places() -> (Proxy, Place, Place) {
    let direct = Place::new();
    let proxy = Proxy::before(&direct.url).await;
    let behind = Place { url: proxy.url.clone(), ..direct.clone() };
    (proxy, behind, direct)
}

#[tokio::test]
async fn a_commit_without_an_answer_is_asked_for() {
    let (proxy, behind, direct) = places().await;
    let (outbox, other) = (behind.open().await, direct.open().await);
    for (cut, accepted) in [(Cut::Before, 2), (Cut::After, 4)] {
        proxy.cut("COMMIT", cut);
        accept(&outbox, &events(2)).await;
        assert!(proxy.has_cut());
        // Each event is there once: nothing was accepted twice, or lost.
        assert_eq!(other.counts().await.unwrap().accepted, accepted, "{cut:?}");
    }
    proxy.cut("INSERT INTO", Cut::After);
    accept(&outbox, &events(1)).await;
    assert!(proxy.has_cut());
    assert_eq!(other.counts().await.unwrap().accepted, 5);
}

#[tokio::test]
async fn a_commit_that_nobody_can_ask_for_is_in_doubt() {
    let (proxy, behind, direct) = places().await;
    let timeout = Duration::from_millis(300);
    let outbox = behind.builder().timeout(timeout).connect().await.unwrap();
    accept(&outbox, &events(1)).await;
    let call = tokio::spawn({
        let outbox = outbox.clone();
        proxy.cut("COMMIT", Cut::After);
        async move { outbox.accept(&events(1)).await }
    });
    while !proxy.has_cut() {
        tokio::task::yield_now().await;
    }
    proxy.close();
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, AcceptError::InDoubt(_)), "{error:?}");
    // Without a connection nothing is accepted, and that is certain.
    let error = outbox.accept(&events(1)).await.unwrap_err();
    assert!(matches!(error, AcceptError::Storage(_)), "{error:?}");
    assert_eq!(direct.open().await.counts().await.unwrap().accepted, 2);
    proxy.open();
    accept(&outbox, &events(1)).await;
}

/// The engine settles and admits again what failed, and the counts are right whatever had arrived.
#[tokio::test]
async fn a_write_of_the_deliverer_without_an_answer_is_done_once() {
    for cut in [Cut::Before, Cut::After] {
        let (proxy, behind, direct) = places().await;
        let outbox = behind.open().await;
        let engine = Engine::begin(&outbox).await;
        let twins = [event("signed_up", 1), event("signed_up", 1), event("signed_up", 2)];
        accept(&outbox, &twins).await;
        let leases = engine.lease(10).await;

        let later = intercom_core::Timestamp::from_unix_seconds(super::support::NOON + 7);
        let admissions = [Admission::moved(EventId(2), leases[1].event.moved_to(later))];
        proxy.cut("ruling", cut);
        outbox.admit(engine.epoch(), &admissions).await.unwrap_err();
        assert_eq!(outbox.admit(engine.epoch(), &admissions).await.unwrap(), []);
        assert!(proxy.has_cut());

        let settlements = [
            leases[0].settle(delivered(&leases[0])),
            leases[1].settle(put_back(Duration::ZERO)(&leases[1])),
            leases[2].settle(super::support::bury(
                intercom_delivery::outbox::DeadLetterReason::Rejected,
            )(&leases[2])),
        ];
        proxy.cut("used_slots", cut);
        outbox.settle(engine.epoch(), &settlements, EARLY).await.unwrap_err();
        assert_eq!(engine.try_settle(&settlements).await.unwrap(), [], "{cut:?}");
        assert!(proxy.has_cut());
        let counts = direct.open().await.counts().await.unwrap();
        assert_eq!((counts.moved, counts.accepted, counts.delivered), (1, 3, 1), "{cut:?}");
        assert_eq!((counts.dead, counts.pending), (1, 1), "{cut:?}");
        // Once more it is late.
        let late = engine.try_settle(&settlements[..1]).await.unwrap();
        assert_eq!(late, [EventId(1)]);
        let again = engine.lease(10).await;
        assert_eq!(again.iter().map(|lease| lease.id.0).collect::<Vec<_>>(), [2]);
        assert_eq!(again[0].event.created_at(), later);
        assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_lease_goes_on_where_its_connection_broke() {
    for cut in [Cut::Before, Cut::After] {
        let (proxy, behind, _) = places().await;
        let outbox = behind.open().await;
        let engine = Engine::begin(&outbox).await;
        accept(&outbox, &events(3)).await;
        proxy.cut("WITH late", cut);
        assert_eq!(engine.all_ids().await, [1, 2, 3], "{cut:?}");
        assert!(proxy.has_cut());
    }
}

/// Whoever cannot reach the database begins no request for longer than its lease says, and another
/// takes over.
#[tokio::test]
async fn a_standby_takes_over_from_one_that_is_cut_off() {
    let (proxy, behind, direct) = places().await;
    let lease = Duration::from_millis(500);
    let timeout = Duration::from_millis(200);
    let first = behind.builder().lease_time(lease).timeout(timeout).connect().await.unwrap();
    let poll = Duration::from_millis(20);
    let second = direct.builder().lease_time(lease).poll_interval(poll).connect().await.unwrap();
    accept(&first, &events(2)).await;
    let engine = Engine::begin(&first).await;
    let leases = engine.lease(1).await;
    let turn = second.lease(Standing::Unknown, 0).await.unwrap();
    assert!(matches!(turn, Turn::Standby(_)));
    proxy.freeze();
    let later = Engine::take_over(&second, Standing::Standby(engine.epoch())).await;
    assert_eq!((later.all_ids().await, second.takeovers()), (vec![1, 2], 1));
    let settlement = leases[0].settle(delivered(&leases[0]));
    engine.try_settle(std::slice::from_ref(&settlement)).await.unwrap_err();
    proxy.open();
    let late = loop {
        if let Ok(late) = engine.try_settle(std::slice::from_ref(&settlement)).await {
            break late;
        }
    };
    assert_eq!(late, [EventId(1)]);
    assert_eq!(second.counts().await.unwrap().delivered, 0);
}
