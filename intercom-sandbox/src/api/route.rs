//! Which endpoint a request is for.

use axum::http::{Method, request};

use crate::refusal::Refusal;

/// The endpoints, with what their paths say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `POST /events`
    CreateEvent,
    /// `POST /contacts`
    CreateContact,
    /// `GET /me`
    Me,
}

/// Finds the endpoint of a method and a path.
pub(super) fn route(parts: &request::Parts) -> Result<Endpoint, Refusal> {
    let path = parts.uri.path();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
    let path = [segments.next(), segments.next(), segments.next(), segments.next()];
    let only = |methods| Err(Refusal::method_not_allowed(methods));
    match (path, &parts.method) {
        ([Some("events"), None, ..], &Method::POST) => Ok(Endpoint::CreateEvent),
        ([Some("events"), None, ..], _) => only("POST"),

        ([Some("contacts"), None, ..], &Method::POST) => Ok(Endpoint::CreateContact),
        ([Some("contacts"), None, ..], _) => only("POST"),

        ([Some("me"), None, ..], &Method::GET) => Ok(Endpoint::Me),
        ([Some("me"), None, ..], _) => only("GET"),

        _ => Err(Refusal::path_not_found()),
    }
}
