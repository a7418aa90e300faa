//! What operators see: with `psql`, when they connect, and in errors.

use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{
    AcceptError, DeadLetterReason, EventId, Operate, Outbox, Selection, Standing, Turn,
};
use intercom_postgres::{ConnectError, PostgresOutbox};
use tokio::time::timeout;

use super::support::{Engine, LONG, NOON, Place, accept, bury, delivered, event, events, put_back};

#[tokio::test]
async fn the_views_say_what_is_pending_and_dead_and_why() {
    let place = Place::new();
    let outbox = place.builder().name("the first").connect().await.unwrap();
    let engine = Engine::begin(&outbox).await;
    accept(&outbox, &[event("signed_up", 0), event("invoice_paid", 1), event("gone", 2)]).await;
    let leases = engine.lease(3).await;
    engine.settle(&leases[..1], put_back(Duration::from_secs(90))).await;
    engine.settle(&leases[2..], bury(DeadLetterReason::UnknownContact)).await;

    let pending = "SELECT id, event_name, extract(epoch FROM created_at)::bigint, attempts, \
                   last_failure, due_in_seconds FROM {s}.pending_events";
    let rows = place.rows(pending).await;
    let of =
        |row: &tokio_postgres::Row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4));
    let found: Vec<(i64, String, i64, i64, Option<String>)> = rows.iter().map(of).collect();
    let failure = Some("it did not answer".to_owned());
    assert_eq!(
        found,
        [
            (1, "signed_up".to_owned(), NOON, 1, failure),
            (2, "invoice_paid".to_owned(), NOON + 1, 0, None)
        ]
    );
    assert!((1..=90).contains(&rows[0].get::<_, i64>(5)));
    let dead = &place.rows("SELECT id, event_name, reason FROM {s}.dead_letters").await[0];
    let dead: (i64, &str, &str) = (dead.get(0), dead.get(1), dead.get(2));
    assert_eq!(dead, (3, "gone", "unknown_contact"));
    let counts = "SELECT accepted, delivered, dead, pending, dead_letters, \
                  epoch, deliverer FROM {s}.counts";
    let row = &place.rows(counts).await[0];
    let numbers: Vec<i64> = (0..6).map(|column| row.get(column)).collect();
    assert_eq!((numbers, row.get(6)), (vec![3, 0, 1, 2, 1, 1], Some("the first")));
}

#[tokio::test]
async fn dead_letters_are_read_redriven_buried_and_purged_from_any_machine() {
    let place = Place::new();
    let (here, there) = (place.open().await, place.open().await);
    let engine = Engine::begin(&here).await;
    accept(&here, &[event("Signed_Up", 0), event("signed_up", 1), event("gone", 2)]).await;
    let leases = engine.lease(3).await;
    engine.settle(&leases, bury(DeadLetterReason::Rejected)).await;
    let letters = there.dead_letters(Some(EventId::new(1)), 9).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.id.get()).collect::<Vec<_>>(), [2, 3]);
    let named = Selection::Name("SIGNED_UP".to_owned());
    assert_eq!(there.redrive(&named).await.unwrap(), 2);
    assert_eq!(there.purge(&Selection::All).await.unwrap(), 1);
    let leases = engine.lease(3).await;
    assert_eq!(leases.len(), 2);
    // Buried by another process during a lease of this one.
    assert_eq!(there.bury(&Selection::One(leases[0].id)).await.unwrap(), 1);
    let settlements: Vec<_> = leases.iter().map(|lease| lease.settle(delivered(lease))).collect();
    assert_eq!(engine.try_settle(&settlements).await.unwrap(), [leases[0].id]);
    // Buried by another process before this one reads it.
    accept(&there, &events(2)).await;
    assert_eq!(there.bury(&Selection::One(EventId::new(4))).await.unwrap(), 1);
    assert_eq!(engine.lease_ids(9).await, [5]);
    for outbox in [&here, &there] {
        let counts = outbox.counts().await.unwrap();
        let numbers = (counts.accepted, counts.delivered, counts.dead, counts.pending);
        assert_eq!((numbers, counts.purged), ((5, 1, 3, 1), 1));
    }
    // A takeover counts the operators' changes.
    drop(engine);
    let engine = Engine::take_over(&there, Standing::Unknown).await;
    engine.deliver(9).await;
    let counts = here.counts().await.unwrap();
    let numbers = (counts.accepted, counts.delivered, counts.dead, counts.pending);
    assert_eq!((numbers, counts.dead_letters), ((5, 2, 3, 0), 2));
}

