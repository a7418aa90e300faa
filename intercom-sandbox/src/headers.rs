//! Intercom's rules for request headers.

use axum::http::{HeaderMap, StatusCode, header};

use crate::refusal::Refusal;

/// Checks for an `Accept` header with JSON, which Intercom requires.
pub(crate) fn check_accept(headers: &HeaderMap, refuse_with_404: bool) -> Result<(), Refusal> {
    // Fast path: nearly all clients send exactly this.
    if headers.get(header::ACCEPT).is_some_and(|value| value == "application/json") {
        return Ok(());
    }
    let accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(media_type)
        .any(takes_json);
    if accepted {
        return Ok(());
    }
    let refusal = if refuse_with_404 {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", "Resource Not Found")
    } else {
        Refusal::new(
            StatusCode::NOT_ACCEPTABLE,
            "media_type_not_acceptable",
            "The Accept header should send a media type of application/json",
        )
    };
    Err(refusal.with_hint("Send the header `Accept: application/json`."))
}

/// Returns whether an accepted media type includes JSON, also as Intercom's client for Ruby writes
/// it, `application/vnd.intercom.3+json`.
fn takes_json(accepted: &str) -> bool {
    let accepted = accepted.to_ascii_lowercase();
    ["application/json", "application/*", "*/*"].contains(&&*accepted)
        || (accepted.starts_with("application/vnd.intercom.") && accepted.ends_with("+json"))
}

/// Checks that the body is JSON. A compressed body gets its own message, since no page says that
/// Intercom decompresses bodies.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(header::CONTENT_TYPE);
    if let Some(coding) =
        headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity")
    {
        let coding = String::from_utf8_lossy(coding.as_bytes());
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("The body is compressed, with Content-Encoding: {coding}"),
        )
        .with_hint("Send the JSON as it is, without Content-Encoding."));
    }
    // Fast path: nearly all clients send exactly this.
    if sent.is_some_and(|value| value == "application/json") {
        return Ok(());
    }
    let is_json = sent
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| media_type(value).eq_ignore_ascii_case("application/json"));
    if is_json {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "The Content-Type header should be application/json",
    )
    .with_hint("Send the header `Content-Type: application/json` with the body."))
}

/// Returns a media type without its parameters.
fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}
