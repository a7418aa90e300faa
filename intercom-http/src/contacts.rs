//! Creating contacts: what is asked, and what "there is one already" means.

use intercom_core::{Contact, ContactCreation, ErrorKind, SendError};
use serde_json::{Map, Value};

use crate::error_list::ErrorList;

/// What the message says, in lower case, when the contact is there already. The code, `conflict`, is
/// also that of other things:
/// "A contact matching those details already exists with id=…".
const EXISTS: &str = "already exists";

/// What the message says besides, in lower case, when that contact is archived:
/// "An archived contact matching those details already exists with id=…".
const ARCHIVED: &str = "archived contact";

/// The body of the request that creates a contact.
///
/// # Errors
///
/// Fails when the contact has neither a user id nor an email address, or one that [`Contact::check`] refuses.
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

/// Whether a refusal says that the contact is there already.
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
