//! `intercom send`: one event from the command line, or many from a file or standard input.

mod event;
mod line;
mod stream;

use std::fmt;
use std::time::Duration;

use clap::Args;
use intercom_core::{DataEvent, Receipt, Tracker};
use serde::Serialize;

use crate::body::MaskedBody;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flushing::Flushing;
use crate::lock_file::{LockArguments, LockFile};
use crate::outbox_location::Location;
use crate::output::Printable;
use crate::settings::{Access, OutboxArguments};
use crate::time;
use event::EventArguments;

/// Sends an event to Intercom, or accepts it in an outbox
///
/// The lock says the kind of a value by its key. Without a lock the value's form decides: 349.99
/// is a number, 349.99EUR is money, and true and false are booleans. The value of a key that
/// ends in _date is a date, and all else is text. Write key:text=349.99 for another kind: text,
/// number, boolean, date, link, rich_link or money.
///
/// An event without an answer may have arrived. Send it again with the same --at, and it counts
/// once.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, before_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    event: EventArguments,

    #[command(flatten)]
    lock: LockArguments,

    /// Show the request, and send nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    outbox: OutboxArguments,

    /// Deliver from the outbox too, until the event has left it
    #[arg(long)]
    flush: bool,

    /// Seconds that the delivery may take, with --flush or for many events
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,

    #[command(flatten)]
    access: Access,
}

const EXAMPLE: &str = "\
Example:
  intercom send invoice_paid --user-id 42 amount=349.99EUR due_date=2026-12-01
  intercom send --file events.ndjson --outbox events.db";

/// Runs the command.
pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    let lock = LockFile::find(&context.settings, &arguments.lock)?;
    if let Some(input) = arguments.event.input()? {
        return stream::run(context, &arguments, input, lock.as_ref()).await;
    }
    let event = arguments.event.prepare(lock.as_ref())?;
    if arguments.dry_run {
        let url = context.settings.base_url(&arguments.access)?.value;
        context.output.data(&Request::new(&url, &event))?;
        return Ok(Exit::Done);
    }
    match context.settings.outbox(&arguments.outbox)? {
        Some(location) => accept(context, &arguments, &location.value, event).await,
        None if arguments.flush => {
            Err(Failure::usage("--flush needs an outbox; name one with --outbox"))
        }
        None => send(context, &arguments, event).await,
    }
}

async fn send(context: &Context, arguments: &Arguments, event: DataEvent) -> Result<Exit, Failure> {
    let transport = context.settings.transport(&arguments.access)?;
    let at = event.created_at().unix_seconds();
    let name = event.event_name().to_string();
    let sent = Tracker::new(transport).send_prepared(event);
    let again = format!("it may have arrived; send it again with `--at {at}`, and it counts once");
    let receipt = tokio::select! {
        sent = sent => sent.map_err(|error| {
            let is_retryable = error.is_retryable();
            let Failure::Reported(mut report) = Failure::from(error) else { return Failure::PipeClosed };
            if is_retryable {
                report.message += &format!("; {again}");
            }
            Failure::Reported(report)
        })?,
        () = context.interrupt.wait() => {
            return Err(Failure::interrupted(format!("interrupted; {again}")));
        }
    };
    context.output.data(&Sent::delivered(&name, at, &receipt))?;
    Ok(Exit::Done)
}

async fn accept(
    context: &Context,
    arguments: &Arguments,
    location: &Location,
    event: DataEvent,
) -> Result<Exit, Failure> {
    let accepted = Sent::accepted(event.event_name(), event.created_at().unix_seconds(), location);
    if !arguments.flush {
        let accept = async { Ok(location.open().await?.accept(&[event]).await?) };
        context.interrupt.or(accept).await?;
        context.output.data(&accepted)?;
        return Ok(Exit::Done);
    }
    // Reports a missing token before the outbox accepts an event.
    let transport = context.settings.transport(&arguments.access)?;
    let delivery = Flushing::start(transport, location.open().await?)?;
    delivery.accept(&[event]).await?;
    // The outbox has the event, even if no reader takes the output.
    let _ = context.output.data(&accepted);
    delivery.flush(context, Duration::from_secs(arguments.timeout)).await
}

/// Whether the command delivered an event, or accepted it in an outbox.
#[derive(Serialize)]
struct Sent {
    event: String,
    created_at: i64,
    /// `delivered` or `accepted`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outbox: Option<String>,
}

impl Sent {
    fn delivered(event: &str, created_at: i64, receipt: &Receipt) -> Self {
        Sent {
            event: event.to_owned(),
            created_at,
            outcome: "delivered",
            status: receipt.status(),
            request_id: receipt.request_id().map(str::to_owned),
            outbox: None,
        }
    }

    fn accepted(event: &str, created_at: i64, location: &Location) -> Self {
        Sent {
            event: event.to_owned(),
            created_at,
            outcome: "accepted",
            status: None,
            request_id: None,
            outbox: Some(location.to_string()),
        }
    }
}

impl Printable for Sent {
    const TYPE: &'static str = "sent";
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sent { event, created_at, outcome, .. } = self;
        write!(f, "{outcome} {event} at {}", time::text(*created_at))?;
        if let Some(outbox) = &self.outbox {
            write!(f, " in {outbox}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " [request {id}]")?;
        }
        Ok(())
    }
}

/// The request, without the token and without sensitive values.
#[derive(Serialize)]
struct Request<'a> {
    method: &'static str,
    url: String,
    body: MaskedBody<'a>,
}

impl<'a> Request<'a> {
    fn new(base_url: &str, event: &'a DataEvent) -> Self {
        let url = format!("{}/events", base_url.trim_end_matches('/'));
        Request { method: "POST", url, body: MaskedBody(event) }
    }
}

impl Printable for Request<'_> {
    const TYPE: &'static str = "request";
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { method, url, body } = self;
        write!(f, "{method} {url}\n{body}")
    }
}
