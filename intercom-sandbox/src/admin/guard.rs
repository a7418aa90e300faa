//! Access to the admin API and the page. Clients on this machine and clients that use an allowed
//! name pass. Foreign web pages in a browser on this machine do not.
//!
//! A foreign page can send requests to the loopback address. Its `Host` exposes a page that rebinds
//! a DNS name. Its `Origin` exposes it too, and sending JSON needs a CORS preflight.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::AdminError;
use crate::workspace::Workspace;

/// Lets a request through, or refuses it with a reason.
pub(super) async fn guard(
    State(workspace): State<Arc<Workspace>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match check(&request, &workspace.allowed_hosts) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn check(request: &Request, allowed: &[String]) -> Result<(), AdminError> {
    let headers = request.headers();
    let forbidden = |message: &str| Err(AdminError::new(StatusCode::FORBIDDEN, message));

    let host = host(headers, request.uri());
    if !host.map(name_of).is_some_and(|name| is_loopback(name) || is_allowed(name, allowed)) {
        return forbidden(
            "this host name is not allowed: use http://127.0.0.1 or http://localhost, or start the \
             sandbox with --allow-host and the name",
        );
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let own = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|authority| Some(authority) == host);
        if !own {
            return forbidden("a web page of another origin may not use this");
        }
    }
    let changes =
        matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    if changes && !is_json(headers) {
        return Err(AdminError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a request that changes something needs the header `Content-Type: application/json`, \
             even without a body",
        ));
    }
    Ok(())
}

/// Returns the requested host, which HTTP/2 has in the URI.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}

/// Returns a host without its port, and without the brackets of an IPv6 address.
fn name_of(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

/// Returns whether this is `localhost` or a loopback address.
fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns whether the builder allows this name.
fn is_allowed(name: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|other| name.eq_ignore_ascii_case(other))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
}
