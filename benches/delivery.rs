//! The cost of accepting events, and of delivering them through the engine.
//!
//! **Accepting.** An event of three fields is encoded, checked and accepted by an engine whose
//! transport never responds. Each event names its contact anew. The baseline is a bounded Tokio
//! channel without a receiver, which takes the same bytes, made in advance. Both start empty in
//! each round, and hold the round's events at its end. Bounds: at most 1 µs and 3 heap allocations
//! an event, each the median.
//!
//! **Delivering.** Events of two fields are accepted one after the other and delivered with 32
//! requests in flight, to a server that answers 202 at once. The time runs from the first `send` to
//! the end of a flush. The baseline is a bare loop around a reqwest client, 32 at a time, with one
//! body made in advance. The server is another process, reached over loopback by plain HTTP/1.1.
//! Bounds: at least 0.85 of the baseline's events a second; at most 1.15 of its CPU time; at most 5
//! heap allocations more an event.
//!
//! **A slow server**, which answers after 50 ms. Bound: at least 0.95 of what 32 in flight allow,
//! which is 640 events a second. The report shows the bare loop too.
//!
//! **TLS.** The same with the bare loop's client settings, on HTTP/1.1 and HTTP/2, to a server that
//! answers at once and to one that answers after 50 ms. Each runs at full speed and at 600 events a
//! second. Targets: at least 0.9 of the baseline's events a second; at most 1.15 of its CPU time.
//!
//! Command: `cargo bench -p benches --bench delivery`, or one part of it, `-- tls`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use benches::{
    Bare, Bound, Cost, Cpu, Http, IN_FLIGHT, Pace, Report, Server, TOKEN, compare_over_tls,
    count_allocations, in_turn, microseconds, nanoseconds, send_side_by_side, table,
};
use bytes::Bytes;
use futures_util::FutureExt;
use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, IntercomEvent, Receipt, SendError, Timestamp,
    Tracker, Transport, async_trait,
};
use intercom_delivery::{Delivery, MemoryOutbox, MemoryTracker};
use intercom_http::HttpTransport;
use intercom_http::reqwest::Client;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::interval;

/// The limit of every wait. A bench that reaches it hangs, and fails.
const HANGS: Duration = Duration::from_secs(600);

const RIGHT: &str = "the settings are right";
const ACCEPTED: &str = "there is room, and the event is valid";

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
    project_name: &'static str,
}

#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid {
    invoice_id: u64,
    plan: &'static str,
    seats: u32,
}

const INVOICE_PAID: InvoicePaid = InvoicePaid { invoice_id: 4_711, plan: "premium", seats: 12 };

fn main() -> ExitCode {
    Server::run_if_told();
    let mut report = Report::from_args();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    report.run(
        &runtime,
        &[
            ("accept", accept),
            ("deliver", deliver),
            ("slow", deliver_slowly),
            ("tls", deliver_over_tls),
        ],
    );
    report.finish()
}

/// A transport that never responds.
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        std::future::pending().await
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

