//! A checkpoint that stops halfway because of a reader, and continues later.

use std::path::Path;
use std::process;

use intercom_delivery::outbox::Outbox as _;
use intercom_sqlite::SqliteOutbox;
use intercom_sqlite::rusqlite::Connection;
use tokio::runtime::Builder;

use crate::events::{self, LARGE};
use crate::ledger::{Step, failed, note, record};
use crate::worker::THROUGH;

/// The number of events before the reader's snapshot, and of those after it.
const SOME: u64 = 120;

/// The number of large events in a file of more than 8 MiB.
const MUCH: u64 = 4_500;

pub(crate) fn much(path: &Path, first: u64) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let outbox = SqliteOutbox::open(path).unwrap();
    let numbers = first + LARGE..first + LARGE + MUCH;
    let events: Vec<_> = numbers.clone().map(events::event).collect();
    runtime.block_on(outbox.accept(&events)).unwrap();
    record(Step::Offered, numbers.clone());
    record(Step::Accepted, numbers);
}

pub(crate) fn run(path: &Path, first: u64, shared: bool) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let outbox = SqliteOutbox::open(path).unwrap();
    runtime.block_on(async {
        // A complete checkpoint comes first.
        accept(&outbox, first + 2 * SOME + 2, 1).await;
        outbox.maintain().await;
        accept(&outbox, first, SOME).await;
        let somebody = shared.then(|| look(path, "SELECT 1 FROM outbox_events"));
        let reader = look(path, "BEGIN; SELECT 1 FROM outbox_events");
        accept(&outbox, first + SOME, SOME).await;
        // Copies the pages that the reader sees.
        outbox.maintain().await;
        drop(reader);
        // Copies the rest, and syncs all of it. A failure is repeated.
        outbox.maintain().await;
        outbox.maintain().await;
        accept(&outbox, first + 2 * SOME, 1).await;
        drop(somebody);
        outbox.maintain().await;
        accept(&outbox, first + 2 * SOME + 1, 1).await;
    });
    note(THROUGH);
    // Ends without closing anything, as a crash does.
    process::abort();
}

/// Another connection to the file.
fn look(path: &Path, sql: &str) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(sql).unwrap();
    conn
}

async fn accept(outbox: &SqliteOutbox, first: u64, events: u64) {
    for number in first..first + events {
        record(Step::Offered, number..number + 1);
        match outbox.accept(&[events::event(number)]).await {
            Ok(()) => record(Step::Accepted, number..number + 1),
            Err(error) => {
                record(Step::Refused, number..number + 1);
                failed(&error);
            }
        }
    }
}
