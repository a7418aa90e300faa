//! Intercom's rules for a merge of two contacts.

use super::{Findings, Member, Members};
use crate::json::Json;
use crate::refusal::Refusal;

/// The lead and the user of a merge.
pub(crate) struct Merge {
    pub(crate) from: String,
    pub(crate) into: String,
    pub(crate) skip_duplicate_validation: bool,
}

pub(crate) fn read(body: &[u8]) -> Result<Merge, Refusal> {
    let mut members = Members::parse(body)?;
    let mut findings = Findings::default();
    let from = read_id("from", "a lead", &mut members, &mut findings);
    let into = read_id("into", "a user", &mut members, &mut findings);
    const SKIP: &str = "skip_duplicate_validation";
    let skip_duplicate_validation = match members.take(SKIP, &mut findings) {
        Member::Absent | Member::Refused | Member::Given(Json::Null) => false,
        Member::Given(Json::Bool(skip)) => skip,
        Member::Given(other) => {
            findings
                .malformed(SKIP, format!("{SKIP} must be a boolean and is {}", other.kind()))
                .hint("Send true or false, without quotes, or leave it out.");
            false
        }
    };
    findings.into_result()?;
    Ok(Merge { from, into, skip_duplicate_validation })
}

fn read_id(key: &str, whose: &str, members: &mut Members<'_>, findings: &mut Findings) -> String {
    match members.take(key, findings) {
        Member::Given(Json::String(id)) if !id.trim().is_empty() => return id.into_owned(),
        Member::Refused => {}
        Member::Absent | Member::Given(Json::Null | Json::String(_)) => {
            findings
                .missing(key, format!("{key} is required"))
                .hint(format!("Send Intercom's own id of {whose}."));
        }
        Member::Given(other) => {
            findings
                .malformed(key, format!("{key} must be a string and is {}", other.kind()))
                .hint(format!("Send Intercom's own id of {whose}, in quotes."));
        }
    }
    String::new()
}
