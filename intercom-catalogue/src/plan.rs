//! The events of a program as plain data, from a catalogue or a lock.

use intercom_core::rules::fold;
use intercom_core::{Catalogue, EventDescription, KeyDescription, Role, ValueKind};

/// The events that a program can send, sorted by name: a catalogue or a lock as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) budget: usize,
    pub(crate) events: Vec<PlannedEvent>,
}

/// An event of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedEvent {
    /// The event's name.
    pub name: String,
    /// The event's documentation. A lock keeps only the first paragraph.
    pub doc: String,
    /// The parts of a request that the event's fields fill: identifiers of its contact, and its
    /// time.
    pub roles: Vec<Role>,
    /// The event's keys, in the order in which it sends them.
    pub keys: Vec<PlannedKey>,
    /// The names of the events that `#[event(also = …)]` can send beside it.
    pub also: Vec<String>,
    /// The event's earlier name. A lock has none.
    pub was: Option<String>,
}

/// A key of a [`PlannedEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedKey {
    /// The key.
    pub key: String,
    /// The key's documentation. A lock keeps only the first paragraph.
    pub doc: String,
    /// The kind of the value, as Intercom shows it.
    pub kind: ValueKind,
    /// Whether an event may omit the key.
    pub optional: bool,
    /// Every text that the value can be, if its type is an enum of unit variants. Empty for other
    /// types.
    pub texts: Vec<String>,
    /// Whether the event cuts text at 255 characters.
    pub truncated: bool,
    /// Whether the program masks the values wherever it shows them.
    pub sensitive: bool,
    /// The `#[event(flatten)]` type that the key comes from. A lock has none.
    pub group: Option<String>,
}

impl Plan {
    /// Returns the plan of a program, from its catalogue.
    pub fn of(catalogue: &Catalogue) -> Self {
        let planned = |event: &EventDescription| PlannedEvent {
            name: event.name.to_owned(),
            doc: event.doc.to_owned(),
            roles: event.roles.to_vec(),
            keys: event
                .keys()
                .iter()
                .map(|key| PlannedKey {
                    key: key.key.to_owned(),
                    doc: key.doc.to_owned(),
                    kind: key.kind,
                    optional: key.optional,
                    texts: texts(key),
                    truncated: key.truncated,
                    sensitive: key.sensitive,
                    group: key.group.map(str::to_owned),
                })
                .collect(),
            also: derived(catalogue, event.name),
            was: event.was.map(str::to_owned),
        };
        let mut plan = Plan {
            name: catalogue.name().to_owned(),
            doc: catalogue.doc().to_owned(),
            budget: catalogue.budget(),
            events: catalogue.events().map(planned).collect(),
        };
        plan.sort();
        plan
    }

    /// Returns the events, sorted by name.
    pub fn events(&self) -> &[PlannedEvent] {
        &self.events
    }

    /// Returns the event of this name. Intercom ignores case in names, and so does this lookup.
    pub fn event(&self, name: &str) -> Option<&PlannedEvent> {
        let at = self.events.binary_search_by_key(&fold(name), |event| fold(&event.name)).ok()?;
        self.events.get(at)
    }

    /// Returns the highest number of event names that the program may have: 120, unless its
    /// catalogue has a `#[budget(…)]`.
    pub fn budget(&self) -> usize {
        self.budget
    }

    pub(crate) fn sort(&mut self) {
        self.events.sort_by_cached_key(|event| (fold(&event.name), event.name.clone()));
    }
}

/// Returns the texts that a key can be, each once. Two variants may send one text.
fn texts(key: &KeyDescription) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for text in key.texts.iter().filter(|_| key.kind == ValueKind::Text) {
        if !texts.iter().any(|known| known == text) {
            texts.push((*text).to_owned());
        }
    }
    texts
}

/// Returns the names of the events that `also` sends beside an event, each once.
fn derived(catalogue: &Catalogue, event: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for derived in catalogue.also(event).flat_map(|also| also.derived) {
        if !names.iter().any(|name| name == derived.name) {
            names.push(derived.name.to_owned());
        }
    }
    names
}

/// Returns the first paragraph, on one line.
pub(crate) fn summary(doc: &str) -> String {
    let lines = doc.lines().map(str::trim);
    let paragraph = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    paragraph.collect::<Vec<_>>().join(" ")
}
