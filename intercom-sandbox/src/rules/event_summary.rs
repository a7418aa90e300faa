//! Intercom's rules for sent summaries of events.

use super::{Findings, Member, Members};
use crate::json::{Json, JsonMember};
use crate::refusal::Refusal;

/// Summaries of one user's events.
pub(crate) struct NewSummaries {
    pub(crate) user_id: String,
    pub(crate) summaries: Vec<NewSummary>,
}

/// The count of an event, with its first and last time in Unix seconds.
pub(crate) struct NewSummary {
    pub(crate) event_name: String,
    pub(crate) count: u64,
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
}

/// Reads summaries from a body. Intercom's description has one object for `event_summaries`, and
/// its users send an array of objects. The sandbox accepts both.
pub(crate) fn read(body: &[u8]) -> Result<NewSummaries, Refusal> {
    const FIELD: &str = "event_summaries";
    const HINT: &str = "Send an array of objects with event_name, count, first and last.";
    let mut members = Members::parse(body)?;
    let mut findings = Findings::default();
    let user_id = members.take_text("user_id", &mut findings);
    if let Member::Absent = user_id {
        findings
            .missing("user_id", "user_id is required")
            .hint("Send the application's own id of the user whose summaries these are.");
    }
    let mut summaries = Vec::new();
    match members.take(FIELD, &mut findings) {
        Member::Refused => {}
        Member::Absent => findings.missing(FIELD, format!("{FIELD} is required")).hint(HINT),
        Member::Given(Json::Object(one)) => {
            summaries.push(read_one(one, &mut findings));
        }
        Member::Given(Json::Array(items)) => {
            for item in items {
                match item {
                    Json::Object(one) => summaries.push(read_one(one, &mut findings)),
                    other => findings
                        .malformed(
                            FIELD,
                            format!("A summary must be an object and is {}", other.kind()),
                        )
                        .hint(HINT),
                }
            }
        }
        Member::Given(other) => findings
            .malformed(
                FIELD,
                format!("{FIELD} must be an object or an array and is {}", other.kind()),
            )
            .hint(HINT),
    }
    findings.into_result()?;
    Ok(NewSummaries { user_id: user_id.given().unwrap_or_default().into_owned(), summaries })
}

fn read_one(members: Vec<JsonMember<'_>>, findings: &mut Findings) -> NewSummary {
    let mut members = Members { members };
    let event_name = members.take_text("event_name", findings);
    if let Member::Absent = event_name {
        findings
            .missing("event_name", "A summary needs an event_name")
            .hint("Send the name of the counted event.");
    }
    let count = match members.take("count", findings) {
        Member::Given(Json::Number(count)) if count.as_u64().is_some_and(|count| count > 0) => {
            count.as_u64().unwrap_or_default()
        }
        Member::Refused => 0,
        Member::Absent => {
            findings
                .missing("count", "A summary needs a count")
                .hint("Send how often the event happened.");
            0
        }
        Member::Given(_) => {
            findings
                .malformed("count", "count must be a whole number from 1 on")
                .hint("Leave out the summary of an event that never happened.");
            0
        }
    };
    let first = take_seconds("first", &mut members, findings);
    let last = take_seconds("last", &mut members, findings);
    if let (Some(first), Some(last)) = (first, last)
        && first > last
    {
        findings
            .broken_rule("first", "first is later than last")
            .hint("Send the earlier of the two times as first.");
    }
    NewSummary {
        event_name: event_name.given().unwrap_or_default().into_owned(),
        count,
        first,
        last,
    }
}

fn take_seconds(
    key: &'static str,
    members: &mut Members<'_>,
    findings: &mut Findings,
) -> Option<i64> {
    match members.take(key, findings) {
        Member::Absent | Member::Refused => None,
        Member::Given(Json::Number(seconds)) if seconds.is_i64() => seconds.as_i64(),
        Member::Given(_) => {
            findings
                .malformed(key, format!("{key} must be an integer of Unix seconds"))
                .hint("Send the time in whole Unix seconds, without quotes.");
            None
        }
    }
}
