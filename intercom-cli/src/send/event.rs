//! The event that the command line names.

use clap::Args;
use intercom_catalogue::{PlannedEvent, PlannedKey};
use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp, ValueKind, rules};

use crate::failure::Failure;
use crate::lock_file::{self, LockFile};
use crate::time;
use crate::value::{self, Value};

/// An event, its contact and its time.
#[derive(Args, Debug)]
pub(crate) struct EventArguments {
    /// Name of the event
    #[arg(value_name = "EVENT")]
    name: String,

    /// Metadata: KEY=VALUE, or KEY:KIND=VALUE
    #[arg(value_name = "KEY=VALUE")]
    metadata: Vec<String>,

    #[command(flatten)]
    contact: ContactArguments,

    /// Time of the event: a date and time with an offset, a day, or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_negative_numbers = true)]
    at: Option<Timestamp>,
}

/// A contact, by one identifier or several.
#[derive(Args, Clone, Debug)]
pub(crate) struct ContactArguments {
    /// The contact's user id
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,

    /// The contact's email address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,

    /// Intercom's own id of the contact
    #[arg(long, value_name = "ID")]
    contact_id: Option<String>,
}

impl ContactArguments {
    /// Returns the contact, if one is named.
    pub(crate) fn contact(&self) -> Option<Contact> {
        let mut contact = Contact::default();
        if let Some(id) = &self.user_id {
            contact = contact.with_user_id(id.as_str());
        }
        if let Some(address) = &self.email {
            contact = contact.with_email(address.as_str());
        }
        if let Some(id) = &self.contact_id {
            contact = contact.with_contact_id(id.as_str());
        }
        (contact != Contact::default()).then_some(contact)
    }
}

impl EventArguments {
    /// Encodes the event.
    ///
    /// # Errors
    ///
    /// Fails when the lock does not know it, when a value is of another kind than its key, and when Intercom would refuse or
    /// misread it.
    pub(crate) fn prepare(&self, lock: Option<&LockFile>) -> Result<DataEvent, Failure> {
        let planned = lock.map(|lock| lock.event(&self.name)).transpose()?;
        let name = planned.map_or(self.name.as_str(), |planned| &planned.name);
        let Some(contact) = self.contact.contact() else {
            let flags = planned.map(lock_file::contact_flags).unwrap_or_default();
            let flags = match flags.is_empty() {
                true => "--user-id, --email or --contact-id".to_owned(),
                false => flags.join(" and "),
            };
            return Err(Failure::usage(format!(
                "event `{}` has no contact; name it with {flags}",
                name.escape_debug()
            )));
        };
        let mut event = DynamicEvent::new(name)?;
        let keys = planned.map_or(0, |planned| planned.keys.len());
        if keys > rules::DEFAULT_MAX_KEYS {
            event = event.max_keys(keys)?;
        }
        let mut given = Vec::new();
        for text in &self.metadata {
            let assignment = Assignment::parse(text)?;
            let key = assignment.planned(planned, lock)?;
            let value = assignment.value(key).map_err(|what| {
                let key = assignment.key.escape_debug();
                Failure::usage(format!("event `{}`, key `{key}`: {what}", name.escape_debug()))
            })?;
            let is_sensitive = key.is_some_and(|key| key.sensitive);
            let key = key.map_or(assignment.key, |key| &key.key);
            event = value.add_to(event, key, is_sensitive)?;
            given.push(key);
        }
        if let (Some(planned), Some(lock)) = (planned, lock) {
            let missing = lock_file::missing_keys(planned, &given);
            if !missing.is_empty() {
                return Err(Failure::usage(format!(
                    "event `{name}` misses {}, which {} says it always has",
                    missing.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
                    lock.path.display()
                )));
            }
        }
        Ok(DataEvent::new(&event, contact, self.at.unwrap_or_else(Timestamp::now))?)
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
            return Err(Failure::usage(format!("`{word}` has no `=`; write KEY=VALUE")));
        };
        let Some((key, kind)) = key.rsplit_once(':') else {
            return Ok(Assignment { key, forced: None, text });
        };
        match value::kind_of_name(kind) {
            Some(kind) => Ok(Assignment { key, forced: Some(kind), text }),
            None => {
                let kinds: Vec<_> = ValueKind::ALL.iter().map(|kind| kind.as_str()).collect();
                Err(Failure::usage(format!(
                    "key `{}`: `{}` is no kind of value; the kinds are {}",
                    key.escape_debug(),
                    kind.escape_debug(),
                    kinds.join(", ")
                )))
            }
        }
    }

    /// What the lock says of the key, if there is a lock.
    fn planned<'l>(
        &self,
        event: Option<&'l PlannedEvent>,
        lock: Option<&LockFile>,
    ) -> Result<Option<&'l PlannedKey>, Failure> {
        let (Some(event), Some(lock)) = (event, lock) else { return Ok(None) };
        if let Some(key) = event.keys.iter().find(|key| lock_file::same(&key.key, self.key)) {
            return Ok(Some(key));
        }
        let keys: Vec<_> = event.keys.iter().map(|key| format!("`{}`", key.key)).collect();
        Err(Failure::usage(format!(
            "event `{}` has no key `{}` in {}; it has {}",
            event.name,
            self.key.escape_debug(),
            lock.path.display(),
            if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
        )))
    }

    fn value(&self, planned: Option<&PlannedKey>) -> Result<Value, String> {
        match (self.forced, planned) {
            (Some(forced), Some(planned)) if forced != planned.kind => Err(format!(
                "the lock says that it is of the kind {}, not {}",
                planned.kind.as_str(),
                forced.as_str()
            )),
            (Some(kind), _) => Value::of_kind(kind, self.text),
            (None, Some(planned)) => Value::of_kind(planned.kind, self.text),
            (None, None) => Value::of_form(self.key, self.text),
        }
    }
}
