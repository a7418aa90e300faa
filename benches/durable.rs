//! The cost of `send` to the disk: it returns only after the fsync of the event's transaction.
//!
//! **Accepting.** Each producer sends its next event after the fsync of its last one, through a
//! tracker to a delivery whose transport never responds. In turn with them, in the same folder, one
//! thread writes 64 KiB and syncs in a loop, which is the speed of the disk. Bounds, in events a
//! second to raw syncs a second: 1 producer makes at least 0.65, 16 producers 2, and 256 producers
//! 5.
//!
//! **An event's work.** CPU time of accepting, leasing and settling, 1,000 events at a time. The
//! baseline is the least that SQLite can do: insert bodies into a table, read them, and delete them
//! by their number. Bound: at most 6 times that, for all three together.
//!
//! **Delivering.** 256 producers, 32 requests in flight, a server that answers 202 at once, from
//! the first event to the end of a flush. The baseline is the same delivery with the outbox in
//! memory. Bound: at least 0.7 of its events a second.
//!
//! The files are in Cargo's target folder, because a temporary folder may be in memory.
//!
//! Command: `cargo bench -p benches --bench durable`, or one part of it, `-- deliver`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{
    Bound, Cost, Cpu, RawSync, Report, Rounds, Server, Spread, TOKEN, in_turn, microseconds, table,
};
use intercom_core::{
    Contact, ContactCreation, DataEvent, ErrorKind, IntercomEvent, Receipt, SendError, Timestamp,
    Tracker, Transport, async_trait,
};
use intercom_delivery::outbox::{
    Epoch, Lease, Operate, Outbox, Slot, Standing, Turn, UsedSlot, Verdict,
};
use intercom_delivery::{Delivery, MemoryOutbox};
use intercom_http::HttpTransport;
use intercom_sqlite::SqliteOutbox;
use intercom_sqlite::rusqlite::Connection;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// The limit of every wait. A bench that reaches it hangs, and fails.
const HANGS: Duration = Duration::from_secs(600);

const RIGHT: &str = "the settings are right";
const ACCEPTED: &str = "there is room, and the event is valid";
const WORKS: &str = "the disk works";

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
    report.run(&runtime, &[("accept", accept), ("work", work), ("deliver", deliver)]);
    report.finish()
}

/// Makes a folder on the disk under measurement.
fn disk_folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect(WORKS)
}

/// Returns another second for each round, so that its events collide with none of another round.
fn another_second() -> Timestamp {
    thread_local!(static SECOND: Cell<i64> = const { Cell::new(1_700_000_000) });
    let second = SECOND.get();
    SECOND.set(second + 1);
    Timestamp::from_unix_seconds(second)
}

/// Sends this many events of each producer, and returns how long each `send` took.
async fn produce(tracker: &Tracker, producers: usize, each: usize) -> Vec<f64> {
    let time = another_second();
    let mut tasks = JoinSet::new();
    for producer in 0..producers {
        let tracker = tracker.clone();
        tasks.spawn(async move {
            let mut taken = Vec::with_capacity(each);
            for number in 0..each {
                let tracker = tracker.for_contact(Contact::user_id(producer * each + number));
                let begun = Instant::now();
                tracker.send_at(&INVOICE_PAID, time).await.expect(ACCEPTED);
                taken.push(begun.elapsed().as_secs_f64());
            }
            taken
        });
    }
    tasks.join_all().await.concat()
}

/// A transport that never responds.
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn send(self: Arc<Self>, _: DataEvent) -> Result<Receipt, SendError> {
        pending().await
    }

    async fn create_contact(&self, _: &Contact) -> Result<ContactCreation, SendError> {
        Err(SendError::new(ErrorKind::Unsupported))
    }
}

/// Producers, events of each a round, rounds, and the bound.
const LOADS: [(usize, usize, usize, f64); 3] =
    [(1, 500, 20, 0.65), (16, 250, 20, 2.0), (256, 100, 12, 5.0)];