#[tokio::test]
async fn the_oldest_event_of_this_process_is_found_among_those_of_others() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let own = async || outbox.counts().await.unwrap().oldest_own.map(EventId::get);
    accept(&outbox, &events(5)).await;
    // Marks all events but 2 and 4 as accepted by another process.
    place.run("UPDATE {s}.events SET origin = 7 WHERE id NOT IN (2, 4)").await;
    assert_eq!(own().await, Some(2));
    let leases = engine.lease(10).await;
    engine.settle(&leases[..2], bury(DeadLetterReason::Rejected)).await;
    assert_eq!(own().await, Some(4));
    engine.settle(&leases[2..], delivered).await;
    assert_eq!(own().await, None);
    // A redriven event is pending again, whichever process redrives it.
    assert_eq!(place.open().await.redrive(&Selection::All).await.unwrap(), 2);
    assert_eq!(own().await, Some(2));
}

/// The poll interval is a day, so only a notification can wake the deliverer.
#[tokio::test]
async fn the_deliverer_is_notified_of_events_from_other_machines() {
    let place = Place::new();
    let seldom = Duration::from_secs(86_400);
    let first = place.builder().poll_interval(seldom).connect().await.unwrap();
    let second = place.builder().poll_interval(seldom).connect().await.unwrap();
    let engine = Engine::begin(&first).await;
    while !engine.leased(1).await.events.is_empty() {}
    let lease = tokio::spawn({
        let (first, standing) = (first.clone(), Standing::Delivering(engine.epoch()));
        async move {
            loop {
                match first.lease(standing, 5).await.unwrap() {
                    Turn::Leased(leased) if leased.events.is_empty() => {}
                    turn => return turn,
                }
            }
        }
    });
    accept(&second, &events(1)).await;
    let turn = timeout(LONG, lease).await.unwrap().unwrap();
    assert!(matches!(turn, Turn::Leased(leased) if leased.events.len() == 1));
    // A release notifies the standby.
    let turn = second.lease(Standing::Unknown, 0).await.unwrap();
    let Turn::Standby(standby) = turn else { panic!("{turn:?}") };
    let waiting = tokio::spawn({
        let second = second.clone();
        async move { second.lease(Standing::Standby(standby.epoch), 0).await.unwrap() }
    });
    first.release(engine.epoch()).await.unwrap();
    let turn = timeout(LONG, waiting).await.unwrap().unwrap();
    assert!(matches!(turn, Turn::Began(_)));
}

/// Reading continues at once, however many dead rows an old snapshot keeps.
#[tokio::test]
async fn an_old_snapshot_does_not_slow_the_read_of_the_progress() {
    let place = Place::new();
    let outbox = place.open().await;
    let engine = Engine::begin(&outbox).await;
    let old = place.psql().await;
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    old.query("SELECT count(*) FROM pg_class", &[]).await.unwrap();
    for _ in 0..40 {
        accept(&outbox, &events(5)).await;
        engine.deliver(5).await;
    }
    // One row is visible, in one leaf of the index.
    let plan = place.sql(
        "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) \
         SELECT * FROM {s}.progress ORDER BY n DESC LIMIT 1",
    );
    let client = place.psql().await;
    client.batch_execute("SET enable_seqscan = off").await.unwrap();
    let plan = client.query(&plan, &[]).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    let at = plan.iter().position(|line| line.contains("Index Scan Backward")).unwrap();
    // PostgreSQL 18 says more about the scan before.
    let buffers =
        |line: &String| Some(line.trim().strip_prefix("Buffers: shared hit=")?.to_owned());
    let buffers = plan[at..].iter().find_map(buffers).unwrap();
    assert!(buffers.parse::<u32>().unwrap() <= 4, "{plan:#?}");
    let counts = outbox.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered), (200, 200));
}

#[tokio::test]
async fn no_superuser_is_needed_once_the_schema_exists() {
    let place = Place::new();
    place.run("CREATE ROLE {s}_owner LOGIN; CREATE SCHEMA {s} AUTHORIZATION {s}_owner").await;
    let url = place.url.replace("postgres://postgres@", &place.sql("postgres://{s}_owner@"));
    let outbox = Place { url, ..place.clone() }.open().await;
    accept(&outbox, &events(2)).await;
    Engine::begin(&outbox).await.deliver(2).await;
}

