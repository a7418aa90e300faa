//! Checks that only the compiler can make: keys across flattened groups, names across events.
//!
//! The derive sees one type at a time. Constants compute what needs another type's keys, before
//! code generation. So `cargo check` and editors report these mistakes too.

use crate::catalogue::{Catalogue, Entry, TypeDescription};
use crate::description::{EventDescription, FieldDescription, GroupDescription};
use crate::rules::{DEFAULT_MAX_KEYS, MAX_MAX_KEYS};

/// One field of an event or group, as the derive sees it.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// A key.
    Key(&'static str),
    /// A flattened group.
    Group(GroupDescription),
}

/// Refuses a group whose keys the event has already.
///
/// `at` is the group's index in `parts`. Each pair is compared once: a group checks the keys around
/// it and the groups before it.
#[track_caller]
pub const fn group_is_distinct(parts: &[Part], at: usize) {
    let Part::Group(group) = parts[at] else { return };
    let mut other = 0;
    while other < parts.len() {
        match parts[other] {
            Part::Key(key) => refuse_shared_key(group.fields, key),
            Part::Group(before) if other < at => refuse_shared_keys(group.fields, before.fields),
            Part::Group(_) => {}
        }
        other += 1;
    }
}

/// Refuses more keys than an event may have, and a raised limit that the event does not need.
#[track_caller]
pub const fn count_is_allowed(event: &str, parts: &[Part], max_keys: Option<usize>) {
    let count = count_parts(parts);
    let limit = match max_keys {
        Some(max) => max,
        None => DEFAULT_MAX_KEYS,
    };
    if count > limit {
        let message = Message::new()
            .text("event `")
            .text(event)
            .text("` has ")
            .number(count)
            .text(" keys with those of its flattened groups, and may have ")
            .number(limit)
            .text(": Intercom drops further keys without an error; leave some out");
        let message = if count <= MAX_MAX_KEYS {
            message.text(", or raise the limit: `#[event(max_keys = ").number(count).text(")]`")
        } else {
            message
        };
        message.panic()
    }
    if max_keys.is_some() && count <= DEFAULT_MAX_KEYS && !has_inert_group(parts) {
        Message::new()
            .text("`max_keys` is not needed: event `")
            .text(event)
            .text("` has no more than 10 keys, which every event may have; remove it")
            .panic()
    }
}

/// Refuses one line of a catalogue.
///
/// Each pair of names is compared once: a line checks the lines before it.
#[track_caller]
pub(crate) const fn entry(entries: &[Entry], line: usize, budget: usize) {
    if let Entry::Type(listed) = &entries[line]
        && listed.is_dynamic
    {
        Message::new()
            .text("the names of `")
            .text(listed.name)
            .text("` are known only at run time: list types that derive `IntercomEvent`")
            .panic()
    }
    let before = entries.split_at(line).0;
    let (count_before, count) = (count_names(before), count_names(entries.split_at(line + 1).0));
    if count > budget {
        if count_before <= budget {
            let message = Message::new()
                .text("with this line the catalogue has ")
                .number(count)
                .text(" event names, and may have ")
                .number(budget);
            let message = if budget < Catalogue::MAX_BUDGET {
                message.text(": remove events, or raise its `#[budget(…)]` (Intercom takes 120 names in a workspace)")
            } else {
                message.text(": Intercom takes no more names in a workspace; remove events, or make one of several with a key that tells them apart")
            };
            message.panic()
        }
        return;
    }
    refuse_listed_names(&entries[line], before);
    if let Entry::Type(listed) = &entries[line] {
        refuse_unlisted_derived(listed, entries);
        refuse_earlier_names(listed.events, entries);
    }
}

const fn count_names(entries: &[Entry]) -> usize {
    let (mut count, mut i) = (0, 0);
    while i < entries.len() {
        count += match &entries[i] {
            Entry::Type(listed) => listed.events.len(),
            Entry::Catalogue(other) => count_names(other.entries()),
        };
        i += 1;
    }
    count
}

/// Finds the event that has this folded name.
const fn find_name(entries: &[Entry], folded: &str) -> Option<&'static EventDescription> {
    let mut i = 0;
    while i < entries.len() {
        match &entries[i] {
            Entry::Type(listed) => {
                let mut j = 0;
                while j < listed.events.len() {
                    if same(listed.events[j].folded_name, folded) {
                        return Some(&listed.events[j]);
                    }
                    j += 1;
                }
            }
            Entry::Catalogue(other) => {
                if let Some(event) = find_name(other.entries(), folded) {
                    return Some(event);
                }
            }
        }
        i += 1;
    }
    None
}

#[track_caller]
const fn refuse_listed_names(entry: &Entry, before: &[Entry]) {
    match entry {
        Entry::Type(listed) => {
            let mut i = 0;
            while i < listed.events.len() {
                let event = &listed.events[i];
                if let Some(other) = find_name(before, event.folded_name) {
                    refuse_name(event.name, other.name)
                }
                i += 1;
            }
        }
        Entry::Catalogue(catalogue) => {
            let mut i = 0;
            while i < catalogue.entries().len() {
                refuse_listed_names(&catalogue.entries()[i], before);
                i += 1;
            }
        }
    }
}

