//! An answer that a test chooses instead of Intercom's.

use std::borrow::Cow;
use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;

use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request_id::RequestId;
use crate::server::Disconnect;

/// A chosen answer, whatever the request says: see
/// [`Sandbox::answer_next`](crate::Sandbox::answer_next) and
/// [`Fault::answer`](crate::Fault::answer).
///
/// The answer goes out as written. The sandbox adds no rate-limit headers and, except in
/// [`Answer::error`], no request id, since some real answers lack them too.
///
/// A number becomes an answer with this status and its usual body: an error list for an error, an
/// empty body for a success.
///
/// ```
/// use intercom_sandbox::Answer;
///
/// let outage = Answer::status(503).header("Content-Type", "text/html").body("<h1>Sorry</h1>");
/// let overloaded = Answer::error(429, "rate_limit_exceeded", "slow down").header("Retry-After", "7");
/// let gateway = Answer::html(502);
/// let unavailable = Answer::from(503);
/// ```
#[derive(Debug, Clone)]
pub struct Answer {
    kind: BodyKind,
}

#[derive(Debug, Clone)]
enum BodyKind {
    Reply { status: StatusCode, headers: HeaderMap, body: Content },
    HangUp,
    Reset,
    Silence,
}

#[derive(Debug, Clone)]
enum Content {
    Written(Bytes),
    Html(Bytes),
    Error { code: String, message: String },
}

impl Answer {
    /// Creates an answer with this status and an empty body.
    ///
    /// # Panics
    /// If the status is not final (200 to 599).
    pub fn status(status: u16) -> Self {
        Self::reply(status, Content::Written(Bytes::new()))
    }

    /// Creates an answer with this status and Intercom's error list. The list has one error, with
    /// this code and message. Body and `X-Request-Id` have a new request id.
    ///
    /// # Panics
    /// If the status is not final (200 to 599).
    pub fn error(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::reply(status, Content::Error { code: code.into(), message: message.into() })
    }

