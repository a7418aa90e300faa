//! The event that the command line names.

use std::path::PathBuf;

use clap::Args;
use intercom_catalogue::PlannedKey;
use intercom_core::{DataEvent, Timestamp, ValueKind};

use crate::contact::ContactArguments;
use crate::event_builder::EventBuilder;
use crate::failure::Failure;
use crate::lock_file::{self, LockFile};
use crate::time;
use crate::value::{self, Value};

/// An event, its contact and its time.
#[derive(Args, Debug)]
pub(crate) struct EventArguments {
    /// Name of the event; - reads events from standard input, a JSON object a line
    #[arg(value_name = "EVENT|-", required_unless_present = "file")]
    name: Option<String>,

    /// Metadata: KEY=VALUE, or KEY:KIND=VALUE
    #[arg(value_name = "KEY=VALUE")]
    metadata: Vec<String>,

    #[command(flatten)]
    contact: ContactArguments,

    /// Time of the event: a date and time with an offset, a day, or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_negative_numbers = true)]
    at: Option<Timestamp>,

    /// Read events from this file, a JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "metadata"])]
    file: Option<PathBuf>,
}

/// The input of many events.
pub(super) enum Input {
    StandardInput,
    File(PathBuf),
}

impl EventArguments {
    /// Returns the source of events, unless the command line describes one.
    ///
    /// # Errors
    ///
    /// Fails when the command line also describes an event.
    pub(super) fn input(&self) -> Result<Option<Input>, Failure> {
        let input = match (&self.file, self.name.as_deref()) {
            (Some(path), _) => Input::File(path.clone()),
            (None, Some("-")) => Input::StandardInput,
            _ => return Ok(None),
        };
        let is_described = self.at.is_some() || self.contact.contact().is_some();
        if is_described || !self.metadata.is_empty() {
            return Err(Failure::usage(
                "each line of the input has its own contact, time and metadata; remove them from \
                 the command line",
            ));
        }
        Ok(Some(input))
    }

    /// Encodes the event.
    ///
    /// # Errors
    ///
    /// Fails when the lock does not have the event, or has another kind for a key. Fails when
    /// Intercom would refuse or misread the event.
    pub(crate) fn prepare(&self, lock: Option<&LockFile>) -> Result<DataEvent, Failure> {
        let name = self.name.as_deref().unwrap_or_default();
        let mut event = EventBuilder::new(name, lock)?;
        let Some(contact) = self.contact.contact() else {
            let flags = event.planned().map(lock_file::contact_flags).unwrap_or_default();
            let flags = match flags.is_empty() {
                true => "--user-id, --email or --contact-id".to_owned(),
                false => flags.join(" and "),
            };
            let name = event.name().escape_debug();
            return Err(Failure::usage(format!(
                "event `{name}` has no contact; name it with {flags}"
            )));
        };
        for text in &self.metadata {
            let Assignment { key, forced, text } = Assignment::parse(text)?;
            let planned = event.planned_key(key)?;
            let value = value_of(key, forced, planned, text);
            let value = value.map_err(|what| event.mistake(key, &what))?;
            event = event.add(key, &value)?;
        }
        event.finish(contact, self.at.unwrap_or_else(Timestamp::now))
    }
}

/// `KEY=VALUE` or `KEY:KIND=VALUE`.
struct Assignment<'a> {
    key: &'a str,
    forced: Option<ValueKind>,
    text: &'a str,
}

impl<'a> Assignment<'a> {
    fn parse(argument: &'a str) -> Result<Self, Failure> {
        let Some((key, text)) = argument.split_once('=') else {
            let word = argument.escape_debug();
            return Err(Failure::usage(format!(
                "the argument `{word}` has no `=`; write KEY=VALUE"
            )));
        };
        let Some((key, kind)) = key.rsplit_once(':') else {
            return Ok(Assignment { key, forced: None, text });
        };
        match value::kind_of_name(kind) {
            Some(kind) => Ok(Assignment { key, forced: Some(kind), text }),
            None => {
                let (key, what) = (key.escape_debug(), value::not_a_kind(kind));
                Err(Failure::usage(format!("key `{key}`: {what}")))
            }
        }
    }
}

fn value_of(
    key: &str,
    forced: Option<ValueKind>,
    planned: Option<&PlannedKey>,
    text: &str,
) -> Result<Value, String> {
    match (forced, planned) {
        (Some(forced), Some(planned)) if forced != planned.kind => {
            Err(value::another_kind(planned.kind, forced))
        }
        (Some(kind), _) => Value::of_kind(kind, text),
        (None, Some(planned)) => Value::of_kind(planned.kind, text),
        (None, None) => Value::of_form(key, text),
    }
}
