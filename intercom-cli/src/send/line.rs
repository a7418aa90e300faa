//! One line of the input: an event in the form of a request's body.

use intercom_core::{Contact, DataEvent, Timestamp};
use serde::Deserialize;

use crate::body::Members;
use crate::event_builder::EventBuilder;
use crate::failure::Failure;
use crate::lock_file::LockFile;
use crate::time;
use crate::value::Value;

/// The members of a line, as `events list --json` prints it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputLine {
    event_name: String,
    user_id: Option<Identifier>,
    email: Option<String>,
    id: Option<String>,
    created_at: Option<LineTime>,
    metadata: Option<Members>,
    #[serde(rename = "v")]
    _version: Option<u32>,
    #[serde(rename = "type")]
    _type: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected text or a whole number")]
enum Identifier {
    Text(String),
    Number(i64),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected Unix seconds, or a date and time with an offset")]
enum LineTime {
    Seconds(i64),
    Text(String),
}

/// Encodes the event of a line.
///
/// # Errors
///
/// Fails when the line is no event, or as an event on the command line fails.
pub(super) fn event(text: &str, lock: Option<&LockFile>) -> Result<DataEvent, Failure> {
    let line: InputLine =
        serde_json::from_str(text).map_err(|error| Failure::usage(mistake(&error)))?;
    let mut event = EventBuilder::new(&line.event_name, lock)?;
    let mut contact = Contact::default();
    match &line.user_id {
        Some(Identifier::Text(id)) => contact = contact.with_user_id(id.as_str()),
        Some(Identifier::Number(id)) => contact = contact.with_user_id(*id),
        None => {}
    }
    if let Some(address) = &line.email {
        contact = contact.with_email(address.as_str());
    }
    if let Some(id) = &line.id {
        contact = contact.with_contact_id(id.as_str());
    }
    let created_at = match &line.created_at {
        None => Timestamp::now(),
        Some(LineTime::Seconds(seconds)) => Timestamp::from_unix_seconds(*seconds),
        Some(LineTime::Text(text)) => {
            time::parse(text).map_err(|what| event.mistake("created_at", &what))?
        }
    };
    for (key, json) in line.metadata.iter().flat_map(|metadata| &metadata.0) {
        let kind = event.planned_key(key)?.map(|planned| planned.kind);
        let value = Value::of_json(key, kind, json).map_err(|what| event.mistake(key, &what))?;
        if let Some(value) = value {
            event = event.add(key, &value)?;
        }
    }
    event.finish(contact, created_at)
}

/// Returns the mistake in a line, without serde's text, which may quote a value.
fn mistake(error: &serde_json::Error) -> String {
    use serde_json::error::Category;

    match error.classify() {
        Category::Data if error.to_string().starts_with("invalid type") => format!(
            "column {}: a member has the wrong type; a line is \
             {{\"event_name\": …, \"user_id\": …, \"created_at\": …, \"metadata\": {{…}}}}",
            error.column()
        ),
        Category::Data => error.to_string(),
        _ => format!(
            "column {}: the line is not JSON; write a JSON object on each line",
            error.column()
        ),
    }
}
