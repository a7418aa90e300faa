//! The cost of one outbox in PostgreSQL that a fleet shares.
//!
//! The need: Intercom takes 417 events a second of a workspace, and the outbox must accept bursts
//! of 10,000 at once. All rounds use one server with fsync, in the folder for temporary files. Each
//! baseline runs in turn with ours.
//!
//! **Accepting** (`accept`). 1, 16 and 64 callers, each of which accepts its next event after the
//! commit of the last one. The baseline has as many connections, each of which commits one plain
//! one-row `INSERT` after the other. Bound: at least 0.6 of its rows a second. Then 4 callers that
//! accept 100 events at once, beside 4 connections that insert 100 rows in a statement. Bound: at
//! least 0.6.
//!
//! **In the application's transaction** (`transaction`). 1 and 16 connections, each of which
//! inserts an order and commits, without and with a call of `intercom.accept`. Bound: at most 1.3
//! times the time. The call waits for the UPDATE before it, or is sent together with it, as
//! tokio-postgres does for calls that are awaited together. A third transaction inserts the body into
//! a table of the application's own instead. It shows how much of the time one more statement takes,
//! whatever it does.
//!
//! **Delivering** (`deliver`). 256 producers, 32 requests in flight, and a server that answers 202
//! at once. The time runs from the first event to the end of a flush, as in the bench `durable` for
//! SQLite. The baseline is the same delivery with the outbox in memory. Bound: at least 0.5 of its
//! events a second.
//!
//! **An old snapshot** (`snapshot`). The same delivery while a transaction elsewhere holds an older
//! snapshot. The baseline is the delivery without it, just before. Bound: at least 0.8 of its
//! events a second in the last third of the rounds.
//!
//! **Takeover** (`takeover`). The time until another process delivers, after a release and after a
//! crash of the deliverer. Bounds: 1 second, and 10 seconds.
//!
//! Command: `cargo bench -p benches --bench fleet`, or one part of it, `-- deliver`. It needs
//! PostgreSQL: `apt-get install postgresql`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{Bound, Cost, Cpu, Report, Rounds, Spread, TOKEN, in_turn, table};
use intercom_core::{Contact, DataEvent, IntercomEvent, Timestamp, Tracker};
use intercom_delivery::outbox::{Operate, Outbox, Standing, Tenure, Turn};
use intercom_delivery::{Delivery, MemoryOutbox};
use intercom_http::HttpTransport;
use intercom_postgres::PostgresOutbox;
use test_postgres::Server;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

/// The limit of every wait. A bench that reaches it hangs, and fails.
const HANGS: Duration = Duration::from_secs(600);

const RIGHT: &str = "the settings are right";
const ACCEPTED: &str = "there is room, and the event is valid";
const WORKS: &str = "PostgreSQL works";

#[derive(IntercomEvent)]
#[event(name = "invoice_paid")]
struct InvoicePaid {
    invoice_id: u64,
    plan: &'static str,
    seats: u32,
}

const INVOICE_PAID: InvoicePaid = InvoicePaid { invoice_id: 4_711, plan: "premium", seats: 12 };

fn main() -> ExitCode {
    benches::Server::run_if_told();
    let mut report = Report::from_args();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    report.run(
        &runtime,
        &[
            ("accept", accept),
            ("transaction", transaction),
            ("deliver", deliver),
            ("snapshot", snapshot),
            ("takeover", takeover),
        ],
    );
    report.finish()
}

fn server() -> Server {
    Server::with(&[]).expect("PostgreSQL is installed: apt-get install postgresql")
}

/// Opens connections of an application, with a table of orders.
async fn connect(server: &Server, number: usize) -> Vec<Client> {
    let mut clients = Vec::with_capacity(number);
    for _ in 0..number {
        let (client, connection) =
            tokio_postgres::connect(&server.url(), NoTls).await.expect(WORKS);
        tokio::spawn(connection);
        let made = "CREATE TABLE IF NOT EXISTS orders \
                    (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body text NOT NULL);
                    CREATE TABLE IF NOT EXISTS notes \
                    (body json NOT NULL, id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY)";
        client.batch_execute(made).await.expect(WORKS);
        clients.push(client);
    }
    clients
}

fn events(number: usize) -> Vec<DataEvent> {
    let time = Timestamp::from_unix_seconds(1_750_000_000);
    let event = |number| DataEvent::new(&INVOICE_PAID, Contact::user_id(number), time);
    (0..number).map(|number| event(number).expect("the event is valid")).collect()
}

