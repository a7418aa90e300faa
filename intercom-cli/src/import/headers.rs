//! The role of a column, by its name.

/// A part of an event outside its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    EventName,
    UserId,
    Email,
    ContactId,
    CreatedAt,
}

impl Role {
    /// Returns the role of a column of this name. Case does not matter, and a space or a hyphen
    /// counts as `_`.
    pub(super) fn of(name: &str) -> Option<Self> {
        match fold(name).as_str() {
            "event_name" | "event" => Some(Role::EventName),
            "user_id" => Some(Role::UserId),
            "email" => Some(Role::Email),
            "contact_id" | "intercom_user_id" => Some(Role::ContactId),
            "created_at" | "timestamp" => Some(Role::CreatedAt),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Role::EventName => "event_name",
            Role::UserId => "user_id",
            Role::Email => "email",
            Role::ContactId => "contact_id",
            Role::CreatedAt => "created_at",
        }
    }
}

/// The prefix of the columns that a file of rejected rows adds. The import skips them.
pub(super) const REJECTED: &str = "rejected_";

fn fold(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.chars().map(|c| if c == ' ' || c == '-' { '_' } else { c }).collect()
}
