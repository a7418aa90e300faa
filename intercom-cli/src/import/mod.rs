//! `intercom import`: imports files of events into an outbox.
//!
//! `source` reads a file as UTF-8, and `records` splits it into rows of at most 64 KiB. `survey`
//! infers each column's kind, and the forms of numbers and dates, from all values. `rows` makes
//! events, and `job` runs the import. `checkpoint` stores the number of imported records in the
//! transaction that accepts the events, and identifies a file by digests of its records. Where rows
//! share a contact, name and second, the engine's admission moves them in the order of the file.

mod checkpoint;
mod conventions;
mod dialect;
mod headers;
mod job;
mod mapping;
mod meter;
mod records;
mod rejection;
mod rejects;
mod report;
mod rows;
mod share;
mod source;
mod survey;

use std::collections::HashSet;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use intercom_core::Timestamp;
use intercom_core::ValueKind;
use siphasher::sip::SipHasher13;

use crate::body::MaskedBody;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::flushing::Flushing;
use crate::lock_file::{LockArguments, LockFile};
use crate::settings::{Access, OutboxArguments};
use checkpoint::CheckpointStore;
use conventions::{DateOrder, Decimal, Times};
use job::Job;
use mapping::{MappingFile, Target};
use records::FileFormat;
use report::{ColumnReport, DryRun, EVENTS};
use rows::{Options, Rows};
use share::Share;
use source::SourceFile;
use survey::{ChosenConventions, Survey};

/// The age up to which Intercom lists events. It only counts older ones.
const LISTED_SECONDS: i64 = 90 * 86_400;

/// The limit of the delivery after the import. An interrupt ends it earlier.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30 * 86_400);

/// The limit of contacts that a dry run counts.
const MAX_CONTACTS: usize = 1_000_000;

/// Imports files of events, CSV or NDJSON, into an outbox
///
/// A row is an event. The columns event_name, user_id, email, contact_id and created_at have
/// these roles, and all other columns are metadata. An empty cell omits its key. The kind of a
/// column comes from the lock, else from a name such as amount:money, else from all of its
/// values. A mapping file renames columns.
///
/// The import finds delimiter, encoding, and the forms of numbers and dates in the file. It
/// refuses an ambiguous file, and shows both readings.
///
/// Start a killed or interrupted import again, and it resumes exactly where it was. Run a finished
/// import again, and it adds only rows that are new at the end of the file. Rejected rows go to
/// FILE.rejected.csv: correct that file, and import it.
///
/// Delivery moves rows of one contact, name and second to free seconds, in the order of the
/// file.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, before_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// Files to import
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Name of the events, if no column has it
    #[arg(long, value_name = "NAME")]
    event: Option<String>,

    /// Mapping file: the role or key of each column
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,

    /// Show the events of the import, and import nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    lock: LockArguments,

    #[command(flatten)]
    outbox: OutboxArguments,

    /// File of rejected rows [default: FILE.rejected.csv beside each file]
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,

    /// Import all rows of an already imported file again
    #[arg(long)]
    again: bool,

    /// Deliver from the outbox too, until the events have left it
    #[arg(long)]
    flush: bool,

    /// Part of the rate limit that --flush takes
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "50%", requires = "flush")]
    share: u8,

    #[command(flatten)]
    access: Access,
}

const EXAMPLE: &str = "\
Example:
  intercom import invoices.csv --event invoice_paid --outbox events.db --dry-run";

/// How to read an ambiguous file.
#[derive(Args, Debug)]
struct Reading {
    /// Delimiter: comma, semicolon, tab, or a character [default: found in the file]
    #[arg(long, value_name = "NAME")]
    delimiter: Option<String>,

    /// Encoding, such as utf-8 or windows-1252 [default: found in the file]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// Character before the fraction of a number [default: found in the file]
    #[arg(long, value_name = "NAME", value_enum)]
    decimal: Option<Decimal>,

    /// Order of dates such as 03/04/2026 [default: found in the file]
    #[arg(long, value_name = "ORDER", value_enum)]
    dates: Option<DateOrder>,

