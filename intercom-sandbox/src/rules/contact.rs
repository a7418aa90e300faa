//! What Intercom wants of a contact that is to be created.

use super::{Findings, Member, Members};
use crate::contacts::Role;
use crate::json::Json;
use crate::refusal::Refusal;

/// A contact that does not exist yet.
pub(crate) struct NewContact {
    pub(crate) role: Role,
    pub(crate) external_id: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

/// Reads a contact out of a body. A user must be told by something, a lead need not.
pub(crate) fn read(body: &[u8]) -> Result<NewContact, Refusal> {
    let mut members = Members::parse(body)?;
    let mut findings = Findings::default();
    let role = match members.take_text("role", &mut findings) {
        Member::Absent | Member::Refused => Role::User,
        Member::Given(role) => match role.as_str() {
            "user" => Role::User,
            "lead" => Role::Lead,
            _ => {
                findings.malformed("role", format!("role must be user or lead and is {role}"));
                Role::User
            }
        },
    };
    let external_id = read_optional("external_id", &mut members, &mut findings);
    let email = read_optional("email", &mut members, &mut findings);
    let name = read_optional("name", &mut members, &mut findings).given();
    if let (Role::User, Member::Absent, Member::Absent) = (role, &external_id, &email) {
        findings.missing("external_id", "One of external_id and email is required for a user");
    }
    findings.into_result()?;
    Ok(NewContact { role, external_id: external_id.given(), email: email.given(), name })
}

/// A member of a contact that may be `null`, which stands for absent.
fn read_optional(key: &str, members: &mut Members, findings: &mut Findings) -> Member<String> {
    members.members.retain(|(name, value)| name != key || !matches!(value, Json::Null));
    members.take_text(key, findings)
}