fn body() -> String {
    let event = events(1).remove(0);
    str::from_utf8(event.body()).expect("it is JSON").to_owned()
}

/// Runs `work` `times` times on each subject, all subjects at the same time.
async fn each<S, F>(subjects: Vec<S>, times: usize, work: impl Fn(S, usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for subject in subjects {
        tasks.spawn(work(subject, times));
    }
    tasks.join_all().await;
}

async fn insert_one_by_one(client: Arc<Client>, times: usize) {
    let statement = client.prepare("INSERT INTO orders (body) VALUES ($1)").await.expect(WORKS);
    let body = body();
    for _ in 0..times {
        client.execute(&statement, &[&body]).await.expect(WORKS);
    }
}

async fn insert_hundreds(client: Arc<Client>, times: usize) {
    let statement = client.prepare("INSERT INTO orders (body) SELECT unnest($1::text[])");
    let statement = statement.await.expect(WORKS);
    let bodies = vec![body(); HUNDRED];
    for _ in 0..times {
        client.execute(&statement, &[&bodies]).await.expect(WORKS);
    }
}

const HUNDRED: usize = 100;

async fn accept_these(outbox: PostgresOutbox, events: Arc<[DataEvent]>, times: usize) {
    for _ in 0..times {
        outbox.accept(&events).await.expect(ACCEPTED);
    }
}

fn accept(report: &mut Report, runtime: &Runtime) {
    /// Callers, events at once, calls of each a round, and rounds.
    const LOADS: [(usize, usize, usize, usize); 4] =
        [(1, 1, 400, 12), (16, 1, 150, 12), (64, 1, 60, 12), (4, HUNDRED, 25, 12)];

    let server = server();
    let outbox = runtime.block_on(PostgresOutbox::connect(&server.url())).expect(RIGHT);
    println!("accepting; the baseline is a plain INSERT of as many rows, and its commit");
    let mut rows = Vec::new();
    let measured = LOADS.map(|(callers, at_once, times, rounds)| {
        let clients = runtime.block_on(connect(&server, callers));
        let clients: Vec<_> = clients.into_iter().map(Arc::new).collect();
        let accepted: Arc<[DataEvent]> = events(at_once).into();
        let [plain, ours] = in_turn(
            rounds,
            [
                &mut || {
                    Cost::of(Cpu::Process, || {
                        let clients = clients.clone();
                        runtime.block_on(async {
                            match at_once {
                                1 => each(clients, times, insert_one_by_one).await,
                                _ => each(clients, times, insert_hundreds).await,
                            }
                        });
                    })
                },
                &mut || {
                    Cost::of(Cpu::Process, || {
                        let outboxes = vec![outbox.clone(); callers];
                        runtime.block_on(each(outboxes, times, |outbox, times| {
                            accept_these(outbox, accepted.clone(), times)
                        }));
                    })
                },
            ],
        );
        let events = (callers * at_once * times) as f64;
        let name = match at_once {
            1 => format!("{callers} callers"),
            _ => format!("{callers} callers, {at_once} at once"),
        };
        rows.push([name.clone(), rate(events, &plain), rate(events, &ours)]);
        (name, plain.ratio(&ours, wall))
    });
    table(["", "rows a second", "events a second"], &rows);
    for (name, ratio) in measured {
        report.ratio(&format!("events a row, {name}"), ratio, Bound::AtLeast(0.6));
    }
    println!();
}

/// One more statement of a transaction.
#[derive(Clone, Copy)]
enum More {
    Nothing,
    /// Sent after the answer to the statement before.
    After(&'static str),
    /// Sent together with the statement before.
    With(&'static str),
}

const INSERT: &str = "INSERT INTO notes SELECT unnest($1::text[]::json[])";
const ACCEPT: &str = "SELECT intercom.accept($1::text[]::json[])";

/// Transactions of an application. Each statement waits for the one before it, as in most
/// applications.
async fn order(client: Arc<Client>, times: usize, more: More) {
    let insert = client.prepare("INSERT INTO orders (body) VALUES ($1) RETURNING id").await;
    let insert = insert.expect(WORKS);
    let read = client.prepare("SELECT body FROM orders WHERE id = $1").await.expect(WORKS);
    let change = client.prepare("UPDATE orders SET body = $2 WHERE id = $1").await.expect(WORKS);
    let last = match more {
        More::Nothing => "SELECT 1",
        More::After(last) | More::With(last) => last,
    };
    let last = client.prepare(last).await.expect(WORKS);
    let (body, bodies) = (body(), vec![body()]);
    for _ in 0..times {
        client.batch_execute("BEGIN").await.expect(WORKS);
        let id: i64 = client.query_one(&insert, &[&body]).await.expect(WORKS).get(0);
        client.query_one(&read, &[&id]).await.expect(WORKS);
        let change = async { client.execute(&change, &[&id, &body]).await.expect(WORKS) };
        let last = async { client.query(&last, &[&bodies]).await.expect(WORKS) };
        match more {
            More::Nothing => drop(change.await),
            More::After(_) => drop((change.await, last.await)),
            More::With(_) => drop(tokio::join!(change, last)),
        }
        client.batch_execute("COMMIT").await.expect(WORKS);
    }
}

fn transaction(report: &mut Report, runtime: &Runtime) {
    const LOADS: [(usize, usize, usize); 2] = [(1, 600, 14), (16, 120, 14)];

    let server = server();
    // Creates the tables.
    let outbox = runtime.block_on(PostgresOutbox::connect(&server.url())).expect(RIGHT);
    println!("in the application's transaction: an INSERT, a SELECT, an UPDATE, and the commit");
    let mut rows = Vec::new();
    let measured = LOADS.map(|(connections, times, rounds)| {
        let clients = runtime.block_on(connect(&server, connections));
        let clients: Vec<_> = clients.into_iter().map(Arc::new).collect();
        let round = |more| {
            let clients = clients.clone();
            move || {
                Cost::of(Cpu::Process, || {
                    runtime.block_on(each(clients.clone(), times, |client, times| {
                        order(client, times, more)
                    }));
                })
            }
        };
        let [alone, plain, after, with] = in_turn(
            rounds,
            [
                &mut round(More::Nothing),
                &mut round(More::After(INSERT)),
                &mut round(More::After(ACCEPT)),
                &mut round(More::With(ACCEPT)),
            ],
        );
        let transactions = (connections * times) as f64;
        let name = format!("{connections} connections");
        let [r1, r2, r3, r4] =
            [&alone, &plain, &after, &with].map(|rounds| rate(transactions, rounds));
        rows.push([name.clone(), r1, r2, r3, r4]);
        (name, [plain, after, with].map(|more| more.ratio(&alone, wall)))
    });
    drop(outbox);
    table(["a second", "alone", "with an INSERT", "with an event", "sent together"], &rows);
    for (name, [plain, after, with]) in measured {
        println!("time of a transaction with an INSERT, {name}: {:.3}", plain.median);
        report.ratio(&format!("time with an event, {name}"), after, Bound::AtMost(1.3));
        report.ratio(&format!("time if sent together, {name}"), with, Bound::AtMost(1.3));
    }
    println!();
}

/// Sends this many events of each producer, and waits for their delivery.
async fn produce_and_deliver(delivery: &Delivery, producers: usize, times: usize) {
    let before = delivery.ledger().await.expect(WORKS).delivered;
    let trackers: Vec<(usize, Tracker)> =
        (0..producers).map(|producer| (producer, delivery.tracker())).collect();
    let time = Timestamp::now();
    each(trackers, times, move |(producer, tracker), times| async move {
        for number in 0..times {
            let tracker = tracker.for_contact(Contact::user_id(producer * times + number));
            tracker.send_at(&INVOICE_PAID, time).await.expect(ACCEPTED);
        }
    })
    .await;
    let report = delivery.flush(HANGS).await;
    assert_eq!(report.delivered - before, (producers * times) as u64);
}

const PRODUCERS: usize = 256;
const EACH: usize = 40;

fn start(
    runtime: &Runtime,
    to: &benches::Server,
    outbox: impl Outbox + Operate + 'static,
) -> Delivery {
    let transport = HttpTransport::builder(TOKEN).base_url(to.url()).build().expect(RIGHT);
    let delivery = Delivery::builder(transport).concurrency(32).outbox(outbox);
    runtime.block_on(async { delivery.start() }).expect(RIGHT)
}

fn deliver(report: &mut Report, runtime: &Runtime) {
    let server = server();
    let outbox = runtime.block_on(PostgresOutbox::connect(&server.url())).expect(RIGHT);
    let intercom = benches::Server::start(Duration::ZERO).expect("the server starts");
    let memory = start(runtime, &intercom, MemoryOutbox::new());
    let shared = start(runtime, &intercom, outbox);
    let round = |delivery: &Delivery| {
        Cost::of(Cpu::Process, || {
            runtime.block_on(produce_and_deliver(delivery, PRODUCERS, EACH));
        })
    };
    let [memory, shared] = in_turn(8, [&mut || round(&memory), &mut || round(&shared)]);
    let events = (PRODUCERS * EACH) as f64;
    println!("delivering, {PRODUCERS} producers, 32 in flight, {events} events a round");
    table(
        ["", "events a second"],
        &[
            ["in memory".to_owned(), rate(events, &memory)],
            ["in PostgreSQL".to_owned(), rate(events, &shared)],
        ],
    );
    let ratio = memory.ratio(&shared, wall);
    report.ratio("events a second, of those in memory", ratio, Bound::AtLeast(0.5));
    println!();
}

fn snapshot(report: &mut Report, runtime: &Runtime) {
    const ROUNDS: usize = 12;

    let server = server();
    let outbox = runtime.block_on(PostgresOutbox::connect(&server.url())).expect(RIGHT);
    let intercom = benches::Server::start(Duration::ZERO).expect("the server starts");
    let delivery = start(runtime, &intercom, outbox);
    let round = || {
        Cost::of(Cpu::Process, || {
            runtime.block_on(produce_and_deliver(&delivery, PRODUCERS, EACH));
        })
        .wall
    };
    round();
    let before: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    let clients = runtime.block_on(connect(&server, 1));
    let hold = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders";
    runtime.block_on(clients[0].batch_execute(hold)).expect(WORKS);
    let held: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    runtime.block_on(clients[0].batch_execute("COMMIT")).expect(WORKS);
    let median = |times: &[f64]| Spread::of(times.iter().copied()).median;
    let last = &held[2 * ROUNDS / 3..];
    let events = (PRODUCERS * EACH) as f64;
    println!(
        "delivering while a transaction holds an old snapshot, \
        {ROUNDS} rounds of {events} events"
    );
    table(
        ["before, a second", "first third", "last third"],
        &[[median(&before), median(&held[..ROUNDS / 3]), median(last)]
            .map(|time| format!("{:.0}", events / time))],
    );
    let before = median(&before);
    let ratio = Spread::of(last.iter().map(|held| before / held));
    report.ratio("events a second at the end, of those before", ratio, Bound::AtLeast(0.8));
    println!();
}

async fn begin(outbox: &PostgresOutbox, mut standing: Standing) -> (Tenure, Duration) {
    let begun = Instant::now();
    loop {
        let turn = timeout(HANGS, outbox.lease(standing, 1)).await.expect("somebody delivers");
        match turn.expect(WORKS) {
            Turn::Began(tenure) => return (tenure, begun.elapsed()),
            Turn::Standby(standby) => standing = Standing::Standby(standby.epoch),
            Turn::Leased(_) => panic!("a lease needs a turn"),
        }
    }
}

/// Lets another outbox take over, and returns after how long. The first one has its own runtime.
/// That runtime ends with all of its tasks and connections, as a killed process does.
async fn take_over(url: &str, releases: bool) -> Duration {
    let own = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let own = own.expect("a runtime can be made");
    let first_url = url.to_owned();
    let begun = own.spawn(async move {
        let first = PostgresOutbox::connect(&first_url).await.expect(RIGHT);
        let (tenure, _) = begin(&first, Standing::Unknown).await;
        (first, tenure)
    });
    let (first, tenure) = begun.await.expect("the first one delivers");
    let second = PostgresOutbox::connect(url).await.expect(RIGHT);
    let epoch = tenure.epoch;
    let waits = tokio::spawn(async move { begin(&second, Standing::Standby(epoch)).await.1 });
    // The standby must wait, and must have seen the first one alive.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    if releases {
        own.spawn(async move { first.release(epoch).await.expect(WORKS) })
            .await
            .expect("it hands over");
    }
    own.shutdown_background();
    waits.await.expect("the standby takes over");
    drop(tenure);
    begun.elapsed()
}

fn takeover(report: &mut Report, runtime: &Runtime) {
    const ROUNDS: usize = 3;

    let server = server();
    println!("taking over; {ROUNDS} rounds");
    for (name, releases, limit) in
        [("after a release", true, 1.0), ("after the deliverer crashed", false, 10.0)]
    {
        let times =
            (0..ROUNDS).map(|_| runtime.block_on(take_over(&server.url(), releases)).as_secs_f64());
        let slowest = times.fold(0.0, f64::max);
        report.number(&format!("seconds {name}, the slowest"), slowest, Bound::AtMost(limit));
    }
    println!();
}

fn rate(events: f64, rounds: &Rounds) -> String {
    format!("{:.0}", events / rounds.median(wall))
}

fn wall(cost: &Cost) -> f64 {
    cost.wall
}
