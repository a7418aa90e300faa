//! What only the compiler can check: keys across flattened groups, and names across events.
//!
//! The derive sees one type at a time. What needs another type's keys is computed here, in constants,
//! before any code is generated, so that `cargo check` and editors report it too.

use crate::description::{EventDescription, FieldDescription, GroupDescription};
use crate::rules::{DEFAULT_MAX_KEYS, MAX_MAX_KEYS};

/// One field of an event or group: what the derive knows of it.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// A key.
    Key(&'static str),
    /// A flattened group.
    Group(GroupDescription),
}

/// Refuses a group whose keys the event has already.
///
/// `at` is the group's place in `parts`. Each pair is looked at once: a group answers for the keys around
/// it and for the groups before it.
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

/// Refuses more keys than an event may have, and a raised limit that is not needed.
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
            .text(": Intercom drops further keys in silence; leave some out");
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

/// Refuses events whose names Intercom takes for one: it does not tell upper from lower case.
///
/// The derive compares the events of one enum. To compare those of a whole program, list them once:
///
/// ```
/// use intercom_core::{IntercomEvent, assert_distinct_names};
///
/// #[derive(IntercomEvent)]
/// #[event(name = "project_created")]
/// struct ProjectCreated;
///
/// #[derive(IntercomEvent)]
/// #[event(name = "project_deleted")]
/// struct ProjectDeleted;
///
/// const _: () = assert_distinct_names(&[ProjectCreated::EVENTS, ProjectDeleted::EVENTS]);
/// ```
///
/// Two of one name do not compile:
///
/// ```compile_fail
/// use intercom_core::{IntercomEvent, assert_distinct_names};
///
/// #[derive(IntercomEvent)]
/// #[event(name = "project_created")]
/// struct ProjectCreated;
///
/// #[derive(IntercomEvent)]
/// #[event(name = "Project_Created")]
/// struct ProjectMade;
///
/// const _: () = assert_distinct_names(&[ProjectCreated::EVENTS, ProjectMade::EVENTS]);
/// ```
///
/// # Panics
///
/// Panics, at compile time when called in a constant, when two events have one name.
#[track_caller]
pub const fn assert_distinct_names(types: &[&[EventDescription]]) {
    let mut first = 0;
    while first < types.len() {
        let mut i = 0;
        while i < types[first].len() {
            let event = &types[first][i];
            let mut second = first;
            while second < types.len() {
                let mut j = if second == first { i + 1 } else { 0 };
                while j < types[second].len() {
                    let other = &types[second][j];
                    if same(event.folded_name, other.folded_name) {
                        Message::new()
                            .text("Intercom takes the event names `")
                            .text(event.name)
                            .text("` and `")
                            .text(other.name)
                            .text("` for one; rename one of the events")
                            .panic()
                    }
                    j += 1;
                }
                second += 1;
            }
            i += 1;
        }
        first += 1;
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

/// Whether one of the groups has no keys: its derive failed, and has reported why.
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

/// Returns whether one of these events has a key whose values are sensitive.
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

/// Whether Intercom takes two names or keys for one. The derive sees to it that only ASCII is left to fold:
/// capital letters beyond it come folded, or not at all.
const fn same(a: &str, b: &str) -> bool {
    a.as_bytes().eq_ignore_ascii_case(b.as_bytes())
}

/// A message put together in a constant, where there is no `format!`.
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
        // A text that does not fit is left out whole, so that no character is cut in two.
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
