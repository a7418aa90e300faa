//! The worker process: an application server that accepts events, and delivers in its turn.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, Receipt, SendError, Transport, async_trait,
};
use intercom_delivery::{Delivery, State};
use intercom_http::HttpTransport;
use intercom_postgres::PostgresOutbox;
use tests::process::told_to_end;
use tokio::task::yield_now;
use tokio::time::{interval, sleep};

use crate::events::{PER_PROCESS, contact, event, time};
use crate::ledger::{Pen, Word};
use crate::plan::{CONCURRENCY, Plan};

/// The argument that makes this program a worker.
pub(crate) const WORKER: &str = "worker";

/// The line of a worker that has begun to accept.
pub(crate) const BEGUN: &str = "begun";

/// The line of a worker that delivers. The epoch follows.
pub(crate) const DELIVERS: &str = "delivers under ";

/// The line of a worker that stands by.
pub(crate) const STANDS_BY: &str = "stands by";

/// The line of a worker that noticed a clock step.
pub(crate) const CLOCK_SET: &str = "the clock was set by ";

/// The line of a worker that has ended in order.
pub(crate) const ENDED: &str = "ended";

/// The interval between looks at the delivery's state.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The clock error in seconds that counts as no step.
const CLOCK_ERROR: i64 = 60;

/// The deadline of a shutdown.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// The pause after the outbox refused an event.
const REST: Duration = Duration::from_millis(50);

pub(crate) async fn work(plan: &str) {
    let plan: Plan = serde_json::from_str(plan).unwrap();
    let told_to_end = told_to_end();
    let transport = Arc::new(Signed::new(&plan));
    let outbox = PostgresOutbox::builder(&plan.database)
        .name(format!("process {}", plan.number))
        .listen(plan.listen)
        .connect()
        .await
        .unwrap();
    let delivery = Delivery::builder(transport.clone()).outbox(outbox).concurrency(CONCURRENCY);
    let delivery = Arc::new(delivery.start().unwrap());
    transport.delivery.set(Arc::downgrade(&delivery)).unwrap();
    tokio::spawn(tell_state(delivery.clone()));

    let pen = Arc::new(Pen::open(&plan.ledger));
    let next = Arc::new(AtomicU64::new(plan.number * PER_PROCESS));
    let produce = || produce(delivery.clone(), plan.clone(), pen.clone(), next.clone());
    let producers: Vec<_> = (0..plan.producers).map(|_| tokio::spawn(produce())).collect();
    say(BEGUN);
    told_to_end.await.unwrap();
    let _ = delivery.shutdown(SHUTDOWN).await;
    for producer in producers {
        producer.await.unwrap();
    }
    say(ENDED);
}

/// A transport that adds the number of the process and the present epoch to each request.
struct Signed {
    plan: Plan,
    delivery: OnceLock<Weak<Delivery>>,
    by_epoch: Mutex<BTreeMap<u64, Arc<HttpTransport>>>,
}

impl Signed {
    fn new(plan: &Plan) -> Self {
        Signed { plan: plan.clone(), delivery: OnceLock::new(), by_epoch: Mutex::default() }
    }

    async fn transport(&self) -> Arc<HttpTransport> {
        let epoch = loop {
            // The first request may begin before `delivery` is set.
            let delivery = self.delivery.get().and_then(Weak::upgrade);
            if let Some(turn) = delivery.and_then(|delivery| delivery.status().turn) {
                break turn.epoch.get();
            }
            yield_now().await;
        };
        let Plan { token, url, number, .. } = &self.plan;
        let make = || {
            let transport = HttpTransport::builder(token)
                .base_url(url)
                .user_agent(format!("process/{number} epoch/{epoch}"))
                .timeout(Duration::from_secs(5));
            Arc::new(transport.build().unwrap())
        };
        self.by_epoch.lock().unwrap().entry(epoch).or_insert_with(make).clone()
    }
}

#[async_trait]
impl Transport for Signed {
    async fn send(self: Arc<Self>, event: DataEvent) -> Result<Receipt, SendError> {
        self.transport().await.send(event).await
    }

    async fn create_contact(&self, contact: &Contact) -> Result<ContactCreation, SendError> {
        self.transport().await.create_contact(contact).await
    }
}

/// Accepts events until the process is killed, or asked to end.
async fn produce(delivery: Arc<Delivery>, plan: Plan, pen: Arc<Pen>, next: Arc<AtomicU64>) {
    let tracker = delivery.tracker();
    let mut pace = interval(Duration::from_millis(plan.pace.max(1)));
    loop {
        pace.tick().await;
        let number = next.fetch_add(1, Ordering::Relaxed);
        let tracker = tracker.for_contact(contact(number, plan.contacts));
        match tracker.send_at(&event(number), time(number)).await {
            Ok(_) => pen.write(Word::Accepted, number),
            Err(error) if error.kind() == ErrorKind::Closed => return,
            Err(error) if error.to_string().contains("may have been accepted") => {
                pen.write(Word::InDoubt, number);
            }
            Err(_) => {
                pen.write(Word::Refused, number);
                sleep(REST).await;
            }
        }
    }
}

/// Prints who delivers, whenever that changes.
async fn tell_state(delivery: Arc<Delivery>) {
    let mut look = interval(LOOK_INTERVAL);
    let mut last = String::new();
    let (begun, mut since) = (Instant::now(), SystemTime::now());
    loop {
        look.tick().await;
        let set_by = seconds(SystemTime::now()) - seconds(since + begun.elapsed());
        if set_by.abs() > CLOCK_ERROR {
            say(&format!("{CLOCK_SET}{set_by}"));
            since = SystemTime::now() - begun.elapsed();
        }
        let status = delivery.status();
        let state = match (&status.state, &status.turn) {
            (State::Standby { .. }, _) => STANDS_BY.to_owned(),
            (_, Some(turn)) => format!("{DELIVERS}{}", turn.epoch),
            _ => continue,
        };
        if state != last {
            say(&state);
            last = state;
        }
    }
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

fn say(words: &str) {
    println!("{words}");
}
