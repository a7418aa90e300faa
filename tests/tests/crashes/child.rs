//! The process that is killed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{process, thread};

use intercom_delivery::{Delivery, DeliveryBuilder, MemoryOutbox, Outbox as _};
use intercom_http::HttpTransport;
use intercom_sqlite::SqliteOutbox;
use tokio::time::timeout;

use crate::events::{OF_A_RUN, contact, event, time};
use crate::plan::{Keeper, Plan, Work};

/// What the process says when its work has begun, and after it how many events it found.
pub(crate) const BEGUN: &str = "begun, with ";

/// After this it hangs. It is never waited for otherwise.
const HANGS: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs in a process of its own, started by the tests"]
async fn child() {
    let Some(plan) = Plan::told() else { return };
    // Who started it holds the other end. It must not go on alone.
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(1);
    });
    timeout(HANGS, work(plan)).await.unwrap();
}

async fn work(plan: Plan) {
    let transport = HttpTransport::builder(&plan.token)
        .base_url(&plan.url)
        .user_agent(format!("run/{}", plan.run))
        .build()
        .unwrap();
    let delivery = Delivery::builder(transport).concurrency(plan.work.concurrency());
    let (delivery, found) = open(&plan, delivery);
    let delivery = Arc::new(delivery.start().unwrap());

    let ledger = OpenOptions::new().append(true).create(true).open(&plan.ledger).unwrap();
    let (ledger, next) = (Arc::new(ledger), Arc::new(AtomicU64::new(plan.run * OF_A_RUN)));
    let producers: Vec<_> = (0..plan.work.producers())
        .map(|_| tokio::spawn(produce(delivery.clone(), ledger.clone(), next.clone(), found)))
        .collect();
    if producers.is_empty() {
        say_begun(found);
    }
    for producer in producers {
        producer.await.unwrap();
    }
    if plan.work == Work::Ending {
        while !delivery.flush().await.is_complete() {}
        let report = delivery.shutdown(HANGS).await;
        assert!(report.is_complete(), "{report}");
        let ledger = delivery.ledger();
        assert!(ledger.is_balanced(), "{ledger}");
        assert_eq!((ledger.accepted, ledger.collided, ledger.moved), (found, 0, 0));
    } else {
        std::future::pending().await
    }
}

/// Opens the outbox, and says how many events are in it. Its books must be those of what is in the file.
fn open(plan: &Plan, delivery: DeliveryBuilder) -> (DeliveryBuilder, u64) {
    if plan.keeper == Keeper::Memory {
        return (delivery.outbox(MemoryOutbox::new()), 0);
    }
    let outbox = SqliteOutbox::open(&plan.data).unwrap();
    let counts = outbox.counts();
    assert!(counts.is_balanced(), "{counts:?}");
    assert_eq!((counts.moved, counts.collided), (0, 0));

    let file = SqliteOutbox::inspect(&plan.data).unwrap();
    assert_eq!(file.check().unwrap(), Vec::<String>::new());
    let books = file.counts().unwrap();
    assert!(books.is_balanced(), "{books:?}");
    let pending = file.pending(None, usize::MAX).unwrap().len() as u64;
    let dead = file.dead_letters(None, usize::MAX).unwrap().len() as u64;
    assert_eq!((books.pending, books.dead, books.dead_letters), (pending, dead, dead));
    assert_eq!(counts.pending, pending);
    if plan.work == Work::Tidying {
        let outbox = outbox.clone();
        tokio::spawn(async move {
            loop {
                outbox.tidy().await;
            }
        });
    }
    (delivery.outbox(outbox), counts.accepted)
}

/// Accepts events until the process is killed. What is accepted is in the ledger at once: a kill does not undo what
/// was given to the kernel.
async fn produce(delivery: Arc<Delivery>, ledger: Arc<File>, next: Arc<AtomicU64>, found: u64) {
    let tracker = delivery.tracker();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        tracker.for_contact(contact(number)).send_at(&event(number), time(number)).await.unwrap();
        (&*ledger).write_all(format!("{number}\n").as_bytes()).unwrap();
        if number.is_multiple_of(OF_A_RUN) {
            say_begun(found);
        }
    }
}

#[allow(clippy::print_stdout, reason = "this is how it tells who started it")]
fn say_begun(found: u64) {
    // The harness leaves its own line open.
    println!("\n{BEGUN}{found}");
}
