//! Intercom's rules for a contact search.

use axum::http::StatusCode;

use super::contact_list::{check_per_page, cursor_refused, per_page_refused};
use super::contact_query::read_query;
use super::{Findings, Member, Members};
use crate::contacts::search::{Field, Query, Sort};
use crate::contacts::{Cursor, DEFAULT_PER_PAGE, PageRequest};
use crate::json::Json;
use crate::refusal::Refusal;
use crate::version::ApiVersion;

/// Whether a sort without an order is descending, which Intercom does not say.
const DESCENDING_BY_DEFAULT: bool = true;

/// A search, as a body describes it.
pub(crate) struct Search {
    pub(crate) query: Query,
    pub(crate) sort: Sort,
    pub(crate) page: PageRequest,
}

pub(crate) fn read(body: &[u8], version: ApiVersion) -> Result<Search, Refusal> {
    let mut members = Members::parse(body)?;
    let mut findings = Findings::default();
    let query = match members.take("query", &mut findings) {
        Member::Given(query) => read_query(query, version, &mut findings),
        Member::Refused => None,
        Member::Absent => {
            findings.missing("query", "query is required").hint(
                r#"Send a filter like {"field": "email", "operator": "=", "value": "a@b.c"}."#,
            );
            None
        }
    };
    let sort = take_object("sort", &mut members, &mut findings);
    let sort = match sort {
        Some(sort) => read_sort(sort, &mut findings)?,
        None => Sort::default(),
    };
    let page = take_object("pagination", &mut members, &mut findings);
    let page = match page {
        Some(page) => read_page(page, &mut findings)?,
        None => PageRequest { per_page: DEFAULT_PER_PAGE, after: None },
    };
    findings.into_result()?;
    // The findings have a missing query already.
    let query = query.unwrap_or(Query::All(Vec::new()));
    Ok(Search { query, sort, page })
}

fn take_object<'a>(
    key: &str,
    members: &mut Members<'a>,
    findings: &mut Findings,
) -> Option<Members<'a>> {
    match members.take(key, findings).given()? {
        Json::Null => None,
        Json::Object(members) => Some(Members { members }),
        other => {
            findings
                .malformed(key, format!("{key} must be an object and is {}", other.kind()))
                .hint(format!("Send {key} as an object, or leave it out."));
            None
        }
    }
}

fn read_sort(mut sort: Members<'_>, findings: &mut Findings) -> Result<Sort, Refusal> {
    let field = match sort.take("field", findings) {
        Member::Given(Json::String(name)) => {
            let field = Field::named(&name);
            if field.is_none() {
                findings
                    .malformed("sort.field", format!("{name} is not a field of a contact"))
                    .hint("Sort by created_at, updated_at, name, or any other field of a search.");
            }
            field
        }
        Member::Refused => None,
        Member::Absent | Member::Given(_) => {
            findings
                .missing("sort.field", "sort.field is required")
                .hint("Name the field to sort by, created_at for example.");
            None
        }
    };
    let descending = match sort.take("order", findings) {
        Member::Absent | Member::Refused | Member::Given(Json::Null) => DESCENDING_BY_DEFAULT,
        Member::Given(Json::String(order)) if order == "ascending" => false,
        Member::Given(Json::String(order)) if order == "descending" => true,
        Member::Given(Json::String(order)) => return Err(invalid_order(&order)),
        Member::Given(other) => return Err(invalid_order(other.kind())),
    };
    Ok(Sort { field, descending })
}

/// The code and message come from Intercom's description.
fn invalid_order(order: &str) -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "invalid_sort_order",
        format!("Invalid sort order '{order}'. Must be one of: ascending, descending"),
    )
    .with_hint("Send the whole word, ascending or descending.")
}

fn read_page(mut page: Members<'_>, findings: &mut Findings) -> Result<PageRequest, Refusal> {
    const PER_PAGE: &str = "pagination.per_page";
    const STARTING_AFTER: &str = "pagination.starting_after";
    let per_page = match page.take("per_page", findings) {
        Member::Absent | Member::Refused | Member::Given(Json::Null) => DEFAULT_PER_PAGE,
        Member::Given(Json::Number(number)) => number
            .as_u64()
            .and_then(check_per_page)
            .ok_or_else(|| per_page_refused(PER_PAGE, number))?,
        Member::Given(other) => return Err(per_page_refused(PER_PAGE, other.kind())),
    };
    let after = match page.take("starting_after", findings) {
        Member::Absent | Member::Refused | Member::Given(Json::Null) => None,
        Member::Given(Json::String(text)) if text.is_empty() => None,
        Member::Given(Json::String(text)) => {
            Some(Cursor::parse(&text).ok_or_else(|| cursor_refused(STARTING_AFTER))?)
        }
        Member::Given(_) => return Err(cursor_refused(STARTING_AFTER)),
    };
    Ok(PageRequest { per_page, after })
}
