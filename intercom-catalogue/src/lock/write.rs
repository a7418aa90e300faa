//! Writes a lock: sorted, one key a line, so that git merges it.

use std::borrow::Cow;
use std::fmt::{self, Formatter};

use intercom_core::Catalogue;

use super::{Allowance, Lock};

const HEAD: &str = "\
# What this program sends to Intercom. A test writes this file: UPDATE_EVENTS_LOCK=1 cargo test
# Change the events, not this file. A change that breaks something needs a line here, with a reason:
#   allow KEY_REMOVED invoice_paid.seats \"why\"
version 1
";

pub(super) fn lock(lock: &Lock, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(HEAD)?;
    if lock.plan.budget != Catalogue::MAX_BUDGET {
        writeln!(f, "budget {}", lock.plan.budget)?;
    }
    for event in &lock.plan.events {
        write!(f, "\nevent {}", word(&event.name))?;
        for role in &event.roles {
            write!(f, " {}", role.as_str())?;
        }
        doc(&event.doc, f)?;
        for key in &event.keys {
            write!(f, "  key {} {}", word(&key.key), key.kind.as_str())?;
            let marks = [
                ("optional", key.optional),
                ("truncated", key.truncated),
                ("sensitive", key.sensitive),
            ];
            for (mark, _) in marks.iter().filter(|(_, is_set)| *is_set) {
                write!(f, " {mark}")?;
            }
            doc(&key.doc, f)?;
            if !key.texts.is_empty() {
                let texts: Vec<_> = key.texts.iter().map(|text| word(text)).collect();
                writeln!(f, "    texts {}", texts.join(" "))?;
            }
        }
        for also in &event.also {
            writeln!(f, "  also {}", word(also))?;
        }
    }
    if !lock.retired.is_empty() {
        writeln!(f)?;
    }
    for retired in &lock.retired {
        match &retired.successor {
            Some(successor) => writeln!(f, "renamed {} {}", word(&retired.name), word(successor))?,
            None => writeln!(f, "retired {}", word(&retired.name))?,
        }
    }
    for (keyword, allowances) in [("allowed", &lock.allowed), ("allow", &lock.pending)] {
        if !allowances.is_empty() {
            writeln!(f)?;
        }
        for allowance in allowances {
            writeln!(f, "{keyword} {allowance}")?;
        }
    }
    Ok(())
}

fn doc(doc: &str, f: &mut Formatter<'_>) -> fmt::Result {
    match doc {
        "" => writeln!(f),
        doc => writeln!(f, " {}", quoted(doc)),
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let subject = subject(&self.event, self.key.as_deref());
        write!(f, "{} {subject} {}", self.rule, quoted(&self.reason))
    }
}

/// Returns an event, or a key of an event, quoted where needed. A word without quotes has no full
/// stop.
pub(crate) fn subject(event: &str, key: Option<&str>) -> String {
    match key {
        None => word(event).into_owned(),
        Some(key) if is_bare(event) && is_bare(key) => format!("{event}.{key}"),
        Some(key) => quoted(&format!("{event}.{key}")),
    }
}

/// Returns a name, quoted where needed.
pub(crate) fn word(name: &str) -> Cow<'_, str> {
    if is_bare(name) { name.into() } else { quoted(name).into() }
}

fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
