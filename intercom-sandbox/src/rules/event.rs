//! Intercom's rules for an event.

use std::borrow::Cow;
use std::time::Duration;

use super::metadata::Metadata;
use super::selected::SelectedMembers;
use super::{Findings, Member, identifier, metadata};
use crate::clock::{Clock, unix_seconds};
use crate::event::{EventData, Identifiers};
use crate::json::{Json, JsonMember};
use crate::open_rules::OpenRules;
use crate::refusal::Refusal;

/// A `created_at` from this value on counts as milliseconds, which Intercom refuses. As seconds it
/// lies beyond the year 5138; as milliseconds, in 1973 or later.
pub(super) const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// The members of an event. Intercom ignores all others.
const MEMBERS: [&str; 6] = ["event_name", "created_at", "id", "user_id", "email", "metadata"];

type EventMembers<'a> = SelectedMembers<'a, { MEMBERS.len() }>;

/// The content of a body, borrowed where possible.
#[derive(Default)]
pub(crate) struct Event<'a> {
    pub(crate) name: Cow<'a, str>,
    /// The name as sent, if different.
    sent_name: Option<Cow<'a, str>>,
    pub(crate) created_at: i64,
    pub(crate) identifiers: Identifiers<Cow<'a, str>>,
    metadata: Vec<JsonMember<'a>>,
    dropped_keys: Vec<Cow<'a, str>>,
}

/// Reads an event from a body. The clock decides the bounds of `created_at`.
pub(crate) fn read<'a>(
    body: &'a [u8],
    rules: &OpenRules,
    clock: &dyn Clock,
) -> Result<Event<'a>, Refusal> {
    let mut findings = Findings::default();
    let event = parse(body, rules, Some(clock), &mut findings)?;
    findings.into_result()?;
    Ok(event)
}

/// Reads an event from an accepted body.
pub(crate) fn read_again(body: &[u8], rules: &OpenRules) -> EventData {
    let event = parse(body, rules, None, &mut Findings::default()).unwrap_or_default();
    let owned = Cow::<str>::into_owned;
    EventData {
        name: owned(event.name),
        sent_name: event.sent_name.map(owned),
        identifiers: Identifiers {
            contact_id: event.identifiers.contact_id.map(owned),
            user_id: event.identifiers.user_id.map(owned),
            email: event.identifiers.email.map(owned),
        },
        metadata: event
            .metadata
            .into_iter()
            .map(|(key, value)| (owned(key), value.into()))
            .collect(),
        dropped_keys: event.dropped_keys.into_iter().map(owned).collect(),
    }
}

fn parse<'a>(
    body: &'a [u8],
    rules: &OpenRules,
    clock: Option<&dyn Clock>,
    findings: &mut Findings,
) -> Result<Event<'a>, Refusal> {
    let mut members = SelectedMembers::parse(body, &MEMBERS)?;

    let (name, sent_name) = read_name(&mut members, rules, findings);
    let created_at = read_created_at(&mut members, rules, clock, findings);

    let contact_id = read_identifier("id", &mut members, rules, findings);
    let user_id = read_identifier("user_id", &mut members, rules, findings);
    let email = read_identifier("email", &mut members, rules, findings);
    if let (Member::Absent, Member::Absent, Member::Absent) = (&contact_id, &user_id, &email) {
        findings
            .missing("user_id", "One of id, user_id and email is required")
            .hint("Name the contact with one of these members, such as `\"user_id\": \"42\"`.");
    }

    let metadata = read_metadata(&mut members, rules, findings);

    let identifiers = Identifiers {
        contact_id: contact_id.given(),
        user_id: user_id.given(),
        email: email.given(),
    };
    Ok(Event {
        name,
        sent_name,
        created_at,
        identifiers,
        metadata: metadata.kept,
        dropped_keys: metadata.dropped,
    })
}

/// Reads a member that names a contact.
fn read_identifier<'a>(
    key: &'static str,
    members: &mut EventMembers<'a>,
    rules: &OpenRules,
    findings: &mut Findings,
) -> Member<Cow<'a, str>> {
    let taken = members.take(key, findings);
    identifier(key, taken, rules, findings)
}

