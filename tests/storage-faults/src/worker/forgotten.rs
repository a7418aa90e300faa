//! A checkpoint that has to stop halfway, because somebody reads, and that is gone on with later.

use std::path::Path;
use std::process;

use intercom_delivery::outbox::Outbox as _;
use intercom_sqlite::SqliteOutbox;
use intercom_sqlite::rusqlite::Connection;
use tokio::runtime::Builder;

use crate::events::{self, LARGE};
use crate::ledger::{Word, failed, note, say};
use crate::worker::THROUGH;

/// How many events come before, and as many after, what the reader sees.
const SOME: u64 = 120;

/// How many large events make a file of more than 8 MiB.
const MUCH: u64 = 4_500;

pub(crate) fn much(path: &Path, first: u64) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let outbox = SqliteOutbox::open(path).unwrap();
    let numbers = first + LARGE..first + LARGE + MUCH;
    let events: Vec<_> = numbers.clone().map(events::event).collect();
    runtime.block_on(outbox.accept(&events)).unwrap();
    say(Word::Offered, numbers.clone());
    say(Word::Accepted, numbers);
}

pub(crate) fn run(path: &Path, first: u64, shared: bool) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let outbox = SqliteOutbox::open(path).unwrap();
    runtime.block_on(async {
        // A whole checkpoint comes before.
        accept(&outbox, first + 2 * SOME + 2, 1).await;
        outbox.maintain().await;
        accept(&outbox, first, SOME).await;
        let somebody = shared.then(|| look(path, "SELECT 1 FROM outbox_events"));
        let reader = look(path, "BEGIN; SELECT 1 FROM outbox_events");
        accept(&outbox, first + SOME, SOME).await;
        // Brings in what the reader sees.
        outbox.maintain().await;
        drop(reader);
        // Brings in the rest, and syncs all of it. If that fails, it is tried again.
        outbox.maintain().await;
        outbox.maintain().await;
        accept(&outbox, first + 2 * SOME, 1).await;
        drop(somebody);
        outbox.maintain().await;
        accept(&outbox, first + 2 * SOME + 1, 1).await;
    });
    note(THROUGH);
    // As in a crash: nothing is closed.
    process::abort();
}

/// Somebody else who has the file open.
fn look(path: &Path, sql: &str) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(sql).unwrap();
    conn
}

async fn accept(outbox: &SqliteOutbox, first: u64, events: u64) {
    for number in first..first + events {
        say(Word::Offered, number..number + 1);
        match outbox.accept(&[events::event(number)]).await {
            Ok(()) => say(Word::Accepted, number..number + 1),
            Err(error) => {
                say(Word::Refused, number..number + 1);
                failed(&error);
            }
        }
    }
}
