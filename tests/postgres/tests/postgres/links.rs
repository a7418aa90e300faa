//! Connections that break in the middle of a call.

use std::process::Command;
use std::time::Duration;

use intercom_core::testing::FailingTransport;
use intercom_core::{Contact, DynamicEvent, ErrorKind, SendError, Tracker};
use intercom_delivery::Delivery;
use intercom_delivery::outbox::{
    AcceptError, Admission, EventId, Operate, Outbox, Selection, Standing, Turn,
};
use test_postgres::accepts;

use super::proxy::{Cut, Proxy};
use super::support::{EARLY, Engine, Place, accept, delivered, event, events, put_back};

/// Makes an outbox behind a proxy, and one without.
async fn places() -> (Proxy, Place, Place) {
    let direct = Place::new();
    let proxy = Proxy::before(&direct.url).await;
    let behind = Place { url: proxy.url.clone(), ..direct.clone() };
    (proxy, behind, direct)
}

#[tokio::test]
async fn a_batch_without_an_answer_is_accepted_once() {
    for size in [1, 2] {
        let (proxy, behind, direct) = places().await;
        let (outbox, other) = (behind.open().await, direct.open().await);
        let mut accepted = 0;
        for cut in [Cut::Before, Cut::After, Cut::After, Cut::Failed, Cut::Before] {
            for is_cut in [true, false, false] {
                if is_cut {
                    proxy.cut(accepts, cut);
                }
                accept(&outbox, &events(size)).await;
                assert!(proxy.has_cut());
                // Each event is stored once: none twice, none lost.
                accepted += size as u64;
                assert_eq!(other.counts().await.unwrap().accepted, accepted, "{cut:?}");
            }
        }
        assert!(outbox.counts().await.unwrap().oldest_own.is_some());
    }
}

/// The first copy has arrived or not, and the server refuses the second one. The outbox reports
/// neither a stored event as refused nor a refused event as accepted.
#[tokio::test]
async fn a_batch_without_an_answer_is_not_refused_if_it_was_accepted() {
    for (cut, fits, size) in [
        (Cut::Before, false, 2),
        (Cut::After, true, 2),
        (Cut::Before, false, 1),
        (Cut::After, true, 1),
    ] {
        let (proxy, behind, direct) = places().await;
        let (outbox, other) = (behind.open().await, direct.open().await);
        accept(&outbox, &events(1)).await;
        proxy.hold();
        proxy.cut(accepts, cut);
        let call = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.accept(&events(size)).await }
        });
        while !proxy.has_cut() {
            tokio::task::yield_now().await;
        }
        let accepted = if fits { 1 + size as u64 } else { 1 };
        while other.counts().await.unwrap().accepted < accepted {
            tokio::task::yield_now().await;
        }
        direct.run("UPDATE {s}.settings SET capacity = 1").await;
        proxy.open();
        let answer = call.await.unwrap();
        assert_eq!(answer.is_ok(), fits, "{answer:?}");
        assert_eq!(other.counts().await.unwrap().accepted, accepted);
        // A copy still on its way must not be stored, even much later.
        direct.run("UPDATE {s}.settings SET capacity = NULL").await;
        let number = "SELECT acceptor, number FROM {s}.batches WHERE number = 2";
        let row = &direct.rows(number).await[0];
        let (acceptor, number): (i64, i64) = (row.get(0), row.get(1));
        let later = 70;
        for _ in 0..later {
            accept(&outbox, &events(1)).await;
        }
        let copy = direct.sql("SELECT {s}.accept_once($1, $2, 1, 0, '{5}', $3, '{NULL}')");
        let body = vec![String::from_utf8(event("late", 5).body().to_vec()).unwrap()];
        let row = direct.psql().await.query_one(&copy, &[&acceptor, &number, &body]).await.unwrap();
        assert!(!row.get::<_, bool>(0));
        assert_eq!(other.counts().await.unwrap().accepted, accepted + later);
    }
}

