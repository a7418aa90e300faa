//! Which endpoint a request is for.

use axum::http::{Method, request};

use super::contacts;
use crate::refusal::Refusal;

/// The endpoints, with what their paths say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `POST /events`
    CreateEvent,
    /// `GET /events`
    ListEvents,
    /// `POST /events/summaries`
    CreateSummaries,
    /// `/contacts`, and all that is below it
    Contacts(contacts::Call),
    /// `GET /me`
    Me,
}

/// Finds the endpoint of a method and a path.
pub(super) fn route(parts: &request::Parts) -> Result<Endpoint, Refusal> {
    let path = parts.uri.path();
    if let Some(rest) = path.strip_prefix("/contacts")
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return contacts::route(rest, &parts.method).map(Endpoint::Contacts);
    }
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
    let path = [segments.next(), segments.next(), segments.next(), segments.next()];
    let only = |methods| Err(Refusal::method_not_allowed(methods));
    match (path, &parts.method) {
        ([Some("events"), None, ..], &Method::POST) => Ok(Endpoint::CreateEvent),
        ([Some("events"), None, ..], &Method::GET) => Ok(Endpoint::ListEvents),
        ([Some("events"), None, ..], _) => only("GET, POST"),

        ([Some("events"), Some("summaries"), None, ..], &Method::POST) => {
            Ok(Endpoint::CreateSummaries)
        }
        ([Some("events"), Some("summaries"), None, ..], _) => only("POST"),

        ([Some("me"), None, ..], &Method::GET) => Ok(Endpoint::Me),
        ([Some("me"), None, ..], _) => only("GET"),

        _ => Err(Refusal::path_not_found()),
    }
}
