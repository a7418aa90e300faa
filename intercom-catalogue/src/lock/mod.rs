//! The lock: the events of a program as text, with what was given up and what was allowed.

mod read;
mod write;

use std::fmt;
use std::str::FromStr;

use crate::plan::{Plan, PlannedEvent, fold, summary};
use crate::rule::Rule;

pub use read::LockSyntaxError;
pub(crate) use write::subject;

/// The events of a program as they were locked: the content of `events.lock`.
///
/// Its text has these lines. A line that begins with `#` is a comment.
///
/// | line | what it says |
/// |---|---|
/// | `version 1` | the form of the file |
/// | `budget 90` | how many event names there may be, if fewer than 120 |
/// | `event NAME ROLE… "DOC"` | an event, what its role fields say (`user_id`, `email`, `contact_id`, `created_at`), and the first paragraph of its documentation |
/// | `key KEY KIND MARK… "DOC"` | a key of the event above it, in the order on the wire; the marks are `optional`, `truncated` and `sensitive` |
/// | `texts TEXT…` | every text that the values of the key above it can be |
/// | `also NAME` | an event that can be sent beside the event above it |
/// | `retired NAME` | a name that was given up, and is not to come back |
/// | `renamed NAME NAME` | the same, and the name that the event has now |
/// | `allowed RULE EVENT.KEY "REASON"` | a change that was made, and why |
/// | `allow RULE EVENT.KEY "REASON"` | a change that may be made now: the one line to write by hand |
///
/// A name that has more than letters, digits, `_` and `-` in it stands in quotes, as in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    pub(crate) plan: Plan,
    pub(crate) retired: Vec<Retired>,
    pub(crate) allowed: Vec<Allowance>,
    pub(crate) pending: Vec<Allowance>,
}

/// An event name that was given up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Retired {
    /// The name.
    pub name: String,
    /// The name that the event has since then, if it was renamed.
    pub successor: Option<String>,
}

/// A change that somebody allowed, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Allowance {
    /// The rule that the change meets.
    pub rule: Rule,
    /// The event: by its earlier name, where it is renamed.
    pub event: String,
    /// The key, if the change is one key's.
    pub key: Option<String>,
    /// The reason.
    pub reason: String,
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    ///
    /// Fails at the first line that is none of a lock, with its number.
    pub fn parse(text: &str) -> Result<Self, LockSyntaxError> {
        read::parse(text)
    }

    /// Returns the events, with the first paragraph of their documentation.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the names that were given up, sorted.
    pub fn retired(&self) -> &[Retired] {
        &self.retired
    }

    /// Returns the changes that were allowed and made, sorted.
    pub fn allowed(&self) -> &[Allowance] {
        &self.allowed
    }

    /// Returns the changes that may be made now: the lines that begin with `allow`.
    pub fn pending(&self) -> &[Allowance] {
        &self.pending
    }
}

impl Plan {
    /// Returns the first lock of these events.
    pub fn lock(&self) -> Lock {
        let retired = self.events.iter().filter_map(Retired::by).collect();
        let mut lock =
            Lock { plan: self.locked(), retired, allowed: Vec::new(), pending: Vec::new() };
        lock.retired.sort();
        lock
    }

    /// The part of it that a lock keeps.
    pub(crate) fn locked(&self) -> Plan {
        let mut plan = self.clone();
        plan.name.clear();
        plan.doc.clear();
        for event in &mut plan.events {
            event.doc = summary(&event.doc);
            event.was = None;
            event.roles.sort_unstable();
            for key in &mut event.keys {
                key.doc = summary(&key.doc);
                key.group = None;
            }
        }
        plan
    }
}

impl Retired {
    /// The name that an event had before.
    pub(crate) fn by(event: &PlannedEvent) -> Option<Self> {
        let name = event.was.clone()?;
        Some(Retired { name, successor: Some(event.name.clone()) })
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        fold(&self.name) == fold(name)
    }
}

impl Allowance {
    /// Allows a change.
    pub fn new(
        rule: Rule,
        event: impl Into<String>,
        key: Option<String>,
        reason: impl Into<String>,
    ) -> Self {
        Allowance { rule, event: event.into(), key, reason: reason.into() }
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::lock(self, f)
    }
}

impl FromStr for Lock {
    type Err = LockSyntaxError;

    fn from_str(text: &str) -> Result<Self, LockSyntaxError> {
        Lock::parse(text)
    }
}
