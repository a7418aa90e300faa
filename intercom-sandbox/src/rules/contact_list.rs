//! Which page of a list of contacts is wanted.

use axum::http::StatusCode;

use super::PARAMETER_INVALID;
use crate::contacts::{Cursor, DEFAULT_PER_PAGE, MAX_PER_PAGE, PageRequest};
use crate::refusal::{Problem, Refusal};

/// Reads it out of the parameters of a query.
pub(crate) fn read(
    per_page: Option<&str>,
    starting_after: Option<&str>,
) -> Result<PageRequest, Refusal> {
    let per_page = match per_page {
        None => Ok(DEFAULT_PER_PAGE),
        Some(text) => {
            text.parse().map_err(|_| text).and_then(|number| check_per_page(number).ok_or(text))
        }
    };
    let per_page = per_page.map_err(|text| per_page_refused("per_page", text))?;
    // A client that has no cursor yet may send an empty one.
    let after = match starting_after.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(Cursor::parse(text).ok_or_else(|| cursor_refused("starting_after"))?),
    };
    Ok(PageRequest { per_page, after })
}

pub(super) fn check_per_page(number: u64) -> Option<usize> {
    usize::try_from(number).ok().filter(|number| (1..=MAX_PER_PAGE).contains(number))
}

pub(super) fn per_page_refused(field: &str, given: impl std::fmt::Display) -> Refusal {
    refused(
        field,
        format!("per_page must be an integer from 1 to {MAX_PER_PAGE} and is {given}"),
        format!("Leave it out for {DEFAULT_PER_PAGE}, and follow pages.next for the rest."),
    )
}

pub(super) fn cursor_refused(field: &str) -> Refusal {
    refused(
        field,
        "starting_after is not the cursor of a page".to_owned(),
        "Send pages.next.starting_after of the page before as it came.".to_owned(),
    )
}

fn refused(field: &str, message: String, hint: String) -> Refusal {
    let problem = Problem {
        code: PARAMETER_INVALID.into(),
        message: message.into(),
        field: Some(field.to_owned()),
        hint: Some(hint.into()),
    };
    Refusal::of(StatusCode::BAD_REQUEST, vec![problem])
}