fn accept(report: &mut Report, runtime: &Runtime) {
    const SYNCS: usize = 500;

    println!("accepting; the baseline writes 64 KiB and syncs, {SYNCS} times a round");
    let mut rows = Vec::new();
    let measured = LOADS.map(|(producers, each, rounds, least)| {
        let folder = disk_folder();
        let mut raw = RawSync::in_folder(folder.path()).expect(WORKS);
        let outbox = SqliteOutbox::open(folder.path().join("events.db")).expect(RIGHT);
        let handle = outbox.clone();
        let delivery = runtime.block_on(async { Delivery::builder(Silent).outbox(outbox).start() });
        let delivery = delivery.expect(RIGHT);
        let tracker = delivery.tracker();
        let taken = RefCell::new(Vec::new());
        let before = handle.commits();
        let [raw, ours] = in_turn(
            rounds,
            [&mut || Cost::of(Cpu::Process, || raw.run(SYNCS).expect(WORKS)), &mut || {
                Cost::of(Cpu::Process, || {
                    let round = runtime.block_on(produce(&tracker, producers, each));
                    taken.borrow_mut().extend(round);
                })
            }],
        );
        let events = producers * each;
        let a_commit = (events * (rounds + 1)) as f64 / (handle.commits() - before) as f64;
        let [p50, p99] = percentiles(taken.into_inner(), [0.5, 0.99]);
        let [syncs, rate] = [SYNCS as f64 / raw.median(wall), events as f64 / ours.median(wall)];
        rows.push([
            format!("{producers} producers"),
            format!("{syncs:.0}"),
            format!("{rate:.0}"),
            format!("{a_commit:.1}"),
            microseconds(p50),
            microseconds(p99),
            microseconds(ours.median(cpu) / events as f64),
        ]);
        (producers, raw.ratio(&ours, wall).times(events as f64 / SYNCS as f64), least)
    });
    table(
        ["", "syncs a second", "events a second", "a commit", "p50", "p99", "CPU an event"],
        &rows,
    );
    for (producers, ratio, least) in measured {
        let what = format!("events a raw sync, of {producers} producers");
        report.ratio(&what, ratio, Bound::AtLeast(least));
    }
    println!();
}

fn percentiles<const N: usize>(mut numbers: Vec<f64>, parts: [f64; N]) -> [f64; N] {
    numbers.sort_by(f64::total_cmp);
    parts.map(|part| numbers[((numbers.len() - 1) as f64 * part) as usize])
}

const BATCH: usize = 1_000;

/// Makes a batch of events, each of another contact.
fn batch() -> Vec<DataEvent> {
    let time = another_second();
    let event = |number| DataEvent::new(&INVOICE_PAID, Contact::user_id(number), time);
    (0..BATCH).map(|number| event(number).expect("the event is valid")).collect()
}

/// The least that SQLite can do.
struct Plain(Connection);

