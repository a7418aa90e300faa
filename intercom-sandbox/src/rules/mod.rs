//! Intercom's rules, as pure functions from a body to what it says or why it is refused.
//!
//! A body that is malformed is answered with `400`: no JSON, no object, a required member that is
//! missing, blank or of the wrong type. A well-formed body that breaks a rule about its values is
//! answered with `422`. All that is wrong is reported at once; where both kinds come together the
//! status is `400`. Intercom documents both statuses and does not say which mistake gets which.

pub(crate) mod contact;
pub(crate) mod event;
mod metadata;

use axum::http::StatusCode;

use crate::json::Json;
use crate::refusal::{Problem, Refusal};

/// What a required member that is missing or blank is told.
const PARAMETER_NOT_FOUND: &str = "parameter_not_found";
/// What a member with a wrong value is told.
const PARAMETER_INVALID: &str = "parameter_invalid";

/// Collects all that is wrong with one body.
#[derive(Default)]
struct Findings {
    malformed: bool,
    problems: Vec<Problem>,
}

impl Findings {
    /// A required member is not there: `400`.
    fn missing(&mut self, field: &str, message: impl Into<String>) {
        self.malformed = true;
        self.push(PARAMETER_NOT_FOUND, field, message.into());
    }

    /// A member is not of its type: `400`.
    fn malformed(&mut self, field: &str, message: impl Into<String>) {
        self.malformed = true;
        self.push(PARAMETER_INVALID, field, message.into());
    }

    /// A value breaks a rule: `422`.
    fn broken_rule(&mut self, field: &str, message: impl Into<String>) {
        self.push(PARAMETER_INVALID, field, message.into());
    }

    fn push(&mut self, code: &'static str, field: &str, message: String) {
        self.problems.push(Problem {
            code: code.into(),
            message: message.into(),
            field: Some(field.to_owned()),
            hint: None,
        });
    }

    fn into_result(self) -> Result<(), Refusal> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let status =
            if self.malformed { StatusCode::BAD_REQUEST } else { StatusCode::UNPROCESSABLE_ENTITY };
        Err(Refusal::of(status, self.problems))
    }
}

/// A top-level member of a body.
enum Member<T> {
    Absent,
    /// There, and wrong: it is among the findings already.
    Refused,
    Given(T),
}

impl<T> Member<T> {
    fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Refused => None,
        }
    }
}

/// The members of a body, each to be taken out once. Those never taken are ignored, as Intercom
/// ignores members it does not know.
struct Members {
    members: Vec<(String, Json)>,
}

impl Members {
    /// Reads a body that must be one JSON object.
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let bad_request =
            |message: String| Refusal::new(StatusCode::BAD_REQUEST, "bad_request", message);
        match serde_json::from_slice(body) {
            Ok(Json::Object(members)) => Ok(Self { members }),
            Ok(other) => {
                Err(bad_request(format!("The body must be a JSON object and is {}", other.kind())))
            }
            Err(error) => Err(bad_request(format!("The body is not JSON: {error}"))),
        }
    }

    /// Takes a member out. One that came twice is refused, since nothing says which would count.
    fn take(&mut self, key: &str, findings: &mut Findings) -> Member<Json> {
        let mut values = self.members.extract_if(.., |(name, _)| name == key);
        let Some((_, value)) = values.next() else {
            return Member::Absent;
        };
        if values.next().is_some() {
            findings.malformed(key, format!("{key} is there more than once"));
            return Member::Refused;
        }
        Member::Given(value)
    }

    /// Takes a string out that must not be blank.
    fn take_text(&mut self, key: &str, findings: &mut Findings) -> Member<String> {
        match self.take(key, findings) {
            Member::Absent => Member::Absent,
            Member::Refused => Member::Refused,
            Member::Given(Json::String(text)) if text.trim().is_empty() => {
                findings.missing(key, format!("{key} is blank"));
                Member::Refused
            }
            Member::Given(Json::String(text)) => Member::Given(text),
            Member::Given(other) => {
                findings.malformed(key, format!("{key} must be a string and is {}", other.kind()));
                Member::Refused
            }
        }
    }
}
