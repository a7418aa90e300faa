//! Reads one page of the list. It reads each event separately, so that a bad event fails alone.

use std::collections::BTreeMap;

use intercom_core::{Contact, Timestamp, rules};
use serde_json::Value;
use serde_json::value::RawValue;

use super::cursor::Cursor;
use super::error::BadEvent;
use super::past_event::PastEvent;

/// The members of a JSON object, unparsed.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// A page: its events in Intercom's order, and the start of the next page.
pub(super) struct Page {
    pub(super) events: Vec<Result<PastEvent, BadEvent>>,
    pub(super) next: Option<Cursor>,
}

/// Reads the page of this number. `contact` is the contact of the request.
///
/// # Errors
///
/// Fails with the reason when the body is not a page of events.
pub(super) fn read(body: &[u8], contact: &Contact, page: u64) -> Result<Page, &'static str> {
    let list: Members<'_> =
        serde_json::from_slice(body).map_err(|_| "it is no list of events in JSON")?;
    let events = list.get("events").ok_or("it has no list `events`")?;
    let events: Vec<&RawValue> =
        serde_json::from_str(events.get()).map_err(|_| "its `events` is no list")?;
    let pages = list.get("pages").map(|pages| value(pages)).unwrap_or_default();
    let next = Cursor::read(pages.get("next").unwrap_or(&Value::Null))?;
    let events = events
        .into_iter()
        .enumerate()
        .map(|(index, json)| {
            event(json, contact).map_err(|unread| BadEvent {
                page,
                index,
                name: unread.name,
                created_at: unread.created_at,
                reason: unread.reason,
            })
        })
        .collect();
    Ok(Page { events, next })
}

/// The readable part of an event, and the reason for the rest.
struct Unread {
    name: Option<Box<str>>,
    created_at: Option<Timestamp>,
    reason: &'static str,
}

fn event(json: &RawValue, asked: &Contact) -> Result<PastEvent, Unread> {
    let Ok(members) = serde_json::from_str::<Members<'_>>(json.get()) else {
        return Err(Unread { name: None, created_at: None, reason: "it is no object" });
    };
    let name = name(&members);
    let created_at = created_at(&members);
    let metadata = metadata(&members);
    match (name, created_at, metadata) {
        (Ok(name), Ok(created_at), Ok(metadata)) => Ok(PastEvent {
            id: text(&members, "id"),
            name,
            contact: contact(&members).unwrap_or_else(|| asked.clone()),
            created_at,
            metadata,
        }),
        (name, created_at, metadata) => {
            let reason = [name.as_ref().err(), created_at.as_ref().err(), metadata.as_ref().err()];
            let reason = reason.into_iter().flatten().next().copied().unwrap_or_default();
            Err(Unread { name: name.ok(), created_at: created_at.ok(), reason })
        }
    }
}

fn name(members: &Members<'_>) -> Result<Box<str>, &'static str> {
    match members.get("event_name").map(|json| value(json)) {
        Some(Value::String(name)) if !name.is_empty() => Ok(name.into()),
        Some(Value::String(_)) => Err("its `event_name` is empty"),
        Some(Value::Null) | None => Err("it has no `event_name`"),
        Some(_) => Err("its `event_name` is no text"),
    }
}

/// Reads the second. Events have seconds and cursors milliseconds, so this checks the size.
fn created_at(members: &Members<'_>) -> Result<Timestamp, &'static str> {
    let json = members.get("created_at").map(|json| value(json)).unwrap_or_default();
    if json.is_null() {
        return Err("it has no `created_at`");
    }
    let seconds = json.as_i64().ok_or("its `created_at` is no whole number of seconds")?;
    match seconds.unsigned_abs() > rules::MAX_UNIX_SECONDS.unsigned_abs() {
        true => Err("its `created_at` is in milliseconds"),
        false => Ok(Timestamp::from_unix_seconds(seconds)),
    }
}

fn metadata(members: &Members<'_>) -> Result<Option<Box<RawValue>>, &'static str> {
    let Some(json) = members.get("metadata").filter(|json| json.get() != "null") else {
        return Ok(None);
    };
    match json.get().starts_with('{') {
        true => Ok(Some((*json).to_owned())),
        false => Err("its `metadata` is no object"),
    }
}

/// Returns the contact of an event. Intercom repeats it in each event, with all identifiers it
/// knows.
fn contact(members: &Members<'_>) -> Option<Contact> {
    let mut contact = Contact::default();
    if let Some(user_id) = text(members, "user_id") {
        contact = contact.with_user_id(user_id);
    }
    if let Some(email) = text(members, "email") {
        contact = contact.with_email(email);
    }
    if let Some(contact_id) = text(members, "intercom_user_id") {
        contact = contact.with_contact_id(contact_id);
    }
    contact.check().is_ok().then_some(contact)
}

/// Returns a member as text. Returns `None` when it is absent, empty or something else.
fn text(members: &Members<'_>, name: &str) -> Option<String> {
    match value(members.get(name)?) {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Parses valid JSON.
fn value(json: &RawValue) -> Value {
    serde_json::from_str(json.get()).unwrap_or_default()
}
