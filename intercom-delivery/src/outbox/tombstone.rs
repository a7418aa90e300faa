//! Tombstones: hashes of the identifiers of erased contacts.

use std::collections::HashSet;
use std::fmt;

use intercom_core::Contact;
use siphasher::sip128::{Hasher128, SipHasher24};

use super::slot::hash_folded;

/// The 128-bit keyed hash of one identifier of an erased contact.
///
/// The store keeps tombstones and no identifiers. Its key is random, so each store has other
/// tombstones for the same contact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tombstone([u8; 16]);

impl Tombstone {
    /// Creates a tombstone from the bytes that a store kept.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Tombstone(bytes)
    }

    /// Returns the bytes for a store to keep.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns one tombstone for each identifier of a contact, in the store with this key. Ignores
    /// the case of email addresses.
    pub fn of(key: &[u8; 16], contact: &Contact) -> Vec<Self> {
        let identifiers = [
            (b'u', contact.as_user_id()),
            (b'e', contact.as_email()),
            (b'i', contact.as_contact_id()),
        ];
        let hash = |(kind, identifier): (u8, Option<&str>)| {
            let identifier = identifier?;
            let mut hasher = SipHasher24::new_with_key(key);
            std::hash::Hasher::write(&mut hasher, &[kind]);
            match kind {
                b'e' => hash_folded(identifier, &mut hasher),
                _ => std::hash::Hasher::write(&mut hasher, identifier.as_bytes()),
            }
            Some(Tombstone(hasher.finish128().as_bytes()))
        };
        identifiers.into_iter().filter_map(hash).collect()
    }
}

/// Does not show the hash.
impl fmt::Debug for Tombstone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tombstone")
    }
}

/// All tombstones of a store. The engine withholds later events of these contacts.
#[derive(Clone, Default)]
pub struct Tombstones {
    key: [u8; 16],
    version: u64,
    all: HashSet<Tombstone>,
}

impl Tombstones {
    /// Collects the tombstones of the store with this key. `version` grows with each change.
    pub fn new(key: [u8; 16], version: u64, all: impl IntoIterator<Item = Tombstone>) -> Self {
        Tombstones { key, version, all: all.into_iter().collect() }
    }

    /// Returns the version of the store's tombstones.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns whether there are no tombstones.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns whether a contact has an identifier with a tombstone.
    pub fn contains(&self, contact: &Contact) -> bool {
        let of = |contact| Tombstone::of(&self.key, contact);
        !self.is_empty() && of(contact).iter().any(|tombstone| self.all.contains(tombstone))
    }
}

impl fmt::Debug for Tombstones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tombstones")
            .field("version", &self.version)
            .field("number", &self.all.len())
            .finish()
    }
}

/// What [`Operate::erase`](super::Operate::erase) deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErasedEvents {
    /// Pending events, leased ones included.
    pub pending: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// The version of the store's [`Tombstones`] from then on.
    pub version: u64,
}

impl ErasedEvents {
    /// Creates the result of an erasure.
    pub const fn new(pending: u64, dead_letters: u64, version: u64) -> Self {
        ErasedEvents { pending, dead_letters, version }
    }
}

/// Returns whether two contacts have an identifier in common. Ignores the case of email addresses.
///
/// [`Operate::erase`](super::Operate::erase) deletes the events of each contact for which this is
/// true.
pub fn share_identifier(one: &Contact, other: &Contact) -> bool {
    let is_same = |one: Option<&str>, other: Option<&str>| one.is_some() && one == other;
    is_same(one.as_user_id(), other.as_user_id())
        || is_same(one.as_contact_id(), other.as_contact_id())
        || one.as_email().zip(other.as_email()).is_some_and(|(one, other)| {
            one.eq_ignore_ascii_case(other) || one.to_lowercase() == other.to_lowercase()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = *b"0123456789abcdef";

    fn tombstones(contact: &Contact) -> Tombstones {
        Tombstones::new(KEY, 1, Tombstone::of(&KEY, contact))
    }

    /// If the hash changed, a stored tombstone would match no contact.
    #[test]
    fn a_tombstone_is_the_same_in_every_version() {
        let ada = Contact::user_id(42).with_email("Ada@Example.com");
        let hex =
            |tombstone: Tombstone| format!("{:032x}", u128::from_be_bytes(tombstone.to_bytes()));
        let found: Vec<_> = Tombstone::of(&KEY, &ada).into_iter().map(hex).collect();
        assert_eq!(found, ["9de6f8b55e64fa4761e86179a261c10e", "3ef54aa265d69d12708402fde935ec58"]);
    }

    #[test]
    fn one_identifier_in_common_is_enough_and_its_kind_counts() {
        let ada = Contact::user_id(42).with_email("ada@example.com");
        let tombstones = tombstones(&ada);
        for (contact, is_ada) in [
            (Contact::user_id(42), true),
            (Contact::email("ADA@example.com"), true),
            (Contact::user_id(7).with_email("ada@example.com"), true),
            (Contact::contact_id("42"), false),
            (Contact::user_id("ada@example.com"), false),
            (Contact::user_id(421), false),
        ] {
            assert_eq!(tombstones.contains(&contact), is_ada, "{contact:?}");
            assert_eq!(share_identifier(&ada, &contact), is_ada, "{contact:?}");
        }
    }

    #[test]
    fn another_store_has_other_tombstones() {
        let ada = Contact::user_id(42);
        assert_ne!(Tombstone::of(&KEY, &ada), Tombstone::of(&[0; 16], &ada));
        assert!(!Tombstones::default().contains(&ada));
    }
}
