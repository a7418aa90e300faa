//! Two application servers share one outbox in PostgreSQL. The example kills the deliverer, and loses nothing.
//!
//! ```sh
//! cargo run --example fleet
//! ```
//!
//! It starts PostgreSQL in a temporary folder, a local Intercom, and itself twice more, as servers of a shop. Both accept
//! orders. One delivers them, and is killed with `kill -9`. The other takes over within ten seconds. At the end the ledger
//! balances, and each order that a server had accepted has arrived.
//!
//! It needs PostgreSQL: `apt-get install postgresql`.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::error::Error;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_core::IntercomEvent;
use intercom_delivery::{Delivery, Outbox as _, State};
use intercom_http::HttpTransport;
use intercom_postgres::PostgresOutbox;
use intercom_sandbox::Sandbox;
use test_postgres::Server;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

/// Somebody ordered something.
#[derive(IntercomEvent)]
#[event(name = "order_placed")]
struct OrderPlaced<'a> {
    #[event(user_id)]
    customer: u64,
    order_number: u64,
    accepted_by: &'a str,
}

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => kill_the_deliverer().await,
        ["server", name, first, database, url, token] => {
            serve(name, first.parse()?, database, url, token).await
        }
        _ => Err("this example takes no arguments".into()),
    }
}

/// One application server. It runs on every machine of a fleet in the same way.
async fn serve(
    name: &str,
    first: u64,
    database: &str,
    url: &str,
    token: &str,
) -> Result<(), Box<dyn Error>> {
    let transport = HttpTransport::builder(token).base_url(url).build()?;
    let outbox = PostgresOutbox::builder(database).name(name).connect().await?;
    let delivery = Arc::new(Delivery::builder(transport).outbox(outbox).start()?);
    tokio::spawn(tell_state(delivery.clone()));

    let tracker = delivery.tracker();
    let mut customers = interval(Duration::from_millis(25));
    for order_number in first.. {
        customers.tick().await;
        let order = OrderPlaced { customer: order_number, order_number, accepted_by: name };
        tracker.send(&order).await?;
        // Said when PostgreSQL has it on its disk, and not before.
        println!("{ACCEPTED}{order_number}");
    }
    Ok(())
}

const ACCEPTED: &str = "accepted: order ";
const DELIVERS: &str = "delivers";

/// Says who delivers, whenever that changes.
async fn tell_state(delivery: Arc<Delivery>) {
    let (mut look, mut last) = (interval(Duration::from_millis(20)), String::new());
    loop {
        look.tick().await;
        let status = delivery.status();
        let state = match (&status.state, status.turn) {
            (State::Standby { deliverer, .. }, _) => format!("stands by: {deliverer} delivers"),
            (_, Some(turn)) => format!("{DELIVERS}, under epoch {}", turn.epoch),
            _ => continue,
        };
        if state != last {
            println!("{state}");
            last = state;
        }
    }
}

