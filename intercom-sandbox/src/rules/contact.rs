//! Intercom's rules for a contact to create or change.

use serde_json::Value;

use super::event::MILLISECONDS_FROM;
use super::{Findings, Members};
use crate::contacts::{Change, Changes, Role};
use crate::json::Json;
use crate::open_rules::OpenRules;
use crate::refusal::Refusal;

/// The longest text of a custom attribute, in characters; Intercom's limit.
const LONGEST_ATTRIBUTE: usize = 255;

/// The longest other text of a contact, in characters. Intercom documents no limit; this one bounds
/// memory.
const LONGEST_TEXT: usize = 4_096;

/// Reads a new contact from a body. A user needs an identifier, and a lead does not. Without a role
/// the contact is a user.
pub(crate) fn read_new(body: &[u8], rules: &OpenRules) -> Result<Changes, Refusal> {
    let mut reader = Reader::of(body, rules)?;
    let changes = reader.changes();
    let is_user = changes.role != Some(Role::Lead);
    let has_name = |change: &Change<String>| matches!(change, Change::Set(_));
    if is_user && !has_name(&changes.external_id) && !has_name(&changes.email) {
        reader.nameless();
    }
    reader.findings.into_result()?;
    Ok(changes)
}

/// Reads changes of a contact from a body. An absent member keeps its value, and `null` removes the
/// value.
pub(crate) fn read_changes(body: &[u8], rules: &OpenRules) -> Result<Changes, Refusal> {
    let mut reader = Reader::of(body, rules)?;
    let changes = reader.changes();
    reader.findings.into_result()?;
    Ok(changes)
}

/// Takes members from a body, and collects the mistakes.
struct Reader<'a> {
    members: Members<'a>,
    rules: &'a OpenRules,
    findings: Findings,
    /// Whether an identifier was present and wrong.
    wrong_name: bool,
}

impl<'a> Reader<'a> {
    fn of(body: &'a [u8], rules: &'a OpenRules) -> Result<Self, Refusal> {
        let members = Members::parse(body)?;
        Ok(Self { members, rules, findings: Findings::default(), wrong_name: false })
    }

    fn changes(&mut self) -> Changes {
        Changes {
            role: self.role(),
            external_id: self.name("external_id"),
            email: self.name("email"),
            phone: self.text("phone"),
            name: self.text("name"),
            avatar: self.text("avatar"),
            owner_id: self.owner(),
            signed_up_at: self.seconds("signed_up_at"),
            last_seen_at: self.seconds("last_seen_at"),
            unsubscribed_from_emails: self.flag("unsubscribed_from_emails"),
            custom_attributes: self.custom_attributes(),
        }
    }

    /// Reports a missing identifier, unless it has reported a wrong one: the sender probably meant
    /// that one.
    fn nameless(&mut self) {
        if !self.wrong_name {
            self.findings
                .missing("external_id", "One of external_id and email is required for a user")
                .hint("Send external_id, the application's own id of the user, or an email.");
        }
    }

