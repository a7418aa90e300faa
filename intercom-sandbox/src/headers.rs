//! What Intercom wants of a request's headers.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::refusal::Refusal;

const INTERCOM_VERSION: HeaderName = HeaderName::from_static("intercom-version");

/// The minor versions of `2.x` whose API descriptions the rules here were taken from.
const MINOR_VERSIONS: std::ops::RangeInclusive<u8> = 7..=16;

/// The one version that is not a number.
const UNSTABLE: &str = "Unstable";

/// What lets a request in: the access token, or the app id with its API key.
pub(crate) struct Credentials {
    pub(crate) token: String,
    pub(crate) app_id: String,
    pub(crate) api_key: String,
    /// App id and API key as HTTP Basic spells them.
    basic: String,
}

impl Credentials {
    pub(crate) fn new(token: String, app_id: String, api_key: String) -> Self {
        let basic = BASE64.encode(format!("{app_id}:{api_key}"));
        Self { token, app_id, api_key, basic }
    }

    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let admitted = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .is_some_and(|(scheme, secret)| {
                let secret = secret.trim();
                (scheme.eq_ignore_ascii_case("bearer") && secret == self.token)
                    || (scheme.eq_ignore_ascii_case("basic") && secret == self.basic)
            });
        if admitted { Ok(()) } else { Err(Refusal::unauthorized()) }
    }
}

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
    ))
}

/// Intercom refuses a request that does not say it takes JSON, even one that says nothing.
pub(crate) fn check_accept(headers: &HeaderMap) -> Result<(), Refusal> {
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
    Err(Refusal::new(
        StatusCode::NOT_ACCEPTABLE,
        "media_type_not_acceptable",
        "The Accept header should send a media type of application/json",
    ))
}

pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| media_type(value).eq_ignore_ascii_case("application/json"));
    if is_json {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "The Content-Type header should be application/json",
    ))
}

/// A media type without its parameters.
fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}