/// The planner takes a kind of scan that is off for so costly that it compiles the plan, in each call, also
/// the plans of the functions that this one calls. That takes longer than a hundred accepts.
#[tokio::test]
async fn functions_that_switch_scans_off_compile_no_plans() {
    let place = Place::new();
    place.open().await;
    let switching = "SELECT count(*) FROM pg_proc WHERE pronamespace = '{s}'::regnamespace \
                     AND array_to_string(proconfig, ',') LIKE '%enable_%=off%'";
    assert!(place.number(switching).await > 2);
    let compiling = format!("{switching} AND NOT 'jit=off' = ANY (proconfig)");
    assert_eq!(place.number(&compiling).await, 0);
}

/// A caller may retry while the server is away, but not until somebody lets the user in again.
#[tokio::test]
async fn a_user_that_may_not_log_in_any_more_needs_an_operator() {
    let place = Place::new();
    place.run("CREATE ROLE {s}_owner LOGIN; CREATE SCHEMA {s} AUTHORIZATION {s}_owner").await;
    let url = place.url.replace("postgres://postgres@", &place.sql("postgres://{s}_owner@"));
    let own = Place { url, ..place.clone() };
    let timeout = Duration::from_millis(200);
    let outbox = own.builder().timeout(timeout).connect().await.unwrap();
    accept(&outbox, &events(1)).await;
    place
        .run(
            "ALTER ROLE {s}_owner NOLOGIN; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{s}_owner'",
        )
        .await;
    let error = loop {
        match outbox.accept(&events(1)).await.unwrap_err() {
            AcceptError::InDoubt(_) => {}
            error => break error,
        }
    };
    let AcceptError::Storage(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("not permitted to log in"), "{error}");
}

#[tokio::test]
async fn an_unfit_database_is_refused_with_the_fix() {
    let place = Place::new();
    let refused = async |url: &str| PostgresOutbox::connect(url).await.unwrap_err().to_string();
    assert!(refused("mysql://x").await.contains("postgres://user:password@host"));
    let nobody = refused("postgres://postgres@127.0.0.1:1/postgres").await;
    assert!(nobody.contains("cannot be reached"), "{nobody}");
    let schema = place.builder().schema("My Schema").connect().await.unwrap_err();
    assert!(matches!(schema, ConnectError::SchemaName));
    place.run("CREATE ROLE {s}_fast LOGIN; ALTER ROLE {s}_fast SET synchronous_commit = off").await;
    let url = place.url.replace("postgres://postgres@", &place.sql("postgres://{s}_fast@"));
    assert!(refused(&url).await.contains("synchronous_commit"));
}

/// A time-out or a lease of no time would refuse everything, and a poll without a pause never rests.
#[tokio::test]
async fn a_duration_that_is_too_short_is_refused_by_its_name() {
    let place = Place::new();
    let short = Duration::from_nanos(1);
    for (builder, refusal) in [
        (place.builder().timeout(short), "the timeout must be at least 1ms"),
        (place.builder().poll_interval(short), "the poll interval must be at least 1ms"),
        (place.builder().lease_time(short), "the lease time must be at least 100ms"),
    ] {
        assert_eq!(builder.connect().await.unwrap_err().to_string(), refusal);
    }
}

#[tokio::test]
async fn no_log_shows_a_contact_a_value_or_a_password() {
    let place = Place::new();
    let url = place.url.replace("postgres@", "postgres:s3cret@");
    let builder = PostgresOutbox::builder(&url).schema(&place.schema);
    let mut told = format!("{builder:?}");
    let outbox = builder.connect().await.unwrap();
    let engine = Engine::begin(&outbox).await;
    let secret = DynamicEvent::new("signed_up").unwrap().with("plan", "s3cret").unwrap();
    let contact = Contact::email("s3cret@example.com");
    let secret = DataEvent::new(&secret, contact, Timestamp::from_unix_seconds(NOON)).unwrap();
    accept(&outbox, std::slice::from_ref(&secret)).await;
    let leases = engine.lease(1).await;
    told += &format!("{leases:?} {:?} {outbox:?}", engine.tenure);
    engine.settle(&leases, bury(DeadLetterReason::Rejected)).await;
    told += &format!("{:?}", outbox.dead_letters(None, 9).await.unwrap());
    // The constraint's error quotes the row, and the cast's error quotes the value.
    place.run("ALTER TABLE {s}.events ADD CHECK (body ->> 'email' IS NULL) NOT VALID").await;
    let error = outbox.accept(&[secret]).await.unwrap_err();
    assert!(matches!(error, AcceptError::Storage(_)));
    told += &format!("{error} {error:?}");
    assert!(told.contains("23514") && !told.contains("s3cret"), "{told}");
}