/// The outbox is full, and neither the first copy of a batch has an answer, nor the empty one that
/// should keep late copies out. Another copy then finds a row, and no event.
#[tokio::test]
async fn a_batch_whose_empty_copy_has_no_answer_is_in_doubt() {
    let (proxy, behind, direct) = places().await;
    let outbox = behind.builder().capacity(1).connect().await.unwrap();
    accept(&outbox, &events(1)).await;
    proxy.cut(accepts, Cut::After);
    let call = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.accept(&events(1)).await }
    });
    while !proxy.has_cut() {
        tokio::task::yield_now().await;
    }
    // The second copy is refused. The third one is empty.
    let mut copies = 1;
    proxy.cut(
        move |words| {
            copies += u32::from(accepts(words));
            copies == 3
        },
        Cut::After,
    );
    let error = call.await.unwrap().unwrap_err();
    assert!(proxy.has_cut());
    assert!(matches!(error, AcceptError::InDoubt(_)), "{error:?}");
    assert_eq!(direct.open().await.counts().await.unwrap().accepted, 1);
}

/// Calls that fail use numbers too, also those of batches that should delete earlier ones.
#[tokio::test]
async fn failed_batches_leave_no_rows_behind() {
    let place = Place::new();
    let outbox = place.open().await;
    for number in 1..=130 {
        if number == 65 {
            place.run("UPDATE {s}.settings SET capacity = 1").await;
            outbox.accept(&events(1)).await.unwrap_err();
            place.run("UPDATE {s}.settings SET capacity = NULL").await;
        } else {
            accept(&outbox, &events(1)).await;
        }
    }
    assert_eq!(place.number("SELECT count(*) FROM {s}.batches").await, 2);
}

/// No limit is a limit of a day.
#[tokio::test]
async fn the_longest_durations_are_no_limits() {
    let place = Place::new();
    let builder = place.builder().timeout(Duration::MAX).poll_interval(Duration::MAX);
    let outbox = builder.lease_time(Duration::MAX).connect().await.unwrap();
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &events(2)).await;
    engine.deliver(2).await;
}

/// Each outbox keeps a bounded number of rows about the last batches that it accepted.
#[tokio::test]
async fn the_last_batch_of_an_outbox_takes_little_room() {
    let place = Place::new();
    let outbox = place.open().await;
    for _ in 0..200 {
        accept(&outbox, &events(1)).await;
    }
    let rows = "SELECT count(*) FROM {s}.batches";
    assert_eq!(place.number(rows).await, 8);
    // A new outbox deletes the rows of ended ones.
    place.run("UPDATE {s}.batches SET accepted_at = accepted_at - 86400001").await;
    accept(&place.open().await, &events(1)).await;
    assert_eq!(place.number(rows).await, 1);
}

/// Without a vacuum, as under a snapshot that somebody holds, a table keeps its deleted rows.
#[tokio::test]
async fn accepting_reads_no_row_of_earlier_batches() {
    let place = Place::new();
    let outbox = place.open().await;
    place.run("ALTER TABLE {s}.batches SET (autovacuum_enabled = off)").await;
    for _ in 0..200 {
        accept(&outbox, &events(1)).await;
    }
    // The planner now knows how small the table is.
    place.run("ANALYZE {s}.batches").await;
    for _ in 0..100 {
        accept(&outbox, &events(1)).await;
    }
    // A session counts what it has read when it ends.
    drop(outbox);
    let rows = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relid = '{s}.batches'::regclass";
    while place.number(rows).await < 300 {}
    let read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = '{s}.batches'::regclass";
    // The first batch looks for what other outboxes have left, and finds itself.
    assert_eq!(place.number(read).await, 1);
}

/// The first call of a process fails, because no server answers. A flush waits for the events of the
/// later ones all the same. What a process accepted is one number for all of its outboxes, so this
/// needs a process.
#[tokio::test]
#[ignore = "the test below runs it in a process"]
async fn the_first_call_of_a_process_fails() {
    let (proxy, behind, _) = places().await;
    let outbox = behind.builder().timeout(Duration::from_millis(300)).connect().await.unwrap();
    proxy.close();
    outbox.accept(&events(1)).await.unwrap_err();
    proxy.open();
    accept(&outbox, &events(1)).await;
    assert_eq!(outbox.counts().await.unwrap().oldest_own, Some(EventId::new(1)));
}

