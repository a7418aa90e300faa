//! What an answer means: its status, headers and body become a receipt or an error. Nothing here does I/O.

use std::time::SystemTime;

use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, StatusCode};
use intercom_core::{ApiError, ErrorKind, RateLimit, Receipt, SendError};
use reqwest::Url;

use crate::body::{Body, End};
use crate::error_list::ErrorList;
use crate::limits;
use crate::redact::Redactor;

/// The codes that say, with 404, that Intercom does not know the contact. Intercom's is `not_found`; the
/// others are taken for the same, should they come.
const NOT_FOUND_CODES: &[&str] = &["not_found", "user_not_found", "contact_not_found"];

/// The code that says, with 400 or 409, that several contacts answer to the identifier.
const CONFLICT_CODE: &str = "conflict";

/// The parts of the message, in lower case, that says that the workspace has all the active event names
/// it may have. The code is no help there, and the number may change:
/// "Cannot have more than 120 active event names".
const NAME_LIMIT_PARTS: &[&str] = &["more than", "active event names"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most characters of the header `X-Request-Id` that are kept. Intercom's are UUIDs, of 36.
const MAX_REQUEST_ID: usize = 200;

/// The content type of a page, which never says that an event was taken, whatever its status.
const PAGE: &[u8] = b"text/html";

/// The most characters of a content type that are shown.
const MAX_CONTENT_TYPE: usize = 60;

/// What was asked. Some answers mean something to one question only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To take an event.
    Event,
    /// To create a contact.
    Contact,
    /// Whose credentials these are.
    Workspace,
    /// What happened to a contact, or to take a summary of it.
    History,
}

/// The head of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    /// When it came, by the clock here.
    pub(crate) received: SystemTime,
}

impl Head<'_> {
    /// What a 2xx answer is worth. Its body says nothing.
    pub(crate) fn receipt(&self) -> Receipt {
        let mut receipt = Receipt::delivered(self.status.as_u16());
        if let Some(request_id) = self.request_id() {
            receipt = receipt.with_request_id(request_id);
        }
        match self.rate_limit() {
            Some(rate_limit) => receipt.with_rate_limit(rate_limit),
            None => receipt,
        }
    }

    /// What it says about the rate limit.
    pub(crate) fn rate_limit(&self) -> Option<RateLimit> {
        limits::rate_limit(self.headers, self.received)
    }

    /// What any other answer says. `list` is what could be read of the body.
    pub(crate) fn refusal(
        &self,
        asked: Asked,
        redactor: &Redactor,
        body: &Body,
        list: Option<&ErrorList>,
    ) -> SendError {
        let kind = match list {
            None if body.end == End::Broken && is_told_by_its_body(asked, self.status) => {
                ErrorKind::Connection
            }
            list => kind(asked, self.status, list),
        };
        let mut error = SendError::new(kind).with_status(self.status.as_u16());
        match list {
            Some(list) => error = error.with_answers(shown(list, redactor)),
            None => error = error.with_detail(self.describe(body)),
        }
        let request_id = list.and_then(|list| list.request_id.as_deref());
        if let Some(request_id) = request_id.or_else(|| self.request_id()) {
            error = error.with_request_id(redactor.clean(request_id));
        }
        let rate_limit = self.rate_limit();
        if let Some(rate_limit) = rate_limit {
            error = error.with_rate_limit(rate_limit);
        }
        match limits::retry_after(kind, self.headers, rate_limit, self.received) {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }

    /// Whether this status says that an event was taken. A 206 has a part of an answer, and a 207 several.
    pub(crate) fn is_acceptance(&self) -> bool {
        matches!(self.status.as_u16(), 200 | 201 | 202 | 204)
    }

    /// Whether this body says the opposite of its status. It does when it is a page to be looked at, whatever
    /// its content type: that of a proxy, say, that wants somebody to log in. So does a list of errors.
    /// Intercom's own answer to an event has no body.
    pub(crate) fn is_denied_by(&self, body: &[u8]) -> bool {
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
        text.starts_with(b"<")
            || self.is_page()
            || ErrorList::parse(text).is_some_and(|list| list.is_intercoms())
    }

    fn is_page(&self) -> bool {
        let content_type = self.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        content_type
            .and_then(|value| value.split_at_checked(PAGE.len()))
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case(PAGE))
    }

    fn request_id(&self) -> Option<&str> {
        let request_id = self.headers.get(REQUEST_ID)?.to_str().ok()?.trim();
        // A header's text is ASCII, so it can be cut anywhere.
        let request_id = &request_id[..request_id.len().min(MAX_REQUEST_ID)];
        (!request_id.is_empty()).then_some(request_id)
    }

    /// Describes an answer that is not Intercom's, without showing what it says.
    fn describe(&self, body: &Body) -> String {
        if self.status.is_redirection()
            && let Some(location) = self.headers.get(LOCATION)
        {
            // Of a relative one the host is known, and the rest of an address may hold secrets.
            let url = location.to_str().ok().and_then(|location| Url::parse(location).ok());
            return match url.as_ref().and_then(Url::host_str) {
                Some(host) => format!("it is a redirect to {host}, which is not followed"),
                None => "it is a redirect, which is not followed".to_owned(),
            };
        }
        let size = body.bytes.len();
        let end = match body.end {
            End::Complete => "",
            End::Broken => ", then it broke off",
            End::TooLong => " and more",
        };
        if size == 0 {
            return format!("its body is empty{end}");
        }
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.and_then(|text| text.split(';').next()).map(str::trim);
        let content_type: String = match content_type {
            Some(text) if !text.is_empty() => text.chars().take(MAX_CONTENT_TYPE).collect(),
            _ => "of no content type".to_owned(),
        };
        format!("its body is not Intercom's JSON ({content_type}, {size} bytes{end})")
    }
}

