//! `intercom outbox`: inspects and changes an outbox while the application delivers from it.

mod inspector;
mod records;

use clap::{Args, Subcommand};
use intercom_delivery::outbox::{DeadLetterReason, EventId, OutboxError, Selection};

use crate::contact::ContactArguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lock_file::same;
use crate::outbox_location::Location;
use crate::settings::OutboxArguments;
pub(crate) use inspector::Inspector;
use records::{Changed, Dead, Erased, EventDetails, Forgiven, Listed, Pending, Status};

/// The number of events in one read.
const PAGE: usize = 500;

/// Inspects and changes an outbox while the application runs
///
/// The outbox is a SQLite file or a PostgreSQL database. The command delivers nothing itself. The
/// process that delivers notices a change within its poll interval, a second by default.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    before_help = "Example:\n  intercom outbox status --outbox events.db"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Counts where every event is, and names the process that delivers
    #[command(before_help = "Example:\n  intercom outbox status --outbox events.db")]
    Status {
        #[command(flatten)]
        outbox: OutboxArguments,
    },
    /// Lists pending events, the oldest first
    #[command(before_help = "Example:\n  intercom outbox pending --outbox events.db --limit 20")]
    Pending {
        #[command(flatten)]
        outbox: OutboxArguments,
        #[command(flatten)]
        page: Page,
    },
    /// Lists dead letters: undelivered events, each with its reason
    #[command(
        before_help = "Example:\n  intercom outbox dead --outbox events.db --reason unknown_contact"
    )]
    Dead {
        #[command(flatten)]
        outbox: OutboxArguments,
        #[command(flatten)]
        page: Page,
        /// Only dead letters with this reason
        #[arg(long, value_name = "REASON", value_parser = reason)]
        reason: Option<DeadLetterReason>,
    },
    /// Shows one event, pending or dead, with its body, and masks sensitive values
    #[command(before_help = "Example:\n  intercom outbox show 17 --outbox events.db")]
    Show {
        /// Id of the event
        #[arg(value_name = "ID")]
        id: u64,
        #[command(flatten)]
        outbox: OutboxArguments,
    },
    /// Makes dead letters pending again
    #[command(
        before_help = "Example:\n  intercom outbox redrive --outbox events.db --reason unknown_contact"
    )]
    Redrive {
        #[command(flatten)]
        which: DeadSelection,
        #[command(flatten)]
        outbox: OutboxArguments,
    },
    /// Makes pending events dead letters, which can be redriven
    ///
    /// An event whose request is in flight may still arrive.
    #[command(
        verbatim_doc_comment,
        before_help = "Example:\n  intercom outbox bury --outbox events.db --name report_exported"
    )]
    Bury {
        #[command(flatten)]
        which: PendingSelection,
        #[command(flatten)]
        outbox: OutboxArguments,
    },
    /// Deletes dead letters for good
    #[command(before_help = "Example:\n  intercom outbox purge 17 18 --outbox events.db")]
    Purge {
        #[command(flatten)]
        which: DeadSelection,
        #[command(flatten)]
        outbox: OutboxArguments,
    },
    /// Erases a contact: deletes its events, and withholds later ones
    ///
    /// The outbox finds events by their identifiers: give each one that the application uses. This
    /// erases nothing at Intercom. Delete the contact there too.
    #[command(
        verbatim_doc_comment,
        before_help = "Example:\n  intercom outbox erase --user-id 42 --email ada@example.com --outbox events.db"
    )]
    Erase {
        #[command(flatten)]
        contact: ContactArguments,
        #[command(flatten)]
        outbox: OutboxArguments,
    },
    /// Ends the erasure of a contact, so that its later events are sent
    #[command(before_help = "Example:\n  intercom outbox forgive --user-id 42 --outbox events.db")]
    Forgive {
        #[command(flatten)]
        contact: ContactArguments,
        #[command(flatten)]
        outbox: OutboxArguments,
    },
}

