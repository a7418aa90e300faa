//! Intercom's rules, as pure functions from a body to its content or its refusal.
//!
//! The answer to a malformed body is `400`: not JSON, not an object, or with a required member
//! missing, blank or of the wrong type. The answer to a well-formed body that breaks a rule about a
//! value is `422`. An answer reports all mistakes; if both kinds occur, the status is `400`.
//! Intercom documents both statuses, and does not say which mistake gets which.

pub(crate) mod contact;
pub(crate) mod contact_list;
pub(crate) mod contact_merge;
mod contact_query;
pub(crate) mod contact_search;
pub(crate) mod event;
pub(crate) mod event_query;
pub(crate) mod event_summary;
mod metadata;
mod selected;

use std::borrow::Cow;
use std::fmt::Display;

use axum::http::StatusCode;

use crate::json::{Json, JsonMember};
use crate::open_rules::OpenRules;
use crate::refusal::{Hint, Problem, Refusal};

/// The code for a required member that is missing or blank.
const PARAMETER_NOT_FOUND: &str = "parameter_not_found";
/// The code for a member with a wrong value.
const PARAMETER_INVALID: &str = "parameter_invalid";

/// The most mistakes of one body to report; the next answer reports the rest.
const MAX_PROBLEMS: usize = 100;

/// The first bytes of gzip.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Collects the mistakes of one body.
#[derive(Default)]
struct Findings {
    malformed: bool,
    problems: Vec<Problem>,
}

/// The mistake just found, to add a hint.
struct ReportedProblem<'a>(Option<&'a mut Problem>);

impl ReportedProblem<'_> {
    fn hint(self, hint: impl Into<Hint>) {
        if let Some(problem) = self.0 {
            problem.hint = Some(hint.into());
        }
    }
}

impl Findings {
    /// Reports a missing required member: `400`.
    fn missing(
        &mut self,
        field: impl Display,
        message: impl Into<Cow<'static, str>>,
    ) -> ReportedProblem<'_> {
        self.malformed = true;
        self.push(PARAMETER_NOT_FOUND, field, message.into())
    }

    /// Reports a member of the wrong type: `400`.
    fn malformed(
        &mut self,
        field: impl Display,
        message: impl Into<Cow<'static, str>>,
    ) -> ReportedProblem<'_> {
        self.malformed = true;
        self.push(PARAMETER_INVALID, field, message.into())
    }

    /// Reports a value that breaks a rule: `422`.
    fn broken_rule(
        &mut self,
        field: impl Display,
        message: impl Into<Cow<'static, str>>,
    ) -> ReportedProblem<'_> {
        self.push(PARAMETER_INVALID, field, message.into())
    }

    fn push(
        &mut self,
        code: &'static str,
        field: impl Display,
        message: Cow<'static, str>,
    ) -> ReportedProblem<'_> {
        if self.problems.len() == MAX_PROBLEMS {
            return ReportedProblem(None);
        }
        let field = Some(field.to_string());
        self.problems.push(Problem { code: code.into(), message, field, hint: None });
        ReportedProblem(self.problems.last_mut())
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
    /// Present and wrong; already reported.
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

/// The members of a body, each taken once. Ignores the other members, as Intercom ignores unknown
/// ones.
struct Members<'a> {
    members: Vec<JsonMember<'a>>,
}

