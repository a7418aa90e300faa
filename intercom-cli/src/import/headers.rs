//! What a column is by its name.

/// A part of an event that is no metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    EventName,
    UserId,
    Email,
    ContactId,
    CreatedAt,
}

impl Role {
    /// Returns the part that a column of this name is. Upper and lower case, spaces and hyphens do not matter.
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

/// What the columns of a file of rejected rows begin with. They are not imported.
pub(super) const REJECTED: &str = "rejected_";

fn fold(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.chars().map(|c| if c == ' ' || c == '-' { '_' } else { c }).collect()
}