impl Plain {
    fn open(folder: &std::path::Path) -> Plain {
        let conn = Connection::open(folder.join("plain.db")).expect(WORKS);
        let set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                      CREATE TABLE events (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT";
        conn.execute_batch(set_up).expect(WORKS);
        Plain(conn)
    }

    fn work(&mut self, events: &[DataEvent]) {
        let transaction = self.0.transaction().expect(WORKS);
        let mut insert =
            transaction.prepare_cached("INSERT INTO events (body) VALUES (?1)").expect(WORKS);
        for event in events {
            let body = str::from_utf8(event.body()).expect("it is JSON");
            insert.execute([body]).expect(WORKS);
        }
        drop(insert);
        transaction.commit().expect(WORKS);
        let read = |row: &intercom_sqlite::rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let mut select =
            self.0.prepare_cached("SELECT id, body FROM events ORDER BY id").expect(WORKS);
        let rows: Result<Vec<(i64, String)>, _> =
            select.query_map([], read).expect(WORKS).collect();
        drop(select);
        let transaction = self.0.transaction().expect(WORKS);
        let mut delete =
            transaction.prepare_cached("DELETE FROM events WHERE id = ?1").expect(WORKS);
        for (id, _) in rows.expect(WORKS) {
            delete.execute([id]).expect(WORKS);
        }
        drop(delete);
        transaction.commit().expect(WORKS);
    }
}

async fn lease(outbox: &SqliteOutbox, epoch: Epoch) -> Vec<Lease> {
    match outbox.lease(Standing::Delivering(epoch), BATCH).await.expect(WORKS) {
        Turn::Leased(leased) => leased.events,
        other => panic!("{other:?}"),
    }
}

/// Settles events as delivered, and drops the slots of the round before the last one.
async fn settle(outbox: &SqliteOutbox, epoch: Epoch, leases: &[Lease], round: i64) {
    let [forget_before, keep_until] = [round, round + 2].map(Timestamp::from_unix_seconds);
    let delivered = |lease: &Lease| {
        let used = UsedSlot::new(Slot::of(&lease.event), keep_until);
        lease.settle(Verdict::Delivered { used })
    };
    let settlements: Vec<_> = leases.iter().map(delivered).collect();
    assert!(outbox.settle(epoch, &settlements, forget_before).await.expect(WORKS).is_empty());
}

fn work(report: &mut Report, runtime: &Runtime) {
    const ROUNDS: i64 = 200;

    let folder = disk_folder();
    let mut plain = Plain::open(folder.path());
    let outbox = SqliteOutbox::open(folder.path().join("events.db")).expect(RIGHT);
    let turn = runtime.block_on(outbox.lease(Standing::Unknown, 0)).expect(WORKS);
    let Turn::Began(tenure) = turn else { panic!("{turn:?}") };
    let epoch = tenure.epoch;
    let mut leases = Vec::new();
    let mut costs = [const { Vec::new() }; 4];
    let cost = |work: &mut dyn FnMut()| Cost::of(Cpu::Process, work).cpu / BATCH as f64;
    for round in 0..ROUNDS {
        let events = batch();
        let costs_of_it = [
            cost(&mut || plain.work(&events)),
            cost(&mut || {
                runtime.block_on(outbox.accept(&events)).expect(ACCEPTED);
            }),
            cost(&mut || leases = runtime.block_on(lease(&outbox, epoch))),
            cost(&mut || runtime.block_on(settle(&outbox, epoch, &leases, round))),
        ];
        costs.iter_mut().zip(costs_of_it).for_each(|(costs, cost)| costs.push(cost));
    }
    let all = |round: usize| costs[1][round] + costs[2][round] + costs[3][round];
    let ratio = Spread::of((0..costs[0].len()).map(|round| all(round) / costs[0][round]));
    let [plain, accept, lease_, settle_] =
        costs.map(|costs| microseconds(Spread::of(costs.into_iter()).median));
    println!("an event's CPU time, {BATCH} at a time; {ROUNDS} rounds");
    table(["plain table", "accept", "lease", "settle"], &[[plain, accept, lease_, settle_]]);
    report.ratio("CPU time to that of a plain table", ratio, Bound::AtMost(6.0));

    println!();
}

/// Starts a delivery to `server`.
fn start(runtime: &Runtime, server: &Server, outbox: impl Outbox + Operate + 'static) -> Delivery {
    let transport = HttpTransport::builder(TOKEN).base_url(server.url()).build();
    let delivery = Delivery::builder(transport.expect(RIGHT)).concurrency(32).outbox(outbox);
    runtime.block_on(async { delivery.start() }).expect(RIGHT)
}

fn deliver(report: &mut Report, runtime: &Runtime) {
    const ROUNDS: usize = 12;
    const PRODUCERS: usize = 256;
    const EACH: usize = 40;
    const EVENTS: usize = PRODUCERS * EACH;

    let server = Server::start(Duration::ZERO).expect("the server starts");
    let folder = disk_folder();
    let durable = SqliteOutbox::open(folder.path().join("events.db")).expect(RIGHT);
    let handle = durable.clone();
    let memory = start(runtime, &server, MemoryOutbox::new());
    let durable = start(runtime, &server, durable);
    let round = |delivery: &Delivery| {
        runtime.block_on(async {
            let before = delivery.ledger().await.expect(WORKS).delivered;
            produce(&delivery.tracker(), PRODUCERS, EACH).await;
            let report = delivery.flush(HANGS).await;
            assert_eq!(report.delivered - before, EVENTS as u64);
        });
    };
    let mut raw = RawSync::in_folder(folder.path()).expect(WORKS);
    let [memory, durable, raw] = in_turn(
        ROUNDS,
        [
            &mut || Cost::of(Cpu::Process, || round(&memory)),
            &mut || Cost::of(Cpu::Process, || round(&durable)),
            &mut || Cost::of(Cpu::Process, || raw.run(100).expect(WORKS)),
        ],
    );
    println!(
        "delivering, {PRODUCERS} producers, 32 in flight; {ROUNDS} rounds of {EVENTS} events; \
         {:.0} raw syncs a second",
        100.0 / raw.median(wall)
    );
    let a_commit = (EVENTS * (ROUNDS + 1)) as f64 / handle.commits() as f64;
    let row = |name: &str, rounds: &Rounds, a_commit: String| {
        let each = microseconds(rounds.median(cpu) / EVENTS as f64);
        [name.to_owned(), format!("{:.0}", EVENTS as f64 / rounds.median(wall)), each, a_commit]
    };
    table(
        ["", "events a second", "CPU an event", "a commit"],
        &[
            row("in memory", &memory, String::new()),
            row("durable", &durable, format!("{a_commit:.1}")),
        ],
    );
    let ratio = memory.ratio(&durable, wall);
    report.ratio("events a second, of those in memory", ratio, Bound::AtLeast(0.7));
}

fn wall(cost: &Cost) -> f64 {
    cost.wall
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu
}
