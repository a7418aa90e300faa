//! Kills a process with pending events, and shows that none of them is lost.
//!
//! ```sh
//! cargo run --example durable_outbox
//! ```
//!
//! It starts itself once more, as a shop that takes orders. Intercom goes down, and the shop is killed with `kill -9`.
//! What it had accepted was on the disk: it is started again, and delivers it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::error::Error;
use std::io;
use std::path::Path;
use std::process::{self, Stdio};
use std::time::Duration;

use intercom_core::IntercomEvent;
use intercom_delivery::{Delivery, Outbox as _};
use intercom_http::HttpTransport;
use intercom_sandbox::{ReceivedEvent, Sandbox};
use intercom_sqlite::SqliteOutbox;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::interval;

/// Somebody ordered something.
#[derive(IntercomEvent)]
#[event(name = "order_placed")]
struct OrderPlaced {
    #[event(user_id)]
    customer: u64,
    order_number: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => kill_and_compare().await,
        ["shop", work, file, url, token] => shop(work, file, url, token).await,
        _ => Err("this example takes no arguments".into()),
    }
}

/// The process to kill.
async fn shop(work: &str, file: &str, url: &str, token: &str) -> Result<(), Box<dyn Error>> {
    let transport = HttpTransport::builder(token).base_url(url).build()?;
    let outbox = SqliteOutbox::open(file)?;
    println!("the shop opens, {} events are pending", outbox.counts().await?.pending);
    let delivery = Delivery::builder(transport).outbox(outbox).start()?;

    if work == TAKES_ORDERS {
        let tracker = delivery.tracker();
        let mut customers = interval(Duration::from_millis(20));
        let asked_to_end = examples::asked_to_end();
        tokio::pin!(asked_to_end);
        for order_number in 1.. {
            tokio::select! {
                _ = customers.tick() => {}
                // Nobody asks in this example: the shop is killed.
                asked = &mut asked_to_end => {
                    asked?;
                    break;
                }
            }
            tracker.send(&OrderPlaced { customer: order_number, order_number }).await?;
            // Said when it is safe, and not before.
            println!("{ACCEPTED}{order_number}");
        }
    }
    if work == DELIVERS {
        // A shutdown alone would leave them to the next start: they are safe in the file.
        let mut look = interval(Duration::from_millis(50));
        while delivery.ledger().await?.pending > 0 {
            look.tick().await;
        }
    }
    println!("the shop closes: {}", delivery.shutdown(Duration::from_secs(30)).await);
    Ok(())
}

const TAKES_ORDERS: &str = "takes orders";
const DELIVERS: &str = "delivers";
const ACCEPTED: &str = "accepted: order ";

/// The process that kills it.
async fn kill_and_compare() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("events.db");
    let mut accepted = BTreeSet::new();

    let sandbox = Sandbox::builder().know_everybody(true).deduplicate(false).start().await?;
    let mut shop = Shop::start(TAKES_ORDERS, &file, &sandbox)?;
    while accepted.len() < 5 {
        accepted.extend(order_in(&shop.says().await?.ok_or("the shop ended")?));
    }
    let mut arrived = sandbox.wait_for(5).await;
    println!("\n-- Intercom goes down, and the shop need not care\n");
    sandbox.shutdown().await;
    while accepted.len() < 15 {
        accepted.extend(order_in(&shop.says().await?.ok_or("the shop ended")?));
    }

    shop.process.start_kill()?;
    // What it had already said counts as well.
    while let Some(line) = shop.says().await? {
        accepted.extend(order_in(&line));
    }
    println!("\n-- the shop was killed: {}\n", shop.process.wait().await?);
    look_inside(&file)?;

    println!("\n-- Intercom is back, and the shop is started again\n");
    let sandbox = Sandbox::builder().know_everybody(true).deduplicate(false).start().await?;
    let mut shop = Shop::start(DELIVERS, &file, &sandbox)?;
    while shop.says().await?.is_some() {}
    if !shop.process.wait().await?.success() {
        return Err("the shop failed".into());
    }
    arrived.extend(sandbox.events());
    compare(&accepted, &arrived)
}

/// The other process, and what it prints.
struct Shop {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Shop {
    fn start(work: &str, file: &Path, sandbox: &Sandbox) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(env::current_exe()?)
            .args(["shop", work])
            .arg(file)
            .args([sandbox.url(), sandbox.token()])
            .stdout(Stdio::piped())
            .kill_on_drop(true) // `SIGKILL`, as `start_kill` does
            .spawn()?;
        let output = process.stdout.take().ok_or("the shop has no output")?;
        Ok(Shop { process, output: BufReader::new(output).lines() })
    }

    /// Its next line, shown, until it has ended.
    async fn says(&mut self) -> io::Result<Option<String>> {
        let line = self.output.next_line().await?;
        line.iter().for_each(|line| println!("  {line}"));
        Ok(line)
    }
}

/// The order that the shop reports as accepted.
fn order_in(line: &str) -> Option<u64> {
    line.strip_prefix(ACCEPTED)?.parse().ok()
}

/// What anybody can see in the file, whoever is at work in it.
fn look_inside(file: &Path) -> Result<(), Box<dyn Error>> {
    let counts = SqliteOutbox::inspect(file)?.counts()?;
    println!("in the file: {} delivered, {} pending", counts.delivered, counts.pending);
    let query = "SELECT id, event_name, attempts, last_failure FROM pending_events LIMIT 3";
    println!("$ sqlite3 {} '{query}'", file.display());
    match process::Command::new("sqlite3").arg(file).arg(query).output() {
        Ok(shown) => print!("{}", String::from_utf8_lossy(&shown.stdout)),
        Err(error) => println!("(there is no sqlite3 here to show it: {error})"),
    }
    Ok(())
}

/// Whether everything that the shop said it had accepted is there, and once.
fn compare(accepted: &BTreeSet<u64>, arrived: &[ReceivedEvent]) -> Result<(), Box<dyn Error>> {
    // Where the same bytes came again, Intercom knows the repetition: it is not another event.
    let mut orders: BTreeMap<u64, BTreeSet<&[u8]>> = BTreeMap::new();
    for event in arrived {
        let number = event.metadata_value("order_number").and_then(|number| number.as_u64());
        orders.entry(number.ok_or("an event has no number")?).or_default().insert(event.body());
    }
    let missing = accepted.iter().filter(|order| !orders.contains_key(order)).count();
    let twice = orders.values().filter(|events| events.len() > 1).count();
    let unsaid = orders.keys().filter(|order| !accepted.contains(order)).count();
    println!();
    println!("{} orders were accepted: {missing} are missing, {twice} came twice", accepted.len());
    if unsaid > 0 {
        println!("{unsaid} more came: safe on the disk when the kill kept the shop from saying so");
    }
    match missing + twice {
        0 => Ok(()),
        _ => Err("an event is missing, or came twice".into()),
    }
}
