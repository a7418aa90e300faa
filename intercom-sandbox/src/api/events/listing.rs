//! `GET /events`: a contact's events in pages, newest first, or their summary.

use axum::http::uri::Authority;
use axum::http::{header, request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::person::Person;
use super::summaries;
use crate::identifier::Identifier;
use crate::received::ReceivedEvent;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rules::event_query::{self, EventQuery};
use crate::workspace::Workspace;

/// The age of the oldest listed event; older events only count. The number is Intercom's.
const LISTED_SECONDS: i64 = 90 * 24 * 60 * 60;

/// Answers the list, or with `summary=true` the summary.
pub(in crate::api) fn list(
    workspace: &Workspace,
    parts: &request::Parts,
) -> Result<Reply, Refusal> {
    let query = event_query::read(&parts.uri)?;
    let (kind, value) = &query.whose;
    let person = Person::find(workspace, *kind, value)?;
    if query.summary {
        return Ok(summaries::of(workspace, &person));
    }
    let now = i64::try_from(workspace.now()).unwrap_or(i64::MAX);
    let mut events = workspace.journal.events_where(|event| {
        person.keys.contains(&event.event_key.contact) && event.created_at() > now - LISTED_SECONDS
    });
    let page = EventPage::cut(&mut events, &query);
    // The client may reach the sandbox by another name than the sandbox's own URL.
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.authority().map(Authority::as_str).or(host);
    let base = host.map_or_else(|| workspace.url.clone(), |host| format!("http://{host}"));
    Ok(Reply::json(&EventList {
        kind: "event.list",
        events: page.events.iter().map(|event| EventObject { event, person: &person }).collect(),
        pages: EventPages { next: page.next.map(|before| next(&base, &query, before)) },
        email: person.email.as_deref(),
        intercom_user_id: person.contact_id.as_deref(),
        user_id: person.user_id.as_deref(),
    }))
}

/// The list on the wire. Intercom's description has the contact next to the events.
#[derive(Serialize)]
struct EventList<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    events: Vec<EventObject<'a>>,
    pages: EventPages,
    email: Option<&'a str>,
    intercom_user_id: Option<&'a str>,
    user_id: Option<&'a str>,
}

#[derive(Serialize)]
struct EventPages {
    /// The address of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A page of the list.
struct EventPage<'a> {
    events: &'a [ReceivedEvent],
    /// The cursor of the next page, if there is one.
    next: Option<i64>,
}

impl<'a> EventPage<'a> {
    /// Sorts the events, which come in order of arrival, and returns the requested page.
    fn cut(events: &'a mut [ReceivedEvent], query: &EventQuery) -> Self {
        // A stable sort keeps events of one second in order of arrival.
        events.sort_by_key(ReceivedEvent::created_at);
        let cursors = cursors(events);
        events.reverse();
        let cursors: Vec<i64> = cursors.into_iter().rev().collect();

        let start = query.before.map_or(0, |before| cursors.partition_point(|&at| at >= before));
        let mut end = events.len().min(start + query.per_page);
        // A cursor cannot separate two events with the same cursor, so both are on one page.
        while end < events.len() && end > start && cursors[end] == cursors[end - 1] {
            end += 1;
        }
        let next = (end < events.len()).then(|| cursors[end - 1]);
        Self { events: &events[start..end], next }
    }
}

/// Returns a cursor for each event, in milliseconds as Intercom's cursors are. Events have whole
/// seconds, so the milliseconds number the events of one second, up to 999.
fn cursors(events: &[ReceivedEvent]) -> Vec<i64> {
    let mut place = 0;
    let mut second = None;
    events
        .iter()
        .map(|event| {
            let created_at = event.created_at();
            place = if second == Some(created_at) { 999.min(place + 1) } else { 0 };
            second = Some(created_at);
            created_at * 1_000 + place
        })
        .collect()
}

/// Returns the address of the next page.
fn next(base: &str, query: &EventQuery, before: i64) -> String {
    let (kind, value) = &query.whose;
    let kind = match kind {
        Identifier::ContactId => "intercom_user_id",
        Identifier::UserId => "user_id",
        Identifier::Email => "email",
    };
    format!(
        "{base}/events?type=user&{kind}={}&per_page={}&before={before}",
        utf8_percent_encode(value, NON_ALPHANUMERIC),
        query.per_page
    )
}

/// An event with its contact: the event object of Intercom's API.
struct EventObject<'a> {
    event: &'a ReceivedEvent,
    person: &'a Person,
}

impl Serialize for EventObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct EventJson<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            id: String,
            event_name: &'a str,
            created_at: i64,
            user_id: Option<&'a str>,
            intercom_user_id: Option<&'a str>,
            email: Option<&'a str>,
            #[serde(serialize_with = "as_object")]
            metadata: &'a [(String, Value)],
        }

        let Self { event, person } = self;
        let wire = EventJson {
            kind: "event",
            // Intercom's ids are UUIDs.
            id: format!("00000000-0000-4000-8000-{:012x}", event.request().number()),
            event_name: event.name(),
            created_at: event.created_at(),
            user_id: person.user_id.as_deref().or(event.user_id()),
            intercom_user_id: person.contact_id.as_deref().or(event.contact_id()),
            email: person.email.as_deref().or(event.email()),
            metadata: event.metadata(),
        };
        wire.serialize(serializer)
    }
}

/// Serializes metadata as one object, with its keys in the order sent.
fn as_object<S: Serializer>(
    metadata: &&[(String, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metadata.iter().map(|(key, value)| (key, value)))
}