/// The program that starts all of it, and kills one of the servers.
async fn kill_the_deliverer() -> Result<(), Box<dyn Error>> {
    let database = Server::start()?;
    println!("PostgreSQL runs at {}", database.url());
    let sandbox = Sandbox::builder().know_everybody(true).deduplicate(false).start().await?;
    let (tell, mut heard) = mpsc::unbounded_channel();
    let mut fleet = Fleet { accepted: BTreeSet::new(), delivers: None };

    let mut ada = start("ada", 1_000, &database, &sandbox, &tell)?;
    fleet.listen(&mut heard, |fleet| fleet.delivers.as_deref() == Some("ada")).await?;
    let mut bob = start("bob", 2_000, &database, &sandbox, &tell)?;
    let both = |fleet: &Fleet| [1_010, 2_010].iter().all(|order| fleet.accepted.contains(order));
    fleet.listen(&mut heard, both).await?;
    timeout(PATIENCE, sandbox.wait_for(20)).await?;

    println!("\n-- ada delivers what both accept, and is killed: kill -9\n");
    ada.start_kill()?;
    ada.wait().await?;
    let killed = Instant::now();
    fleet.listen(&mut heard, |fleet| fleet.delivers.as_deref() == Some("bob")).await?;
    println!("\n-- bob took over after {:.1} s\n", killed.elapsed().as_secs_f64());

    bob.start_kill()?;
    bob.wait().await?;
    drop(tell);
    while let Some((name, line)) = heard.recv().await {
        fleet.hear(&name, &line);
    }
    println!("\n-- bob is killed too, and a third process delivers what is left\n");
    let outbox = PostgresOutbox::builder(&database.url()).name("eve").connect().await?;
    let transport = HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build()?;
    let delivery = Delivery::builder(transport).outbox(outbox.clone()).start()?;
    let mut look = interval(Duration::from_millis(50));
    let begun = Instant::now();
    while outbox.counts().await?.pending > 0 {
        if begun.elapsed() > PATIENCE {
            return Err("events are pending still".into());
        }
        look.tick().await;
    }
    let ledger = delivery.ledger().await?;
    println!("the ledger of the fleet: {ledger}");
    let report = delivery.shutdown(PATIENCE).await;
    println!("eve ends: {report}");
    if !ledger.is_balanced() {
        return Err("the ledger does not balance".into());
    }
    compare(&fleet.accepted, &sandbox)
}

/// Starts this program once more, as an application server.
fn start(
    name: &'static str,
    first: u64,
    database: &Server,
    sandbox: &Sandbox,
    tell: &mpsc::UnboundedSender<(String, String)>,
) -> Result<Child, Box<dyn Error>> {
    let mut process = Command::new(env::current_exe()?)
        .args(["server", name, &first.to_string(), &database.url()])
        .args([sandbox.url(), sandbox.token()])
        .stdout(Stdio::piped())
        .kill_on_drop(true) // `SIGKILL`, as `start_kill` does
        .spawn()?;
    let output = process.stdout.take().ok_or("the server has no output")?;
    let tell = tell.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = tell.send((name.to_owned(), line));
        }
    });
    Ok(process)
}

/// What the servers said so far.
struct Fleet {
    accepted: BTreeSet<u64>,
    delivers: Option<String>,
}

impl Fleet {
    fn hear(&mut self, name: &str, line: &str) {
        match line.strip_prefix(ACCEPTED).and_then(|order| order.parse().ok()) {
            Some(order) => {
                self.accepted.insert(order);
            }
            None => println!("  {name}: {line}"),
        }
        if line.starts_with(DELIVERS) {
            self.delivers = Some(name.to_owned());
        }
    }

    /// Listens until this is so.
    async fn listen(
        &mut self,
        heard: &mut mpsc::UnboundedReceiver<(String, String)>,
        is_so: impl Fn(&Fleet) -> bool,
    ) -> Result<(), Box<dyn Error>> {
        while !is_so(self) {
            let said = timeout(PATIENCE, heard.recv()).await?;
            let (name, line) = said.ok_or("the servers have ended")?;
            self.hear(&name, &line);
        }
        Ok(())
    }
}

/// Whether everything that a server said it had accepted is there, and once.
fn compare(accepted: &BTreeSet<u64>, sandbox: &Sandbox) -> Result<(), Box<dyn Error>> {
    let events = sandbox.events();
    // Where the same bytes came again, Intercom knows the repetition: it is not another event.
    let mut orders: BTreeMap<u64, BTreeSet<&[u8]>> = BTreeMap::new();
    for event in &events {
        let number = event.metadata_value("order_number").and_then(|number| number.as_u64());
        orders.entry(number.ok_or("an event has no number")?).or_default().insert(event.body());
    }
    let missing = accepted.iter().filter(|order| !orders.contains_key(order)).count();
    let twice = orders.values().filter(|bodies| bodies.len() > 1).count();
    let again = events.len() - orders.len();
    println!("{} orders were accepted: {missing} are missing, {twice} came twice", accepted.len());
    println!("{again} were sent again after a kill, with the same bytes");
    match missing + twice {
        0 => Ok(()),
        _ => Err("an event is missing, or came twice".into()),
    }
}
