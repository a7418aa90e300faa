//! Sending events by `HttpTransport`, against a bare loop around a reqwest client.
//!
//! What is measured: the same encoded event, sent with 1, 32 and 128 requests in flight to a server that
//! answers 202 at once. The server is another process on this machine, reached over loopback by plain HTTP/1.1,
//! so that the client's CPU time is its own, and nothing hides it. The transport runs with its own client, and
//! with the client of the bare loop handed to it.
//!
//! The baseline sends the same bytes and the same headers, made beforehand, and reads the answer to its end. Its
//! client has the settings of the transport's own.
//!
//! Bounds: at least 0.95 of the baseline's events a second; at most 1.05 of its CPU time; at most 5 heap
//! allocations more an event.
//!
//! Command: `cargo bench -p benches --bench http`

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{env, io, process, thread};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use benches::{Bound, Cost, Cpu, Report, Rounds, count_allocations, in_turn, microseconds, table};
use bytes::Bytes;
use intercom_core::{Contact, DataEvent, IntercomEvent, Timestamp, Transport};
use intercom_http::reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue,
};
use intercom_http::reqwest::{Client, Url, redirect};
use intercom_http::{DEFAULT_API_VERSION, DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, HttpTransport};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const ROUNDS: usize = 200;

/// How many requests are in flight, and how many events a round sends.
const LOADS: [(usize, usize); 3] = [(1, 150), (32, 640), (128, 1024)];

/// The argument that makes this program the server.
const SERVE: &str = "--serve";

const TOKEN: &str = "dG9rOmFjY2Vzc190b2tlbl9vZl9hX2JlbmNobWFyaw";
const USER_AGENT: &str = concat!("intercom-rust/", env!("CARGO_PKG_VERSION"));
const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
    project_name: String,
}

fn main() -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    if env::args().any(|argument| argument == SERVE) {
        runtime.block_on(serve()).expect("the server runs");
        return ExitCode::SUCCESS;
    }
    let mut report = Report::from_args();
    let server = Server::start().expect("the server starts");
    for (in_flight, events) in LOADS {
        compare(&mut report, &runtime, &server, in_flight, events);
    }
    report.finish()
}

fn compare(
    report: &mut Report,
    runtime: &Runtime,
    server: &Server,
    in_flight: usize,
    events: usize,
) {
    const RIGHT: &str = "the settings are right";
    let event = ProjectCreated { project_id: 7, project_name: "Apollo".into() };
    let ada = Contact::email("ada@example.com");
    let time = Timestamp::from_unix_seconds(1_700_000_000);
    let event = DataEvent::new(&event, ada, time).expect("the event is valid");

    let bare = Bare::new(&server.url, event.body().clone());
    let settings = || HttpTransport::builder(TOKEN).base_url(&server.url);
    let own = settings().build().expect(RIGHT);
    let handed = settings().client(bare.client.clone()).build().expect(RIGHT);

    let by_bare = || {
        let bare = bare.clone();
        run(runtime, in_flight, events, move || bare.clone().send());
    };
    let by = |transport: &HttpTransport| {
        let sender = (transport.clone(), event.clone());
        run(runtime, in_flight, events, move || {
            let (transport, event) = sender.clone();
            async move {
                transport.send(event).await.expect("the server answers 202");
            }
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
        // Counted last: the connections are there, and all buffers have grown.
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
    /// An event, reallocations included.
    allocations: f64,
}

/// Sends so many events, with so many in flight.
fn run<F>(
    runtime: &Runtime,
    in_flight: usize,
    events: usize,
    send: impl Fn() -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let begun = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..in_flight {
            let (begun, send) = (begun.clone(), send.clone());
            tasks.spawn(async move {
                while begun.fetch_add(1, Relaxed) < events {
                    send().await;
                }
            });
        }
        tasks.join_all().await;
    });
}

/// What one would write without this project, all that is always the same made beforehand.
#[derive(Clone)]
struct Bare {
    client: Client,
    url: Url,
    authorization: HeaderValue,
    version: HeaderValue,
    body: Bytes,
}

impl Bare {
    fn new(url: &str, body: Bytes) -> Bare {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .timeout(DEFAULT_TIMEOUT)
            .connect_timeout(DEFAULT_CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .expect("the settings are right");
        let mut authorization = HeaderValue::try_from(format!("Bearer {TOKEN}"))
            .expect("the token can stand in a header");
        authorization.set_sensitive(true);
        Bare {
            client,
            url: format!("{url}/events").parse().expect("it is a URL"),
            authorization,
            version: HeaderValue::from_static(DEFAULT_API_VERSION),
            body,
        }
    }

    async fn send(self) {
        let request = self
            .client
            .post(self.url)
            .header(AUTHORIZATION, self.authorization)
            .header(ACCEPT, JSON)
            .header(CONTENT_TYPE, JSON)
            .header(INTERCOM_VERSION, self.version)
            .body(self.body);
        let mut response = request.send().await.expect("the server answers");
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        while response.chunk().await.expect("the answer is whole").is_some() {}
    }
}

/// The server: this same program in another process.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> io::Result<Server> {
        let mut process = Command::new(env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().expect("it is piped");
        let mut server = Server { process, url: String::new() };
        BufReader::new(stdout).read_line(&mut server.url)?;
        server.url.truncate(server.url.trim_end().len());
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers 202 to every event, until the process that reads from this one has ended.
async fn serve() -> io::Result<()> {
    thread::spawn(|| {
        // The end of the input is the end of the process at its other side.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let answer = async |_body: Bytes| StatusCode::ACCEPTED;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().route("/events", post(answer))).await
}

fn wall(cost: &Cost) -> f64 {
    cost.wall
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu
}
