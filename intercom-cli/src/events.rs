//! `intercom events`: reads back the events of a contact from Intercom.

use std::fmt;

use clap::{Args, Subcommand};
use intercom_core::Timestamp;
use intercom_http::{EventSummary, HttpTransport, PastEvent};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::body::{MASK, MaskedMetadata};
use crate::contact::ContactArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lock_file::{LockArguments, LockFile};
use crate::output::{Printable, count};
use crate::settings::Access;
use crate::time;

/// Reads back the events of a contact from Intercom
///
/// Intercom lists the events of the last 90 days, some seconds after it took them. Summaries count
/// older events too.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    before_help = "Example:\n  intercom events list --user-id 42 --since 2026-12-01"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists a contact's events, newest first
    ///
    /// `intercom send` reads the lines of --json. The command masks values that the lock calls
    /// sensitive.
    #[command(
        verbatim_doc_comment,
        before_help = "\
Example:
  intercom events list --user-id 42 --since 2026-12-01
  intercom events list --email ada@example.com --json"
    )]
    List {
        #[command(flatten)]
        contact: ContactArguments,
        /// Only events since this time
        #[arg(long, value_name = "TIME", value_parser = time::parse, allow_negative_numbers = true)]
        since: Option<Timestamp>,
        /// Maximum number of events
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        lock: LockArguments,
        #[command(flatten)]
        access: Access,
    },
    /// Counts a contact's events, by name
    #[command(before_help = "Example:\n  intercom events summaries --user-id 42")]
    Summaries {
        #[command(flatten)]
        contact: ContactArguments,
        #[command(flatten)]
        access: Access,
    },
    /// Submits the number of earlier occurrences of an event
    ///
    /// Intercom does not say what a second submission does to its counts.
    #[command(
        verbatim_doc_comment,
        before_help = "\
Example:
  intercom events submit invoice_paid --user-id 42 --count 12 --first 2025-01-31 --last 2026-10-31"
    )]
    Submit {
        /// Name of the event
        #[arg(value_name = "EVENT")]
        name: String,
        #[command(flatten)]
        contact: ContactArguments,
        /// Number of occurrences
        #[arg(long, value_name = "NUMBER")]
        count: u64,
        /// Time of the first one
        #[arg(long, value_name = "TIME", value_parser = time::parse, allow_negative_numbers = true)]
        first: Option<Timestamp>,
        /// Time of the last one
        #[arg(long, value_name = "TIME", value_parser = time::parse, allow_negative_numbers = true)]
        last: Option<Timestamp>,
        #[command(flatten)]
        access: Access,
    },
}

/// Runs the command. Ctrl-C ends a list after the printed events.
pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    context.interrupt.or(dispatch(context, arguments.command)).await
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { contact, since, limit, lock, access } => {
            let lock = LockFile::find(&context.settings, &lock)?;
            let contact = contact.required()?;
            let transport = context.settings.transport(&access)?;
            let page = u16::try_from(limit).unwrap_or(u16::MAX).clamp(1, 50);
            let mut events = transport.events(&contact).per_page(page);
            if let Some(since) = since {
                events = events.since(since);
            }
            list(context, events, limit, lock.as_ref()).await
        }
        Command::Summaries { contact, access } => {
            let contact = contact.required()?;
            let transport = context.settings.transport(&access)?;
            for summary in transport.summaries(&contact).await? {
                context.output.data(&Summary(summary))?;
            }
            Ok(Exit::Done)
        }
        Command::Submit { name, contact, count, first, last, access } => {
            let contact = contact.required()?;
            let transport: HttpTransport = context.settings.transport(&access)?;
            let mut summary = EventSummary::new(name, count);
            summary.first = first;
            summary.last = last;
            transport.submit_summaries(&contact, std::slice::from_ref(&summary)).await?;
            context.output.data(&Summary(summary))?;
            Ok(Exit::Done)
        }
    }
}

async fn list(
    context: &Context,
    mut events: intercom_http::PastEvents,
    limit: usize,
    lock: Option<&LockFile>,
) -> Result<Exit, Failure> {
    let (mut listed, mut unread) = (0, 0);
    while listed < limit
        && let Some(event) = events.next().await
    {
        match event {
            Ok(event) => {
                listed += 1;
                context.output.data(&Past::new(&event, lock))?;
            }
            Err(error) if error.is_bad_event() => {
                unread += 1;
                context.output.remark(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match unread {
        0 => Ok(Exit::Done),
        _ => {
            let message = format!("not readable: {}", count(unread, "event"));
            Err(Failure::new(Exit::InPart, "unreadable", message))
        }
    }
}

/// An event that Intercom lists, as a line that `intercom send` reads.
#[derive(Serialize)]
struct Past<'a> {
    event_name: &'a str,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    metadata: MaskedMetadata<'a>,
}

impl<'a> Past<'a> {
    fn new(event: &'a PastEvent, lock: Option<&'a LockFile>) -> Self {
        let planned = lock.and_then(|lock| lock.lock.plan().event(event.name()));
        let keys = planned.map_or(&[][..], |planned| &planned.keys);
        let sensitive = keys.iter().filter(|key| key.sensitive).map(|key| key.key.as_str());
        let metadata = MaskedMetadata::read(event.metadata_json(), sensitive).unwrap_or_default();
        Past {
            event_name: event.name(),
            created_at: event.created_at().unix_seconds(),
            user_id: event.contact().as_user_id(),
            email: event.contact().as_email(),
            id: event.contact().as_contact_id(),
            metadata,
        }
    }
}

impl Printable for Past<'_> {
    const TYPE: &'static str = "event";
}

impl fmt::Display for Past<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", time::text(self.created_at), self.event_name.escape_debug())?;
        for (key, value) in self.metadata.members() {
            let value = value.map_or(MASK, RawValue::get);
            write!(f, "  {}={}", key.escape_debug(), value.replace(char::is_control, " "))?;
        }
        Ok(())
    }
}

/// The number of occurrences of an event.
struct Summary(EventSummary);

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct SummaryLine<'a> {
            event_name: &'a str,
            count: u64,
            first: Option<i64>,
            last: Option<i64>,
            description: Option<&'a str>,
        }

        let EventSummary { name, count, first, last, description, .. } = &self.0;
        let seconds = |time: &Option<Timestamp>| time.map(Timestamp::unix_seconds);
        let (first, last) = (seconds(first), seconds(last));
        let description = description.as_deref();
        SummaryLine { event_name: name, count: *count, first, last, description }
            .serialize(serializer)
    }
}

impl Printable for Summary {
    const TYPE: &'static str = "event_summary";
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EventSummary { name, count, first, last, .. } = &self.0;
        write!(f, "{count:>6}  {}", name.escape_debug())?;
        for (word, time) in [("first", first), ("last", last)] {
            if let Some(time) = time {
                write!(f, "  {word} {}", time::text(time.unix_seconds()))?;
            }
        }
        Ok(())
    }
}
