//! An entry of the catalogue: a name with its count, its keys and their differences.

use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::kind::ValueKind;
use crate::admin::record::rfc3339;
use crate::events_lock::EventsLock;
use crate::received::ReceivedEvent;

/// The limit of shown keys and spellings. A program that turns values into keys exceeds it.
const KEYS: usize = 100;
const SPELLINGS: usize = 10;

#[derive(Serialize)]
pub(super) struct Entry {
    /// The first spelling.
    name: String,
    /// All spellings that Intercom treats as one name.
    spellings: Vec<String>,
    count: usize,
    #[serde(serialize_with = "as_rfc3339")]
    first: SystemTime,
    #[serde(serialize_with = "as_rfc3339")]
    last: SystemTime,
    /// In order of first arrival.
    keys: Vec<Key>,
    /// Whether the entry omits keys.
    more_keys: bool,
    /// Whether the lock has the name, if there is a lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_lock: Option<bool>,
    /// The number of events that differ from the lock.
    #[serde(skip)]
    deviating: usize,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Key {
    key: String,
    /// The number of events that kept the key.
    count: usize,
    kinds: Vec<Counted>,
    /// The number of events that dropped the key.
    dropped: usize,
}

#[derive(Serialize)]
struct Counted {
    kind: ValueKind,
    count: usize,
}

impl Entry {
    pub(super) fn new(first: &ReceivedEvent) -> Self {
        let received_at = first.request().received_at();
        Self {
            name: first.name().to_owned(),
            spellings: Vec::new(),
            count: 0,
            first: received_at,
            last: received_at,
            keys: Vec::new(),
            more_keys: false,
            in_lock: None,
            deviating: 0,
            warnings: Vec::new(),
        }
    }

    pub(super) fn record(&mut self, event: &ReceivedEvent) {
        self.count += 1;
        self.last = event.request().received_at();
        self.deviating += usize::from(event.deviates());
        if self.spellings.len() < SPELLINGS
            && !self.spellings.iter().any(|spelling| spelling == event.name())
        {
            self.spellings.push(event.name().to_owned());
        }
        for (place, (key, value)) in event.metadata().iter().enumerate() {
            if let Some(known) = self.key(place, key) {
                known.record(value);
            }
        }
        for key in event.dropped_keys() {
            if let Some(known) = self.key(self.keys.len(), key) {
                known.dropped += 1;
            }
        }
    }

    /// Returns the entry of a key. The key most often has the same place in every event.
    fn key(&mut self, place: usize, name: &str) -> Option<&mut Key> {
        let at_place = self.keys.get(place).is_some_and(|key| key.key == name);
        let found = if at_place {
            Some(place)
        } else {
            self.keys.iter().position(|key| is_same(&key.key, name))
        };
        match found {
            Some(place) => self.keys.get_mut(place),
            None if self.keys.len() == KEYS => {
                self.more_keys = true;
                None
            }
            None => {
                self.keys.push(Key {
                    key: name.to_owned(),
                    count: 0,
                    kinds: Vec::new(),
                    dropped: 0,
                });
                self.keys.last_mut()
            }
        }
    }

    pub(super) fn compare(&mut self, lock: &EventsLock) {
        self.in_lock = Some(lock.has(&self.name));
    }

    /// Adds the warnings, after all events.
    pub(super) fn finish(&mut self) {
        let warnings = [self.of_lock(), self.of_spellings(), self.of_kinds(), self.of_loss()];
        self.warnings = warnings.into_iter().flatten().collect();
    }

    fn of_lock(&self) -> Option<String> {
        match self.in_lock {
            Some(false) => Some("The lock has no event of this name.".into()),
            _ if self.deviating > 0 => Some(format!(
                "{} of {} events differ from the lock: each has a warning.",
                self.deviating, self.count
            )),
            _ => None,
        }
    }

    fn of_spellings(&self) -> Option<String> {
        let spellings = listed(self.spellings.iter().map(|spelling| format!("`{spelling}`")));
        (self.spellings.len() > 1).then(|| {
            format!(
                "Spellings of this name: {spellings}. Intercom ignores case, so this is one event."
            )
        })
    }

    fn of_kinds(&self) -> Option<String> {
        let differing = self.keys.iter().filter(|key| key.kinds.len() > 1).map(|key| {
            let kinds =
                key.kinds.iter().map(|kind| format!("{} in {}", kind.kind.described(), kind.count));
            format!("`{}` is {}", key.key, listed(kinds))
        });
        // Each item has its own `and`, so a comma separates the items.
        let differing = differing.collect::<Vec<_>>().join(", and ");
        (!differing.is_empty()).then(|| format!("{differing}: send one kind under a key."))
    }

    fn of_loss(&self) -> Option<String> {
        let dropped = self.named(|key| key.dropped > 0)?;
        Some(format!(
            "Intercom drops these keys without an error, in at least one event: {dropped}. They \
             exceed the limit of keys, or Intercom does not keep their kind."
        ))
    }

    /// Lists the matching keys for a sentence; `None` if no key matches.
    fn named(&self, chosen: impl Fn(&Key) -> bool) -> Option<String> {
        let keys =
            listed(self.keys.iter().filter(|key| chosen(key)).map(|key| format!("`{}`", key.key)));
        (!keys.is_empty()).then_some(keys)
    }
}

impl Key {
    fn record(&mut self, value: &Value) {
        self.count += 1;
        let kind = ValueKind::of(&self.key, value);
        match self.kinds.iter_mut().find(|counted| counted.kind == kind) {
            Some(counted) => counted.count += 1,
            None => self.kinds.push(Counted { kind, count: 1 }),
        }
    }
}

/// Compares keys without case, as Intercom does.
fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!one.is_ascii() && !other.is_ascii() && one.to_lowercase() == other.to_lowercase())
}

/// Formats a list as `a, b and c`.
fn listed(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<_> = items.collect();
    match items.pop() {
        Some(last) if !items.is_empty() => format!("{} and {last}", items.join(", ")),
        last => last.unwrap_or_default(),
    }
}

fn as_rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    rfc3339(*time).serialize(serializer)
}
