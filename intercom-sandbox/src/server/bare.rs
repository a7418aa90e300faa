//! Answers to what HTTP's own library does not take for a request, as the bytes that go out.

use axum::http::StatusCode;
use bytes::Bytes;

use super::site::Site;
use crate::refusal::Refusal;

/// What goes out in the place of the bare status that begins here, where one does.
pub(super) fn instead(bytes: &[u8], site: &Site) -> Option<Bytes> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let (status, code, message) = match status {
        b"400" => (StatusCode::BAD_REQUEST, "bad_request", "This is not an HTTP request"),
        b"414" => (StatusCode::URI_TOO_LONG, "uri_too_long", "The URL is too long"),
        b"431" => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_large",
            "The headers are too many or too large",
        ),
        _ => return None,
    };
    Some(answer(site, &Refusal::new(status, code, message), status))
}

/// The head of a request takes too long.
pub(super) fn head_too_slow(site: &Site) -> Bytes {
    let status = StatusCode::REQUEST_TIMEOUT;
    let message = "The headers did not come in time";
    answer(site, &Refusal::new(status, "request_timeout", message), status)
}

/// There are as many connections as there may be.
pub(super) fn too_many_connections(site: &Site) -> Bytes {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let message = "The sandbox has as many connections as it may have: close some, or allow more";
    answer(site, &Refusal::new(status, "too_many_connections", message), status)
}

fn answer(site: &Site, refusal: &Refusal, status: StatusCode) -> Bytes {
    let id = site.workspace.request_ids.draw();
    let body = refusal.to_reply(&id).body;
    let mut answer = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/json; charset=utf-8\r\nx-request-id: {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        id.as_str(),
        body.len(),
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer.into()
}
