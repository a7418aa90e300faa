//! The API of contacts: its calls and their answers.

use axum::extract::Query;
use axum::http::{Method, StatusCode, request};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::contacts::pages::Page;
use crate::contacts::search::Sort;
use crate::contacts::{
    Contact, ContactError, ContactFormat, DEFAULT_PER_PAGE, Directory, FormattedContact,
    MergeHistory,
};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rules::{contact, contact_list, contact_merge, contact_search};
use crate::version::ApiVersion;
use crate::workspace::Workspace;

/// The calls, with their path parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContactCall {
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
    /// `GET /contacts/{id}/merge_history`
    MergeHistory(String),
    /// `GET /contacts/{id}/tags` and the other lists that a contact links to
    Linked(String),
}

/// Returns the call for a method and a path after `/contacts`.
pub(super) fn route(rest: &str, method: &Method) -> Result<ContactCall, Refusal> {
    let segments: Vec<&str> = rest.split('/').skip(1).collect();
    let only = |allowed| Err(Refusal::method_not_allowed(allowed));
    match (&segments[..], method) {
        ([], &Method::GET) => Ok(ContactCall::List),
        ([], &Method::POST) => Ok(ContactCall::Create),
        ([], _) => only("GET, POST"),

        (["search"], &Method::POST) => Ok(ContactCall::Search),
        (["merge"], &Method::POST) => Ok(ContactCall::Merge),
        (["search" | "merge"], _) => only("POST"),

        (["find_by_external_id", first, others @ ..], _)
            if !first.is_empty() || !others.is_empty() =>
        {
            if method != Method::GET {
                return only("GET");
            }
            // Not every client encodes the slashes of an id.
            decode(&segments[1..].join("/")).map(ContactCall::FindByExternalId)
        }

        ([""] | ["", ..], _) => Err(Refusal::path_not_found()),
        ([id], &Method::GET) => decode(id).map(ContactCall::Show),
        ([id], &Method::PUT) => decode(id).map(ContactCall::Update),
        ([id], &Method::DELETE) => decode(id).map(ContactCall::Delete),
        ([_], _) => only("GET, PUT, DELETE"),

        ([id, "archive"], &Method::POST) => decode(id).map(ContactCall::Archive),
        ([id, "unarchive"], &Method::POST) => decode(id).map(ContactCall::Unarchive),
        ([id, "block"], &Method::POST) => decode(id).map(ContactCall::Block),
        ([_, "archive" | "unarchive" | "block"], _) => only("POST"),

        ([id, "merge_history"], &Method::GET) => decode(id).map(ContactCall::MergeHistory),
        ([id, "tags" | "notes" | "companies" | "subscriptions" | "segments"], &Method::GET) => {
            decode(id).map(ContactCall::Linked)
        }
        ([_, "merge_history" | "segments"], _) => only("GET"),
        // Intercom takes more here; in the sandbox these lists are always empty.
        ([_, "tags" | "notes" | "companies" | "subscriptions"], _) => {
            Err(Refusal::method_not_allowed("GET").with_hint(
                "Intercom takes other methods too. In the sandbox these lists are always empty.",
            ))
        }
        (
            [_, "tags" | "companies" | "subscriptions", _] | ["activities" | "bulk" | "merge", ..],
            _,
        ) => Err(Refusal::not_in_sandbox()),

        _ => Err(Refusal::path_not_found()),
    }
}

fn decode(text: &str) -> Result<String, Refusal> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Refusal::path_not_found()),
    }
}

/// Answers a call. Only calls with a body read it.
pub(super) fn answer<'a>(
    workspace: &Workspace,
    call: &ContactCall,
    version: ApiVersion,
    parts: &request::Parts,
    body: impl FnOnce() -> Result<&'a Bytes, Refusal>,
) -> Result<Reply, Refusal> {
    let (contacts, rules) = (&workspace.contacts, &workspace.rules);
    let now = workspace.clock.now();
    let known = |result: Result<Contact, ContactError>| {
        result.map_err(|denied| Refusal::from(denied.for_version(version)))
    };
    let histories = |contact: &Contact| contacts.merge_history(contact);
    let wants_history = version.has_merge_history() && asks_for_merge_history(parts)?;
    let merge_history = wants_history.then_some(&histories as &MergeHistory<'_>);
    let form = ContactFormat { version, merge_history };
    let contact = match call {
        ContactCall::List => return list(workspace, parts, form),
        ContactCall::Search => return search(workspace, body()?, form),
        ContactCall::Create => known(contacts.create(contact::read_new(body()?, rules)?, now))?,
        ContactCall::Merge => {
            let merge = contact_merge::read(body()?)?;
            let skip = merge.skip_duplicate_validation;
            known(contacts.merge(&merge.from, &merge.into, skip, now))?
        }
        ContactCall::FindByExternalId(external_id) => known(contacts.show_user(external_id))?,
        ContactCall::Show(id) => known(contacts.show(id))?,
        ContactCall::Update(id) => {
            known(contacts.update(id, contact::read_changes(body()?, rules)?, now))?
        }
        ContactCall::Delete(id) => {
            return Ok(in_short(&known(contacts.delete(id))?, "deleted", true));
        }
        ContactCall::Archive(id) => {
            let contact = known(contacts.set_archived(id, true, now))?;
            return Ok(in_short(&contact, "archived", true));
        }
        ContactCall::Unarchive(id) => {
            let contact = known(contacts.set_archived(id, false, now))?;
            return Ok(in_short(&contact, "archived", false));
        }
        // At Intercom this ends the contact's conversations; the sandbox has none.
        ContactCall::Block(id) => return Ok(in_short(&known(contacts.show(id))?, "blocked", true)),
        ContactCall::MergeHistory(_) if !version.has_merge_history() => {
            return Err(Refusal::path_not_found()
                .with_hint("Versions before 2.16 have no merge_history: send a newer one."));
        }
        ContactCall::MergeHistory(id) => {
            let contact = known(contacts.show(id))?;
            return merge_history_of(contacts, &contact, parts);
        }
        ContactCall::Linked(id) => {
            known(contacts.show(id))?;
            return Ok(empty_list());
        }
    };
    Ok(Reply::json(&FormattedContact { contact: &contact, form }))
}

/// Returns whether the query has `include_merge_history=true`.
fn asks_for_merge_history(parts: &request::Parts) -> Result<bool, Refusal> {
    #[derive(Deserialize)]
    struct Parameters {
        include_merge_history: Option<String>,
    }
    let Parameters { include_merge_history } = parameters(parts)?;
    match include_merge_history.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Refusal::invalid_parameter(
            "include_merge_history",
            format!("include_merge_history must be true or false and is {other}"),
            "Leave it out for contacts without their merge history.",
        )),
    }
}

