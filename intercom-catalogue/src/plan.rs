//! The events of a program, as plain data: out of a catalogue, or out of a lock.

use intercom_core::{Catalogue, EventDescription, KeyDescription, Role, ValueKind};

/// The events that a program can send, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) budget: usize,
    pub(crate) events: Vec<PlannedEvent>,
}

/// One event of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedEvent {
    /// The event's name.
    pub name: String,
    /// Its documentation: in full out of a catalogue, the first paragraph out of a lock.
    pub doc: String,
    /// What its role fields say: which identifiers of its contact, and whether its time.
    pub roles: Vec<Role>,
    /// Its keys, in the order on the wire.
    pub keys: Vec<PlannedKey>,
    /// The names of the events that can be sent beside it.
    pub also: Vec<String>,
    /// The name that it had before, out of a catalogue.
    pub was: Option<String>,
}

/// One key of a [`PlannedEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedKey {
    /// The key.
    pub key: String,
    /// Its documentation: in full out of a catalogue, the first paragraph out of a lock.
    pub doc: String,
    /// What Intercom takes its values for.
    pub kind: ValueKind,
    /// Whether it is left out when there is no value.
    pub optional: bool,
    /// Every text that its values can be, of an enum of unit variants. Empty where they can be any text, or are no text.
    pub texts: Vec<String>,
    /// Whether text is cut at 255 characters.
    pub truncated: bool,
    /// Whether its values are masked wherever the program shows them.
    pub sensitive: bool,
    /// The group that it comes from, out of a catalogue.
    pub group: Option<String>,
}

impl Plan {
    /// Returns the plan of a program: what its catalogue lists.
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

    /// Returns the event of this name. As to Intercom, upper and lower case are the same.
    pub fn event(&self, name: &str) -> Option<&PlannedEvent> {
        let folded = fold(name);
        self.events.iter().find(|event| fold(&event.name) == folded)
    }

    /// Returns how many event names there may be.
    pub fn budget(&self) -> usize {
        self.budget
    }

    pub(crate) fn sort(&mut self) {
        self.events.sort_by_cached_key(|event| (fold(&event.name), event.name.clone()));
    }
}

/// The texts that a key can be, each once: two variants may send one text.
fn texts(key: &KeyDescription) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for text in key.texts.iter().filter(|_| key.kind == ValueKind::Text) {
        if !texts.iter().any(|known| known == text) {
            texts.push((*text).to_owned());
        }
    }
    texts
}

/// The names of the events that are sent beside one, each once.
fn derived(catalogue: &Catalogue, event: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for derived in catalogue.also(event).flat_map(|also| also.derived) {
        if !names.iter().any(|name| name == derived.name) {
            names.push(derived.name.to_owned());
        }
    }
    names
}

/// The form in which Intercom compares names and keys.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The first paragraph, on one line.
pub(crate) fn summary(doc: &str) -> String {
    let lines = doc.lines().map(str::trim);
    let paragraph = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    paragraph.collect::<Vec<_>>().join(" ")
}