fn accept(report: &mut Report, runtime: &Runtime) {
    const ROUNDS: usize = 300;
    const EVENTS: usize = 5_000;

    let addresses: Vec<String> =
        (0..EVENTS).map(|number| format!("user-{number}@example.com")).collect();
    let time = Timestamp::from_unix_seconds(1_700_000_000);
    let body = DataEvent::new(&INVOICE_PAID, Contact::email(&addresses[EVENTS - 1]), time);
    let body = body.expect("the event is valid").body().clone();

    let start = || {
        let outbox = MemoryOutbox::new().capacity(2 * EVENTS);
        Delivery::builder(Silent).start_in_memory(outbox).expect(RIGHT)
    };
    let by_send = async |tracker: &Tracker| {
        for address in &addresses {
            let contact = Contact::email(address);
            tracker.for_contact(contact).send(&INVOICE_PAID).await.expect(ACCEPTED);
        }
    };
    let by_try_send = |tracker: &MemoryTracker| {
        for address in &addresses {
            let contact = Contact::email(address);
            tracker.for_contact(contact).try_send(&INVOICE_PAID).expect(ACCEPTED);
        }
    };
    let by_channel = async |channel: &mpsc::Sender<Bytes>| {
        for _ in 0..EVENTS {
            channel.send(body.clone()).await.expect("it is open");
        }
    };

    let [channel, send, try_send] = in_turn(
        ROUNDS,
        [
            &mut || {
                runtime.block_on(async {
                    let (channel, _receiver) = mpsc::channel(EVENTS);
                    Cost::of_async(Cpu::Thread, async || by_channel(&channel).await).await
                })
            },
            &mut || {
                runtime.block_on(async {
                    let (_delivery, tracker) = start();
                    Cost::of_async(Cpu::Thread, async || by_send(&tracker).await).await
                })
            },
            &mut || {
                runtime.block_on(async {
                    let (_delivery, tracker) = start();
                    Cost::of_async(Cpu::Thread, async || by_try_send(&tracker)).await
                })
            },
        ],
    );
    // Measured one by one: the queue sometimes allocates a block, which belongs to no single event.
    let counted = |send: bool| {
        runtime.block_on(async {
            let (delivery, memory) = start();
            let tracker = delivery.tracker();
            let mut counts: Vec<u64> = Vec::with_capacity(EVENTS);
            for address in &addresses {
                let counted = count_allocations(|| {
                    let contact = Contact::email(address);
                    let sent = match send {
                        true => {
                            let sending = tracker.for_contact(contact).send(&INVOICE_PAID);
                            // A call that finds room never waits, so one poll completes it.
                            unconstrained(sending).now_or_never().expect("there is room")
                        }
                        false => memory.for_contact(contact).try_send(&INVOICE_PAID),
                    };
                    sent.expect(ACCEPTED);
                });
                counts.push(counted.allocated + counted.reallocated);
            }
            counts.sort_unstable();
            counts[EVENTS / 2] as f64
        })
    };
    let (send_allocations, try_send_allocations) = (counted(true), counted(false));

    println!("accepting; {ROUNDS} rounds of {EVENTS} events of three fields");
    let each = |rounds: &benches::Rounds| rounds.median(wall) / EVENTS as f64;
    let row = |name: &str, rounds: &benches::Rounds, allocations: Option<f64>| {
        [
            name.to_owned(),
            nanoseconds(each(rounds)),
            format!("{:.2}", rounds.ratio(&channel, wall).median),
            allocations.map_or("-".to_owned(), |number| format!("{number:.0}")),
        ]
    };
    table(
        ["", "an event", "ratio", "allocations an event"],
        &[
            row("Tokio channel, bytes made in advance", &channel, None),
            row("tracker.for_contact(…).send(…).await", &send, Some(send_allocations)),
            row("memory_tracker.for_contact(…).try_send(…)", &try_send, Some(try_send_allocations)),
        ],
    );
    report.number("microseconds to send", each(&send) * 1e6, Bound::AtMost(1.0));
    report.number("microseconds to try_send", each(&try_send) * 1e6, Bound::AtMost(1.0));
    report.number("allocations of send", send_allocations, Bound::AtMost(3.0));
    report.number("allocations of try_send", try_send_allocations, Bound::AtMost(3.0));
    println!();
}

/// A delivery to a server, with its tracker.
struct Ours {
    delivery: Delivery,
    tracker: Tracker,
    contacts: Vec<Contact>,
    /// Each round has its own second, so that its events collide with none of another round.
    second: Cell<i64>,
}

impl Ours {
    fn start(server: &Server, client: Option<Client>, events: usize) -> Ours {
        let transport = HttpTransport::builder(TOKEN).base_url(server.url());
        let transport = match client {
            Some(client) => transport.client(client),
            None => transport,
        };
        let delivery = Delivery::builder(transport.build().expect(RIGHT)).concurrency(IN_FLIGHT);
        let delivery = delivery.start().expect(RIGHT);
        let tracker = delivery.tracker();
        let contacts = (0..events).map(Contact::user_id).collect();
        Ours { delivery, tracker, contacts, second: Cell::new(1_700_000_000) }
    }

    /// Delivers this many events, each of another contact.
    async fn deliver(&self, pace: Pace, events: usize) {
        let mut tick = match pace {
            Pace::Fast => None,
            Pace::Each(period) => Some(interval(period)),
        };
        let event = ProjectCreated { project_id: 7, project_name: "Apollo" };
        let time = Timestamp::from_unix_seconds(self.second.replace(self.second.get() + 1));
        let before = self.delivery.ledger().await.expect(RIGHT).delivered;
        for contact in &self.contacts[..events] {
            if let Some(tick) = &mut tick {
                tick.tick().await;
            }
            let tracker = self.tracker.for_contact(contact.clone());
            tracker.send_at(&event, time).await.expect(ACCEPTED);
        }
        let report = self.delivery.flush(HANGS).await;
        assert_eq!(report.delivered - before, events as u64);
    }
}

/// Makes a bare loop that sends the same event.
fn bare(server: &Server) -> Bare {
    Bare::new(server, Http::One, body())
}

