//! What Intercom wants of metadata: its keys, its values, and the two objects among them.

use std::collections::HashSet;

use super::Findings;
use crate::json::Json;

/// Intercom's documented length of a string value, in characters.
const MAX_CHARACTERS: usize = 255;

/// The characters that Intercom does not allow in a key.
const FORBIDDEN_IN_KEYS: &[char] =
    &['.', '$', '~', '`', '!', '@', '#', '%', '^', '&', '*', '\'', '"', '{', '}', '|', '\\', '\0'];

/// Intercom keeps this key for itself.
const RESERVED_KEY: &str = "type";

/// Intercom reads the value of a key that ends so as a date.
const DATE_SUFFIX: &str = "_date";

pub(super) fn check(metadata: &[(String, Json)], findings: &mut Findings) {
    let mut seen = HashSet::with_capacity(metadata.len());
    for (key, value) in metadata {
        let field = format!("metadata.{key}");
        // Intercom's keys are case-insensitive.
        let folded = key.to_lowercase();
        check_key(key, &folded, &field, findings);
        check_value(value, &field, findings);
        if folded.ends_with(DATE_SUFFIX) && !value.is_integer() {
            findings.broken_rule(
                &field,
                format!(
                    "A key that ends in {DATE_SUFFIX} must hold a date, which is an integer of \
                     Unix seconds, and holds {}",
                    value.kind()
                ),
            );
        }
        if !seen.insert(folded) {
            findings.broken_rule(
                &field,
                "The key is there more than once, upper and lower case being the same",
            );
        }
    }
}

fn check_key(key: &str, folded: &str, field: &str, findings: &mut Findings) {
    if let Some(forbidden) = key.chars().find(|c| FORBIDDEN_IN_KEYS.contains(c)) {
        findings.broken_rule(
            field,
            format!("A key must not contain the character {}", forbidden.escape_default()),
        );
    }
    if folded == RESERVED_KEY {
        findings.broken_rule(field, format!("The key {RESERVED_KEY} is reserved"));
    }
}

fn check_value(value: &Json, field: &str, findings: &mut Findings) {
    match value {
        Json::Bool(_) | Json::Number(_) => {}
        Json::String(text) => check_length(text, field, findings),
        Json::Null => findings.broken_rule(field, "A value must not be null"),
        Json::Array(_) => findings.broken_rule(field, "A value must not be an array"),
        Json::Object(members) => check_object(members, field, findings),
    }
}

/// An object must be a rich link, `{url, value}`, or a monetary amount, `{amount, currency}`.
fn check_object(members: &[(String, Json)], field: &str, findings: &mut Findings) {
    let member =
        |key: &str| members.iter().find_map(|(name, value)| (name == key).then_some(value));
    if members.len() == 2 {
        if let (Some(url), Some(text)) = (member("url"), member("value")) {
            return check_rich_link(url, text, field, findings);
        }
        if let (Some(amount), Some(currency)) = (member("amount"), member("currency")) {
            return check_money(amount, currency, field, findings);
        }
    }
    findings.broken_rule(
        field,
        "An object must be a rich link of url and value, or a monetary amount of amount and \
         currency, with nothing else in it",
    );
}

fn check_rich_link(url: &Json, text: &Json, field: &str, findings: &mut Findings) {
    match url {
        Json::String(url) if is_web_address(url) => check_length(url, field, findings),
        _ => findings.broken_rule(field, "The url of a rich link must be an http or https address"),
    }
    match text {
        Json::String(text) => check_length(text, field, findings),
        other => findings.broken_rule(
            field,
            format!("The value of a rich link must be a string and is {}", other.kind()),
        ),
    }
}

fn check_money(amount: &Json, currency: &Json, field: &str, findings: &mut Findings) {
    if !amount.is_integer() {
        findings.broken_rule(
            field,
            "The amount must be an integer, in the smallest unit of its currency",
        );
    }
    if !matches!(currency, Json::String(code) if is_currency_code(code)) {
        findings.broken_rule(field, "The currency must be a code of three letters");
    }
}

fn check_length(text: &str, field: &str, findings: &mut Findings) {
    // No text has more characters than bytes, so most need no counting.
    if text.len() > MAX_CHARACTERS {
        let characters = text.chars().count();
        if characters > MAX_CHARACTERS {
            findings.broken_rule(
                field,
                format!(
                    "A string must not be longer than {MAX_CHARACTERS} characters and has {characters}"
                ),
            );
        }
    }
}

fn is_web_address(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !rest.is_empty()
        && !rest.starts_with('/')
        && !url.contains(char::is_whitespace)
}

fn is_currency_code(code: &str) -> bool {
    code.len() == 3
        && (code.bytes().all(|b| b.is_ascii_lowercase())
            || code.bytes().all(|b| b.is_ascii_uppercase()))
}
