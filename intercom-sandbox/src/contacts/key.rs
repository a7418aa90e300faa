//! The sandbox's own key of a contact.

/// The key of a contact while the sandbox runs. The contact's id, user id and email give the same
/// key each time. The sandbox never reuses a key, not even after a deletion.
///
/// The id of a merged contact gives the key of the contact that absorbed it. Events from before the
/// merge stay filed under the old key. [`Directory::keys_of`](super::Directory::keys_of) returns
/// all keys of a contact's events.
///
/// With `know_everybody`, an identifier without a contact gives a stranger's key. The same kind and
/// value give the same key. A contact created later with that identifier has a different key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ContactKey(pub(super) u64);

/// The bit that marks a stranger's key.
pub(super) const UNKNOWN_CONTACT: u64 = 1 << 63;

/// The contact that an event, or a query for events, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nobody,
    One(ContactKey),
    /// Several contacts share the identifier.
    Several,
}
