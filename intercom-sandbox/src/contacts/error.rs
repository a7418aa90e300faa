//! Why a call cannot change a contact, and Intercom's answers to that.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};

use super::contact::Contact;
use crate::refusal::{Hint, Refusal};
use crate::version::ApiVersion;

/// Why a call on a contact failed.
pub(crate) enum ContactError {
    /// No contact has this id.
    Unknown,
    /// A merge replaced the contact by the contact with this id.
    Merged { into: Arc<str> },
    /// Another contact has these details.
    Exists(Contact),
    /// A user needs a user id or an email.
    NoIdentifier,
    /// The number of contacts is at its limit.
    Full { limit: usize },
    /// The bytes of contacts are at their limit.
    FullOfBytes { limit: usize },
    /// The contact would exceed the limit of custom attributes.
    TooManyAttributes { limit: usize },
    /// A merge takes only a lead, and only into a user.
    NotLeadIntoUser,
    /// The contacts share neither an email nor a phone.
    NotDuplicates,
}

impl ContactError {
    /// Returns the reason as this version shows it: only newer versions say where a merged contact
    /// went.
    pub(crate) fn for_version(self, version: ApiVersion) -> Self {
        match self {
            Self::Merged { .. } if !version.has_merge_history() => Self::Unknown,
            denied => denied,
        }
    }
}

impl From<ContactError> for Refusal {
    fn from(denied: ContactError) -> Self {
        match denied {
            ContactError::Unknown => Self::user_not_found().with_hint(
                "No contact has this id: GET /contacts lists all contacts, and POST \
                 /contacts/search finds them by other details.",
            ),
            ContactError::Merged { into } => merged(&into),
            ContactError::Exists(contact) => exists(&contact),
            ContactError::NoIdentifier => Self::new(
                StatusCode::BAD_REQUEST,
                "parameter_not_found",
                "One of external_id and email is required for a user",
            )
            .with_hint("Leave the user one of the two; a lead needs neither."),
            ContactError::Full { limit } => {
                full(format!("The sandbox keeps no more contacts than {limit}"), "max_contacts")
            }
            ContactError::FullOfBytes { limit } => full(
                format!("The sandbox keeps no more bytes of contacts than {limit}"),
                "max_contact_bytes",
            ),
            ContactError::TooManyAttributes { limit } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "parameter_invalid",
                format!("A contact can have {limit} custom attributes"),
            )
            .with_hint("Remove some: set them to null."),
            ContactError::NotLeadIntoUser => Self::new(
                StatusCode::BAD_REQUEST,
                "invalid_merge",
                "Merging can only be performed on a lead into a user",
            )
            .with_hint("Give the id of a lead as from, and the id of a user as into."),
            ContactError::NotDuplicates => Self::new(
                StatusCode::BAD_REQUEST,
                "invalid_merge",
                "Contacts can only be merged when they are duplicates (matching email or phone). \
                 Pass skip_duplicate_validation=true to override this check.",
            )
            .with_hint(
                "Give both the same email or phone, or send \"skip_duplicate_validation\": true. \
                 Older versions of the API have no such check, nor has a sandbox with \
                 merges_only_duplicates(false).",
            ),
        }
    }
}

fn full(message: String, option: &str) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "contact_limit_reached", message).with_hint(
        format!(
            "Delete some with DELETE /contacts/{{id}}, or start the sandbox with a higher {option}."
        ),
    )
}

fn merged(into: &str) -> Refusal {
    let refusal = Refusal::new(
        StatusCode::GONE,
        "contact_merged",
        "This contact has been merged. See the 'Link' header for the canonical contact.",
    )
    .with_hint(Hint::about_contact("Use the contact of the merge instead: its id is {id}.", into));
    // A contact id chosen by a caller may be invalid in a header; the hint has it either way.
    match HeaderValue::try_from(format!("</contacts/{into}>; rel=\"canonical\"")) {
        Ok(link) => refusal.with_header(header::LINK, link),
        Err(_) => refusal,
    }
}

fn exists(contact: &Contact) -> Refusal {
    let id = contact.contact_id();
    let (which, hint) = if contact.is_archived() {
        (
            "An archived contact",
            "Unarchive it with POST /contacts/{id}/unarchive, or delete it with \
             DELETE /contacts/{id}.",
        )
    } else {
        (
            "A contact",
            "Intercom has no upsert: use that contact, or change it with PUT /contacts/{id}.",
        )
    };
    Refusal::new(
        StatusCode::CONFLICT,
        "conflict",
        format!("{which} matching those details already exists with id={id}"),
    )
    .with_hint(Hint::about_contact(hint, id))
}