/// The part of a list to print.
#[derive(Args, Debug)]
struct Page {
    /// Only events with this name
    #[arg(long, value_name = "EVENT")]
    name: Option<String>,

    /// Only events with a higher id
    #[arg(long, value_name = "ID")]
    after: Option<u64>,

    /// Maximum number of events
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
}

/// Which pending events.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct PendingSelection {
    /// Ids of the events
    #[arg(value_name = "ID")]
    ids: Vec<u64>,

    /// Only events with this name
    #[arg(long, value_name = "EVENT")]
    name: Option<String>,

    /// All of them
    #[arg(long)]
    all: bool,
}

/// Which dead letters.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct DeadSelection {
    /// Ids of the events
    #[arg(value_name = "ID")]
    ids: Vec<u64>,

    /// Only events with this name
    #[arg(long, value_name = "EVENT")]
    name: Option<String>,

    /// Only dead letters with this reason
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<DeadLetterReason>,

    /// All of them
    #[arg(long)]
    all: bool,
}

impl PendingSelection {
    fn selections(self) -> Vec<Selection> {
        match self.name {
            Some(name) => vec![Selection::Name(name)],
            None if self.all => vec![Selection::All],
            None => self.ids.into_iter().map(|id| Selection::One(EventId::new(id))).collect(),
        }
    }
}

impl DeadSelection {
    fn selections(self) -> Vec<Selection> {
        let DeadSelection { ids, name, reason, all } = self;
        match reason {
            Some(reason) => vec![Selection::Reason(reason)],
            None => PendingSelection { ids, name, all }.selections(),
        }
    }
}

fn reason(text: &str) -> Result<DeadLetterReason, String> {
    text.parse().map_err(|_| {
        let all: Vec<_> = DeadLetterReason::ALL.iter().map(|reason| reason.as_str()).collect();
        format!("the reasons are {}", all.join(", "))
    })
}

/// Runs the command. Ctrl-C ends it between two transactions.
pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    context.interrupt.or(dispatch(context, arguments.command)).await
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Status { outbox } => {
            let (location, inspector) = open(context, &outbox).await?;
            let counts = inspector.counts().await?;
            let deliverer = inspector.deliverer().await?;
            let oldest = match counts.oldest_pending {
                Some(_) => inspector.pending(None, 1).await?.pop(),
                None => None,
            };
            context.output.data(&Status::new(location.to_string(), counts, deliverer, oldest))?;
            Ok(Exit::Done)
        }
        Command::Pending { outbox, page } => {
            let (_, inspector) = open(context, &outbox).await?;
            let read = async |after| {
                let events = inspector.pending(after, PAGE).await?;
                Ok(events.into_iter().map(Pending).collect())
            };
            list(context, page, read, |_| true).await
        }
        Command::Dead { outbox, page, reason } => {
            let (_, inspector) = open(context, &outbox).await?;
            let read = async |after| {
                let letters = inspector.dead_letters(after, PAGE).await?;
                Ok(letters.into_iter().map(Dead).collect())
            };
            let died_so = |letter: &Dead| reason.is_none_or(|reason| letter.0.reason == reason);
            list(context, page, read, died_so).await
        }
        Command::Show { id, outbox } => {
            let (location, inspector) = open(context, &outbox).await?;
            show(context, &location, &inspector, id).await
        }
        Command::Redrive { which, outbox } => {
            change(context, &outbox, Action::Redrive, which.selections()).await
        }
        Command::Bury { which, outbox } => {
            change(context, &outbox, Action::Bury, which.selections()).await
        }
        Command::Purge { which, outbox } => {
            change(context, &outbox, Action::Purge, which.selections()).await
        }
        Command::Erase { contact, outbox } => {
            let contact = contact.required()?;
            let (_, mut inspector) = open(context, &outbox).await?;
            let erased = inspector.erase(&contact).await?;
            context.output.data(&Erased::from(erased))?;
            context.output.remark(
                "the outbox withholds later events of the contact; Intercom still has its own \
                 data, so delete the contact there too",
            );
            Ok(Exit::Done)
        }
        Command::Forgive { contact, outbox } => {
            let contact = contact.required()?;
            let (_, mut inspector) = open(context, &outbox).await?;
            let was_erased = inspector.forgive(&contact).await?;
            context.output.data(&Forgiven { was_erased })?;
            Ok(Exit::Done)
        }
    }
}

