//! Erased contacts: no byte of their events stays in the files.

use std::fs;
use std::time::Duration;

use intercom_core::testing::FailingTransport;
use intercom_core::{Contact, DataEvent, DynamicEvent, ErrorKind, Timestamp};
use intercom_delivery::Delivery;
use intercom_delivery::outbox::{
    Admission, DeadLetterReason, ErasedEvents, EventId, Operate, Outbox, Ruling, Stage,
};
use intercom_sqlite::SqliteOutbox;

use super::support::{Engine, NOON, Place, accept, bury, delivered, event, put_back};

const ADA: &str = "ada.lovelace@analytical.example";
const SECRET: &str = "bernoulli-numbers";

/// Returns an event of this contact with the secret in its body, long or short.
fn of(contact: Contact, number: i64) -> DataEvent {
    let mut made = DynamicEvent::new("note_written").unwrap().max_keys(20).unwrap();
    let keys = if number % 5 == 0 { 18 } else { 1 };
    for key in 0..keys {
        let text = format!("{SECRET} {number} {}", "x".repeat(200));
        made = made.with(format!("key_{key}"), text).unwrap();
    }
    DataEvent::new(&made, contact, Timestamp::from_unix_seconds(NOON + number)).unwrap()
}

fn ada() -> Contact {
    Contact::user_id("analytical-1815").with_email(ADA)
}

/// Stores the contact's events among others, some large: new, put back, dead, delivered, and
/// leased.
async fn filled(outbox: SqliteOutbox) -> Engine {
    let engine = Engine::begin(&outbox).await;
    for batch in 0..20 {
        let events: Vec<_> = (0..60)
            .map(|number| match number % 3 {
                0 => of(ada(), batch * 60 + number),
                _ => event("project_created", batch * 60 + number),
            })
            .collect();
        accept(&outbox, &events).await;
        let leases = engine.lease(45).await;
        engine.settle(&leases[..10], delivered).await;
        engine.settle(&leases[10..20], bury(DeadLetterReason::Rejected)).await;
        engine.settle(&leases[20..30], put_back(Duration::from_secs(900))).await;
    }
    engine
}

/// Returns the files that contain these words.
fn found(place: &Place, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in fs::read_dir(place.folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for word in words {
            let holds = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            if holds {
                found.push(format!("{word} in {}", path.display()));
            }
        }
    }
    found
}

const WORDS: [&str; 3] = [ADA, SECRET, "analytical-1815"];

#[tokio::test]
async fn no_byte_of_an_erased_contact_is_left_in_the_files() {
    let place = Place::new();
    let engine = filled(place.open()).await;
    assert!(found(&place, &WORDS).len() >= 3);
    let before = engine.outbox.counts().await.unwrap();
    let erased = engine.outbox.erase(&Contact::email(ADA.to_uppercase())).await.unwrap();
    assert_eq!(found(&place, &WORDS), Vec::<String>::new());
    let counts = engine.outbox.counts().await.unwrap();
    assert!(counts.is_balanced(), "{counts:?}");
    assert_eq!(counts.erased, erased.pending + erased.dead_letters);
    assert_eq!(counts.pending, before.pending - erased.pending);
    assert_eq!(counts.dead_letters, before.dead_letters - erased.dead_letters);
    assert!(erased.pending > 200 && erased.dead_letters > 50, "{erased:?}");
    let bytes = "SELECT pending_bytes - (SELECT sum(octet_length(body)) FROM outbox_events) \
                 FROM outbox_counts";
    assert_eq!(place.number(bytes), 0);
    assert_eq!(
        place.sqlite().query_row("PRAGMA integrity_check", [], |row| row.get(0)),
        Ok("ok".to_owned())
    );
}

#[tokio::test]
async fn no_byte_of_an_erased_contact_is_left_in_an_applications_file() {
    let place = Place::new();
    place.sqlite().execute_batch("CREATE TABLE projects (id INTEGER PRIMARY KEY)").unwrap();
    let engine = filled(place.builder().in_application_file().open().unwrap()).await;
    assert!(found(&place, &WORDS).len() >= 3);
    engine.outbox.erase(&ada()).await.unwrap();
    assert_eq!(found(&place, &WORDS), Vec::<String>::new());
}