    /// Creates an HTML page with this status, as from a load balancer in front of Intercom.
    ///
    /// # Panics
    /// If the status is not final (200 to 599).
    pub fn html(status: u16) -> Self {
        let title = title(status);
        let page = format!(
            "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n\
             <center><h1>{status} {title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        Self::reply(status, Content::Html(page.into())).header("Content-Type", "text/html")
    }

    /// Closes the connection without an answer, as a server that goes down does.
    pub fn hang_up() -> Self {
        Self { kind: BodyKind::HangUp }
    }

    /// Resets the connection without an answer, so that the client's read fails. Over HTTP/2 it
    /// resets only the request's stream.
    pub fn reset() -> Self {
        Self { kind: BodyKind::Reset }
    }

    /// Never answers: the connection stays open until the client gives up.
    pub fn silence() -> Self {
        Self { kind: BodyKind::Silence }
    }

    /// Sets a header, and replaces an earlier one of that name. Has no effect if there is no
    /// answer.
    ///
    /// # Panics
    /// If HTTP does not allow the name or the value.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        match self.try_header(name, value) {
            Ok(answer) => answer,
            Err(message) => panic!("{message}"),
        }
    }

    pub(crate) fn try_header(mut self, name: &str, value: &str) -> Result<Self, String> {
        let (Ok(name), Ok(value)) =
            (name.parse::<HeaderName>(), HeaderValue::try_from(value.to_owned()))
        else {
            return Err(format!("`{name}: {value}` is not a header"));
        };
        if let BodyKind::Reply { headers, .. } = &mut self.kind {
            headers.insert(name, value);
        }
        Ok(self)
    }

    /// Sets the body, also in place of an error list. Has no effect if there is no answer.
    #[must_use]
    pub fn body(mut self, text: impl Into<Bytes>) -> Self {
        if let BodyKind::Reply { body, .. } = &mut self.kind {
            *body = Content::Written(text.into());
        }
        self
    }

    fn reply(status: u16, body: Content) -> Self {
        match Self::try_reply(status, body) {
            Some(answer) => answer,
            None => panic!("{status} is not a status from 200 to 599"),
        }
    }

    fn try_reply(status: u16, body: Content) -> Option<Self> {
        const FINAL: std::ops::RangeInclusive<u16> = 200..=599;
        let status = StatusCode::from_u16(status).ok().filter(|_| FINAL.contains(&status))?;
        Some(Self { kind: BodyKind::Reply { status, headers: HeaderMap::new(), body } })
    }

    /// Returns the status with its usual body; `None` if the status is not final.
    pub(crate) fn usual(status: u16) -> Option<Self> {
        let body = if status < 400 {
            Content::Written(Bytes::new())
        } else {
            let (code, message) = usual_error(status);
            Content::Error { code: code.to_owned(), message: message.into_owned() }
        };
        Self::try_reply(status, body)
    }

    /// Returns whether the answer has a status.
    pub(crate) fn has_status(&self) -> bool {
        matches!(self.kind, BodyKind::Reply { .. })
    }

    pub(crate) fn ending(&self, request_id: &RequestId) -> Ending {
        match &self.kind {
            BodyKind::HangUp => Ending::Disconnect(Disconnect::HangUp),
            BodyKind::Reset => Ending::Disconnect(Disconnect::Reset),
            BodyKind::Silence => Ending::Silence,
            BodyKind::Reply { status, headers, body } => {
                let (status, headers) = (*status, headers.clone());
                match body {
                    Content::Written(body) | Content::Html(body) => {
                        Ending::Reply(Reply { status, headers, body: body.clone() })
                    }
                    Content::Error { code, message } => {
                        let refusal = Refusal::new(status, code.clone(), message.clone());
                        let mut reply = refusal.to_reply(request_id);
                        request_id.write_to(&mut reply.headers);
                        // The test's headers override those of the envelope.
                        reply.headers.extend(headers);
                        Ending::Reply(reply)
                    }
                }
            }
        }
    }
}

impl From<u16> for Answer {
    /// Creates an answer with this status: an error list from 400 on, as in [`Answer::error`], and
    /// an empty body below.
    ///
    /// # Panics
    /// If the status is not final (200 to 599).
    fn from(status: u16) -> Self {
        match Self::usual(status) {
            Some(answer) => answer,
            None => panic!("{status} is not a status from 200 to 599"),
        }
    }
}

/// Writes a few words for the records and the lists of faults: `503`, `html 502`, `hang up`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            BodyKind::Reply { status, body: Content::Html(_), .. } => {
                write!(f, "html {}", status.as_u16())
            }
            BodyKind::Reply { status, .. } => write!(f, "{}", status.as_u16()),
            BodyKind::HangUp => f.write_str("hang up"),
            BodyKind::Reset => f.write_str("reset"),
            BodyKind::Silence => f.write_str("hang"),
        }
    }
}

/// The end of a request.
pub(crate) enum Ending {
    Reply(Reply),
    Disconnect(Disconnect),
    Silence,
}

/// Returns the usual code and message of a status.
fn usual_error(status: u16) -> (&'static str, Cow<'static, str>) {
    match status {
        401 => ("unauthorized", "Access Token Invalid".into()),
        402 => ("api_plan_restricted", "Active subscription needed".into()),
        403 => ("forbidden", "You do not have permission to access this".into()),
        404 => ("not_found", "User Not Found".into()),
        409 => (
            "conflict",
            "Multiple existing users match these details - must be more specific".into(),
        ),
        429 => ("rate_limit_exceeded", "The rate limit for the App has been exceeded".into()),
        503 => ("service_unavailable", "Sorry, the API service is temporarily unavailable".into()),
        500.. => ("server_error", "Internal server error".into()),
        _ => ("bad_request", title(status).into()),
    }
}

/// Returns the standard phrase of a status.
fn title(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or("Error")
}