#[test]
fn a_process_knows_its_events_although_its_first_call_failed() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "links::the_first_call_of_a_process_fails"]);
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    assert!(said.contains("1 passed"), "{said}");
}

/// All connections hang, so that further calls wait. The callers of one that has begun and of one that
/// waits give up. The outbox completes the former, and never begins the latter.
#[tokio::test]
async fn a_caller_that_gives_up_while_it_waits_accepts_nothing() {
    let (proxy, behind, direct) = places().await;
    let (outbox, other) = (behind.open().await, direct.open().await);
    proxy.freeze();
    let mut calls = Vec::new();
    for _ in 0..6 {
        let outbox = outbox.clone();
        calls.push(tokio::spawn(async move { outbox.accept(&events(1)).await }));
        tokio::task::yield_now().await;
    }
    let given_up = [0, 4];
    for number in given_up {
        calls[number].abort();
    }
    proxy.open();
    for (number, call) in calls.into_iter().enumerate() {
        match call.await {
            Ok(accepted) => accepted.unwrap(),
            Err(error) => assert!(error.is_cancelled() && given_up.contains(&number)),
        }
    }
    while other.counts().await.unwrap().accepted < 5 {}
    accept(&outbox, &events(1)).await;
    assert_eq!(other.counts().await.unwrap().accepted, 6);
}

/// Callers on other runtimes, and on none, accept as well.
#[tokio::test]
async fn calls_of_other_runtimes_are_accepted() {
    let place = Place::new();
    let outbox = place.open().await;
    let elsewhere = outbox.clone();
    let accepting = move || {
        // Without timers and without I/O.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(elsewhere.accept(&events(1))).unwrap();
    };
    tokio::task::spawn_blocking(accepting).await.unwrap();
    accept(&outbox, &events(1)).await;
    assert_eq!(outbox.counts().await.unwrap().accepted, 2);
}

/// As a stream does that awaits something else while it holds calls that have begun.
#[tokio::test]
async fn calls_that_nobody_polls_hold_no_connection() {
    let place = Place::new();
    let outbox = place.open().await;
    let event = events(1);
    let mut begun: Vec<_> = (0..3).map(|_| outbox.accept(&event)).collect();
    for call in &mut begun {
        tokio::time::timeout(Duration::ZERO, call).await.unwrap_err();
    }
    accept(&outbox, &event).await;
    for call in begun {
        call.await.unwrap();
    }
    assert_eq!(outbox.counts().await.unwrap().accepted, 4);
}

#[tokio::test]
async fn a_batch_without_an_answer_is_in_doubt_if_the_server_is_unreachable() {
    let (proxy, behind, direct) = places().await;
    let timeout = Duration::from_millis(300);
    let outbox = behind.builder().timeout(timeout).connect().await.unwrap();
    accept(&outbox, &events(1)).await;
    let call = tokio::spawn({
        let outbox = outbox.clone();
        proxy.cut(accepts, Cut::After);
        async move { outbox.accept(&events(1)).await }
    });
    while !proxy.has_cut() {
        tokio::task::yield_now().await;
    }
    proxy.close();
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, AcceptError::InDoubt(_)), "{error:?}");
    // Without a connection, the outbox certainly accepts nothing.
    let error = outbox.accept(&events(1)).await.unwrap_err();
    assert!(matches!(error, AcceptError::Unavailable(_)), "{error:?}");
    assert_eq!(direct.open().await.counts().await.unwrap().accepted, 2);
    proxy.open();
    accept(&outbox, &events(1)).await;
}