impl<'a> Members<'a> {
    /// Parses a body that must be one JSON object.
    fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        match serde_json::from_str(Self::text(body)?) {
            Ok(Json::Object(members)) => Ok(Self { members }),
            Ok(other) => Err(Self::bad_request(format!(
                "The body must be a JSON object and is {}",
                other.kind()
            ))),
            Err(error) => Err(Self::not_json(body, &error)),
        }
    }

    /// Checks that the body is UTF-8. The parser does not check values that it skips.
    fn text(body: &'a [u8]) -> Result<&'a str, Refusal> {
        if body.starts_with(GZIP) {
            return Err(Self::bad_request("The body is compressed with gzip".to_owned())
                .with_hint("Send the JSON as it is: the sandbox decompresses nothing."));
        }
        std::str::from_utf8(body).map_err(|error| Self::not_json(body, &error))
    }

    fn not_json(body: &[u8], error: &dyn Display) -> Refusal {
        if let Some(half) = lone_surrogate(body)
            && error.to_string().contains("hex escape")
        {
            return Self::bad_request(format!(
                "The body is not Unicode: {half} is half of a surrogate pair"
            ))
            .with_hint(
                "Send both halves one after the other, or the character itself in UTF-8. Such a \
                 half remains where a program cuts a text inside a character.",
            );
        }
        Self::bad_request(format!("The body is not JSON: {error}"))
            .with_hint("Fix the JSON at that position: the text before it is right.")
    }

    fn bad_request(message: String) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "bad_request", message)
            .with_hint("Send one JSON object, and nothing after it.")
    }

    /// Takes a member. Refuses a repeated member, because no rule says which one counts.
    fn take(&mut self, key: &str, findings: &mut Findings) -> Member<Json<'a>> {
        let mut values = self.members.extract_if(.., |(name, _)| name == key);
        let Some((_, value)) = values.next() else {
            return Member::Absent;
        };
        if values.next().is_some() {
            return twice(key, findings);
        }
        Member::Given(value)
    }

    /// Takes a string that must not be blank.
    fn take_text(&mut self, key: &str, findings: &mut Findings) -> Member<Cow<'a, str>> {
        let taken = self.take(key, findings);
        text(key, taken, findings)
    }
}

/// Returns the first escape that is an unpaired half of a surrogate pair.
fn lone_surrogate(body: &[u8]) -> Option<String> {
    let mut rest = body;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        rest = &rest[at..];
        let Some(unit) = escaped_unit(rest) else {
            // An escaped backslash begins no escape.
            rest = rest.get(2..)?;
            continue;
        };
        let pair = escaped_unit(rest.get(6..)?);
        match (unit, pair) {
            (0xd800..=0xdbff, Some(0xdc00..=0xdfff)) => rest = rest.get(12..)?,
            (0xd800..=0xdfff, _) => return Some(String::from_utf8_lossy(&rest[..6]).into_owned()),
            _ => rest = rest.get(6..)?,
        }
    }
    None
}

/// Returns the code unit of an escape like `\u00e9` at the start of a text.
fn escaped_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Reports a repeated member.
fn twice<T>(key: &str, findings: &mut Findings) -> Member<T> {
    findings
        .malformed(key, format!("{key} is there more than once"))
        .hint("Send each member once.");
    Member::Refused
}

/// Reads a member that must be a string and not blank.
fn text<'a>(key: &str, taken: Member<Json<'a>>, findings: &mut Findings) -> Member<Cow<'a, str>> {
    match taken {
        Member::Absent => Member::Absent,
        Member::Refused => Member::Refused,
        Member::Given(Json::String(text)) if text.trim().is_empty() => {
            findings
                .missing(key, format!("{key} is blank"))
                .hint("Send a text, or leave out the member if it is optional.");
            Member::Refused
        }
        Member::Given(Json::String(text)) => Member::Given(text),
        Member::Given(other) => {
            findings
                .malformed(key, format!("{key} must be a string and is {}", other.kind()))
                .hint("Send a string, a number in quotes too: `\"42\"`.");
            Member::Refused
        }
    }
}

/// Reads a member that names a contact: a text, or by open rules a number or nothing.
fn identifier<'a>(
    key: &str,
    taken: Member<Json<'a>>,
    rules: &OpenRules,
    findings: &mut Findings,
) -> Member<Cow<'a, str>> {
    match taken {
        Member::Given(Json::Null) if rules.ignore_blank_identifiers => Member::Absent,
        Member::Given(Json::String(blank))
            if rules.ignore_blank_identifiers && blank.trim().is_empty() =>
        {
            Member::Absent
        }
        Member::Given(number) if rules.accept_number_identifiers && number.is_integer() => {
            let Json::Number(number) = number else { return Member::Absent };
            Member::Given(number.to_string().into())
        }
        taken => text(key, taken, findings),
    }
}
