//! `intercom lock`: compares a lock with an earlier one. `intercom catalogue`: makes documentation
//! of a lock.

mod report;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use intercom_catalogue::{Allowance, Lock, Rule};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::count;
use report::{LockReport, ReportFormat};
use source::ParsedLock;

/// The default lock.
const DEFAULT_LOCK: &str = "events.lock";

/// Compares the lock of a program's events with an earlier one
///
/// A test writes the lock from the program's types. These commands compare locks, as files or at
/// revisions of git:
///
///   events.lock       a file
///   git:main          the same file at the merge base of HEAD and main
///   v1.2:events.lock  a file at a revision, as `git show` has it
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, before_help = "Example:\n  intercom lock check --against git:main")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Exits with code 3 if a change harms data in Intercom and no line of the lock allows it
    #[command(before_help = "\
Example:
  intercom lock check --against git:main
  intercom lock check --against git:origin/main --format github")]
    Check(Comparison),
    /// Lists every change, and exits with code 0
    #[command(before_help = "Example:\n  intercom lock diff --against v1.2:events.lock")]
    Diff(Comparison),
    /// Updates a lock to the events of another one, if it allows the changes
    ///
    /// The lock keeps its retired names and its allowances.
    #[command(
        verbatim_doc_comment,
        before_help = "Example:\n  intercom lock update --from target/events.lock"
    )]
    Update {
        /// Lock with the current events
        #[arg(long, value_name = "LOCK")]
        from: String,
        /// Lock to write
        #[arg(value_name = "FILE", default_value = DEFAULT_LOCK)]
        lock: PathBuf,
        /// Form of the output [default: text, and json with --json]
        #[arg(long, value_enum)]
        format: Option<ReportFormat>,
    },
    /// Allows a change: adds a line with its reason to the lock
    #[command(before_help = "\
Example:
  intercom lock accept KEY_REMOVED invoice_paid.seats --why \"sales asked for it\"")]
    Accept {
        /// Rule of the change, such as KEY_REMOVED
        #[arg(value_name = "RULE", value_parser = rule)]
        rule: Rule,
        /// Event, or event and key, of the change
        #[arg(value_name = "EVENT|EVENT.KEY")]
        subject: String,
        /// Reason for the change
        #[arg(long, value_name = "REASON")]
        why: String,
        /// Lock to write
        #[arg(long, value_name = "FILE", default_value = DEFAULT_LOCK)]
        lock: PathBuf,
    },
}

/// Two locks.
#[derive(Args, Debug)]
struct Comparison {
    /// Lock to check
    #[arg(value_name = "LOCK", default_value = DEFAULT_LOCK)]
    lock: String,

    /// Earlier lock
    #[arg(long, value_name = "LOCK", default_value = "git:HEAD")]
    against: String,

    /// Form of the output [default: text, and json with --json]
    #[arg(long, value_enum)]
    format: Option<ReportFormat>,
}

fn rule(text: &str) -> Result<Rule, String> {
    let blocking = || Rule::ALL.iter().filter(|rule| rule.class().needs_allowance());
    match Rule::by_id(&text.to_uppercase()) {
        Some(rule) if rule.class().needs_allowance() => Ok(rule),
        Some(rule) => Err(format!("{rule} is only a note; it needs no line")),
        None => {
            let rules: Vec<_> = blocking().map(|rule| rule.id()).collect();
            Err(format!("the rules are {}", rules.join(", ")))
        }
    }
}

/// Runs the command.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Check(comparison) => check(context, comparison),
        Command::Diff(comparison) => diff(context, comparison),
        Command::Update { from, lock, format } => update(context, from, lock, *format),
        Command::Accept { rule, subject, why, lock } => accept(context, *rule, subject, why, lock),
    }
}

impl Comparison {
    /// Reads both locks. Without an earlier lock, all events are new.
    fn read(&self, context: &Context) -> Result<(ParsedLock, Lock), Failure> {
        let new = ParsedLock::expect(&self.lock, Path::new(DEFAULT_LOCK))?;
        let old = ParsedLock::find(&self.against, Path::new(&self.lock))?;
        let old = match old {
            Some(old) => old.lock,
            None => {
                context.output.remark(format_args!(
                    "there is no lock at {}: all events are new",
                    self.against
                ));
                Lock::parse("version 1\n").map_err(|error| Failure::usage(error.to_string()))?
            }
        };
        Ok((new, old))
    }
}

