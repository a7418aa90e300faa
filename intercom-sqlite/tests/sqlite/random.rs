//! Random rows: readable events are delivered, and the rest stays.

use std::env;
use std::time::{Duration, Instant};

use intercom_core::testing::RecordingTransport;
use intercom_core::{Contact, DataEvent};
use intercom_delivery::outbox::{DeadLetterReason, Operate, Outbox, Selection};
use intercom_delivery::{Delivery, RetryPolicy};
use intercom_sqlite::rusqlite::types::Value;
use tokio::time::sleep;

use super::support::{Place, accept, events};

/// The number of rows, unless `RANDOM_ANSWERS` is set.
const ROWS: usize = 2_000;

/// The time limit for the first rows, and for each further hundred thousand.
const LONG: Duration = Duration::from_secs(60);

struct Dice(fastrand::Rng);

impl Dice {
    /// Returns a random seed, unless `RANDOM_SEED` is set.
    #[allow(clippy::print_stderr, reason = "the output explains a failure")]
    fn new() -> Self {
        let seed =
            env::var("RANDOM_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
        eprintln!("to repeat it: RANDOM_SEED={seed}");
        Dice(fastrand::Rng::with_seed(seed))
    }

    fn number(&mut self) -> i64 {
        match self.0.u8(..4) {
            0 => self.0.i64(..),
            1 => *self.0.choice(&[i64::MIN, -1, 0, i64::MAX, 253_402_300_799]).unwrap(),
            _ => self.0.i64(1_600_000_000..1_800_000_000),
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.0.usize(..most);
        (0..length).map(|_| self.0.u8(..)).collect()
    }

    fn text(&mut self) -> String {
        let length = self.0.usize(1..8);
        (0..length).map(|_| self.0.char(..)).collect()
    }

    /// Makes a readable body, or a damaged one.
    fn body(&mut self, number: usize) -> Vec<u8> {
        let id = match self.0.u8(..3) {
            0 => serde_json::json!({ "user_id": number.to_string() }),
            1 => serde_json::json!({ "email": format!("{number}@example.com") }),
            _ => serde_json::json!({ "user_id": self.text(), "email": self.text() }),
        };
        let mut event = serde_json::json!({
            "event_name": self.text(),
            "created_at": self.number(),
            "metadata": { "number": number, "text": self.text() },
        });
        event.as_object_mut().unwrap().extend(id.as_object().unwrap().clone());
        let mut body = event.to_string().into_bytes();
        match self.0.u8(..8) {
            0 => body.truncate(self.0.usize(..body.len())),
            1 => {
                let at = self.0.usize(..body.len());
                body[at] ^= 1 << self.0.u8(..8);
            }
            2 => {
                let at = self.0.usize(..body.len());
                body.splice(at..at, self.bytes(9));
            }
            3 => body = self.bytes(60),
            _ => {}
        }
        body
    }

    fn maybe(&mut self, value: impl FnOnce(&mut Self) -> Value) -> Value {
        if self.0.bool() { value(self) } else { Value::Null }
    }

    /// Makes a text of arbitrary bytes, which SQLite stores.
    fn raw(&mut self) -> Value {
        let mut bytes = self.bytes(20);
        if self.0.bool() {
            bytes = self.text().into_bytes();
        }
        Value::Blob(bytes)
    }
}

fn rows() -> usize {
    env::var("RANDOM_ANSWERS").map_or(ROWS, |number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_rows_are_delivered_or_stay() {
    let (place, mut dice, rows) = (Place::new(), Dice::new(), rows());
    drop(place.open());
    let mut readable = 0;
    let mut sqlite = place.sqlite();
    let transaction = sqlite.transaction().unwrap();
    {
        let mut insert = transaction
            .prepare(
                "INSERT INTO outbox_events (id, created_at, accepted_at, due_at, admitted, origin, \
                 attempts, last_failure, last_status, last_request_id, body, sensitive) VALUES (?1, \
                 ?2, ?3, ?4, ?5, ?6, ?7, CAST(?8 AS TEXT), ?9, CAST(?10 AS TEXT), \
                 CAST(?11 AS TEXT), CAST(?12 AS TEXT))",
            )
            .unwrap();
        for number in 1..=rows {
            let body = dice.body(number);
            readable += usize::from(DataEvent::from_body(body.clone()).is_ok());
            let row = [
                Value::Integer(number.try_into().unwrap()),
                Value::Integer(dice.number()),
                Value::Integer(dice.number()),
                dice.maybe(|dice| Value::Integer(dice.number())),
                Value::Integer(if dice.0.u8(..9) > 0 { dice.0.i64(..4) } else { dice.number() }),
                Value::Integer(dice.number()),
                Value::Integer(dice.number()),
                dice.maybe(Dice::raw),
                dice.maybe(|dice| Value::Integer(dice.number())),
                dice.maybe(Dice::raw),
                Value::Blob(body),
                dice.maybe(Dice::raw),
            ];
            insert.execute(intercom_sqlite::rusqlite::params_from_iter(row)).unwrap();
        }
    }
    transaction
        .execute_batch(
            "UPDATE outbox_counts SET (accepted, pending, newest, pending_bytes) = (SELECT count(*), \
             count(*), max(id), sum(octet_length(body)) FROM outbox_events)",
        )
        .unwrap();
    transaction.commit().unwrap();
    drop(sqlite);

    let outbox = place.open();
    let delivery = Delivery::builder(RecordingTransport::new())
        .outbox(outbox.clone())
        .retry(RetryPolicy::new().max_age(Duration::from_secs(86_400)))
        .start()
        .unwrap();
    // Another event beside them is delivered.
    accept(&outbox, &events(1)).await;
    let unreadable = (rows - readable) as u64;
    let patience = LONG + LONG * u32::try_from(rows / 100_000).unwrap();
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < patience, "{}", delivery.status());
        let ledger = delivery.ledger().await.unwrap();
        assert!(ledger.is_balanced(), "{ledger}");
        if ledger.pending == unreadable {
            assert_eq!(ledger.delivered + ledger.dead, readable as u64 + 1);
            break;
        }
        // An event put back by a wrong clock is due within an hour.
        place.clock.advance(Duration::from_secs(600));
        sleep(Duration::from_millis(10)).await;
    }
    // An operator can select and erase among them.
    let named = Selection::Name("project_created".to_owned());
    delivery.bury(&named).await.unwrap();
    outbox.erase(&Contact::user_id("1")).await.unwrap();
    assert_eq!(outbox.bury(&Selection::All).await.unwrap(), unreadable);
    delivery.dead_letters(None, rows).await.unwrap();
    delivery.redrive(&named).await.unwrap();
    assert_eq!(
        outbox.purge(&Selection::Reason(DeadLetterReason::Buried)).await.unwrap(),
        unreadable
    );
    assert_eq!(outbox.counts().await.unwrap().pending, 0);
}