/// Reads query parameters.
fn parameters<T: DeserializeOwned>(parts: &request::Parts) -> Result<T, Refusal> {
    let read = Query::<T>::try_from_uri(&parts.uri).map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, "bad_request", error.body_text())
            .with_hint("Send each parameter once, percent-encoded.")
    })?;
    Ok(read.0)
}

/// Answers the contacts merged into a user, in pages. A lead has no history: Intercom answers
/// `404`.
fn merge_history_of(
    contacts: &Directory,
    contact: &Contact,
    parts: &request::Parts,
) -> Result<Reply, Refusal> {
    #[derive(Deserialize)]
    struct Parameters {
        per_page: Option<String>,
        cursor: Option<String>,
        order: Option<String>,
    }
    let Parameters { per_page, cursor, order } = parameters(parts)?;
    let per_page = contact_list::read_per_page(per_page.as_deref())?;
    let from = match cursor.as_deref() {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| {
            Refusal::invalid_parameter(
                "cursor",
                "cursor is not the cursor of a page".to_owned(),
                "Use next_cursor of the previous page unchanged.",
            )
        })?,
    };
    let mut merges = contacts.merge_history(contact).ok_or_else(|| {
        Refusal::user_not_found().with_hint("The contact is a lead, which has no merge history.")
    })?;
    match order.as_deref() {
        None | Some("desc") => {}
        Some("asc") => merges.reverse(),
        Some(other) => {
            return Err(Refusal::invalid_parameter(
                "order",
                format!("order must be asc or desc and is {other}"),
                "Leave it out for the latest merge first.",
            ));
        }
    }
    let total = merges.len();
    let page: Vec<_> = merges.into_iter().skip(from).take(per_page).collect();
    let next = from.saturating_add(page.len());
    let next_cursor = (next < total).then(|| next.to_string());
    Ok(Reply::json(&json!({"type": "list", "data": page, "next_cursor": next_cursor})))
}

/// Answers an empty list: the sandbox has no tags, notes, companies, subscriptions and segments.
fn empty_list() -> Reply {
    Reply::json(&json!({
        "type": "list",
        "data": [],
        "total_count": 0,
        "has_more": false,
        "pages": {"type": "pages", "page": 1, "per_page": DEFAULT_PER_PAGE, "total_pages": 0},
    }))
}

fn list(
    workspace: &Workspace,
    parts: &request::Parts,
    form: ContactFormat<'_>,
) -> Result<Reply, Refusal> {
    #[derive(Deserialize)]
    struct Parameters {
        per_page: Option<String>,
        starting_after: Option<String>,
    }
    let Parameters { per_page, starting_after } = parameters(parts)?;
    let page = contact_list::read(per_page.as_deref(), starting_after.as_deref())?;
    let contacts = workspace.contacts.listed();
    Ok(Reply::json(&Page::of(contacts, &Sort::default(), &page, form)))
}

/// Searches a copy of the list, so that the search holds no lock.
fn search(workspace: &Workspace, body: &Bytes, form: ContactFormat<'_>) -> Result<Reply, Refusal> {
    let search = contact_search::read(body, form.version)?;
    let mut contacts = workspace.contacts.listed();
    contacts.retain(|contact| search.query.matches(contact));
    Ok(Reply::json(&Page::of(contacts, &search.sort, &search.page, form)))
}

/// Returns the short object of a deleted or archived contact.
fn in_short(contact: &Contact, what: &str, is_so: bool) -> Reply {
    Reply::json(&json!({
        "type": "contact",
        "id": contact.contact_id(),
        "external_id": contact.user_id(),
        what: is_so,
    }))
}
