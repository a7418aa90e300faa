//! The API of events: `POST /events` here, and the reads in the submodules.

mod listing;
mod person;
mod summaries;

use axum::http::StatusCode;
use bytes::Bytes;

pub(super) use listing::list;
pub(crate) use summaries::create as create_summaries;

use super::api_answer::ApiAnswer;
use crate::contacts::{ContactKey, ContactMatch, Identifier};
use crate::event::EventKey;
use crate::received::Outcome;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rules;
use crate::workspace::Workspace;

/// The method and path for summaries.
pub(crate) const SUMMARIES: (&str, &str) = ("POST", "/events/summaries");

/// Accepts an event, or refuses it: first for its content, then for its contact, and last for a
/// name over the limit.
pub(super) fn create(workspace: &Workspace, body: &Bytes) -> Result<ApiAnswer, Refusal> {
    let rules = &workspace.rules;
    let event = rules::event::read(body, rules, &*workspace.clock)?;
    let contact = match event.identifiers.first(rules.identifier_order) {
        Some((kind, value)) => find_contact(workspace, kind, value)?,
        None => return Err(Refusal::user_not_found()),
    };
    let name = workspace.event_names.admit(&event.name)?;
    let event_key = EventKey { contact, name, created_at: event.created_at };
    let outcome = if rules.deduplicate && !workspace.duplicates.remember(event_key) {
        Outcome::Duplicate
    } else {
        Outcome::Accepted
    };
    // Intercom's answer to an accepted event has no body.
    let status = if rules.accepted_is_200 { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(ApiAnswer::event(Reply::empty(status), outcome, event_key))
}

/// Returns the one contact that this identifier names.
fn find_contact(
    workspace: &Workspace,
    kind: Identifier,
    value: &str,
) -> Result<ContactKey, Refusal> {
    let (contacts, clock) = (&workspace.contacts, &*workspace.clock);
    match contacts.resolve(kind, value, clock) {
        ContactMatch::One(contact) => Ok(contact),
        ContactMatch::Unknown => Err(contacts.not_found(kind, value, clock)),
        ContactMatch::Several => Err(ambiguous_contact(workspace)),
    }
}

/// Refuses an ambiguous contact. Sources for Intercom's answer agree on the code and differ on the
/// status.
fn ambiguous_contact(workspace: &Workspace) -> Refusal {
    let status = if workspace.rules.ambiguous_contact_is_400 {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::CONFLICT
    };
    Refusal::new(
        status,
        "conflict",
        "Multiple existing users match these details - must be more specific",
    )
    .with_hint("Several users have this email: name the one by its user id or its contact id.")
}
