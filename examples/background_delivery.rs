//! Hands events over in no time, and has them delivered to an Intercom that is anything but reliable.
//!
//! ```sh
//! cargo run --example background_delivery
//! ```
//!
//! The local Intercom knows nobody at first, is down for a moment, asks for a pause, hangs up, and refuses an event for
//! good. The example prints the ledger, which always balances.

use std::error::Error;
use std::time::{Duration, Instant};

use intercom_core::{Contact, IntercomEvent};
use intercom_delivery::{Delivery, Selection, State, UnknownContact};
use intercom_http::HttpTransport;
use intercom_sandbox::{Answer, Sandbox};
use tokio::time::interval;

/// Somebody did something in a project.
#[derive(IntercomEvent)]
#[event(name = "task_completed")]
struct TaskCompleted {
    /// The number of the task.
    task_id: u64,
    /// The project that it belongs to.
    project_name: &'static str,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = flaky_sandbox().await?;
    let transport = HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build()?;
    let delivery = Delivery::builder(transport)
        .unknown_contact(UnknownContact::Create)
        .on_dead_letter(|letter| println!("{letter}"))
        .start()?;

    // Five people complete a hundred tasks each. `send` returns when the outbox has accepted the
    // event.
    let tracker = delivery.tracker();
    let begun = Instant::now();
    for task_id in 0..500 {
        let contact = Contact::email(format!("user-{}@example.com", task_id % 5));
        let event = TaskCompleted { task_id, project_name: "Apollo" };
        tracker.for_contact(contact).send(&event).await?;
    }
    println!("500 events accepted in {:?}", begun.elapsed());

    // Deliver, and look now and then how that is going.
    let mut look = interval(Duration::from_millis(250));
    let flush = delivery.flush(Duration::from_secs(60));
    let asked_to_end = examples::asked_to_end();
    tokio::pin!(flush, asked_to_end);
    let report = loop {
        tokio::select! {
            report = &mut flush => break report,
            asked = &mut asked_to_end => {
                asked?;
                // The outbox is in memory, so `shutdown` delivers all events.
                println!("shut down: {}", delivery.shutdown(Duration::from_secs(30)).await);
                return Ok(());
            }
            _ = look.tick() => {
                println!("{}", delivery.ledger().await?);
                let state = delivery.status().state;
                if !matches!(state, State::Delivering) {
                    println!("  {state}");
                }
            }
        }
    };
    println!("flushed: {report}");

    // The event that was refused is no longer scripted to be: it can be sent again.
    for letter in delivery.dead_letters(None, 10).await? {
        println!("still there: {letter}");
    }
    println!("{} redriven", delivery.redrive(&Selection::All).await?);

    let report = delivery.shutdown(Duration::from_secs(30)).await;
    println!("shut down: {report}");
    println!("{}", delivery.ledger().await?);

    // Intercom would have ignored all but one event of a contact in a second, so they stand in seconds of their own.
    let contacts = sandbox.contacts().len();
    println!("the sandbox has {} events of {contacts} contacts", sandbox.event_count());
    match report.is_complete() && sandbox.event_count() == 500 && sandbox.duplicate_count() == 0 {
        true => Ok(()),
        false => Err("an event is missing".into()),
    }
}

/// A local Intercom that fails in every way that passes, and once for good.
async fn flaky_sandbox() -> Result<Sandbox, Box<dyn Error>> {
    let sandbox = Sandbox::start().await?;
    let rate_limited = Answer::error(429, "rate_limit_exceeded", "Exceeded rate limit");
    for answer in [
        Answer::error(503, "service_unavailable", "Down for a moment"),
        Answer::status(502).header("Content-Type", "text/html").body("<h1>Bad Gateway</h1>"),
        Answer::hang_up(),
        rate_limited.header("Retry-After", "1"),
        Answer::error(422, "parameter_invalid", "This one is refused"),
        Answer::hang_up(),
        Answer::error(500, "server_error", "And once more"),
    ] {
        sandbox.answer_next(answer);
    }
    Ok(sandbox)
}