/// Reads the name as Intercom stores it, with `.` and `$` turned into `-`, and the name as sent, if
/// different.
fn read_name<'a>(
    members: &mut EventMembers<'a>,
    rules: &OpenRules,
    findings: &mut Findings,
) -> (Cow<'a, str>, Option<Cow<'a, str>>) {
    const PUNCTUATION: [char; 2] = ['.', '$'];
    match members.take_text("event_name", findings) {
        Member::Given(name) if rules.fold_punctuation && name.contains(PUNCTUATION) => {
            (name.replace(PUNCTUATION, "-").into(), Some(name))
        }
        Member::Given(name) => (name, None),
        Member::Refused => ("".into(), None),
        Member::Absent => {
            findings.missing("event_name", "event_name is required").hint(
                "Name what happened with a noun and a verb in the past, such as `project_created`.",
            );
            ("".into(), None)
        }
    }
}

fn read_created_at(
    members: &mut EventMembers<'_>,
    rules: &OpenRules,
    clock: Option<&dyn Clock>,
    findings: &mut Findings,
) -> i64 {
    const FIELD: &str = "created_at";
    const IN_MILLISECONDS: &str =
        "created_at is in milliseconds' range: it must be Unix time in seconds";
    const DIVIDE: &str = "Divide milliseconds by 1000, and cut the fraction off.";
    const IN_SECONDS: &str = "Send when it happened in whole Unix seconds, without quotes: \
                              `\"created_at\": 1700000000`.";
    match members.take(FIELD, findings) {
        Member::Refused => {}
        Member::Absent => {
            findings.missing(FIELD, "created_at is required").hint(IN_SECONDS);
        }
        Member::Given(Json::Number(number)) => {
            if let Some(seconds) = number.as_i64() {
                if seconds.unsigned_abs() < MILLISECONDS_FROM {
                    if let Some(clock) = clock {
                        check_bounds(seconds, rules, clock, findings);
                    }
                    return seconds;
                }
                findings.broken_rule(FIELD, IN_MILLISECONDS).hint(DIVIDE);
            } else if number.is_u64() {
                findings.broken_rule(FIELD, IN_MILLISECONDS).hint(DIVIDE);
            } else {
                findings
                    .malformed(
                        FIELD,
                        format!("created_at must be an integer of seconds and is {number}"),
                    )
                    .hint("Cut the fraction off: a rounded time can lie in the future.");
            }
        }
        Member::Given(other) => {
            findings
                .malformed(
                    FIELD,
                    format!("created_at must be an integer of seconds and is {}", other.kind()),
                )
                .hint(IN_SECONDS);
        }
    }
    0
}

fn check_bounds(created_at: i64, rules: &OpenRules, clock: &dyn Clock, findings: &mut Findings) {
    const HINT: &str = "Check the sender's clock, or start the sandbox with a wider bound: \
                        Intercom documents none.";
    // Reads no clock without a bound.
    let now = || i64::try_from(unix_seconds(clock.now())).unwrap_or(i64::MAX);
    let seconds = |bound: Duration| i64::try_from(bound.as_secs()).unwrap_or(i64::MAX);
    if let Some(age) = rules.oldest_created_at.map(seconds)
        && created_at < now().saturating_sub(age)
    {
        findings
            .broken_rule("created_at", format!("created_at is more than {age} s in the past"))
            .hint(HINT);
    }
    if let Some(ahead) = rules.furthest_created_at.map(seconds)
        && created_at > now().saturating_add(ahead)
    {
        findings
            .broken_rule("created_at", format!("created_at is more than {ahead} s in the future"))
            .hint(HINT);
    }
}

fn read_metadata<'a>(
    members: &mut EventMembers<'a>,
    rules: &OpenRules,
    findings: &mut Findings,
) -> Metadata<'a> {
    match members.take("metadata", findings) {
        Member::Absent | Member::Refused => Metadata::default(),
        Member::Given(Json::Object(members)) => metadata::read(members, rules, findings),
        Member::Given(empty) if rules.accept_empty_metadata && empty.is_empty() => {
            Metadata::default()
        }
        Member::Given(other) => {
            findings
                .malformed(
                    "metadata",
                    format!("metadata must be an object and is {}", other.kind()),
                )
                .hint("Send an object of keys and values, or leave metadata out.");
            Metadata::default()
        }
    }
}
