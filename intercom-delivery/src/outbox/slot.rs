//! Slots: Intercom takes two events with one slot for duplicates.

use std::hash::Hasher;

use intercom_core::{DataEvent, Timestamp, rules};
use siphasher::sip::SipHasher13;

/// A contact, an event name and a second: the event's `created_at`. Of two events in one slot,
/// Intercom ignores the later one.
///
/// Slots ignore the case of names and email addresses, and whether a name has an accented letter as
/// one character or as a letter and a combining accent. If Intercom distinguishes these, the engine
/// moves an event by a second without need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Slot {
    /// A hash of contact and name. Outboxes store it, so every version computes the same.
    ///
    /// Two different contacts or names share a hash once in 2⁶⁴ pairs. Then the engine moves one
    /// event by a second without need.
    pub key: u64,
    /// The second.
    pub second: Timestamp,
}

impl Slot {
    /// Creates a slot that a store has kept.
    pub const fn new(key: u64, second: Timestamp) -> Self {
        Slot { key, second }
    }

    /// Returns the slot of an event.
    pub fn of(event: &DataEvent) -> Self {
        let mut hasher = SipHasher13::new();
        hash_name(event.event_name(), &mut hasher);
        let contact = event.contact();
        for identifier in [contact.as_user_id(), contact.as_contact_id()] {
            if let Some(identifier) = identifier {
                hasher.write(identifier.as_bytes());
            }
            hasher.write(&[END, identifier.is_some().into()]);
        }
        if let Some(email) = contact.as_email() {
            hash_folded(email, &mut hasher);
        }
        Slot { key: hasher.finish(), second: event.created_at() }
    }
}

/// The slot of a sent event or a dead letter, and how long the outbox keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsedSlot {
    /// The slot.
    pub slot: Slot,
    /// Until when the outbox keeps it, by the engine's clock. The outbox may keep it longer.
    pub keep_until: Timestamp,
}

impl UsedSlot {
    /// Creates a used slot that the outbox keeps until this time.
    pub const fn new(slot: Slot, keep_until: Timestamp) -> Self {
        UsedSlot { slot, keep_until }
    }

    /// The `keep_until` for a dead letter's slot, if an attempt may have reached Intercom. It has
    /// no end, because an operator may redrive the dead letter at any time.
    pub const WHILE_DEAD: Timestamp = Timestamp::from_unix_seconds(i64::MAX);
}

/// A byte that no UTF-8 text contains.
const END: u8 = 0xFF;

/// Hashes an event name as [`fold`](rules::fold) folds it.
fn hash_name(name: &str, hasher: &mut impl Hasher) {
    if name.is_ascii() {
        return hash_folded(name, hasher);
    }
    hasher.write(rules::fold(name).as_bytes());
    hasher.write(&[END]);
}

/// Hashes a text in lower case, without an allocation for ASCII.
///
/// Stored tombstones have this hash of an address.
pub(super) fn hash_folded(text: &str, hasher: &mut impl Hasher) {
    if text.is_ascii() {
        let mut folded = [0; 64];
        for part in text.as_bytes().chunks(folded.len()) {
            let folded = &mut folded[..part.len()];
            folded.copy_from_slice(part);
            folded.make_ascii_lowercase();
            hasher.write(folded);
        }
    } else {
        hasher.write(text.to_lowercase().as_bytes());
    }
    hasher.write(&[END]);
}

#[cfg(test)]
mod tests {
    use intercom_core::{Contact, DynamicEvent};

    use super::*;

    fn key(name: &str, contact: Contact) -> u64 {
        let event = DynamicEvent::new(name).unwrap();
        let event = DataEvent::new(&event, contact, Timestamp::from_unix_seconds(0)).unwrap();
        Slot::of(&event).key
    }

    /// If the keys changed, a stored slot would match no event.
    #[test]
    fn a_key_is_the_same_in_every_version() {
        let expected = [-9_077_249_458_366_700_123_i64, -519_035_417_943_641_305];
        let keys = [
            key("project_created", Contact::user_id(42)),
            key("menü_geöffnet", Contact::email("ada@example.com")),
        ];
        assert_eq!(keys, expected.map(i64::cast_unsigned));
    }

    #[test]
    fn a_text_is_hashed_in_parts_as_it_is_whole() {
        for length in 0..200 {
            let text = "Project_Created.".repeat(13)[..length].to_owned();
            let (mut parts, mut whole) = (SipHasher13::new(), SipHasher13::new());
            hash_folded(&text, &mut parts);
            whole.write(text.to_lowercase().as_bytes());
            whole.write(&[END]);
            assert_eq!(parts.finish(), whole.finish(), "{length}");
        }
    }

    #[test]
    fn case_makes_no_difference_in_names_and_addresses() {
        let ada = key("project_created", Contact::email("ada@example.com"));
        assert_eq!(ada, key("Project_Created", Contact::email("Ada@Example.com")));
        assert_eq!(key("MENÜ", Contact::user_id(1)), key("menü", Contact::user_id(1)));
    }

    /// Intercom would ignore one of two such events, if it takes the names for one.
    #[test]
    fn an_accent_of_a_name_may_be_a_character_of_its_own() {
        let key = |name| key(name, Contact::user_id(1));
        assert_eq!(key("cafe\u{301}_visited"), key("caf\u{e9}_visited"));
        assert_eq!(key("CAFE\u{301}_visited"), key("caf\u{e9}_visited"));
        assert_ne!(key("cafe_visited"), key("caf\u{e9}_visited"));
    }

    #[test]
    fn slots_differ_by_the_kind_of_identifier() {
        let all = [
            key("signed_up", Contact::user_id("a")),
            key("signed_up", Contact::contact_id("a")),
            key("signed_up", Contact::email("a@b")),
            key("signed_up", Contact::user_id("a@b")),
            key("signed_up", Contact::user_id("A")),
            key("signed_upa", Contact::user_id("b")),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one));
        }
    }
}
