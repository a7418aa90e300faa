//! The lock of a program's events: the events and keys that the sandbox compares with.
//!
//! The parser follows the file's own description, because the sandbox shares no code with the
//! lock's writer.

use std::collections::HashMap;

use serde_json::Value;
use thiserror::Error;

/// Replaces a sensitive value in every display.
pub(crate) const MASK: &str = "[sensitive]";

/// The events that a program says it sends: the content of its `events.lock`, which the crate
/// `intercom-catalogue` writes.
///
/// ```
/// use intercom_sandbox::{EventsLock, Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lock = EventsLock::parse("version 1\nevent invoice_paid\n  key amount money\n")?;
/// let builder = Sandbox::builder().events_lock(lock);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventsLock {
    /// In the order of the file.
    events: Vec<LockedEvent>,
    /// Indexes by name in lower case, since Intercom ignores case.
    places: HashMap<String, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LockedEvent {
    name: String,
    keys: Vec<LockedKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LockedKey {
    key: String,
    kind: LockedKind,
    is_optional: bool,
    is_sensitive: bool,
    /// The allowed texts; empty if any text is allowed.
    texts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LockedKind {
    Text,
    Number,
    Boolean,
    Date,
    Link,
    RichLink,
    Money,
}

/// A text that is not a lock.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the lock: {problem}")]
pub struct InvalidEventsLock {
    line: usize,
    problem: String,
}

impl EventsLock {
    /// Parses the text of an `events.lock`.
    ///
    /// Read the file when the test runs:
    /// `EventsLock::parse(&std::fs::read_to_string("events.lock")?)`. With `include_str!`, a crate
    /// without its lock does not compile, so no test can write the lock.
    ///
    /// # Errors
    /// If the version is not 1, a line does not belong in a lock, or the lock has no event.
    pub fn parse(text: &str) -> Result<Self, InvalidEventsLock> {
        let mut lock = Self::default();
        let mut is_versioned = false;
        for (at, line) in text.lines().enumerate() {
            let failed = |problem| InvalidEventsLock { line: at + 1, problem };
            let words = words(line).map_err(failed)?;
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            match words[..] {
                [] => {}
                ["version", "1"] => is_versioned = true,
                _ if !is_versioned => {
                    return Err(failed("the first line must be `version 1`".into()));
                }
                ["event", name, ..] => lock.add(name).map_err(failed)?,
                ["key", key, kind, ref marks @ ..] => {
                    let kind = LockedKind::named(kind)
                        .ok_or_else(|| failed(format!("`{kind}` is not a kind")))?;
                    let event = lock.events.last_mut();
                    let event =
                        event.ok_or_else(|| failed("`key` has no `event` line above it".into()))?;
                    event.keys.push(LockedKey {
                        key: key.to_owned(),
                        kind,
                        is_optional: marks.contains(&"optional"),
                        is_sensitive: marks.contains(&"sensitive"),
                        texts: Vec::new(),
                    });
                }
                ["texts", ref texts @ ..] => {
                    let key = lock.events.last_mut().and_then(|event| event.keys.last_mut());
                    let key =
                        key.ok_or_else(|| failed("`texts` has no `key` line above it".into()))?;
                    key.texts.extend(texts.iter().map(|text| (*text).to_owned()));
                }
                ["budget" | "also" | "retired" | "renamed" | "allowed" | "allow", ..] => {}
                [word, ..] => {
                    return Err(failed(format!("`{word}` does not begin a line of a lock")));
                }
            }
        }
        if lock.events.is_empty() {
            let problem = "it has no event".to_owned();
            return Err(InvalidEventsLock { line: text.lines().count().max(1), problem });
        }
        Ok(lock)
    }

    fn add(&mut self, name: &str) -> Result<(), String> {
        if self.places.insert(name.to_lowercase(), self.events.len()).is_some() {
            return Err(format!("the event `{name}` is there already"));
        }
        self.events.push(LockedEvent { name: name.to_owned(), keys: Vec::new() });
        Ok(())
    }

    fn event(&self, name: &str) -> Option<&LockedEvent> {
        self.places.get(&name.to_lowercase()).and_then(|place| self.events.get(*place))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.event(name).is_some()
    }

    /// Returns the lock's events that no client has sent, in the order of the file.
    pub(crate) fn others(&self, sent: &[Box<str>]) -> Vec<String> {
        let sent: Vec<_> = sent.iter().map(|name| name.to_lowercase()).collect();
        let never = self.events.iter().filter(|event| !sent.contains(&event.name.to_lowercase()));
        never.map(|event| event.name.clone()).collect()
    }

    /// Returns what the lock lacks of an event, with a sentence for each difference.
    pub(crate) fn deviations(&self, name: &str, metadata: &[(String, Value)]) -> Vec<String> {
        let Some(locked) = self.event(name) else {
            return vec![format!("The event `{name}` is not in the lock.")];
        };
        let mut deviations = Vec::new();
        for (key, value) in metadata {
            match locked.key(key) {
                None => deviations.push(format!("The key `{key}` is not in the lock.")),
                Some(known) if !known.kind.is_of(value) => deviations.push(format!(
                    "The value of `{key}` must be {}, by the lock.",
                    known.kind.described()
                )),
                Some(known) if !known.may_be(value) => deviations.push(format!(
                    "The lock does not allow this text for `{key}`; it allows: {}.",
                    known.texts.join(", ")
                )),
                Some(_) => {}
            }
        }
        let came = |known: &LockedKey| metadata.iter().any(|(key, _)| known.is(key));
        let missing = locked.keys.iter().filter(|known| !known.is_optional && !came(known));
        deviations.extend(
            missing.map(|known| {
                format!("The key `{}` is missing, and the lock requires it.", known.key)
            }),
        );
        deviations
    }

    /// Returns whether to mask a key's values. In an event that the lock does not have, a key is
    /// sensitive if any event marks it so.
    pub(crate) fn is_sensitive(&self, name: &str, key: &str) -> bool {
        let is_marked =
            |event: &LockedEvent| event.key(key).is_some_and(|known| known.is_sensitive);
        match self.event(name) {
            Some(event) => is_marked(event),
            None => self.events.iter().any(is_marked),
        }
    }

    /// Returns whether a text contains a sensitive key of any event, ignoring case.
    pub(crate) fn mentions_sensitive_key(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let mut keys = self.events.iter().flat_map(LockedEvent::sensitive_keys);
        keys.any(|key| text.contains(&key.to_lowercase()))
    }
}

impl LockedEvent {
    fn sensitive_keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter(|known| known.is_sensitive).map(|known| &*known.key)
    }

    fn key(&self, key: &str) -> Option<&LockedKey> {
        self.keys.iter().find(|known| known.is(key))
    }
}

impl LockedKey {
    /// Returns whether the lock allows this text.
    fn may_be(&self, value: &Value) -> bool {
        self.texts.is_empty()
            || value.as_str().is_some_and(|text| self.texts.iter().any(|known| known == text))
    }

    /// Compares keys without case, as Intercom does.
    fn is(&self, key: &str) -> bool {
        self.key.to_lowercase() == key.to_lowercase()
    }
}

impl LockedKind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "link" => Self::Link,
            "rich_link" => Self::RichLink,
            "money" => Self::Money,
            _ => return None,
        })
    }

    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::Text | Self::Link => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Date => value.is_i64() || value.is_u64(),
            Self::RichLink => value.get("url").is_some(),
            Self::Money => value.get("amount").is_some(),
        }
    }

    /// Returns the kind with its article.
    fn described(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Date => "a date",
            Self::Link => "a link",
            Self::RichLink => "a rich link",
            Self::Money => "an amount of money",
        }
    }
}

/// Returns the words and quoted texts of a line, without its comment.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut rest = line.trim();
    let mut words = Vec::new();
    if rest.starts_with('#') {
        return Ok(words);
    }
    while !rest.is_empty() {
        let end = if rest.starts_with('"') {
            let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            match texts.next() {
                Some(Ok(text)) => words.push(text),
                _ => return Err("a text in quotes does not end".into()),
            }
            texts.byte_offset()
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            end
        };
        rest = rest[end..].trim_start();
    }
    Ok(words)
}
