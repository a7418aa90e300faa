//! Checks a base URL, and builds the request addresses from it.

use http::Uri;
use http::uri::InvalidUri;
use reqwest::Url;

use crate::error::BuildError;

/// The domain that credentials must not reach over plain HTTP.
const INTERCOM_DOMAIN: &str = "intercom.io";

const EVENTS: &str = "events";
const CONTACTS: &str = "contacts";
const ME: &str = "me";
const SUMMARIES: &str = "events/summaries";

/// The endpoints, which a base URL must not end in.
const ENDPOINTS: [&str; 3] = [EVENTS, CONTACTS, ME];

/// The addresses of requests, built once.
pub(crate) struct Endpoints {
    pub(crate) base: Url,
    pub(crate) events: Url,
    pub(crate) contacts: Url,
    pub(crate) me: Url,
    pub(crate) summaries: Url,
}

impl Endpoints {
    /// # Errors
    ///
    /// Fails when the text is not a base URL, or would expose the credentials to the network.
    pub(crate) fn new(base_url: &str) -> Result<Self, BuildError> {
        let base = parse(base_url)?;
        Ok(Endpoints {
            events: under(&base, EVENTS)?,
            contacts: under(&base, CONTACTS)?,
            me: under(&base, ME)?,
            summaries: under(&base, SUMMARIES)?,
            base,
        })
    }
}

/// Parses a base URL. A valid one holds no credentials, so errors may show it.
///
/// # Errors
///
/// Fails when the text is not a base URL, or would expose the credentials to the network.
fn parse(text: &str) -> Result<Url, BuildError> {
    let url = Url::parse(text).map_err(|error| BuildError::BaseUrlUnreadable(error.into()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BuildError::BaseUrlScheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BuildError::BaseUrlUserInfo);
    }
    let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if let Some(endpoint) = ENDPOINTS.into_iter().find(|known| last.eq_ignore_ascii_case(known)) {
        return Err(BuildError::BaseUrlEndpoint { endpoint });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BuildError::BaseUrlQuery);
    }
    match url.host_str() {
        Some(host) if url.scheme() == "http" && is_intercom(host) => {
            Err(BuildError::PlainHttp { host: host.to_owned() })
        }
        _ => Ok(url),
    }
}

/// Returns whether the host is Intercom's. A parsed URL has its host in lower case.
fn is_intercom(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.strip_suffix(INTERCOM_DOMAIN).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Returns the address of `name` below the base URL, which may have its own path.
fn under(base: &Url, name: &str) -> Result<Url, BuildError> {
    let mut url = base.clone();
    url.set_path(&format!("{}/{name}", base.path().trim_end_matches('/')));
    // The client converts every address to a `Uri`. A few hosts, such as `https://{host}`, have
    // none. This refuses them at setup instead of at every request.
    let uri: Uri = url
        .as_str()
        .parse()
        .map_err(|error: InvalidUri| BuildError::BaseUrlUnreadable(error.into()))?;
    match Url::parse(&uri.to_string()) {
        Ok(same) if same == url => Ok(url),
        _ => Err(BuildError::BaseUrlUnreadable("it has no canonical form".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_base_url_is_kept() {
        for (base, events) in [
            ("https://api.intercom.io", "https://api.intercom.io/events"),
            ("https://api.intercom.io/", "https://api.intercom.io/events"),
            ("http://proxy:8080/intercom", "http://proxy:8080/intercom/events"),
            ("http://proxy:8080/intercom//", "http://proxy:8080/intercom/events"),
            (" http://[::1]:80 \n", "http://[::1]/events"),
        ] {
            let endpoints = Endpoints::new(base).unwrap();
            assert_eq!(endpoints.events.as_str(), events, "{base}");
        }
    }

    #[test]
    fn plain_http_is_refused_for_intercom_alone() {
        for host in ["intercom.io", "api.intercom.io", "API.EU.Intercom.IO", "api.intercom.io."] {
            let error = parse(&format!("http://{host}/")).unwrap_err();
            assert!(matches!(error, BuildError::PlainHttp { .. }), "{host}: {error}");
            parse(&format!("https://{host}/")).unwrap();
        }
        for host in ["localhost", "127.0.0.1:9000", "notintercom.io", "intercom.io.example.com"] {
            parse(&format!("http://{host}/")).unwrap();
        }
    }
}
