//! What Intercom wants of an event.

use serde_json::Value;

use super::{Findings, Member, Members, metadata};
use crate::event::EventData;
use crate::json::Json;
use crate::refusal::Refusal;

/// From here on a `created_at` is taken for milliseconds, which Intercom has refused: read as
/// seconds it lies beyond the year 5138, read as milliseconds in 1973 or later.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// Reads an event out of a body. Metadata keys beyond the limit are dropped in silence, in the order
/// sent, as Intercom does it; they have to keep the rules all the same.
pub(crate) fn read(body: &[u8], metadata_limit: usize) -> Result<EventData, Refusal> {
    let mut members = Members::parse(body)?;
    let mut findings = Findings::default();

    let name = read_name(&mut members, &mut findings);
    let created_at = read_created_at(&mut members, &mut findings);

    let contact_id = members.take_text("id", &mut findings);
    let user_id = members.take_text("user_id", &mut findings);
    let email = members.take_text("email", &mut findings);
    if let (Member::Absent, Member::Absent, Member::Absent) = (&contact_id, &user_id, &email) {
        findings.missing("user_id", "One of id, user_id and email is required");
    }

    let metadata = read_metadata(&mut members, &mut findings);

    findings.into_result()?;
    let (metadata, dropped_keys) = keep(metadata, metadata_limit);
    Ok(EventData {
        name,
        created_at,
        contact_id: contact_id.given(),
        user_id: user_id.given(),
        email: email.given(),
        metadata,
        dropped_keys,
    })
}

/// Intercom files names with `.` and `$` turned into `-`.
fn read_name(members: &mut Members, findings: &mut Findings) -> String {
    match members.take_text("event_name", findings) {
        Member::Given(name) => name.replace(['.', '$'], "-"),
        Member::Refused => String::new(),
        Member::Absent => {
            findings.missing("event_name", "event_name is required");
            String::new()
        }
    }
}

fn read_created_at(members: &mut Members, findings: &mut Findings) -> i64 {
    const FIELD: &str = "created_at";
    const IN_MILLISECONDS: &str =
        "created_at is in milliseconds' range: it must be Unix time in seconds";
    match members.take(FIELD, findings) {
        Member::Refused => {}
        Member::Absent => findings.missing(FIELD, "created_at is required"),
        Member::Given(Json::Number(number)) => {
            if let Some(seconds) = number.as_i64() {
                if seconds.unsigned_abs() < MILLISECONDS_FROM {
                    return seconds;
                }
                findings.broken_rule(FIELD, IN_MILLISECONDS);
            } else if number.is_u64() {
                findings.broken_rule(FIELD, IN_MILLISECONDS);
            } else {
                findings.malformed(
                    FIELD,
                    format!("created_at must be an integer of seconds and is {number}"),
                );
            }
        }
        Member::Given(other) => findings.malformed(
            FIELD,
            format!("created_at must be an integer of seconds and is {}", other.kind()),
        ),
    }
    0
}

fn read_metadata(members: &mut Members, findings: &mut Findings) -> Vec<(String, Json)> {
    match members.take("metadata", findings) {
        Member::Absent | Member::Refused => Vec::new(),
        Member::Given(Json::Object(metadata)) => {
            metadata::check(&metadata, findings);
            metadata
        }
        Member::Given(other) => {
            findings.malformed(
                "metadata",
                format!("metadata must be an object and is {}", other.kind()),
            );
            Vec::new()
        }
    }
}

/// Parts what is kept from the keys that are not.
fn keep(mut metadata: Vec<(String, Json)>, limit: usize) -> (Vec<(String, Value)>, Vec<String>) {
    let dropped = metadata.split_off(limit.min(metadata.len()));
    (
        metadata.into_iter().map(|(key, value)| (key, Value::from(value))).collect(),
        dropped.into_iter().map(|(key, _)| key).collect(),
    )
}