/// A tool has its own connection.
#[tokio::test]
async fn no_byte_is_left_after_an_erasure_by_another_process() {
    let place = Place::new();
    let engine = filled(place.open()).await;
    let mut tool = SqliteOutbox::inspect(place.path()).unwrap();
    tool.erase(&ada()).unwrap();
    assert_eq!(found(&place, &WORDS), Vec::<String>::new());
    let leased = engine.leased(1).await;
    let tombstones = leased.tombstones.unwrap();
    assert!(tombstones.contains(&ada()) && !tombstones.contains(&Contact::user_id(42)));
    assert!(tool.forgive(&Contact::email(ADA)).unwrap());
    assert!(tool.forgive(&ada()).unwrap());
    assert!(!tool.forgive(&ada()).unwrap());
    assert!(!engine.leased(1).await.tombstones.unwrap().contains(&ada()));
}

/// The WAL stays while another process reads it. The idle writer empties it.
#[tokio::test]
async fn a_reader_delays_only_the_removal_of_the_last_bytes() {
    let place = Place::new();
    let timeout = Duration::from_millis(10);
    let engine = Engine::begin(&place.builder().lock_timeout(timeout).open().unwrap()).await;
    accept(&engine.outbox, &[of(ada(), 1), event("signed_up", 2)]).await;
    let reader = place.sqlite();
    reader.execute_batch("BEGIN; SELECT * FROM outbox_events").unwrap();
    let erased = engine.outbox.erase(&ada()).await.unwrap();
    assert_eq!((erased.pending, erased.dead_letters), (1, 0));
    assert!(!found(&place, &WORDS).is_empty());
    reader.execute_batch("COMMIT").unwrap();
    engine.outbox.maintain().await;
    assert_eq!(found(&place, &WORDS), Vec::<String>::new());
}

#[tokio::test]
async fn a_crash_leaves_all_of_an_erasure_or_nothing() {
    let place = Place::new();
    let engine = filled(place.open()).await;
    let before = place.crashed();
    let erased = engine.outbox.erase(&ada()).await.unwrap();
    let after = place.crashed();
    let found_erased = {
        let engine = before.engine().await;
        assert!(engine.tenure.tombstones.is_empty());
        engine.outbox.erase(&ada()).await.unwrap()
    };
    assert_eq!(found_erased, erased);
    let engine = after.engine().await;
    assert!(engine.tenure.tombstones.contains(&ada()));
    let again = engine.outbox.erase(&ada()).await.unwrap();
    let nothing = ErasedEvents::new(0, 0, erased.version + 1);
    assert_eq!(again, nothing);
}

/// An event accepted after an erasure, by any process, comes with its tombstone.
#[tokio::test]
async fn an_event_comes_with_the_tombstones_that_came_before_it() {
    let place = Place::new();
    let engine = place.engine().await;
    let other = place.open();
    assert!(engine.leased(1).await.tombstones.is_none());
    other.erase(&ada()).await.unwrap();
    accept(&other, &[of(ada(), 1)]).await;
    let leased = engine.leased(1).await;
    assert!(leased.tombstones.unwrap().contains(leased.events[0].event.contact()));
    // Each tombstone comes only once.
    accept(&other, &[of(ada(), 2)]).await;
    let leased = engine.leased(1).await;
    assert!(leased.events.len() == 1 && leased.tombstones.is_none());
}

