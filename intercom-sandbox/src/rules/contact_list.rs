//! Intercom's rules for the page of a contact list.

use crate::contacts::{Cursor, DEFAULT_PER_PAGE, MAX_PER_PAGE, PageRequest};
use crate::refusal::Refusal;

/// Reads the requested page from query parameters.
pub(crate) fn read(
    per_page: Option<&str>,
    starting_after: Option<&str>,
) -> Result<PageRequest, Refusal> {
    let per_page = read_per_page(per_page)?;
    // A client without a cursor may send an empty one.
    let after = match starting_after.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(Cursor::parse(text).ok_or_else(|| cursor_refused("starting_after"))?),
    };
    Ok(PageRequest { per_page, after })
}

/// Reads the page size.
pub(crate) fn read_per_page(per_page: Option<&str>) -> Result<usize, Refusal> {
    let Some(text) = per_page else { return Ok(DEFAULT_PER_PAGE) };
    let number = text.parse().ok().and_then(check_per_page);
    number.ok_or_else(|| per_page_refused("per_page", text))
}

pub(super) fn check_per_page(number: u64) -> Option<usize> {
    usize::try_from(number).ok().filter(|number| (1..=MAX_PER_PAGE).contains(number))
}

pub(super) fn per_page_refused(field: &str, given: impl std::fmt::Display) -> Refusal {
    Refusal::invalid_parameter(
        field,
        format!("per_page must be an integer from 1 to {MAX_PER_PAGE} and is {given}"),
        format!("Leave it out for {DEFAULT_PER_PAGE}, and follow the pages for the rest."),
    )
}

pub(super) fn cursor_refused(field: &str) -> Refusal {
    Refusal::invalid_parameter(
        field,
        "starting_after is not the cursor of a page".to_owned(),
        "Use pages.next.starting_after of the previous page unchanged.",
    )
}
