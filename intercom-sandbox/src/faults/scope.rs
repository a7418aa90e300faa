//! The requests to which a fault can apply.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    Events,
    /// Events of this folded name.
    Event(String),
    Contacts,
    Everything,
}

/// Folds a name as Intercom does, and lowers its case, since Intercom ignores case.
pub(super) fn fold(name: &str) -> String {
    name.replace(['.', '$'], "-").to_lowercase()
}