/// An admission stores its decision and derived events, and drops the rest of the event.
#[tokio::test]
async fn a_withheld_event_leaves_no_body_and_derived_ones_survive_a_crash() {
    let place = Place::new();
    let engine = place.engine().await;
    accept(&engine.outbox, &[of(ada(), 1), event("a", 2), event("b", 3), event("c", 4)]).await;
    let leases = engine.lease(4).await;
    let derived = |second| vec![event("derived", second)];
    let admissions = [
        Admission::new(leases[0].id, Ruling::Withhold),
        Admission::new(leases[1].id, Ruling::Drop).with_derived(derived(7)),
        Admission::kept(leases[2].id, false).with_derived(derived(8)),
        Admission::new(leases[3].id, Ruling::Defer { after: Duration::from_secs(60) }),
        // This admission is late, so it derives nothing.
        Admission::kept(EventId::new(99), false).with_derived(derived(9)),
    ];
    let before = place.crashed();
    let late = engine.outbox.admit(engine.epoch(), &admissions).await.unwrap();
    assert_eq!(late, [EventId::new(99)]);
    engine.outbox.maintain().await;
    assert_eq!(found(&place, &WORDS), Vec::<String>::new());

    let unchanged = before.engine().await;
    assert_eq!(unchanged.outbox.counts().await.unwrap().pending, 4);
    assert!(unchanged.lease(9).await.iter().all(|lease| lease.stage == Stage::New));

    let after = place.crashed();
    let engine = after.engine().await;
    let counts = engine.outbox.counts().await.unwrap();
    assert!(counts.is_balanced(), "{counts:?}");
    let ended = (counts.withheld, counts.dropped, counts.derived, counts.pending);
    assert_eq!(ended, (1, 1, 2, 4));
    let found = |leases: &[intercom_delivery::outbox::Lease]| {
        let of = |lease: &intercom_delivery::outbox::Lease| {
            (lease.id.get(), lease.event.event_name().to_string(), lease.stage)
        };
        leases.iter().map(of).collect::<Vec<_>>()
    };
    let expected = [
        (3, "b".to_owned(), Stage::Admitted),
        (5, "derived".to_owned(), Stage::Derived),
        (6, "derived".to_owned(), Stage::Derived),
    ];
    assert_eq!(found(&engine.lease(9).await), expected);
    after.clock.advance(Duration::from_secs(60));
    assert_eq!(found(&engine.lease(9).await), [(4, "c".to_owned(), Stage::New)]);
}

/// A sensitive value is in no output for people: errors, logs, status, views. It is only in the
/// file and in the request.
#[tokio::test]
async fn a_sensitive_value_is_in_no_output() {
    let place = Place::new();
    let logs = Logs::default();
    let writer = logs.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    let sensitive = DynamicEvent::new("note_written")
        .and_then(|event| event.with("pages", 3))
        .and_then(|event| event.with_sensitive("note", SECRET))
        .and_then(|event| event.with("price", serde_json::json!({"amount": 1, "currency": "eur"})))
        .unwrap();
    let sensitive = DataEvent::new(&sensitive, ada(), Timestamp::from_unix_seconds(NOON)).unwrap();
    let engine = place.engine().await;
    accept(&engine.outbox, &[sensitive.clone(), sensitive.clone(), event("other", 1)]).await;
    let leases = engine.lease(2).await;
    assert!(leases.iter().all(|lease| lease.event == sensitive));
    engine.settle(&leases[..1], put_back(Duration::from_secs(900))).await;
    engine.settle(&leases[1..], bury(DeadLetterReason::Rejected)).await;
    let mut said = format!("{leases:?}");
    drop(engine);

    let refusing = FailingTransport::always(ErrorKind::Rejected);
    let delivery = Delivery::builder(refusing).outbox(place.open()).start().unwrap();
    delivery.send_all(std::slice::from_ref(&sensitive)).await.unwrap();
    let _ = delivery.flush(Duration::from_secs(30)).await;
    let letters = delivery.dead_letters(None, 9).await.unwrap();
    assert!(
        letters.iter().filter(|letter| letter.event.event_name() == "note_written").count() == 2
    );
    let ledger = delivery.ledger().await.unwrap();
    said += &format!("{delivery:?} {:?} {ledger:?} {ledger}", delivery.status());
    for letter in &letters {
        said += &format!("{letter} {letter:?} {}", letter.event.to_masked_json());
    }
    let tool = SqliteOutbox::inspect(place.path()).unwrap();
    for pending in tool.pending(None, 9).unwrap() {
        said += &format!("{pending} {pending:?} {}", pending.event.to_masked_json());
    }
    drop(delivery);

    let view = |view: &str| -> Vec<String> {
        let conn = place.sqlite();
        let mut select = conn.prepare(&format!("SELECT body FROM {view} ORDER BY id")).unwrap();
        let rows = select.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let masked =
        r#""metadata":{"pages":3,"note":"[sensitive]","price":{"amount":1,"currency":"eur"}}"#;
    for (name, number) in [("pending_events", 1), ("dead_letters", 2)] {
        let bodies = view(name);
        assert_eq!(
            bodies.iter().filter(|body| body.contains(masked)).count(),
            number,
            "{bodies:?}"
        );
        said += &bodies.concat();
    }
    said += &logs.text();
    assert!(said.contains("note_written") && said.contains("dead letter"));
    assert!(!said.contains(SECRET), "{said}");
}

#[derive(Clone, Default)]
struct Logs(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Logs {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
