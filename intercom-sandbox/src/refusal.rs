//! Intercom's error envelope, and the refusals that the sandbox answers in it.

use std::borrow::Cow;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::reply::Reply;
use crate::request_id::RequestId;

/// One thing that was wrong with a request: an error of the list that it was answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// Not of Intercom's answer: only the sandbox tells it.
    #[serde(skip)]
    pub(crate) hint: Option<Cow<'static, str>>,
}

impl Problem {
    /// Intercom's code, `parameter_invalid` for example. An open set.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What is wrong, as it was answered.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The member of the body that is to blame, `metadata.due_date` for example, where it is one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What to do about it. Intercom does not answer this: only the sandbox knows it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn size(&self) -> usize {
        let texts = [Some(self.message()), self.field(), self.hint()];
        size_of::<Self>() + texts.into_iter().flatten().map(str::len).sum::<usize>()
    }
}

/// A status with the errors that led to it.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    problems: Vec<Problem>,
    /// Without `type` and `request_id`, as one of Intercom's answers has been seen.
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

    /// No access token, or not the right one.
    pub(crate) fn unauthorized(hint: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Access Token Invalid").with_hint(hint)
    }

    /// The contact is not known.
    pub(crate) fn user_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "User Not Found").with_hint(
            "No contact has this identifier: create it with POST /contacts, start the sandbox with it as a \
             contact, or with `--know-everybody`.",
        )
    }

    /// The path is none of the API's. The code is not the one of an unknown contact, so that a
    /// wrong URL is not taken for one.
    pub(crate) fn path_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "api_path_not_found", "The requested path does not exist")
            .with_hint(
                "Check the base URL and the path: the API begins at the root, without a version in \
                 the path and without a slash at the end, as in POST /events.",
            )
    }

    /// Intercom has the path, the sandbox does not.
    pub(crate) fn not_in_sandbox() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "not_in_sandbox",
            "Intercom has this path; the sandbox does not",
        )
        .with_hint(
            "The sandbox has events, contacts and /me: test this call against a workspace of \
             Intercom, or answer it in the test by a server of your own.",
        )
    }

    /// A parameter has a wrong value: `400`.
    pub(crate) fn invalid_parameter(
        field: &str,
        message: String,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        let problem = Problem {
            code: "parameter_invalid".into(),
            message: message.into(),
            field: Some(field.to_owned()),
            hint: Some(hint.into()),
        };
        Self::of(StatusCode::BAD_REQUEST, vec![problem])
    }

    /// The path is the API's, the method is not.
    pub(crate) fn method_not_allowed(allowed: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("Only {allowed} is allowed here"),
        )
        .with_header(header::ALLOW, HeaderValue::from_static(allowed))
        .with_hint(format!("Send this path with {allowed}."))
    }

    /// The workspace has its fill of event names. The body is the observed one to the letter: it
    /// has no `type` and no `request_id`.
    pub(crate) fn too_many_event_names(limit: usize) -> Self {
        let mut refusal = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "422",
            format!("Cannot have more than {limit} active event names"),
        )
        .with_hint(
            "Use a name that is active already and tell its cases apart by metadata; at Intercom \
             somebody can archive a name, here a sandbox that starts anew has none.",
        );
        refusal.bare = true;
        refusal
    }

    /// Answers with this header too.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says what to do about it, where it is about one problem.
    pub(crate) fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
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
        // Strings cannot fail to become JSON.
        let body = serde_json::to_vec(&list).unwrap_or_default();
        let mut reply = Reply::of_json(self.status, body.into());
        reply.headers.extend(self.headers.iter().cloned());
        reply
    }
}