/// The errors as they may be shown.
fn shown(list: &ErrorList, redactor: &Redactor) -> Vec<ApiError> {
    list.errors
        .iter()
        .map(|error| {
            let mut shown = ApiError::new(redactor.clean(&error.code));
            shown.message = error.message.as_deref().map(|text| redactor.clean_message(text));
            shown.field = error.field.as_deref().map(|text| redactor.clean(text));
            shown
        })
        .collect()
}

/// Whether only the body says what this answer means: whether it is Intercom's, and then whether a contact is
/// unknown or the address is, and whether there is one already or several. An answer of which that is missing
/// is no answer.
fn is_told_by_its_body(asked: Asked, status: StatusCode) -> bool {
    let is_told =
        matches!(status.as_u16(), 400..=499) && !matches!(status.as_u16(), 408 | 425 | 429);
    // A read is its body.
    let is_read = asked == Asked::History && status.is_success();
    is_read || asked != Asked::Workspace && is_told
}

/// Which kind of fault an answer other than 2xx tells of.
fn kind(asked: Asked, status: StatusCode, list: Option<&ErrorList>) -> ErrorKind {
    use ErrorKind::*;
    let has_code = |codes: &[&str]| list.is_some_and(|list| list.has_code(codes));
    let names_are_spent = || {
        let spent = |message: String| NAME_LIMIT_PARTS.iter().all(|part| message.contains(part));
        list.is_some_and(|list| list.messages().any(spent))
    };
    match (status.as_u16(), asked) {
        (408 | 425 | 500..=599, _) => Unavailable,
        (429, _) => RateLimited,
        // Without Intercom's list it is nobody's verdict on the event: a gateway or a firewall answers so,
        // to all events or to this body alone.
        (400..=499, Asked::Event | Asked::Contact | Asked::History)
            if !list.is_some_and(ErrorList::is_intercoms) =>
        {
            UnexpectedAnswer
        }
        (400..=499, Asked::Event | Asked::History) if names_are_spent() => EventNameLimit,
        (404, Asked::Event | Asked::History) if has_code(NOT_FOUND_CODES) => UnknownContact,
        (409, Asked::Event | Asked::Contact | Asked::History) => AmbiguousContact,
        (400, Asked::Event | Asked::Contact | Asked::History) if has_code(&[CONFLICT_CODE]) => {
            AmbiguousContact
        }
        (400 | 406 | 413 | 415 | 422, _) => Rejected,
        (401, _) => Unauthorized,
        (402 | 403, _) => Forbidden,
        // A wrong address has such answers too, and is nothing that an event could be blamed for.
        (404 | 405, _) => UnexpectedAnswer,
        (400..=499, Asked::Event) if list.is_some() => Rejected,
        _ => UnexpectedAnswer,
    }
}
