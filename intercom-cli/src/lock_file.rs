//! The lock, which states the kind of each key of an event.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use intercom_catalogue::{Lock, PlannedEvent};
use intercom_core::Role;
use intercom_core::rules::fold;

use crate::failure::Failure;
use crate::settings::Settings;

/// The default lock.
const DEFAULT_LOCK: &str = "events.lock";

/// The lock for the checks of an event.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LockArguments {
    /// Lock of the events [env: INTERCOM_LOCK] [default: events.lock, if it exists]
    #[arg(long, value_name = "FILE", conflicts_with = "no_lock")]
    lock: Option<PathBuf>,

    /// Take any event name and any key, and find kinds by the values
    #[arg(long)]
    no_lock: bool,
}

/// A lock, and its path.
#[derive(Debug)]
pub(crate) struct LockFile {
    pub(crate) path: PathBuf,
    pub(crate) lock: Lock,
}

impl LockFile {
    /// Reads the lock of this call, if there is one.
    ///
    /// # Errors
    ///
    /// Fails when a named file does not exist, and when a file is not a lock.
    pub(crate) fn find(
        settings: &Settings,
        arguments: &LockArguments,
    ) -> Result<Option<Self>, Failure> {
        if arguments.no_lock {
            return Ok(None);
        }
        if let Some(named) = settings.lock(arguments.lock.as_deref())? {
            return LockFile::read(&named.value).map(Some);
        }
        let here = Path::new(DEFAULT_LOCK);
        here.exists().then(|| LockFile::read(here)).transpose()
    }

    /// Reads this lock.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, and when it is not a lock.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::file(format!("cannot read the lock {shown}"), &error))?;
        let lock = Lock::parse(&text)
            .map_err(|error| Failure::usage(format!("{shown} is not a lock: {error}")))?;
        Ok(LockFile { path: path.to_owned(), lock })
    }

    /// Returns the event of this name.
    ///
    /// # Errors
    ///
    /// Fails when the lock has no such event, and lists those that it has.
    pub(crate) fn event(&self, name: &str) -> Result<&PlannedEvent, Failure> {
        if let Some(event) = self.lock.plan().event(name) {
            return Ok(event);
        }
        let path = self.path.display();
        let retired = self.lock.retired().iter().find(|retired| same(&retired.name, name));
        let message = match retired.map(|retired| retired.successor.as_deref()) {
            Some(Some(successor)) => {
                format!("event `{name}` has a new name in {path}; send `{successor}`")
            }
            Some(None) => format!("event `{name}` is retired in {path}; send another event"),
            None => {
                let names = self.lock.plan().events().iter().map(|event| event.name.as_str());
                let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
                format!(
                    "event `{}` is not in {path}, which has {}; \
                     correct the name, or send it with --no-lock",
                    name.escape_debug(),
                    names.join(", ")
                )
            }
        };
        Err(Failure::usage(message))
    }
}

/// Returns whether Intercom takes two names or keys for one, or whether they look the same.
pub(crate) fn same(one: &str, other: &str) -> bool {
    fold(one) == fold(other)
}

/// Returns the required keys of an event that are not among these.
pub(crate) fn missing_keys<'a>(event: &'a PlannedEvent, given: &[String]) -> Vec<&'a str> {
    let required = event.keys.iter().filter(|key| !key.optional).map(|key| key.key.as_str());
    required.filter(|key| !given.iter().any(|given| same(given, key))).collect()
}

/// Returns the flags for the contact that an event's role fields name.
pub(crate) fn contact_flags(event: &PlannedEvent) -> Vec<&'static str> {
    let flag = |role: &Role| match role {
        Role::UserId => Some("--user-id"),
        Role::Email => Some("--email"),
        Role::ContactId => Some("--contact-id"),
        _ => None,
    };
    event.roles.iter().filter_map(flag).collect()
}
