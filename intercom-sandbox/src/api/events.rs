//! `POST /events`.

use axum::http::StatusCode;
use bytes::Bytes;

use super::serve::Served;
use crate::contacts::Found;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::Outcome;
use crate::rules;
use crate::workspace::Workspace;

/// Accepts an event, or says why not: first for what it says, then for whom it names, and last for
/// want of room for its name.
pub(super) fn create(workspace: &Workspace, body: &Bytes) -> Result<Served, Refusal> {
    let event = rules::event::read(body, workspace.settings.metadata_keys)?;
    match workspace.contacts.find(&event) {
        Found::One => {}
        Found::Nobody => return Err(Refusal::user_not_found()),
        Found::Several => return Err(ambiguous_contact(workspace)),
    }
    workspace.event_names.admit(&event.name)?;
    // Intercom's answer to an accepted event has no body.
    let reply = Reply::empty(StatusCode::ACCEPTED);
    Ok(Served::event(reply, Outcome::Accepted, event))
}

/// The sources for Intercom's answer agree on the code and not on the status.
fn ambiguous_contact(workspace: &Workspace) -> Refusal {
    let status = if workspace.settings.ambiguous_contact_is_400 {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::CONFLICT
    };
    Refusal::new(
        status,
        "conflict",
        "Multiple existing users match these details - must be more specific",
    )
}
