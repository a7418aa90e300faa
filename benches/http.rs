//! The cost of sending by `HttpTransport`, beside a bare loop around a reqwest client.
//!
//! Measures the same encoded event, sent with 1, 32 and 128 requests in flight to a server that
//! answers 202 at once. The server is another process on this machine, reached over loopback by
//! plain HTTP/1.1, so the client's CPU time is the client's alone. The transport runs with its own
//! client, and with the bare loop's client.
//!
//! The baseline sends the same bytes and headers, made in advance, and reads the response to its
//! end. Its client has the settings of the transport's own.
//!
//! Bounds: at least 0.95 of the baseline's events a second; at most 1.05 of its CPU time; at most 5
//! heap allocations more an event.
//!
//! The same over TLS, with the bare loop's client: on HTTP/1.1 and HTTP/2, to a server that answers
//! at once and to one that answers after 50 ms. Each runs at full speed and at 600 events a second.
//! Targets: at least 0.9 of the baseline's events a second; at most 1.15 of its CPU time.
//!
//! Command: `cargo bench -p benches --bench http`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use benches::{
    Bare, Bound, Cost, Cpu, Http, Report, Rounds, Server, TOKEN, compare_over_tls,
    count_allocations, in_turn, microseconds, send_at_pace, send_side_by_side, table,
};
use intercom_core::{Contact, DataEvent, IntercomEvent, Timestamp, Transport};
use intercom_http::HttpTransport;
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 200;

/// Requests in flight, and events a round.
const LOADS: [(usize, usize); 3] = [(1, 150), (32, 640), (128, 1024)];

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
    project_name: String,
}

fn main() -> ExitCode {
    Server::run_if_told();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let mut report = Report::from_args();
    let server = Server::start(Duration::ZERO).expect("the server starts");
    for (in_flight, events) in LOADS {
        compare(&mut report, &runtime, &server, in_flight, events);
    }
    over_tls(&mut report, &runtime);
    report.finish()
}

const RIGHT: &str = "the settings are right";

fn event() -> DataEvent {
    let event = ProjectCreated { project_id: 7, project_name: "Apollo".into() };
    let ada = Contact::email("ada@example.com");
    let time = Timestamp::from_unix_seconds(1_700_000_000);
    DataEvent::new(&event, ada, time).expect("the event is valid")
}

/// Sends the event through the transport.
async fn send(transport: Arc<HttpTransport>, event: DataEvent) {
    transport.send(event).await.expect("the server answers 202");
}

fn over_tls(report: &mut Report, runtime: &Runtime) {
    let event = event();
    compare_over_tls(report, runtime, "HttpTransport", event.body(), |server, client| {
        let transport = HttpTransport::builder(TOKEN).base_url(server.url()).client(client);
        let sender = (Arc::new(transport.build().expect(RIGHT)), event.clone());
        move |pace, events| {
            let (transport, event) = sender.clone();
            send_at_pace(runtime, pace, events, move || send(transport.clone(), event.clone()));
        }
    });
}

fn compare(
    report: &mut Report,
    runtime: &Runtime,
    server: &Server,
    in_flight: usize,
    events: usize,
) {
    let event = event();
    let bare = Bare::new(server, Http::One, event.body().clone());
    let settings = || HttpTransport::builder(TOKEN).base_url(server.url());
    let own = Arc::new(settings().build().expect(RIGHT));
    let handed = Arc::new(settings().client(bare.client().clone()).build().expect(RIGHT));

    let by_bare = || {
        let bare = bare.clone();
        send_side_by_side(runtime, in_flight, events, move || bare.clone().send());
    };
    let by = |transport: &Arc<HttpTransport>| {
        let sender = (transport.clone(), event.clone());
        send_side_by_side(runtime, in_flight, events, move || {
            let (transport, event) = sender.clone();
            send(transport, event)
        });
    };
    let [bare, own, handed] = {
        let rounds = in_turn(
            ROUNDS,
            [
                &mut || Cost::of(Cpu::Process, by_bare),
                &mut || Cost::of(Cpu::Process, || by(&own)),
                &mut || Cost::of(Cpu::Process, || by(&handed)),
            ],
        );
        // Counted last: all connections are open, and all buffers have grown.
        let counted = [
            count_allocations(by_bare),
            count_allocations(|| by(&own)),
            count_allocations(|| by(&handed)),
        ];
        let mut counted = counted.into_iter();
        rounds.map(|rounds| {
            let counted = counted.next().expect("each was counted");
            let allocations = counted.allocated + counted.reallocated;
            Subject { rounds, allocations: allocations as f64 / events as f64 }
        })
    };

    println!("{in_flight} in flight; {ROUNDS} rounds of {events} events");
    let row = |name: &str, subject: &Subject| {
        [
            name.to_owned(),
            format!("{:.0}", events as f64 / subject.rounds.median(wall)),
            format!("{:.3}", bare.rounds.ratio(&subject.rounds, wall).median),
            microseconds(subject.rounds.median(cpu) / events as f64),
            format!("{:.3}", subject.rounds.ratio(&bare.rounds, cpu).median),
            format!("{:.2}", subject.allocations),
        ]
    };
    table(
        ["", "events a second", "ratio", "CPU an event", "ratio", "allocations an event"],
        &[
            row("bare reqwest", &bare),
            row("HttpTransport", &own),
            row("HttpTransport with that client", &handed),
        ],
    );
    for (name, ours) in [("", &own), (" with that client", &handed)] {
        let throughput = bare.rounds.ratio(&ours.rounds, wall);
        let cpu = ours.rounds.ratio(&bare.rounds, cpu);
        let allocations = ours.allocations - bare.allocations;
        report.ratio(&format!("events a second{name}"), throughput, Bound::AtLeast(0.95));
        report.ratio(&format!("CPU time{name}"), cpu, Bound::AtMost(1.05));
        report.number(&format!("allocations more{name}"), allocations, Bound::AtMost(5.0));
    }
    println!();
}

struct Subject {
    rounds: Rounds,
    /// Per event, reallocations included.
    allocations: f64,
}

fn wall(cost: &Cost) -> f64 {
    cost.wall
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu
}
