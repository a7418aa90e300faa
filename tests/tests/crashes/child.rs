//! The process that the tests kill.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use intercom_core::ErrorKind;
use intercom_delivery::outbox::Counts;
use intercom_delivery::{Delivery, DeliveryBuilder, MemoryOutbox, Outbox as _, State};
use intercom_http::HttpTransport;
use intercom_sqlite::SqliteOutbox;
use tests::process::told_to_end;
use tokio::sync::oneshot;
use tokio::time::{Interval, interval, timeout};

use crate::events::{PER_PROCESS, contact, event, time};
use crate::plan::{OutboxKind, Plan, Work};

/// The line of a process that has begun. The number of pending events that it found follows.
pub(crate) const BEGUN: &str = "begun, with ";

/// The line of a process that delivers, if it shares the outbox.
pub(crate) const DELIVERS: &str = "delivers";

/// The line of a process that stands by.
pub(crate) const STANDS_BY: &str = "stands by";

/// The interval between looks at the delivery's state.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// The limit of every wait. A process that reaches it hangs, and fails.
pub(crate) const HANGS: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the tests start it as a process"]
async fn child() {
    let Some(plan) = Plan::from_environment() else { return };
    timeout(HANGS, work(plan, told_to_end())).await.unwrap();
}

async fn work(plan: Plan, told_to_end: oneshot::Receiver<()>) {
    let transport = HttpTransport::builder(&plan.token)
        .base_url(&plan.url)
        .user_agent(format!("run/{}", plan.run))
        .build()
        .unwrap();
    let delivery = Delivery::builder(transport).concurrency(plan.work.concurrency());
    let (delivery, found) = open(&plan, delivery).await;
    let delivery = Arc::new(delivery.start().unwrap());
    if plan.work == Work::Sharing {
        tokio::spawn(tell_state(delivery.clone()));
    }

    let ledger = OpenOptions::new().append(true).create(true).open(&plan.ledger).unwrap();
    let (ledger, next) = (Arc::new(ledger), Arc::new(AtomicU64::new(plan.run * PER_PROCESS)));
    let pending = found.pending;
    let produce = || {
        let pace = plan.work.pace().map(interval);
        produce(delivery.clone(), ledger.clone(), next.clone(), pending, pace)
    };
    let producers: Vec<_> = (0..plan.work.producers()).map(|_| tokio::spawn(produce())).collect();
    if producers.is_empty() {
        print_line(&format!("{BEGUN}{pending}"));
    }
    match plan.work {
        Work::Ending => deliver_all(&delivery, found).await,
        Work::Sharing => {
            told_to_end.await.unwrap();
            let _ = delivery.shutdown(HANGS).await;
            for producer in producers {
                producer.await.unwrap();
            }
            let ledger = delivery.ledger().await.unwrap();
            assert!(ledger.is_balanced(), "{ledger}");
        }
        _ => std::future::pending().await,
    }
}

/// Delivers everything, and ends.
async fn deliver_all(delivery: &Delivery, found: Counts) {
    // A flush waits for events of its own process only.
    while delivery.ledger().await.unwrap().pending > 0 {}
    let report = delivery.shutdown(HANGS).await;
    assert!(report.is_complete(), "{report}");
    let ledger = delivery.ledger().await.unwrap();
    assert!(ledger.is_balanced(), "{ledger}");
    assert_eq!((ledger.accepted, ledger.collided, ledger.moved), (found.accepted, 0, 0));
}

/// Opens the outbox, and counts its events. The counts must match the file.
async fn open(plan: &Plan, delivery: DeliveryBuilder) -> (DeliveryBuilder, Counts) {
    if plan.outbox == OutboxKind::Memory {
        return (delivery.outbox(MemoryOutbox::new()), Counts::default());
    }
    let outbox = SqliteOutbox::open(&plan.data).unwrap();
    let counts = outbox.counts().await.unwrap();
    assert!(counts.is_balanced(), "{counts:?}");
    assert_eq!((counts.moved, counts.collided), (0, 0));

    let file = SqliteOutbox::inspect(&plan.data).unwrap();
    assert_eq!(file.check().unwrap(), Vec::<String>::new());
    // Another process may change them between two looks.
    if plan.work != Work::Sharing {
        let file_counts = file.counts().unwrap();
        assert!(file_counts.is_balanced(), "{file_counts:?}");
        let pending = file.pending(None, usize::MAX).unwrap().len() as u64;
        let dead = file.dead_letters(None, usize::MAX).unwrap().len() as u64;
        assert_eq!(
            (file_counts.pending, file_counts.dead, file_counts.dead_letters),
            (pending, dead, dead)
        );
        // The oldest event has aged between the two looks.
        let mut counts = counts;
        counts.oldest_pending = file_counts.oldest_pending;
        assert_eq!(counts, file_counts);
    }
    if plan.work == Work::Maintaining {
        let outbox = outbox.clone();
        tokio::spawn(async move {
            loop {
                outbox.maintain().await;
            }
        });
    }
    (delivery.outbox(outbox), counts)
}

/// Accepts events until the process is killed, or asked to end. Each accepted event is in the
/// ledger at once, because a kill does not undo a finished write.
async fn produce(
    delivery: Arc<Delivery>,
    ledger: Arc<File>,
    next: Arc<AtomicU64>,
    found: u64,
    mut pace: Option<Interval>,
) {
    let tracker = delivery.tracker();
    loop {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let number = next.fetch_add(1, Ordering::Relaxed);
        match tracker.for_contact(contact(number)).send_at(&event(number), time(number)).await {
            Err(error) if error.kind() == ErrorKind::Closed => return,
            sent => drop(sent.unwrap()),
        }
        (&*ledger).write_all(format!("{number}\n").as_bytes()).unwrap();
        if number.is_multiple_of(PER_PROCESS) {
            print_line(&format!("{BEGUN}{found}"));
        }
    }
}

/// Prints who delivers, whenever that changes.
async fn tell_state(delivery: Arc<Delivery>) {
    let mut look = interval(LOOK_INTERVAL);
    let mut last = "";
    loop {
        look.tick().await;
        let state = match delivery.status().state {
            State::Standby { .. } => STANDS_BY,
            State::Delivering => DELIVERS,
            _ => last,
        };
        if state != last {
            print_line(state);
            last = state;
        }
    }
}

#[allow(clippy::print_stdout, reason = "the test reads the process's output")]
fn print_line(words: &str) {
    // Begins a new line, because the test harness leaves its own open. One write, because several
    // tasks print.
    println!("\n{words}");
}