    /// Time zone of times without an offset: UTC, +02:00, or a name such as Europe/Berlin
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    timezone: Option<String>,

    /// Text that means no value, as an empty cell does
    #[arg(long, value_name = "TEXT")]
    null: Vec<String>,

    /// Most keys of an event, from 11 to 20 [default: 10]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(11..=20))]
    max_keys: Option<u8>,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Failure> {
    if arguments.dry_run {
        return dry_run(context, &arguments);
    }
    let location = context.settings.outbox(&arguments.outbox)?.ok_or_else(|| {
        Failure::usage(
            "an import needs an outbox; name one with --outbox, or read the files with --dry-run",
        )
    })?;
    // Reports a mistake in a later file before it imports the first.
    let jobs = arguments.files.iter().map(|file| job(context, &arguments, file));
    let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
    // Reports a missing token before the import, too.
    let transport =
        arguments.flush.then(|| context.settings.transport(&arguments.access)).transpose()?;
    let opening = async {
        let outbox = location.value.open().await?;
        Ok((CheckpointStore::open(&location.value).await?, outbox))
    };
    let (mut store, outbox) = context.interrupt.or(opening).await?;
    let delivery = match transport {
        Some(transport) => {
            Some(Flushing::start(Share::new(transport, arguments.share), outbox.clone())?)
        }
        None => None,
    };
    let mut exit = Exit::Done;
    for job in jobs {
        let report = job.run(context, &mut store).await?;
        if report.rejected > 0 {
            exit = Exit::InPart;
        }
        context.output.data(&report)?;
    }
    // The outbox closes last, because it checkpoints the WAL.
    drop(store);
    if let Some(delivery) = delivery {
        let flushed = delivery.flush(context, FLUSH_TIMEOUT).await?;
        exit = if exit == Exit::Done { flushed } else { exit };
    }
    drop(outbox);
    Ok(exit)
}

/// Surveys a file, and decides how to read it.
fn job(context: &Context, arguments: &Arguments, file: &Path) -> Result<Job, Failure> {
    let mut mapping = match &arguments.map {
        Some(path) => MappingFile::read(path)?,
        None => MappingFile::default(),
    };
    let reading = &arguments.reading;
    let named = |flag: &Option<String>, mapped: &Option<String>| flag.clone().or(mapped.clone());
    let encoding = named(&reading.encoding, &mapping.encoding);
    let encoding =
        encoding.map(|name| mapping::encoding(&name)).transpose().map_err(Failure::usage)?;
    let delimiter = named(&reading.delimiter, &mapping.delimiter);
    let delimiter =
        delimiter.map(|name| mapping::delimiter(&name)).transpose().map_err(Failure::usage)?;
    let zone_name = named(&reading.timezone, &mapping.timezone);
    let zone = zone_name.as_deref().map(mapping::time_zone).transpose().map_err(Failure::usage)?;
    let mut nulls = reading.null.clone();
    nulls.append(&mut mapping.null);

    let source = SourceFile::find(file, encoding)?;
    let format = dialect::find(&source, delimiter.map(|delimiter| FileFormat::Csv { delimiter }))?;
    let known = ChosenConventions {
        mapping: &mapping,
        nulls: &nulls,
        decimal: reading.decimal.or(mapping.decimal),
        order: reading.dates.or(mapping.dates),
        has_zone: zone.is_some(),
    };
    let survey = Survey::of(&source, format, &known)?;
    let event = named(&arguments.event, &mapping.event);
    check_roles(file, format, &survey, event.as_deref())?;
    let lock = LockFile::find(&context.settings, &arguments.lock)?;

    let max_keys = reading.max_keys.map(usize::from).or(mapping.max_keys);
    // These options decide which event a record becomes. The file's name does not.
    let mut plan = SipHasher13::new();
    let Survey { header: _, targets, decimal, order } = &survey;
    let decided = format!(
        "{format:?} {targets:?} {decimal:?} {order:?} {zone_name:?} {nulls:?} {event:?} \
         {max_keys:?} {:?}",
        lock.as_ref().map(|lock| &lock.lock)
    );
    plan.write(decided.as_bytes());

    let times = Times { order: survey.order, zone };
    let options = Options { event, nulls, times, max_keys };
    let rows = Rows::new(survey, mapping, options, lock);
    Ok(Job {
        source,
        format,
        rows,
        plan: plan.finish().cast_signed(),
        rejected: arguments.rejected.clone(),
        again: arguments.again,
        delivers: arguments.flush,
    })
}

/// Fails when the file lacks a column that every event needs.
fn check_roles(
    file: &Path,
    format: FileFormat,
    survey: &Survey,
    event: Option<&str>,
) -> Result<(), Failure> {
    use headers::Role;

    let has = |role| {
        survey.targets.iter().any(|target| matches!(target, Target::Role(found) if *found == role))
    };
    if format == FileFormat::Ndjson || survey.header.is_empty() {
        return Ok(());
    }
    let file = file.display();
    let columns: Vec<_> =
        survey.header.iter().map(|name| format!("`{}`", name.escape_debug())).collect();
    let columns = columns.join(", ");
    let missing = |what: &str, fix: &str| {
        Err(Failure::usage(format!(
            "{file} has no column for {what}; {fix} (its columns are {columns})"
        )))
    };
    if ![Role::UserId, Role::Email, Role::ContactId].into_iter().any(has) {
        return missing(
            "the contact",
            "name it user_id, email or contact_id, or map it with --map",
        );
    }
    if !has(Role::CreatedAt) {
        return missing("the time", "name it created_at, or map it with --map");
    }
    match (has(Role::EventName), event) {
        (false, None) => {
            missing("the event's name", "name the event with --event, or a column event_name")
        }
        (true, Some(event)) => Err(Failure::usage(format!(
            "{file} has a column for the event's name, \
             and --event names `{event}`; remove one of them"
        ))),
        _ => Ok(()),
    }
}

fn dry_run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for file in &arguments.files {
        let mut job = job(context, arguments, file)?;
        let oldest = Timestamp::now().unix_seconds() - LISTED_SECONDS;
        let (mut first, mut older, mut contacts) = (Vec::new(), 0, HashSet::new());
        let report = job.dry_run(|event| {
            older += u64::from(event.created_at().unix_seconds() < oldest);
            if contacts.len() < MAX_CONTACTS {
                contacts.insert(digest_of(event.contact()));
            }
            if first.len() < EVENTS {
                first.push(event);
            }
        })?;
        if report.rejected > 0 {
            exit = Exit::Findings;
        }
        context.output.data(&DryRun {
            report,
            format: match job.format {
                FileFormat::Csv { delimiter } => format!("CSV by {}", dialect::name(delimiter)),
                FileFormat::Ndjson => "NDJSON".to_owned(),
            },
            encoding: job.source.encoding.name(),
            columns: columns(&job.rows),
            older_than_90_days: older,
            contacts: contacts.len() as u64,
            events: first.iter().map(MaskedBody).collect(),
        })?;
    }
    Ok(exit)
}

fn columns(rows: &Rows) -> Vec<ColumnReport> {
    let becomes = |target: &Target| match target {
        Target::Role(role) => role.as_str().to_owned(),
        Target::Key(key) if rows.has_lock() => format!("{} (of the lock's kind)", key.key),
        Target::Key(key) => {
            let kind = key.kind.unwrap_or(ValueKind::Text).as_str();
            format!("{} ({})", key.key, kind.replace('_', " "))
        }
        Target::Skipped => "skipped".to_owned(),
    };
    let columns = rows.survey.header.iter().zip(&rows.survey.targets);
    columns
        .map(|(column, target)| ColumnReport { column: column.clone(), becomes: becomes(target) })
        .collect()
}

/// Returns the digest of a contact. A dry run counts digests, so that a million contacts take
/// little memory.
fn digest_of(contact: &intercom_core::Contact) -> u64 {
    let mut digest = SipHasher13::new();
    for part in [contact.as_user_id(), contact.as_email(), contact.as_contact_id()] {
        digest.write(part.unwrap_or_default().as_bytes());
        digest.write_u8(0xFF);
    }
    digest.finish()
}
