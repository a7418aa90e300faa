//! The endpoint of a request.

use axum::http::{Method, request};

use super::contacts;
use crate::refusal::Refusal;

/// The endpoints, with their path parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `POST /events`
    CreateEvent,
    /// `GET /events`
    ListEvents,
    /// `POST /events/summaries`
    CreateSummaries,
    /// `/contacts`, and every path below it
    Contacts(contacts::ContactCall),
    /// `GET /me`
    Me,
}

/// The first segments of paths that Intercom has and the sandbox does not.
const UNSUPPORTED_PATHS: [&str; 40] = [
    "admins",
    "ai",
    "articles",
    "away_status_reasons",
    "brands",
    "calls",
    "companies",
    "conversations",
    "counts",
    "custom_channel_events",
    "custom_object_instances",
    "data_attributes",
    "data_connectors",
    "data_events",
    "download",
    "emails",
    "export",
    "fin",
    "fin_voice",
    "help_center",
    "internal_articles",
    "ip_allowlist",
    "jobs",
    "leads",
    "macros",
    "messages",
    "news",
    "notes",
    "office_hours",
    "phone_call_redirects",
    "segments",
    "subscription_types",
    "tags",
    "teams",
    "ticket_states",
    "ticket_types",
    "tickets",
    "users",
    "visitors",
    "workflows",
];

/// The segments of paths that the sandbox has, except identifiers.
#[cfg(feature = "program")]
const SEGMENTS: [&str; 17] = [
    "archive",
    "block",
    "companies",
    "contacts",
    "events",
    "find_by_external_id",
    "me",
    "merge",
    "merge_history",
    "notes",
    "search",
    "segments",
    "subscriptions",
    "summaries",
    "tags",
    "unarchive",
    "",
];

/// Returns a path for a log, with `…` for each segment that may be an identifier.
#[cfg(feature = "program")]
pub(crate) fn path_without_identifiers(path: &str) -> String {
    let is_known = |segment| SEGMENTS.contains(&segment) || UNSUPPORTED_PATHS.contains(&segment);
    let segments = path.split('/').map(|segment| if is_known(segment) { segment } else { "…" });
    segments.collect::<Vec<_>>().join("/")
}

/// Returns the endpoint for a method and a path.
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

        ([Some(first), ..], _) if UNSUPPORTED_PATHS.contains(&first) => {
            Err(Refusal::not_in_sandbox())
        }

        _ => Err(Refusal::path_not_found()),
    }
}