fn check(context: &Context, comparison: &Comparison) -> Result<Exit, Failure> {
    let (new, old) = comparison.read(context)?;
    let review = new.lock.review_since(&old);
    LockReport { review: &review, new: &new, has_notes: false }
        .print(context, comparison.format)?;
    if review.is_blocked() {
        return Ok(Exit::Findings);
    }
    let events = count(new.lock.plan().events().len() as u64, "event");
    context
        .output
        .remark(format_args!("checked {events} in {} against {}", new.name, comparison.against));
    Ok(Exit::Done)
}

fn diff(context: &Context, comparison: &Comparison) -> Result<Exit, Failure> {
    let (new, old) = comparison.read(context)?;
    let review = new.lock.review_since(&old);
    LockReport { review: &review, new: &new, has_notes: true }.print(context, comparison.format)?;
    Ok(Exit::Done)
}

fn update(
    context: &Context,
    from: &str,
    path: &Path,
    format: Option<ReportFormat>,
) -> Result<Exit, Failure> {
    let new = ParsedLock::expect(from, path)?;
    let shown = path.display();
    let next = match path.exists() {
        false => new.lock.plan().lock(),
        true => {
            let old = ParsedLock::expect(&shown.to_string(), path)?;
            let review = old.lock.review(new.lock.plan());
            LockReport { review: &review, new: &old, has_notes: true }.print(context, format)?;
            if review.is_blocked() {
                return Ok(Exit::Findings);
            }
            if review.is_current() {
                context.output.remark(format_args!("{shown} is up to date"));
                return Ok(Exit::Done);
            }
            review.updated_lock().clone()
        }
    };
    write(path, &next.to_string())?;
    context.output.remark(format_args!("wrote {shown}"));
    Ok(Exit::Done)
}

fn accept(
    context: &Context,
    rule: Rule,
    subject: &str,
    why: &str,
    path: &Path,
) -> Result<Exit, Failure> {
    if why.trim().is_empty() {
        return Err(Failure::usage("--why is empty; give the reason for the change"));
    }
    let shown = path.display().to_string();
    let read = ParsedLock::expect(&shown, path)?;
    // Names of events and keys contain no full stop.
    let (event, key) = match subject.split_once('.') {
        Some((event, key)) => (event, Some(key.to_owned())),
        None => (subject, None),
    };
    let allowance = Allowance::new(rule, event, key, why);
    let mut text = read.text;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text += &format!("allow {allowance}\n");
    Lock::parse(&text)
        .map_err(|error| Failure::usage(format!("cannot add the line to the lock: {error}")))?;
    write(path, &text)?;
    context.output.remark(format_args!("allowed {allowance}"));
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::file(format!("cannot write {}", path.display()), &error))
}

/// Makes documentation of a lock
#[derive(Args, Debug)]
#[command(before_help = "\
Example:
  intercom catalogue markdown > EVENTS.md
  intercom catalogue json-schema git:main")]
pub(crate) struct Catalogue {
    #[command(subcommand)]
    export: Export,
}

#[derive(Debug, Subcommand)]
enum Export {
    /// Prints a page about the events, or writes it between the markers in a file
    #[command(before_help = "\
Example:
  intercom catalogue markdown > EVENTS.md
  intercom catalogue markdown --update README.md")]
    Markdown {
        /// Lock: a file, git:REV or REV:PATH
        #[arg(value_name = "LOCK", default_value = DEFAULT_LOCK)]
        lock: String,
        /// File with the page between two markers
        #[arg(long, value_name = "FILE")]
        update: Option<PathBuf>,
    },
    /// Prints a JSON Schema of the bodies of the requests
    #[command(before_help = "Example:\n  intercom catalogue json-schema > events.schema.json")]
    JsonSchema {
        /// Lock: a file, git:REV or REV:PATH
        #[arg(value_name = "LOCK", default_value = DEFAULT_LOCK)]
        lock: String,
    },
}

/// Runs `intercom catalogue`.
pub(crate) fn catalogue(context: &Context, arguments: &Catalogue) -> Result<Exit, Failure> {
    let like = Path::new(DEFAULT_LOCK);
    match &arguments.export {
        Export::Markdown { lock, update: None } => {
            let page = ParsedLock::expect(lock, like)?.lock.plan().to_markdown();
            context.output.text(page.trim_end())?;
        }
        Export::Markdown { lock, update: Some(path) } => {
            let plan = ParsedLock::expect(lock, like)?;
            let shown = path.display();
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::file(format!("cannot read {shown}"), &error))?;
            let updated = plan.lock.plan().update_markdown(&text);
            let updated = updated.map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
            write(path, &updated)?;
            context.output.remark(format_args!("wrote {shown}"));
        }
        Export::JsonSchema { lock } => {
            let schema = ParsedLock::expect(lock, like)?.lock.plan().to_json_schema();
            context.output.text(format_args!("{schema:#}"))?;
        }
    }
    Ok(Exit::Done)
}
