//! Intercom's error envelope, and the refusals that use it.

use std::borrow::Cow;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::reply::Reply;
use crate::request_id::RequestId;

/// A problem of a request: an error in the list of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// Not in Intercom's answer: only the sandbox shows the hint.
    #[serde(skip)]
    pub(crate) hint: Option<Hint>,
}

/// How to fix a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    text: Cow<'static, str>,
    /// The text with `{id}` for the id of a contact, if the text has one.
    template: Option<&'static str>,
}

impl Hint {
    /// Creates a hint about a contact, whose id replaces `{id}` in the template.
    pub(crate) fn about_contact(template: &'static str, id: &str) -> Self {
        Self { text: template.replace("{id}", id).into(), template: Some(template) }
    }

    /// Returns the hint without the id of a contact, for a log.
    pub(crate) fn without_id(&self) -> &str {
        self.template.unwrap_or(&self.text)
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Hint {
    fn from(text: T) -> Self {
        Self { text: text.into(), template: None }
    }
}

impl Problem {
    /// Returns Intercom's code, such as `parameter_invalid`. The set is open.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the message, as answered.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the member of the body that is to blame, such as `metadata.due_date`, if there is
    /// one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Returns how to fix the problem. Intercom does not answer this.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_ref().map(|hint| &*hint.text)
    }

    /// Returns the hint without the id of a contact.
    #[cfg_attr(not(feature = "program"), expect(dead_code, reason = "only the program logs"))]
    pub(crate) fn hint_without_id(&self) -> Option<&str> {
        self.hint.as_ref().map(Hint::without_id)
    }

    /// Returns about how many bytes the problem takes in memory.
    pub(crate) fn size(&self) -> usize {
        let texts = [Some(self.message()), self.field(), self.hint()];
        size_of::<Self>() + texts.into_iter().flatten().map(str::len).sum::<usize>()
    }
}

/// A status with its errors.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    problems: Vec<Problem>,
    /// Without `type` and `request_id`, as one observed answer of Intercom's.
    bare: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The documented envelope.
#[derive(Serialize)]
struct ErrorList<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    errors: &'a [Problem],
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let problem =
            Problem { code: code.into(), message: message.into(), field: None, hint: None };
        Self::of(status, vec![problem])
    }

    pub(crate) fn of(status: StatusCode, problems: Vec<Problem>) -> Self {
        Self { status, problems, bare: false, headers: Vec::new() }
    }

    /// The access token is missing or wrong.
    pub(crate) fn unauthorized(hint: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Access Token Invalid").with_hint(hint)
    }

    /// The contact is unknown.
    pub(crate) fn user_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "User Not Found").with_hint(
            "No contact has this identifier: create it with POST /contacts, start the sandbox with \
             it as a contact, or with `--know-everybody`.",
        )
    }

    /// The API does not have the path. The code differs from that of an unknown contact, so that a
    /// wrong URL is not mistaken for one.
    pub(crate) fn path_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "api_path_not_found", "The requested path does not exist")
            .with_hint(
                "Check the base URL and the path. The API begins at the root, as in POST /events: \
                 the path has no version, and no slash at its end.",
            )
    }

    /// Intercom has the path, and the sandbox does not.
    pub(crate) fn not_in_sandbox() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "not_in_sandbox",
            "Intercom has this path; the sandbox does not",
        )
        .with_hint(
            "The sandbox has events, contacts and /me. Test this call with a workspace of \
             Intercom, or with a mock server of your own.",
        )
    }

    /// A parameter has a wrong value: `400`.
    pub(crate) fn invalid_parameter(field: &str, message: String, hint: impl Into<Hint>) -> Self {
        let problem = Problem {
            code: "parameter_invalid".into(),
            message: message.into(),
            field: Some(field.to_owned()),
            hint: Some(hint.into()),
        };
        Self::of(StatusCode::BAD_REQUEST, vec![problem])
    }

    /// The API has the path, without this method.
    pub(crate) fn method_not_allowed(allowed: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("Only {allowed} is allowed here"),
        )
        .with_header(header::ALLOW, HeaderValue::from_static(allowed))
        .with_hint(format!("Send this path with {allowed}."))
    }

    /// No further event name can become active. The body is exactly as observed, without `type` and
    /// `request_id`.
    pub(crate) fn too_many_event_names(limit: usize) -> Self {
        let mut refusal = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "422",
            format!("Cannot have more than {limit} active event names"),
        )
        .with_hint(
            "Use an active name, and distinguish its cases by metadata. At Intercom a person can \
             archive a name. A restarted sandbox has no active names.",
        );
        refusal.bare = true;
        refusal
    }

    /// Adds a header to the answer.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds a hint, if the refusal has one problem.
    pub(crate) fn with_hint(mut self, hint: impl Into<Hint>) -> Self {
        if let [problem] = &mut self.problems[..] {
            problem.hint = Some(hint.into());
        }
        self
    }

    pub(crate) fn into_problems(self) -> Box<[Problem]> {
        self.problems.into()
    }

    pub(crate) fn to_reply(&self, request_id: &RequestId) -> Reply {
        let list = ErrorList {
            kind: (!self.bare).then_some("error.list"),
            request_id: (!self.bare).then(|| request_id.as_str()),
            errors: &self.problems,
        };
        // Strings always serialize.
        let body = serde_json::to_vec(&list).unwrap_or_default();
        let mut reply = Reply::of_json(self.status, body.into());
        reply.headers.extend(self.headers.iter().cloned());
        reply
    }
}