#[track_caller]
const fn refuse_name(name: &str, other: &str) {
    let message = Message::new();
    let message = if same_bytes(name, other) {
        message.text("the catalogue lists an event `").text(name).text(
            "` already: remove this line if it is the same event, or rename one of the events",
        )
    } else {
        message
            .text("Intercom takes the event names `")
            .text(other)
            .text("` and `")
            .text(name)
            .text("` for one (upper and lower case are the same); rename one of the events")
    };
    message.panic()
}

#[track_caller]
const fn refuse_unlisted_derived(listed: &TypeDescription, entries: &[Entry]) {
    let mut i = 0;
    while i < listed.also.len() {
        let also = &listed.also[i];
        let mut j = 0;
        while j < also.derived.len() {
            let derived = &also.derived[j];
            if find_name(entries, derived.folded_name).is_none() {
                Message::new()
                    .text("event `")
                    .text(also.event)
                    .text("` also sends `")
                    .text(derived.name)
                    .text("`, which this catalogue does not list; add the type of that event")
                    .panic()
            }
            j += 1;
        }
        i += 1;
    }
}

#[track_caller]
const fn refuse_earlier_names(events: &[EventDescription], entries: &[Entry]) {
    let mut i = 0;
    while i < events.len() {
        if let Some(was) = events[i].was
            && let Some(other) = find_name(entries, was)
        {
            Message::new()
                .text("event `")
                .text(events[i].name)
                .text("` was `")
                .text(was)
                .text("` before, and that is the name of another event now (`")
                .text(other.name)
                .text("`): give that one a name of its own, or remove `was`")
                .panic()
        }
        i += 1;
    }
}

#[track_caller]
const fn refuse_shared_keys(group: &[FieldDescription], others: &[FieldDescription]) {
    let mut i = 0;
    while i < others.len() {
        match &others[i] {
            FieldDescription::Key(other, ..) => refuse_shared_key(group, other),
            FieldDescription::Group(inner) => refuse_shared_keys(group, inner.fields),
        }
        i += 1;
    }
}

#[track_caller]
const fn refuse_shared_key(group: &[FieldDescription], key: &str) {
    let mut i = 0;
    while i < group.len() {
        match &group[i] {
            FieldDescription::Key(own, ..) if same(own, key) => Message::new()
                .text("the key `")
                .text(own)
                .text("` of this flattened group is in the event already (to Intercom upper and lower case are the same); rename one of them")
                .panic(),
            FieldDescription::Key(..) => {}
            FieldDescription::Group(inner) => refuse_shared_key(inner.fields, key),
        }
        i += 1;
    }
}

const fn count_parts(parts: &[Part]) -> usize {
    let (mut count, mut i) = (0, 0);
    while i < parts.len() {
        count += match parts[i] {
            Part::Key(_) => 1,
            Part::Group(group) => count_fields(group.fields),
        };
        i += 1;
    }
    count
}

/// Returns whether a group has no keys because its derive failed. That derive has reported the
/// mistake.
const fn has_inert_group(parts: &[Part]) -> bool {
    let mut i = 0;
    while i < parts.len() {
        if matches!(parts[i], Part::Group(GroupDescription { fields: [], .. })) {
            return true;
        }
        i += 1;
    }
    false
}

const fn count_fields(fields: &[FieldDescription]) -> usize {
    let (mut count, mut i) = (0, 0);
    while i < fields.len() {
        count += match &fields[i] {
            FieldDescription::Key(..) => 1,
            FieldDescription::Group(group) => count_fields(group.fields),
        };
        i += 1;
    }
    count
}

/// Returns whether one of these events has a sensitive key.
pub(crate) const fn has_sensitive_keys(events: &[EventDescription]) -> bool {
    const fn among(fields: &[FieldDescription]) -> bool {
        let mut i = 0;
        while i < fields.len() {
            let found = match &fields[i] {
                FieldDescription::Key(_, _, value) => value.sensitive,
                FieldDescription::Group(group) => among(group.fields),
            };
            if found {
                return true;
            }
            i += 1;
        }
        false
    }
    let mut i = 0;
    while i < events.len() {
        if among(events[i].fields) {
            return true;
        }
        i += 1;
    }
    false
}

/// Returns whether Intercom takes two names or keys for one. Only ASCII needs folding here: the
/// derive hands over other capital letters folded, or refuses them.
const fn same(a: &str, b: &str) -> bool {
    a.as_bytes().eq_ignore_ascii_case(b.as_bytes())
}

const fn same_bytes(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// A message composed in a constant, where `format!` cannot run.
struct Message {
    bytes: [u8; Message::CAPACITY],
    len: usize,
}

impl Message {
    const CAPACITY: usize = 512;

    const fn new() -> Self {
        Message { bytes: [0; Message::CAPACITY], len: 0 }
    }

    const fn text(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        // A text that does not fit is skipped whole, so that no character is cut in two.
        if text.len() <= Message::CAPACITY - self.len {
            let mut i = 0;
            while i < text.len() {
                self.bytes[self.len] = text[i];
                self.len += 1;
                i += 1;
            }
        }
        self
    }

    const fn number(self, number: usize) -> Self {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let message = if number >= 10 { self.number(number / 10) } else { self };
        message.text(DIGITS[number % 10])
    }

    #[track_caller]
    const fn panic(&self) -> ! {
        match str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(message) => panic!("{}", message),
            Err(_) => panic!("two names are the same to Intercom"),
        }
    }
}
