//! The lock: the events of a program as text, with retired names and allowed changes.

mod read;
mod write;

use std::fmt;
use std::str::FromStr;

use crate::plan::{Plan, PlannedEvent, summary};
use crate::rule::Rule;

pub use read::LockSyntaxError;
pub(crate) use write::subject;

/// The locked events of a program: the content of `events.lock`.
///
/// The text has these lines. A line that begins with `#` is a comment.
///
/// | line | meaning |
/// |---|---|
/// | `version 1` | the version of the file's format |
/// | `budget 90` | the highest number of event names, if below 120 |
/// | `event NAME ROLE… "DOC"` | an event, the parts of a request that its fields fill (`user_id`, `email`, `contact_id`, `created_at`), and the first paragraph of its documentation |
/// | `key KEY KIND MARK… "DOC"` | a key of the event above it, in the order in which the event sends its keys; the marks are `optional`, `truncated` and `sensitive` |
/// | `texts TEXT…` | every text that the values of the key above it can be |
/// | `also NAME` | an event that the program can send beside the event above it |
/// | `retired NAME` | the name of a removed event; a new event with this name is a *break* |
/// | `renamed NAME NAME` | the same, and the name that the event has now |
/// | `allowed RULE EVENT.KEY "REASON"` | an earlier change, and its reason |
/// | `allow RULE EVENT.KEY "REASON"` | an allowed change: the one line to write by hand |
///
/// A name with characters other than letters, digits, `_` and `-` is in quotes, as in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    pub(crate) plan: Plan,
    pub(crate) retired: Vec<Retired>,
    pub(crate) allowed: Vec<Allowance>,
    pub(crate) pending: Vec<Allowance>,
}

/// A retired event name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Retired {
    /// The name.
    pub name: String,
    /// The event's new name, if it has one.
    pub successor: Option<String>,
}

/// An allowed change, and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Allowance {
    /// The rule that covers the change.
    pub rule: Rule,
    /// The event's name: the earlier name of a renamed event.
    pub event: String,
    /// The key that changed. `None` for a change of the whole event.
    pub key: Option<String>,
    /// The reason.
    pub reason: String,
}

impl Lock {
    /// Parses the text of a lock.
    ///
    /// # Errors
    ///
    /// Fails at the first invalid line, such as one that is none of the lines [above](Lock). The
    /// error has the number of the line.
    pub fn parse(text: &str) -> Result<Self, LockSyntaxError> {
        read::parse(text)
    }

    /// Returns the events, with the first paragraph of their documentation.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the retired names, sorted.
    pub fn retired(&self) -> &[Retired] {
        &self.retired
    }

    /// Returns the allowed changes that the lock already has: its `allowed` lines, sorted.
    pub fn allowed(&self) -> &[Allowance] {
        &self.allowed
    }

    /// Returns the allowed changes that the lock does not have yet: its `allow` lines.
    pub fn pending(&self) -> &[Allowance] {
        &self.pending
    }
}

impl Plan {
    /// Returns a new lock of these events, without allowances.
    pub fn lock(&self) -> Lock {
        let retired = self.events.iter().filter_map(Retired::by).collect();
        let mut lock =
            Lock { plan: self.locked(), retired, allowed: Vec::new(), pending: Vec::new() };
        lock.retired.sort();
        lock
    }

    /// Returns the part of the plan that a lock keeps.
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
    /// Returns an event's earlier name.
    pub(crate) fn by(event: &PlannedEvent) -> Option<Self> {
        let name = event.was.clone()?;
        Some(Retired { name, successor: Some(event.name.clone()) })
    }
}

impl Allowance {
    /// Creates an allowance of a change by this rule, for this reason.
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
