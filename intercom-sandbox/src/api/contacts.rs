//! The API of contacts: which call a request is, and its answer.

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, request};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::json;

use crate::contacts::pages::Page;
use crate::contacts::search::Sort;
use crate::contacts::{Contact, Form, InForm};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rules::{contact, contact_list, contact_merge, contact_search};
use crate::workspace::Workspace;

/// The calls, with what their paths say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// `GET /contacts`
    List,
    /// `POST /contacts`
    Create,
    /// `POST /contacts/search`
    Search,
    /// `POST /contacts/merge`
    Merge,
    /// `GET /contacts/find_by_external_id/{external_id}`
    FindByExternalId(String),
    /// `GET /contacts/{id}`
    Show(String),
    /// `PUT /contacts/{id}`
    Update(String),
    /// `DELETE /contacts/{id}`
    Delete(String),
    /// `POST /contacts/{id}/archive`
    Archive(String),
    /// `POST /contacts/{id}/unarchive`
    Unarchive(String),
    /// `POST /contacts/{id}/block`
    Block(String),
}

/// Which call a method and what follows `/contacts` in a path are.
pub(super) fn route(rest: &str, method: &Method) -> Result<Call, Refusal> {
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

/// Answers a call. Its body is read only where the call has one.
pub(super) fn answer<'a>(
    workspace: &Workspace,
    call: &Call,
    parts: &request::Parts,
    body: impl FnOnce() -> Result<&'a Bytes, Refusal>,
) -> Result<Reply, Refusal> {
    let contacts = &workspace.contacts;
    let now = workspace.clock.now();
    let contact = match call {
        Call::List => return list(workspace, parts),
        Call::Search => return search(workspace, parts, body()?),
        Call::Create => contacts.create(contact::read_new(body()?)?, now)?,
        Call::Merge => {
            let merge = contact_merge::read(body()?)?;
            contacts.merge(&merge.from, &merge.into, merge.skip_duplicate_validation, now)?
        }
        Call::FindByExternalId(external_id) => contacts.show_user(external_id)?,
        Call::Show(id) => contacts.show(id)?,
        Call::Update(id) => contacts.update(id, contact::read_changes(body()?)?, now)?,
        Call::Delete(id) => return Ok(in_short(&contacts.delete(id)?, "deleted", true)),
        Call::Archive(id) => {
            return Ok(in_short(&contacts.set_archived(id, true, now)?, "archived", true));
        }
        Call::Unarchive(id) => {
            return Ok(in_short(&contacts.set_archived(id, false, now)?, "archived", false));
        }
        // At Intercom it is the contact's conversations that this ends, and here there are none.
        Call::Block(id) => return Ok(in_short(&contacts.show(id)?, "blocked", true)),
    };
    Ok(Reply::json(&InForm { contact: &contact, form: form(&parts.headers) }))
}

fn list(workspace: &Workspace, parts: &request::Parts) -> Result<Reply, Refusal> {
    #[derive(Deserialize)]
    struct Parameters {
        per_page: Option<String>,
        starting_after: Option<String>,
    }
    let parameters = Query::<Parameters>::try_from_uri(&parts.uri).map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, "bad_request", error.body_text())
            .with_hint("Send per_page and starting_after once each, percent-encoded.")
    })?;
    let page =
        contact_list::read(parameters.per_page.as_deref(), parameters.starting_after.as_deref())?;
    let contacts = workspace.contacts.listed();
    let form = form(&parts.headers);
    Ok(Reply::json(&Page::of(contacts, &Sort::default(), &page, form)))
}

/// Looks through a copy of the list, so that nobody waits for the search.
fn search(workspace: &Workspace, parts: &request::Parts, body: &Bytes) -> Result<Reply, Refusal> {
    let search = contact_search::read(body)?;
    let mut contacts = workspace.contacts.listed();
    contacts.retain(|contact| search.query.matches(contact));
    let form = form(&parts.headers);
    Ok(Reply::json(&Page::of(contacts, &search.sort, &search.page, form)))
}

/// In which form the version of a request has contacts. Without one it is the newest.
fn form(headers: &HeaderMap) -> Form {
    const VERSION: HeaderName = HeaderName::from_static("intercom-version");
    const LAST_WITH_INTEGERS: u8 = 15;
    let minor = headers
        .get(VERSION)
        .and_then(|version| version.to_str().ok()?.strip_prefix("2.")?.parse().ok());
    match minor {
        Some(..=LAST_WITH_INTEGERS) => Form::IntegerOwner,
        _ => Form::TextOwner,
    }
}

/// What is left to say of a contact after it was deleted or archived.
fn in_short(contact: &Contact, what: &str, is_so: bool) -> Reply {
    Reply::json(&json!({
        "type": "contact",
        "id": contact.contact_id(),
        "external_id": contact.user_id(),
        what: is_so,
    }))
}
