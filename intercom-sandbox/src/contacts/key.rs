//! The sandbox's own key of a contact.

/// The key of a contact while the sandbox runs. The contact's id, user id and email give the same
/// key each time. The sandbox never reuses a key, not even after a deletion.
///
/// The id of a merged contact gives the key of the contact that absorbed it. Events from before the
/// merge keep the old key. [`Directory::keys_of`](super::Directory::keys_of) returns
/// all keys of a contact's events.
///
/// With `know_everybody`, each identifier without a contact has a key of its own: that of an
/// unknown contact. The same kind and value give the same key. A contact created later with that
/// identifier has a different key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ContactKey(pub(super) u64);

/// The bit that marks the key of an unknown contact.
pub(super) const UNKNOWN_CONTACT: u64 = 1 << 63;

/// The contact that an event, or a query for events, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContactMatch {
    Unknown,
    One(ContactKey),
    /// Several contacts share the identifier.
    Several,
}