/// Opens the named outbox.
async fn open(
    context: &Context,
    arguments: &OutboxArguments,
) -> Result<(Location, Inspector), Failure> {
    let location = context.settings.outbox(arguments)?.ok_or_else(|| {
        Failure::usage(
            "there is no outbox; name one with --outbox, INTERCOM_OUTBOX or the profile's `outbox`",
        )
    })?;
    let inspector = Inspector::open(&location.value).await?;
    Ok((location.value, inspector))
}

/// Prints the selected events of a list, which it reads page by page.
async fn list<R: Listed>(
    context: &Context,
    page: Page,
    read: impl AsyncFn(Option<EventId>) -> Result<Vec<R>, OutboxError>,
    is_selected: impl Fn(&R) -> bool,
) -> Result<Exit, Failure> {
    let (mut after, mut left) = (page.after.map(EventId::new), page.limit);
    while left > 0 {
        let events = read(after).await?;
        let Some(last) = events.last() else { break };
        after = Some(last.id());
        let is_wanted = |event: &&R| {
            page.name.as_deref().is_none_or(|name| same(name, event.name())) && is_selected(event)
        };
        for event in events.iter().filter(is_wanted).take(left) {
            left -= 1;
            context.output.data(event)?;
        }
    }
    Ok(Exit::Done)
}

async fn show(
    context: &Context,
    location: &Location,
    inspector: &Inspector,
    id: u64,
) -> Result<Exit, Failure> {
    let before = id.checked_sub(1).map(EventId::new);
    let pending = inspector.pending(before, 1).await?;
    if let Some(event) = pending.iter().find(|event| event.id.get() == id) {
        context.output.data(&EventDetails::pending(event))?;
        return Ok(Exit::Done);
    }
    let dead = inspector.dead_letters(before, 1).await?;
    if let Some(letter) = dead.iter().find(|letter| letter.id.get() == id) {
        context.output.data(&EventDetails::dead(letter))?;
        return Ok(Exit::Done);
    }
    let message = format!(
        "event {id} is neither pending nor dead in {location}; list the events with `intercom \
         outbox pending` and `intercom outbox dead`"
    );
    Err(Failure::new(Exit::Failed, "not_found", message))
}

#[derive(Clone, Copy)]
enum Action {
    Redrive,
    Bury,
    Purge,
}

async fn change(
    context: &Context,
    outbox: &OutboxArguments,
    action: Action,
    selections: Vec<Selection>,
) -> Result<Exit, Failure> {
    let (location, mut inspector) = open(context, outbox).await?;
    let (mut events, mut missing) = (0, Vec::new());
    for selection in &selections {
        let changed = match action {
            Action::Redrive => inspector.redrive(selection).await?,
            Action::Bury => inspector.bury(selection).await?,
            Action::Purge => inspector.purge(selection).await?,
        };
        events += changed;
        if let (0, Selection::One(id)) = (changed, selection) {
            missing.push(id.to_string());
        }
    }
    let action_done = match action {
        Action::Redrive => "redriven",
        Action::Bury => "buried",
        Action::Purge => "purged",
    };
    // The command has succeeded even if no reader takes its output.
    let printed = context.output.data(&Changed { action: action_done, events });
    if missing.is_empty() {
        return printed.map(|()| Exit::Done);
    }
    let state = if matches!(action, Action::Bury) { "pending" } else { "dead" };
    let message = format!(
        "not {state} in {location}: {}; list what is with `intercom outbox {state}`",
        missing.join(", ")
    );
    let exit = if events > 0 { Exit::InPart } else { Exit::Failed };
    Err(Failure::new(exit, "not_found", message))
}
