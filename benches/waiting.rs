//! The cost of many pending events: time an event, and memory.
//!
//! The engine accepts events of many contacts while the transport is down. Then the transport is up
//! again, takes events at once, and the engine delivers them. So the bench measures the engine's
//! own work: accepting, leasing, settling. Beside it stands the same number of events in a plain
//! `VecDeque`, pushed and popped. It shows how the machine slows down with more memory.
//!
//! The bytes held are those of a `VecDeque` of exactly as many events: each event, its body, its
//! contact.
//!
//! Bounds: with a million events, memory of at most 1.3 times the bytes held. An event among a
//! million costs at most 1.5 times an event among ten thousand. The bound is not 1.0, because
//! caches do not hold a million events.
//!
//! Command: `cargo bench -p benches --bench waiting`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use benches::{Bound, Cost, Cpu, Report, count_allocations, nanoseconds, table};
use futures_util::FutureExt;
use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, IntercomEvent, Receipt, SendError, Timestamp,
    Transport, async_trait,
};
use intercom_delivery::{Delivery, MemoryOutbox};
use tokio::runtime::{Builder, Runtime};
use tokio::task::unconstrained;

/// The limit of every wait. A bench that reaches it hangs, and fails.
const HANGS: Duration = Duration::from_secs(600);

/// The pending events, and the rounds.
const LOADS: [(usize, usize); 3] = [(10_000, 101), (100_000, 11), (1_000_000, 3)];

#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid {
    invoice_id: u64,
    plan: &'static str,
    seats: u32,
}

/// Takes every event at once, or none.
#[derive(Clone, Default)]
struct Switched {
    up: Arc<AtomicBool>,
}

#[async_trait]
impl Transport for Switched {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        match self.up.load(Relaxed) {
            true => Ok(Receipt::delivered(202)),
            false => Err(SendError::new(ErrorKind::Unauthorized).with_status(401)),
        }
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

fn main() -> ExitCode {
    let mut report = Report::from_args();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let measured = LOADS.map(|(events, rounds)| measure(&runtime, events, rounds));

    println!("the engine's work for an event, by the number of pending events");
    let rows = measured.each_ref().map(|load| {
        [
            format!("{} events", load.events),
            nanoseconds(load.accept),
            nanoseconds(load.deliver),
            nanoseconds(load.plain),
            format!("{:.0} B", load.bytes_held),
            format!("{:.0} B", load.bytes_used),
            format!("{:.0} B", load.body),
        ]
    });
    table(["", "accept", "deliver", "VecDeque", "held", "used", "of it body"], &rows);
    let [few, _, many] = &measured;
    let grown = (many.accept + many.deliver) / (few.accept + few.deliver);
    report.number("cost an event of 1,000,000 to that of 10,000", grown, Bound::AtMost(1.5));
    println!("  the same of a VecDeque: {:.2}", many.plain / few.plain);
    for load in &measured {
        let name = format!("memory of {} events to the bytes held", load.events);
        report.number(&name, load.bytes_used / load.bytes_held, Bound::AtMost(1.3));
    }
    report.finish()
}

/// Seconds and bytes per event.
struct Load {
    events: usize,
    accept: f64,
    deliver: f64,
    plain: f64,
    bytes_held: f64,
    bytes_used: f64,
    body: f64,
}

fn measure(runtime: &Runtime, events: usize, rounds: usize) -> Load {
    let (mut accept, mut deliver, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (one, other) = runtime.block_on(through_the_engine(events));
        accept.push(one.cpu / events as f64);
        deliver.push(other.cpu / events as f64);
        plain.push(through_a_queue(events).cpu / events as f64);
    }
    let mut held = VecDeque::with_capacity(events);
    let bytes_held =
        count_allocations(|| (0..events).for_each(|number| held.push_back(event(number))));
    let body: usize = held.iter().map(|event| event.body().len()).sum();
    let bytes_held = bytes_held.held + (events * size_of::<DataEvent>()) as i64;
    drop(held);
    let bytes_used = runtime.block_on(bytes_used(events));
    Load {
        events,
        accept: median(accept),
        deliver: median(deliver),
        plain: median(plain),
        bytes_held: bytes_held as f64 / events as f64,
        bytes_used: bytes_used as f64 / events as f64,
        body: body as f64 / events as f64,
    }
}

fn event(number: usize) -> DataEvent {
    let event = InvoicePaid { invoice_id: number as u64, plan: "premium", seats: 12 };
    let contact = Contact::email(format!("user-{number}@example.com"));
    let time = Timestamp::from_unix_seconds(1_700_000_000);
    DataEvent::new(&event, contact, time).expect("the event is valid")
}

/// Starts a delivery over a closed switch, and returns both.
async fn start(events: usize) -> (Delivery, Switched) {
    let transport = Switched::default();
    let outbox = MemoryOutbox::new().capacity(events).max_bytes(usize::MAX);
    let delivery = Delivery::builder(transport.clone()).outbox(outbox);
    (delivery.start().expect("the settings are right"), transport)
}

async fn through_the_engine(events: usize) -> (Cost, Cost) {
    let (delivery, transport) = start(events).await;
    let tracker = delivery.tracker();
    // The events are made in advance, so that only the engine's part is measured.
    let made: Vec<DataEvent> = (0..events).map(event).collect();
    let accept = Cost::of_async(Cpu::Thread, async || {
        for event in made {
            tracker.send_prepared(event).await.expect("there is room");
        }
    });
    let accept = accept.await;
    transport.up.store(true, Relaxed);
    delivery.resume();
    let deliver = Cost::of_async(Cpu::Thread, async || {
        let report = delivery.flush(HANGS).await;
        assert_eq!(report.delivered, events as u64);
    });
    (accept, deliver.await)
}

fn through_a_queue(events: usize) -> Cost {
    let made: Vec<DataEvent> = (0..events).map(event).collect();
    let mut queue = VecDeque::new();
    Cost::of(Cpu::Thread, || {
        queue.extend(made);
        while let Some(event) = queue.pop_front() {
            drop(std::hint::black_box(event));
        }
    })
}

async fn bytes_used(events: usize) -> i64 {
    let (delivery, _transport) = start(events).await;
    let tracker = delivery.tracker();
    let counted = count_allocations(|| {
        for number in 0..events {
            let sending = tracker.send_prepared(event(number));
            let sent = unconstrained(sending).now_or_never().expect("it does not wait");
            sent.expect("there is room");
        }
    });
    assert_eq!(delivery.ledger().await.expect("it is in memory").pending, events as u64);
    counted.held
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
