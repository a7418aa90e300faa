//! The wall clock steps while an outbox is open, and goes back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs};

use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, Receipt, SendError, Transport, async_trait,
};
use intercom_delivery::outbox::{Lease, Outbox as _, Standing, Turn, Verdict};
use intercom_delivery::{Delivery, RetryPolicy};
use intercom_sqlite::SqliteOutbox;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use crate::engine::Engine;
use crate::events;
use crate::ledger::note;
use crate::worker::THROUGH;

/// The file from which libfaketime reads the clock's offset.
pub(crate) const FILE: &str = "FAKETIME_TIMESTAMP_FILE";

const HOUR: Duration = Duration::from_secs(3_600);

/// An event that waits this long is much too late.
const LATE: Duration = Duration::from_secs(30);

pub(crate) fn run(path: &Path) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let outbox = SqliteOutbox::open(path).unwrap();
        put_back_under_a_step(&outbox).await;
        drop(outbox);
        fail_after_a_step(path).await;
    });
    note(THROUGH);
}

async fn put_back_under_a_step(outbox: &SqliteOutbox) {
    let mut engine = Engine::new(outbox.clone());
    outbox.accept(&[0, 1].map(events::event)).await.unwrap();
    let leases = engine.lease(2).await.unwrap();
    engine.settle(&[&leases[0]], put_back(HOUR)).await.unwrap();

    step("+2h", HOUR);
    outbox.accept(&[events::event(2)]).await.unwrap();
    let early: Vec<_> = engine.lease(9).await.unwrap().iter().map(|lease| lease.id.get()).collect();
    if early != [3] {
        note(&format!("only event 3 is due, not {early:?}"));
    }
    step("+0", Duration::ZERO);
    engine.settle(&[&leases[1]], put_back(Duration::from_secs(1))).await.unwrap();
    let lease = outbox.lease(Standing::Delivering(engine.epoch().unwrap()), 9);
    match timeout(LATE, lease).await {
        Ok(Ok(Turn::Leased(leased))) => {
            let age = leased.events[0].age;
            if age > LATE {
                note(&format!("its age is {age:?}"));
            }
        }
        other => note(&format!("what is due in a second comes late: {other:?}")),
    }
}

fn put_back(after: Duration) -> impl Fn(&Lease) -> Verdict {
    move |_| Verdict::PutBack { after, attempts: 1, failure: None }
}

/// The clock is an hour fast for three seconds. Then a delivery gets a 500. A second delivery
/// begins a year later by its clock, and gets another 500.
async fn fail_after_a_step(path: &Path) {
    let path = path.with_file_name("delivered.db");
    let begin = || {
        let transport = Failing::default();
        let delivery = Delivery::builder(transport.clone())
            .outbox(SqliteOutbox::open(&path).unwrap())
            .retry(RetryPolicy::new().max_age(24 * HOUR))
            .start()
            .unwrap();
        (transport, delivery)
    };
    let (transport, delivery) = begin();
    step("+1h", HOUR / 2);
    sleep(Duration::from_secs(3)).await;
    step("+0", Duration::ZERO);
    delivery.send_all(&[events::event(0)]).await.unwrap();
    expect_delivered(&delivery, &transport, "after the step").await;

    // One event fails, and waits for its next attempt at the end of the process.
    transport.fail(1);
    delivery.send_all(&[events::event(1)]).await.unwrap();
    while transport.left() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let _ = delivery.shutdown(LATE).await;
    drop(delivery);
    step("+1y", 1_000 * HOUR);
    let (transport, delivery) = begin();
    expect_delivered(&delivery, &transport, "after a restart a year later").await;
    let _ = delivery.shutdown(LATE).await;
    drop(delivery);
    step("+0", Duration::ZERO);
    let (transport, delivery) = begin();
    delivery.send_all(&[events::event(2)]).await.unwrap();
    expect_delivered(&delivery, &transport, "after a restart a year earlier").await;
}

async fn expect_delivered(delivery: &Delivery, transport: &Failing, when: &str) {
    let began = Instant::now();
    let report = delivery.flush(LATE).await;
    if !report.is_complete() || report.dead > 0 || transport.left() > 0 {
        note(&format!("{when}: {report:?} after {:?}", began.elapsed()));
    }
}

/// Answers 500 to the first request, and accepts the others.
#[derive(Clone)]
struct Failing(Arc<AtomicU32>);

impl Default for Failing {
    fn default() -> Self {
        Failing(Arc::new(AtomicU32::new(1)))
    }
}

impl Failing {
    fn fail(&self, times: u32) {
        self.0.store(times, SeqCst);
    }

    fn left(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

#[async_trait]
impl Transport for Failing {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        match self.0.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(SendError::new(ErrorKind::Unavailable).with_status(500)),
            Err(_) => Ok(Receipt::delivered(202)),
        }
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

/// Steps the clock of this process to `to` after the true time. The step must exceed `least`.
fn step(to: &str, least: Duration) {
    let before = SystemTime::now();
    fs::write(env::var(FILE).unwrap(), to).unwrap();
    let stepped = SystemTime::now().duration_since(before).unwrap_or_default();
    assert!(stepped >= least, "the clock was stepped by {stepped:?}");
}
