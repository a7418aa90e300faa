//! Many producers and a delivery, as in an application.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, Receipt, SendError, Transport,
};
use intercom_delivery::{Delivery, Outbox as _};
use intercom_sqlite::SqliteOutbox;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::events;
use crate::ledger::{Step, failed, note, record};
use crate::worker::{THROUGH, Work};

const PRODUCERS: u64 = 8;

pub(crate) const CONCURRENCY: usize = 8;

/// The line of a worker that has begun.
pub(crate) const BEGUN: &str = "begun";

/// The start of a line with the status of a delivery over a failing outbox.
pub(crate) const STATUS: &str = "status: ";

/// The limit of every wait. A process that reaches it hangs, and fails.
const HANGS: Duration = Duration::from_secs(60);

/// The destination of the events.
struct Destination {
    held: bool,
    tries: AtomicU64,
}

#[async_trait]
impl Transport for Destination {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        if self.held {
            std::future::pending::<()>().await;
        }
        let found = events::number(&event);
        let number = match found {
            Ok(number) => number,
            Err(complaint) => {
                note(&complaint);
                let number = event.to_json()["metadata"]["number"].as_u64().unwrap_or_default();
                record(Step::Changed, number..number + 1);
                return Ok(Receipt::delivered(202));
            }
        };
        // Some events fail and are put back, and some become dead letters.
        if self.tries.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
            return Err(SendError::new(ErrorKind::Timeout));
        }
        if number % 11 == 3 {
            record(Step::Rejected, number..number + 1);
            return Err(SendError::new(ErrorKind::Rejected).with_status(422));
        }
        record(Step::Delivered, number..number + 1);
        Ok(Receipt::delivered(202))
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

fn start(work: Work, path: &Path) -> (Delivery, SqliteOutbox) {
    let builder = SqliteOutbox::builder(path);
    let builder = match work {
        Work::LoadNotDurable => builder.lose_events_in_a_power_cut(),
        _ => builder,
    };
    let outbox = builder.open().unwrap();
    let held = work == Work::LoadHeld;
    let delivery = Delivery::builder(Destination { held, tries: AtomicU64::new(0) })
        .concurrency(CONCURRENCY)
        .outbox(outbox.clone())
        .start();
    (delivery.unwrap(), outbox)
}

/// Accepts and delivers until a kill, or until the outbox refuses an event.
pub(crate) fn run(work: Work, path: &Path, first: u64) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (delivery, outbox) = start(work, path);
        if work == Work::LoadMaintaining {
            tokio::spawn(async move {
                loop {
                    outbox.maintain().await;
                }
            });
        }
        let (delivery, next) = (Arc::new(delivery), Arc::new(AtomicU64::new(first)));
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|_| tokio::spawn(produce(delivery.clone(), next.clone(), first)))
            .collect();
        for producer in producers {
            producer.await.unwrap();
        }
        // The outbox has refused all producers. The engine must notice the fault by itself.
        let status = timeout(HANGS, async {
            loop {
                match delivery.status().outbox {
                    Some(status) => break status,
                    None => tokio::task::yield_now().await,
                }
            }
        });
        note(&format!("{STATUS}{}", status.await.unwrap()));
    });
    note(THROUGH);
}

async fn produce(delivery: Arc<Delivery>, next: Arc<AtomicU64>, first: u64) {
    let tracker = delivery.tracker();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        record(Step::Offered, number..number + 1);
        match tracker.send_prepared(events::event(number)).await {
            Ok(_) => record(Step::Accepted, number..number + 1),
            Err(error) => {
                record(Step::Refused, number..number + 1);
                return failed(&error);
            }
        }
        if number == first {
            note(BEGUN);
        }
    }
}

/// Delivers all pending events.
pub(crate) fn drain(path: &Path) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (delivery, outbox) = start(Work::Drain, path);
        // A flush waits for events of its own process only.
        let pending = async || outbox.counts().await.unwrap().pending;
        timeout(HANGS, async { while pending().await > 0 {} }).await.unwrap();
        let report = delivery.shutdown(HANGS).await;
        assert!(report.is_complete() && pending().await == 0, "{report}");
    });
    note(THROUGH);
}