    fn take(&mut self, key: &str) -> Option<Json<'a>> {
        self.members.take(key, &mut self.findings).given()
    }

    fn wrong_kind(&mut self, key: &str, expected: &str, given: &Json<'_>) {
        self.findings
            .malformed(key, format!("{key} must be {expected} and is {}", given.kind()))
            .hint(format!("Send {key} as {expected}, or leave it out."));
    }

    fn role(&mut self) -> Option<Role> {
        match self.take("role")? {
            Json::Null => None,
            Json::String(role) if role == "user" => Some(Role::User),
            Json::String(role) if role == "lead" => Some(Role::Lead),
            Json::String(role) => {
                self.findings
                    .malformed("role", format!("role must be user or lead and is {role}"))
                    .hint("Send user for somebody who signed up, and lead for anybody else.");
                None
            }
            other => {
                self.wrong_kind("role", "a string", &other);
                None
            }
        }
    }

    /// Reads an identifier: `null` removes it, and a blank one is a mistake.
    fn name(&mut self, key: &str) -> Change<String> {
        let before = self.findings.problems.len();
        let change = match self.take(key) {
            Some(Json::String(text))
                if self.rules.ignore_blank_identifiers && text.trim().is_empty() =>
            {
                Change::Keep
            }
            Some(Json::Number(number))
                if self.rules.accept_number_identifiers && (number.is_u64() || number.is_i64()) =>
            {
                Change::Set(number.to_string())
            }
            Some(Json::String(text)) if text.trim().is_empty() => {
                self.findings
                    .missing(key, format!("{key} is blank"))
                    .hint(format!("Leave {key} out where there is none."));
                Change::Keep
            }
            taken => self.text_of(key, taken),
        };
        self.wrong_name |= self.findings.problems.len() > before;
        change
    }

    /// Reads a text; a blank text counts as none.
    fn text(&mut self, key: &str) -> Change<String> {
        let taken = self.take(key);
        self.text_of(key, taken)
    }

    fn text_of(&mut self, key: &str, taken: Option<Json<'_>>) -> Change<String> {
        match taken {
            None => Change::Keep,
            Some(Json::Null) => Change::Clear,
            Some(Json::String(text)) if text.trim().is_empty() => Change::Clear,
            Some(Json::String(text)) => {
                self.check_length(key, &text, LONGEST_TEXT);
                Change::Set(text.into_owned())
            }
            Some(other) => {
                self.wrong_kind(key, "a string", &other);
                Change::Keep
            }
        }
    }

    /// Reads an admin's id: a string in the newest version of the API, and an integer in older
    /// ones.
    fn owner(&mut self) -> Change<String> {
        const KEY: &str = "owner_id";
        match self.take(KEY) {
            Some(Json::Number(number)) if number.is_u64() => Change::Set(number.to_string()),
            taken => self.text_of(KEY, taken),
        }
    }

    fn seconds(&mut self, key: &str) -> Change<i64> {
        match self.take(key) {
            None => Change::Keep,
            Some(Json::Null) => Change::Clear,
            Some(Json::Number(number)) if number.is_i64() || number.is_u64() => {
                let seconds =
                    number.as_i64().filter(|seconds| seconds.unsigned_abs() < MILLISECONDS_FROM);
                match seconds {
                    Some(seconds) => Change::Set(seconds),
                    None => {
                        self.findings
                            .broken_rule(
                                key,
                                format!(
                                    "{key} is in milliseconds' range: it must be Unix time in \
                                     seconds"
                                ),
                            )
                            .hint("Divide it by 1000, and send what is before the point.");
                        Change::Keep
                    }
                }
            }
            Some(other) => {
                self.wrong_kind(key, "an integer of Unix seconds", &other);
                Change::Keep
            }
        }
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        match self.take(key)? {
            Json::Null => None,
            Json::Bool(flag) => Some(flag),
            other => {
                self.wrong_kind(key, "a boolean", &other);
                None
            }
        }
    }

    /// Reads custom attributes. In an Intercom workspace an attribute must exist; the sandbox takes
    /// any, unless an open rule lists them.
    fn custom_attributes(&mut self) -> Vec<(String, Option<Value>)> {
        const KEY: &str = "custom_attributes";
        let attributes = match self.take(KEY) {
            None | Some(Json::Null) => return Vec::new(),
            Some(Json::Object(attributes)) => attributes,
            Some(other) => {
                self.wrong_kind(KEY, "an object", &other);
                return Vec::new();
            }
        };
        for (name, value) in &attributes {
            let field = format!("{KEY}.{name}");
            if name.trim().is_empty() || name.contains(['.', '$']) {
                self.findings
                    .broken_rule(&field, format!("{field} must have a name without . and $"))
                    .hint("Rename the attribute, with an underscore for example.");
            }
            if let Some(defined) = &self.rules.custom_attributes
                && !defined.iter().any(|known| known == name)
            {
                self.findings
                    .malformed(&field, format!("Custom attribute '{name}' does not exist"))
                    .hint(
                        "Define the attribute in the workspace before contacts can have it; here \
                         by OpenRules::custom_attributes, or --custom-attribute.",
                    );
            }
            match value {
                Json::String(text) => self.check_length(&field, text, LONGEST_ATTRIBUTE),
                Json::Array(_) | Json::Object(_) => {
                    self.findings
                        .malformed(
                            &field,
                            format!(
                                "{field} must be a string, a number or a boolean and is {}",
                                value.kind()
                            ),
                        )
                        .hint(
                            "Nest nothing in it: give each part an attribute of its own. The \
                             sandbox has no custom objects, whose ids Intercom takes in an array.",
                        );
                }
                Json::Null | Json::Bool(_) | Json::Number(_) => {}
            }
        }
        attributes
            .into_iter()
            .map(|(name, value)| match value {
                Json::Null => (name.into_owned(), None),
                value => (name.into_owned(), Some(Value::from(value))),
            })
            .collect()
    }

    fn check_length(&mut self, field: &str, text: &str, longest: usize) {
        let length = text.chars().count();
        if length > longest {
            self.findings
                .broken_rule(
                    field,
                    format!("{field} is {length} characters long and can have {longest}"),
                )
                .hint(format!("Cut it at {longest} characters."));
        }
    }
}
