//! Creates contacts, and recognizes a contact that exists.

use intercom_core::{Contact, ContactCreation, ErrorKind, SendError};
use serde_json::{Map, Value};

use crate::error_list::ErrorList;

/// The lower-case part of the message for a contact that exists. Its code, `conflict`, has other
/// meanings too: "A contact matching those details already exists with id=…".
const EXISTS: &str = "already exists";

/// The lower-case part of the message for an archived contact that exists: "An archived contact
/// matching those details already exists with id=…".
const ARCHIVED: &str = "archived contact";

/// Returns the body of the request that creates a contact.
///
/// # Errors
///
/// Fails when the contact has neither a user id nor an email address, or fails [`Contact::check`].
pub(crate) fn body(contact: &Contact) -> Result<Vec<u8>, SendError> {
    contact.check().map_err(|error| {
        SendError::new(ErrorKind::InvalidContact).with_detail(error.to_string())
    })?;
    let members: Map<String, Value> =
        [("external_id", contact.as_user_id()), ("email", contact.as_email())]
            .into_iter()
            .filter_map(|(name, identifier)| Some((name.to_owned(), identifier?.into())))
            .collect();
    if members.is_empty() {
        return Err(SendError::new(ErrorKind::InvalidContact));
    }
    let mut body = Map::from_iter([("role".to_owned(), Value::from("user"))]);
    body.extend(members);
    Ok(Value::Object(body).to_string().into_bytes())
}

/// Returns the outcome, if a refusal says that the contact exists.
pub(crate) fn already_there(status: u16, list: Option<&ErrorList>) -> Option<ContactCreation> {
    if !matches!(status, 400 | 409) {
        return None;
    }
    let message = list?.messages().find(|message| message.contains(EXISTS))?;
    Some(match message.contains(ARCHIVED) {
        true => ContactCreation::Archived,
        false => ContactCreation::Existed,
    })
}
