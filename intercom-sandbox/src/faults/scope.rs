//! Which requests a fault is for.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    Events,
    /// Events of this name, folded.
    Event(String),
    Contacts,
    Everything,
}

/// A name as Intercom files it, and in lower case, since case makes no difference to it.
pub(super) fn fold(name: &str) -> String {
    name.replace(['.', '$'], "-").to_lowercase()
}
