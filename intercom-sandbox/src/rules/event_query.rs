//! Intercom's rules for a query of events.

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;

use super::Findings;
use crate::identifier::Identifier;
use crate::refusal::Refusal;

/// The default page size, which is Intercom's.
const DEFAULT_PER_PAGE: usize = 15;

/// The limit of Intercom's other lists; its pages give none for this list.
const MAX_PER_PAGE: usize = 150;

/// The requested events, and their contact.
pub(crate) struct EventQuery {
    pub(crate) whose: (Identifier, String),
    pub(crate) per_page: usize,
    /// A cursor in milliseconds: the page has the events before it.
    pub(crate) before: Option<i64>,
    pub(crate) summary: bool,
}

#[derive(Deserialize)]
struct Parameters {
    r#type: Option<String>,
    intercom_user_id: Option<String>,
    user_id: Option<String>,
    email: Option<String>,
    per_page: Option<String>,
    before: Option<String>,
    summary: Option<String>,
}

/// Reads the query of a URI, and ignores unknown parameters.
pub(crate) fn read(uri: &Uri) -> Result<EventQuery, Refusal> {
    let Query(parameters) = Query::<Parameters>::try_from_uri(uri).map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, "bad_request", error.body_text())
            .with_hint("Send each parameter once, and percent-encode its value: + as %2B.")
    })?;
    let mut findings = Findings::default();
    check_type(parameters.r#type.as_deref(), &mut findings);
    let named = [
        (Identifier::ContactId, parameters.intercom_user_id),
        (Identifier::UserId, parameters.user_id),
        (Identifier::Email, parameters.email),
    ];
    let whose = only_one(named, &mut findings);
    let per_page = read_per_page(parameters.per_page.as_deref(), &mut findings);
    let before = read_before(parameters.before.as_deref(), &mut findings);
    let summary = read_summary(parameters.summary.as_deref(), &mut findings);
    findings.into_result()?;
    // The findings have a missing identifier already.
    let whose = whose.ok_or_else(Refusal::user_not_found)?;
    Ok(EventQuery { whose, per_page, before, summary })
}

fn check_type(value: Option<&str>, findings: &mut Findings) {
    const HINT: &str = "Ask with `type=user`, for leads too.";
    match value {
        Some("user") => {}
        None => findings.missing("type", "type is required").hint(HINT),
        Some(other) => {
            findings.malformed("type", format!("type must be user and is {other}")).hint(HINT);
        }
    }
}

fn only_one(
    named: [(Identifier, Option<String>); 3],
    findings: &mut Findings,
) -> Option<(Identifier, String)> {
    const HINT: &str = "Ask with one of user_id, email and intercom_user_id, and not with id.";
    let mut given = named
        .into_iter()
        .filter_map(|(kind, value)| Some((kind, value.filter(|value| !value.trim().is_empty())?)));
    let first = given.next();
    if first.is_none() {
        findings
            .missing("user_id", "One of user_id, email and intercom_user_id is required")
            .hint(HINT);
    }
    if given.next().is_some() {
        findings
            .malformed("user_id", "Only one of user_id, email and intercom_user_id is allowed")
            .hint(HINT);
    }
    first
}

fn read_per_page(value: Option<&str>, findings: &mut Findings) -> usize {
    let Some(value) = value else {
        return DEFAULT_PER_PAGE;
    };
    let per_page = value.parse().ok().filter(|per_page| (1..=MAX_PER_PAGE).contains(per_page));
    per_page.unwrap_or_else(|| {
        findings
            .malformed(
                "per_page",
                format!("per_page must be a number from 1 to {MAX_PER_PAGE} and is {value}"),
            )
            .hint("Request smaller pages, and follow pages.next for the rest.");
        DEFAULT_PER_PAGE
    })
}

fn read_before(value: Option<&str>, findings: &mut Findings) -> Option<i64> {
    let value = value?;
    let before = value.parse().ok();
    if before.is_none() {
        findings
            .malformed("before", format!("before must be a time in milliseconds and is {value}"))
            .hint("Use pages.next of the previous answer unchanged.");
    }
    before
}

fn read_summary(value: Option<&str>, findings: &mut Findings) -> bool {
    match value {
        Some("true") => true,
        None | Some("false") => false,
        Some(other) => {
            findings
                .malformed("summary", format!("summary must be true or false and is {other}"))
                .hint("Ask with `summary=true` for the summary, and without it for the list.");
            false
        }
    }
}