#[tokio::test]
async fn a_tracker_can_ask_whether_an_event_is_in_doubt() {
    let (proxy, behind, _) = places().await;
    let outbox = behind.builder().timeout(Duration::from_millis(300)).connect().await.unwrap();
    accept(&outbox, &events(1)).await;
    let refusing = FailingTransport::always(ErrorKind::Connection);
    let delivery = Delivery::builder(refusing).outbox(outbox).start().unwrap();
    async fn send(tracker: Tracker) -> SendError {
        let signed_up = DynamicEvent::new("signed_up").unwrap();
        tracker.for_contact(Contact::user_id(42)).send(&signed_up).await.unwrap_err()
    }
    proxy.cut(accepts, Cut::After);
    let sending = tokio::spawn(send(delivery.tracker()));
    while !proxy.has_cut() {
        tokio::task::yield_now().await;
    }
    proxy.close();
    let error = sending.await.unwrap();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Storage, true), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(
        error.to_string(),
        "event `signed_up` may have been accepted: its store did not answer; \
         sending it again may send it twice"
    );
    let error = send(delivery.tracker()).await;
    let kind = ErrorKind::StoreUnavailable;
    assert_eq!((error.kind(), error.is_in_doubt()), (kind, false), "{error:?}");
    assert!(error.is_retryable());
    proxy.open();
    let refused = delivery.ledger().await.unwrap().refused;
    assert_eq!((refused.in_doubt, refused.storage), (1, 1));
}

/// The engine repeats failed settlements and admissions. The counts must be right whether the first
/// copy arrived or not.
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
        let admissions = [Admission::moved(EventId::new(2), leases[1].event.moved_to(later))];
        proxy.cut(|words| words.contains("ruling"), cut);
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
        proxy.cut(|words| words.contains(".settle("), cut);
        outbox.settle(engine.epoch(), &settlements, EARLY).await.unwrap_err();
        assert_eq!(engine.try_settle(&settlements).await.unwrap(), [], "{cut:?}");
        assert!(proxy.has_cut());
        let counts = direct.open().await.counts().await.unwrap();
        assert_eq!((counts.moved, counts.accepted, counts.delivered), (1, 3, 1), "{cut:?}");
        assert_eq!((counts.dead, counts.pending), (1, 1), "{cut:?}");
        // Another settlement of the same lease is too late.
        let late = engine.try_settle(&settlements[..1]).await.unwrap();
        assert_eq!(late, [EventId::new(1)]);
        let again = engine.lease(10).await;
        assert_eq!(again.iter().map(|lease| lease.id.get()).collect::<Vec<_>>(), [2]);
        assert_eq!(again[0].event.created_at(), later);
        assert_eq!(outbox.redrive(&Selection::All).await.unwrap(), 1);
    }
}

/// A shutdown drops calls that have not ended. They may have written meanwhile.
#[tokio::test]
async fn a_turn_ends_at_once_although_a_write_was_dropped() {
    let (proxy, behind, direct) = places().await;
    let (first, second) = (behind.open().await, direct.open().await);
    let engine = Engine::begin(&first).await;
    accept(&first, &events(1)).await;
    let leases = engine.lease(1).await;
    let later = intercom_core::Timestamp::from_unix_seconds(super::support::NOON + 7);
    let admissions = [Admission::moved(leases[0].id, leases[0].event.moved_to(later))];
    proxy.freeze();
    let admitting = first.admit(engine.epoch(), &admissions);
    tokio::time::timeout(Duration::ZERO, admitting).await.unwrap_err();
    proxy.open();
    first.release(engine.epoch()).await.unwrap();
    let turn = second.lease(Standing::Unknown, 0).await.unwrap();
    assert!(matches!(turn, Turn::Began(_)), "{turn:?}");
    assert_eq!(second.counts().await.unwrap().moved, 1);
}

#[tokio::test]
async fn a_lease_goes_on_where_its_connection_broke() {
    for cut in [Cut::Before, Cut::After] {
        let (proxy, behind, _) = places().await;
        let outbox = behind.open().await;
        let engine = Engine::begin(&outbox).await;
        accept(&outbox, &events(3)).await;
        proxy.cut(|words| words.contains(".lease("), cut);
        assert_eq!(engine.all_ids().await, [1, 2, 3], "{cut:?}");
        assert!(proxy.has_cut());
    }
}

/// A process that cannot reach the database begins no request after the end of its lease, and
/// another one takes over.
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
    assert_eq!(late, [EventId::new(1)]);
    assert_eq!(second.counts().await.unwrap().delivered, 0);
}
