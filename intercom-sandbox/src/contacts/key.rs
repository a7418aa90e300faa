//! Under which key a contact is known inside the sandbox.

/// Who a contact is, for as long as the sandbox runs. An event that names a contact by its contact
/// id, its user id or its email gives the same key each time, and a key is never given to another
/// contact, even after this one was deleted.
///
/// The id of a contact that was merged gives the key of the one it was merged into. Events that came
/// before the merging were filed under the old key: [`Directory::keys_of`](super::Directory::keys_of) has all keys under which a
/// contact's events are filed.
///
/// Where everybody is known, an identifier that no contact has gives a key too: it is the same for the
/// same kind and value, and it is not that of a contact who is created with it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ContactKey(pub(super) u64);

/// Keys of strangers have this bit, keys of contacts do not.
pub(super) const STRANGER: u64 = 1 << 63;

/// Whom an event, or a query for events, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nobody,
    One(ContactKey),
    /// Several contacts, between which the identifier does not decide.
    Several,
}
