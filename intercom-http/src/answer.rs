//! Reads a response's status, headers and body as a receipt or an error. Does no I/O.

use std::time::SystemTime;

use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, StatusCode};
use intercom_core::{ApiError, ErrorKind, RateLimit, Receipt, SendError};
use reqwest::Url;

use crate::body::{Body, End};
use crate::error_list::ErrorList;
use crate::limits;
use crate::redact::Redactor;

/// With 404, the codes of an unknown contact. Intercom sends `not_found`. The others may come.
const NOT_FOUND_CODES: &[&str] = &["not_found", "user_not_found", "contact_not_found"];

/// With 400 or 409, the code for several contacts that match the identifier.
const CONFLICT_CODE: &str = "conflict";

/// The lower-case parts of the message that the workspace has its limit of active event names. Its
/// code does not say so, and the number may change: "Cannot have more than 120 active event names".
const NAME_LIMIT_PARTS: &[&str] = &["more than", "active event names"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The limit of characters kept of `X-Request-Id`. Intercom's are UUIDs of 36 characters.
const MAX_REQUEST_ID: usize = 200;

/// The content type of a page. A page never means that Intercom accepted an event, whatever its
/// status.
const PAGE: &[u8] = b"text/html";

/// The limit of characters that an error shows of a content type.
const MAX_CONTENT_TYPE: usize = 60;

/// The request behind a response. Some responses have a meaning for one request only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Sends an event.
    Event,
    /// Creates a contact.
    Contact,
    /// Asks which workspace the credentials belong to.
    Workspace,
    /// Reads a contact's events, or reads or submits summaries.
    History,
}

/// The head of a response.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    /// The time of arrival, by this machine's clock.
    pub(crate) received: SystemTime,
}

impl Head<'_> {
    /// Returns the receipt of a 2xx response. Its body does not matter.
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

    /// Returns the rate limit in the headers.
    pub(crate) fn rate_limit(&self) -> Option<RateLimit> {
        limits::rate_limit(self.headers, self.received)
    }

    /// Returns the error of any other response. `list` is the error list in its body, if it has
    /// one.
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
            Some(list) => error = error.with_api_errors(shown(list, redactor)),
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

    /// Returns whether this status means that Intercom accepted an event. A 206 is partial, and a
    /// 207 has several results.
    pub(crate) fn is_acceptance(&self) -> bool {
        matches!(self.status.as_u16(), 200 | 201 | 202 | 204)
    }

    /// Returns whether this body contradicts its status. A page does, whatever its content type: a
    /// proxy's login form, say. So does a list of errors. Intercom's own response to an event has
    /// no body.
    pub(crate) fn is_denied_by(&self, body: &[u8]) -> bool {
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
        text.starts_with(b"<")
            || self.is_page()
            || ErrorList::parse(text).is_some_and(|list| list.denies())
    }

    fn is_page(&self) -> bool {
        let content_type = self.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        content_type
            .and_then(|value| value.split_at_checked(PAGE.len()))
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case(PAGE))
    }

    fn request_id(&self) -> Option<&str> {
        let request_id = self.headers.get(REQUEST_ID)?.to_str().ok()?.trim();
        // A header's text is ASCII, so any index is a character boundary.
        let request_id = &request_id[..request_id.len().min(MAX_REQUEST_ID)];
        (!request_id.is_empty()).then_some(request_id)
    }

    /// Describes a response that did not come from Intercom, without its content.
    fn describe(&self, body: &Body) -> String {
        if self.status.is_redirection()
            && let Some(location) = self.headers.get(LOCATION)
        {
            // Shows only the host of a relative address. The rest may hold secrets.
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

/// Returns the errors, redacted.
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

/// Returns whether only the body gives the response its meaning. Such a body shows whether the
/// response came from Intercom. It shows whether the contact or the address is unknown, or whether
/// a contact exists several times. If it is missing, the response counts as lost.
fn is_told_by_its_body(asked: Asked, status: StatusCode) -> bool {
    let is_told =
        matches!(status.as_u16(), 400..=499) && !matches!(status.as_u16(), 408 | 425 | 429);
    // The body of a read is its result.
    let is_read = asked == Asked::History && status.is_success();
    is_read || asked != Asked::Workspace && is_told
}

/// Returns the kind of fault of a response other than 2xx.
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
        // Without an error of Intercom's, a gateway or a firewall sent the response. It may refuse
        // all events, or this body alone.
        (400..=499, Asked::Event | Asked::Contact | Asked::History)
            if list.is_none_or(|list| list.errors.is_empty()) =>
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
        // A wrong address gets these responses too, and no event is at fault.
        (404 | 405, _) => UnexpectedAnswer,
        (400..=499, Asked::Event) => Rejected,
        _ => UnexpectedAnswer,
    }
}
