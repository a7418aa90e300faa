//! The paths below `/contacts`.

use axum::http::Method;
use percent_encoding::percent_decode_str;

use super::Call;
use crate::refusal::Refusal;

/// Which call a method and what follows `/contacts` in a path are.
pub(in crate::api) fn route(rest: &str, method: &Method) -> Result<Call, Refusal> {
    let segments: Vec<&str> = rest.split('/').skip(1).collect();
    let only = |allowed| Err(Refusal::method_not_allowed(allowed));
    match (&segments[..], method) {
        ([], &Method::GET) => Ok(Call::List),
        ([], &Method::POST) => Ok(Call::Create),
        ([], _) => only("GET, POST"),

        (["search"], &Method::POST) => Ok(Call::Search),
        (["merge"], &Method::POST) => Ok(Call::Merge),
        (["search" | "merge"], _) => only("POST"),

        (["find_by_external_id", first, others @ ..], _)
            if !first.is_empty() || !others.is_empty() =>
        {
            if method != Method::GET {
                return only("GET");
            }
            // Not every client encodes the slashes of an id.
            decode(&segments[1..].join("/")).map(Call::FindByExternalId)
        }

        ([""] | ["", ..], _) => Err(Refusal::path_not_found()),
        ([id], &Method::GET) => decode(id).map(Call::Show),
        ([id], &Method::PUT) => decode(id).map(Call::Update),
        ([id], &Method::DELETE) => decode(id).map(Call::Delete),
        ([_], _) => only("GET, PUT, DELETE"),

        ([id, "archive"], &Method::POST) => decode(id).map(Call::Archive),
        ([id, "unarchive"], &Method::POST) => decode(id).map(Call::Unarchive),
        ([id, "block"], &Method::POST) => decode(id).map(Call::Block),
        ([_, "archive" | "unarchive" | "block"], _) => only("POST"),

        _ => Err(Refusal::path_not_found()),
    }
}

fn decode(text: &str) -> Result<String, Refusal> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Refusal::path_not_found()),
    }
}
