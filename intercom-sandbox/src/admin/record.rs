//! A request as JSON: on the page, in the admin API, and in the program's output.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::json::Json;
use crate::received::ReceivedEvent;
use crate::received::{Outcome, ReceivedRequest};
use crate::refusal::Problem;

/// The members are `number`, `received_at` (RFC 3339, to the millisecond), `method`, `path`,
/// `query`, `status`, `outcome`, `fault`, `event`, `problems`, `warnings`, `headers`, `body` and
/// `answer`.
///
/// The event is as Intercom stores it, with `name`, `sent_name` if different, `created_at`,
/// `contact`, `metadata` and `dropped_keys`. `contact` is the `kind` and `value` of the identifier
/// that counts. `metadata` is pairs of key and value, in the order sent. A refused event has the
/// members that the body yields, and `null` for the others.
impl Serialize for ReceivedRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event();
        let record = Record {
            number: self.number(),
            received_at: rfc3339(self.received_at()),
            method: self.method(),
            path: self.path(),
            query: self.query(),
            status: self.status(),
            outcome: self.outcome(),
            fault: self.fault(),
            event: match &event {
                Some(event) => Some(RecordEvent::filed(event)),
                None => RecordEvent::read(self),
            },
            problems: self.problems().iter().map(WithHint::of).collect(),
            warnings: self.warnings(),
            headers: self.headers().collect(),
            body: self.shown_body(),
            answer: self.shown_answer(),
        };
        record.serialize(serializer)
    }
}

/// Serializes requests from the first on, up to this many bytes and at least one. Returns the
/// number of the last one.
pub(super) fn written(
    requests: &[ReceivedRequest],
    bytes: usize,
) -> (Vec<Box<RawValue>>, Option<usize>) {
    let mut size = 0;
    let mut records = Vec::with_capacity(requests.len());
    let mut last = None;
    for request in requests {
        // Text and numbers always serialize.
        let Ok(record) = to_raw_value(request) else {
            break;
        };
        size += record.get().len();
        if size > bytes && !records.is_empty() {
            break;
        }
        records.push(record);
        last = Some(request.number());
    }
    (records, last)
}

#[derive(Serialize)]
struct Record<'a> {
    number: usize,
    received_at: Option<String>,
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    status: Option<u16>,
    outcome: Outcome,
    fault: Option<&'a str>,
    event: Option<RecordEvent<'a>>,
    problems: Vec<WithHint<'a>>,
    warnings: Vec<String>,
    headers: Vec<(&'a str, &'a str)>,
    body: Cow<'a, str>,
    answer: Cow<'a, str>,
}

#[derive(Default, Serialize)]
struct RecordEvent<'a> {
    name: Option<Cow<'a, str>>,
    /// The name as sent, if Intercom stores another.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_name: Option<&'a str>,
    created_at: Option<Value>,
    contact: Option<RecordContact<'a>>,
    metadata: Cow<'a, [(String, Value)]>,
    dropped_keys: &'a [String],
}

#[derive(Serialize)]
struct RecordContact<'a> {
    kind: &'static str,
    value: Cow<'a, str>,
}

/// A problem with its hint, which Intercom's own answer does not have.
#[derive(Serialize)]
struct WithHint<'a> {
    code: &'a str,
    message: &'a str,
    field: Option<&'a str>,
    hint: Option<&'a str>,
}

impl<'a> WithHint<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self {
            code: problem.code(),
            message: problem.message(),
            field: problem.field(),
            hint: problem.hint(),
        }
    }
}

impl<'a> RecordEvent<'a> {
    fn filed(event: &'a ReceivedEvent) -> Self {
        let request = event.request();
        let identifiers = &request.event_data().identifiers;
        let whose = identifiers.first(request.rules().identifier_order);
        Self {
            name: Some(event.name().into()),
            sent_name: event.sent_name(),
            created_at: Some(event.created_at().into()),
            contact: whose
                .map(|(kind, value)| RecordContact { kind: kind.member(), value: value.into() }),
            metadata: event.masked_metadata(),
            dropped_keys: event.dropped_keys(),
        }
    }

    /// Reads an event from the body of a refused request.
    fn read(request: &'a ReceivedRequest) -> Option<Self> {
        if (request.method(), request.path()) != ("POST", "/events") {
            return None;
        }
        let Ok(Json::Object(members)) = serde_json::from_slice(request.body()) else {
            return None;
        };
        let mut event = Self::default();
        let mut identifiers =
            request.rules().identifier_order.map(|kind| (kind.member(), None::<Cow<'a, str>>));
        for (key, value) in members {
            match (&*key, value) {
                ("event_name", Json::String(name)) => event.name = Some(name),
                ("created_at", value) => event.created_at = Some(value.into()),
                ("metadata", Json::Object(metadata)) => {
                    event.metadata = metadata
                        .into_iter()
                        .map(|(key, value)| (key.into_owned(), Value::from(value)))
                        .collect::<Vec<_>>()
                        .into();
                }
                (key, Json::Number(value)) => {
                    if let Some(found) = identifiers.iter_mut().find(|(kind, _)| *kind == key) {
                        found.1 = Some(value.to_string().into());
                    }
                }
                (key, Json::String(value)) => {
                    if let Some(found) = identifiers.iter_mut().find(|(kind, _)| *kind == key) {
                        found.1 = Some(value);
                    }
                }
                _ => {}
            }
        }
        let name = event.name.as_deref().unwrap_or_default();
        event.metadata = request.rules().shown_metadata(name, event.metadata);
        event.contact = identifiers
            .into_iter()
            .find_map(|(kind, value)| Some(RecordContact { kind, value: value? }));
        Some(event)
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
            Self::Faulted => "faulted",
            Self::Served => "served",
        })
    }
}

/// Formats a time, if its year has four digits.
pub(super) fn rfc3339(time: SystemTime) -> Option<String> {
    jiff::Timestamp::try_from(time).ok().map(|time| format!("{time:.3}"))
}