/// Returns the body of that event.
fn body() -> Bytes {
    let event = ProjectCreated { project_id: 7, project_name: "Apollo" };
    let time = Timestamp::from_unix_seconds(1_700_000_000);
    let event = DataEvent::new(&event, Contact::user_id(100), time).expect("the event is valid");
    event.body().clone()
}

fn deliver(report: &mut Report, runtime: &Runtime) {
    const ROUNDS: usize = 200;
    const EVENTS: usize = 1_000;

    let server = Server::start(Duration::ZERO).expect("the server starts");
    let bare = bare(&server);
    let ours = runtime.block_on(async { Ours::start(&server, None, EVENTS) });
    let by_bare = || {
        let bare = bare.clone();
        send_side_by_side(runtime, IN_FLIGHT, EVENTS, move || bare.clone().send());
    };
    let by_ours = || runtime.block_on(ours.deliver(Pace::Fast, EVENTS));

    let [baseline, delivery] = in_turn(
        ROUNDS,
        [&mut || Cost::of(Cpu::Process, by_bare), &mut || Cost::of(Cpu::Process, by_ours)],
    );
    let [bare_allocations, our_allocations] =
        [count_allocations(by_bare), count_allocations(by_ours)]
            .map(|counted| (counted.allocated + counted.reallocated) as f64 / EVENTS as f64);

    println!("delivering, {IN_FLIGHT} in flight; {ROUNDS} rounds of {EVENTS} events");
    let row = |name: &str, rounds: &benches::Rounds, allocations: f64| {
        [
            name.to_owned(),
            format!("{:.0}", EVENTS as f64 / rounds.median(wall)),
            format!("{:.3}", baseline.ratio(rounds, wall).median),
            microseconds(rounds.median(cpu) / EVENTS as f64),
            format!("{:.3}", rounds.ratio(&baseline, cpu).median),
            format!("{allocations:.2}"),
        ]
    };
    table(
        ["", "events a second", "ratio", "CPU an event", "ratio", "allocations an event"],
        &[
            row("bare reqwest", &baseline, bare_allocations),
            row("Delivery", &delivery, our_allocations),
        ],
    );
    let throughput = baseline.ratio(&delivery, wall);
    report.ratio("events a second", throughput, Bound::AtLeast(0.85));
    report.ratio("CPU time", delivery.ratio(&baseline, cpu), Bound::AtMost(1.15));
    let more = our_allocations - bare_allocations;
    report.number("allocations more", more, Bound::AtMost(5.0));
    println!();
}

fn deliver_slowly(report: &mut Report, runtime: &Runtime) {
    const ROUNDS: usize = 5;
    const EVENTS: usize = IN_FLIGHT * 40;
    const ANSWERS_AFTER: Duration = Duration::from_millis(50);

    let server = Server::start(ANSWERS_AFTER).expect("the server starts");
    let bare = bare(&server);
    let ours = runtime.block_on(async { Ours::start(&server, None, EVENTS) });
    let by_bare = || {
        let bare = bare.clone();
        send_side_by_side(runtime, IN_FLIGHT, EVENTS, move || bare.clone().send());
    };
    let [baseline, delivery] = in_turn(
        ROUNDS,
        [&mut || Cost::of(Cpu::Process, by_bare), &mut || {
            Cost::of(Cpu::Process, || runtime.block_on(ours.deliver(Pace::Fast, EVENTS)))
        }],
    );
    let allowed = IN_FLIGHT as f64 / ANSWERS_AFTER.as_secs_f64();
    println!(
        "delivering to a server that answers after {} ms, {IN_FLIGHT} in flight; \
         {ROUNDS} rounds of {EVENTS} events",
        ANSWERS_AFTER.as_millis()
    );
    let rate = |rounds: &benches::Rounds| EVENTS as f64 / rounds.median(wall);
    let row = |name: &str, rate: f64| {
        [name.to_owned(), format!("{rate:.0}"), format!("{:.3}", rate / allowed)]
    };
    table(
        ["", "events a second", "ratio"],
        &[
            row("what is allowed", allowed),
            row("bare reqwest", rate(&baseline)),
            row("Delivery", rate(&delivery)),
        ],
    );
    report.number(
        "events a second, of the possible 640",
        rate(&delivery) / allowed,
        Bound::AtLeast(0.95),
    );
}

fn deliver_over_tls(report: &mut Report, runtime: &Runtime) {
    const EVENTS: usize = 1_000;

    compare_over_tls(report, runtime, "Delivery", &body(), |server, client| {
        let ours = runtime.block_on(async { Ours::start(server, Some(client), EVENTS) });
        move |pace, events| runtime.block_on(ours.deliver(pace, events))
    });
}

fn wall(cost: &Cost) -> f64 {
    cost.wall
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu
}
