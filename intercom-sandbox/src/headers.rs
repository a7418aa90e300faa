//! What Intercom wants of a request's headers.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use crate::refusal::Refusal;

const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");

/// The minor versions of `2.x` whose API descriptions the rules here were taken from.
const MINOR_VERSIONS: std::ops::RangeInclusive<u8> = 7..=16;

/// The one version that is not a number.
const UNSTABLE: &str = "Unstable";

/// Intercom refuses a version it does not know. Without the header the app's own setting decides,
/// and there is nothing to refuse.
pub(crate) fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(version) = headers.get(INTERCOM_VERSION) else {
        return Ok(());
    };
    let known = version.to_str().is_ok_and(|version| {
        version == UNSTABLE
            || version
                .strip_prefix("2.")
                // Parsing alone would let `2.+9` and `2.09` in.
                .filter(|minor| !minor.starts_with(['+', '0']))
                .and_then(|minor| minor.parse().ok())
                .is_some_and(|minor: u8| MINOR_VERSIONS.contains(&minor))
    });
    if known {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::BAD_REQUEST,
        "intercom_version_invalid",
        "The requested version could not be found",
    )
    .with_hint(
        "Send `Intercom-Version: 2.16`, another version from 2.7 on, or none; Intercom knows older \
         ones too, whose rules the sandbox does not.",
    ))
}

/// Intercom refuses a request that does not say it takes JSON, even one that says nothing.
pub(crate) fn check_accept(headers: &HeaderMap, refuse_with_404: bool) -> Result<(), Refusal> {
    // What nearly all send is told at a glance.
    if headers.get(header::ACCEPT).is_some_and(|value| value == "application/json") {
        return Ok(());
    }
    let accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(media_type)
        .any(|accepted| {
            ["application/json", "application/*", "*/*"]
                .iter()
                .any(|json| accepted.eq_ignore_ascii_case(json))
        });
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

pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(header::CONTENT_TYPE);
    // What nearly all send is told at a glance.
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

/// A media type without its parameters.
fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}
