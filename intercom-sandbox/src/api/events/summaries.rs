//! Summaries: `POST /events/summaries`, and `GET /events` with `summary=true`.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::person::Person;
use crate::event_names::NameId;
use crate::identifier::Identifier;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rules::event_summary;
use crate::summaries::Summary;
use crate::workspace::Workspace;

/// Stores summaries. Intercom documents neither how they combine with events nor what a repeat
/// does. Here they add to the events, and a later summary replaces an earlier one of its name.
pub(crate) fn create(workspace: &Workspace, body: &Bytes) -> Result<Reply, Refusal> {
    let new = event_summary::read(body)?;
    let person = Person::find(workspace, Identifier::UserId, &new.user_id)?;
    let now = i64::try_from(workspace.now()).unwrap_or(i64::MAX);
    for new in new.summaries {
        let name = workspace.event_names.admit(&new.event_name)?;
        // A missing time takes the value of the other.
        let first = new.first.or(new.last).unwrap_or(now);
        let last = new.last.unwrap_or(first);
        let summary = Summary { count: new.count, first, last };
        workspace.summaries.set(person.keys[0], name, summary);
    }
    Ok(Reply::empty(StatusCode::OK))
}

/// Answers the summary of a contact's events: the stored summaries and all remembered events, even
/// those too old for the list.
pub(super) fn of(workspace: &Workspace, person: &Person) -> Reply {
    let mut summaries: BTreeMap<NameId, Summary> = BTreeMap::new();
    let mut add = |name, summary: Summary| {
        let sum = summaries.get(&name).map_or(summary, |sum: &Summary| sum.and(summary));
        summaries.insert(name, sum);
    };
    for (name, summary) in workspace.summaries.of(&person.keys) {
        add(name, summary);
    }
    let events =
        workspace.journal.events_where(|event| person.keys.contains(&event.event_key.contact));
    for event in events {
        let at = event.created_at();
        add(event.event_key.name, Summary { count: 1, first: at, last: at });
    }
    let events: Vec<_> = summaries
        .into_iter()
        .map(|(name, summary)| {
            json!({
                "name": workspace.event_names.name(name),
                "first": iso(summary.first),
                "last": iso(summary.last),
                "count": summary.count,
                // The sandbox has no event descriptions, which few Intercom users set.
                "description": null,
            })
        })
        .collect();
    Reply::json(&json!({
        "type": "event.summary",
        "email": person.email,
        "intercom_user_id": person.contact_id,
        "user_id": person.user_id,
        "events": events,
    }))
}

/// Formats a time as Intercom does, with milliseconds that are always zero.
fn iso(seconds: i64) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?;
    Some(format!("{time:.3}"))
}
