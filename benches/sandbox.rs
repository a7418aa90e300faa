//! The sandbox beside a bare axum handler that answers 202 to everything: the sandbox must never be
//! the bottleneck of a test.
//!
//! Measures requests a second of `POST /events` over 32 connections that stay open, one request at
//! a time on each. Each server has its own runtime and thread. The client has another thread,
//! writes requests made in advance, and reads of each response only its end: so the measured time
//! is the servers'. The sandbox does all of its work. It checks token, version and headers, judges
//! the event, finds its contact, looks for a duplicate, counts the request against the limit, and
//! records it. Nobody looks at its page.
//!
//! Every event differs from all others, because a repetition would be a duplicate.
//!
//! Bound: at least 0.7 of the baseline's requests a second.
//!
//! Command: `cargo bench -p benches --bench sandbox`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use benches::{Bound, Cost, Cpu, Report, Rounds, in_turn, microseconds, table};
use intercom_sandbox::{Sandbox, SeedContact};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const ROUNDS: usize = 40;
const CONNECTIONS: usize = 32;
const REQUESTS_PER_CONNECTION: usize = 200;
/// The number of contacts that the events belong to.
const CONTACTS: usize = 1_000;
const TOKEN: &str = "sandbox-token";

fn main() -> ExitCode {
    let mut report = Report::from_args();
    let runtime = runtime();
    let sent = Cell::new(0);
    let client_of = |address: String| {
        let mut connections = runtime.block_on(connect(&address));
        let (runtime, sent) = (&runtime, &sent);
        move || {
            let requests =
                prepare(sent.replace(sent.get() + CONNECTIONS * REQUESTS_PER_CONNECTION));
            Cost::of(Cpu::Process, || {
                connections = runtime.block_on(send(std::mem::take(&mut connections), requests));
            })
        }
    };
    let mut bare = client_of(start("bare", serve_bare));
    let mut sandbox = client_of(start("sandbox", serve_sandbox));
    let [bare, sandbox] = in_turn(ROUNDS, [&mut bare, &mut sandbox]);

    let requests = (CONNECTIONS * REQUESTS_PER_CONNECTION) as f64;
    println!(
        "{CONNECTIONS} connections, {requests} requests a round, \
         {ROUNDS} rounds; CPU with the client's\n"
    );
    let row = |name: &str, rounds: &Rounds| {
        let second = rounds.median(|cost| requests / cost.wall);
        let cpu = rounds.median(|cost| cost.cpu / requests);
        [name.to_owned(), format!("{second:.0}"), microseconds(cpu)]
    };
    table(
        ["", "requests a second", "CPU a request"],
        &[row("bare axum handler", &bare), row("sandbox", &sandbox)],
    );
    println!();
    report.ratio(
        "requests a second, of the bare handler's",
        bare.ratio(&sandbox, |cost| cost.wall),
        Bound::AtLeast(0.7),
    );
    report.finish()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

/// Runs a server on its own thread until the process ends, and returns its address.
fn start(name: &str, server: fn(Runtime, mpsc::Sender<String>)) -> String {
    let (tell, address) = mpsc::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || server(runtime(), tell)).expect("a thread can be started");
    address.recv().expect("the server starts")
}

fn serve_bare(runtime: Runtime, tell: mpsc::Sender<String>) {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        tell.send(address.to_string()).expect("main waits for it");
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().route("/events", post(async || StatusCode::ACCEPTED));
        axum::serve(listener, router).await.expect("the server runs");
    });
}

fn serve_sandbox(runtime: Runtime, tell: mpsc::Sender<String>) {
    runtime.block_on(async {
        let settings = Sandbox::builder().token(TOKEN).rate_limit(u32::MAX);
        let settings = (0..CONTACTS)
            .fold(settings, |settings, id| settings.contact(SeedContact::user_id(id.to_string())));
        let sandbox = settings.start().await.expect("a port is free");
        let address = sandbox.url().trim_start_matches("http://");
        tell.send(address.to_owned()).expect("main waits for it");
        std::future::pending::<()>().await;
    });
}

async fn connect(address: &str) -> Vec<TcpStream> {
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let connection = TcpStream::connect(address).await.expect("the server listens");
        connection.set_nodelay(true).expect("a socket has this option");
        connections.push(connection);
    }
    connections
}

/// Writes the requests of each connection. Their events are numbered from `first` on.
fn prepare(first: usize) -> Vec<Vec<String>> {
    let request = |number: usize| {
        let (user, second) = (number % CONTACTS, 1_700_000_000 + number / CONTACTS);
        let body = format!(
            r#"{{"event_name":"project_created","created_at":{second},"user_id":"{user}","metadata":{{"project_id":{number},"project_name":"Apollo"}}}}"#
        );
        format!(
            "POST /events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
             accept: application/json\r\ncontent-type: application/json\r\n\
             intercom-version: 2.16\r\nuser-agent: bench\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let of_connection = |connection: usize| {
        let first = first + connection * REQUESTS_PER_CONNECTION;
        (first..first + REQUESTS_PER_CONNECTION).map(request).collect()
    };
    (0..CONNECTIONS).map(of_connection).collect()
}

/// Sends on all connections side by side, and returns the connections.
async fn send(connections: Vec<TcpStream>, requests: Vec<Vec<String>>) -> Vec<TcpStream> {
    let mut senders = JoinSet::new();
    for (mut connection, requests) in connections.into_iter().zip(requests) {
        senders.spawn(async move {
            let mut answer = [0; 1024];
            for request in requests {
                connection.write_all(request.as_bytes()).await.expect("the server reads");
                let mut length = 0;
                // A 202 has no body, so its head is the whole response.
                while !answer[..length].ends_with(b"\r\n\r\n") {
                    let read = connection.read(&mut answer[length..]).await;
                    let read = read.expect("the server answers");
                    assert!(read > 0, "the server answers in less than {} bytes", answer.len());
                    length += read;
                }
                assert!(answer.starts_with(b"HTTP/1.1 202 "), "the event is accepted");
            }
            connection
        });
    }
    // The client never sleeps while it waits, because the server would pay for waking its thread.
    let mut all = std::pin::pin!(senders.join_all());
    std::future::poll_fn(|context| {
        let ready = all.as_mut().poll(context);
        context.waker().wake_by_ref();
        ready
    })
    .await
}
