//! `POST /contacts`.

use axum::http::StatusCode;
use bytes::Bytes;

use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rules;
use crate::workspace::Workspace;

/// Creates a contact. There is no upsert at Intercom: for an existing one the answer is `409`, and
/// the id of it is in the message alone.
pub(super) fn create(workspace: &Workspace, body: &Bytes) -> Result<Reply, Refusal> {
    let new = rules::contact::read(body)?;
    match workspace.contacts.create(new, workspace.now()) {
        Ok(contact) => Ok(Reply::json(&contact)),
        Err(existing) => {
            let which = if existing.is_archived() { "An archived contact" } else { "A contact" };
            let id = existing.contact_id();
            Err(Refusal::new(
                StatusCode::CONFLICT,
                "conflict",
                format!("{which} matching those details already exists with id={id}"),
            ))
        }
    }
}
