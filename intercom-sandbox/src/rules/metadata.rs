//! Intercom's rules for metadata: keys, values, and the two kinds of object.

use std::borrow::Cow;
use std::fmt;

use super::Findings;
use crate::json::{Json, JsonMember};
use crate::open_rules::OpenRules;

/// The documented length of a string value, in characters.
const MAX_CHARACTERS: usize = 255;

/// The characters that Intercom forbids in a key, one bit for each; all are ASCII.
const FORBIDDEN_IN_KEYS: u128 = bits(b".$~`!@#%^&*'\"{}|\\\0");

/// The key that Intercom reserves.
const RESERVED_KEY: &str = "type";

/// Intercom reads the value of a key with this suffix as a date.
const DATE_SUFFIX: &str = "_date";

/// Metadata, split into kept and dropped keys.
#[derive(Default)]
pub(super) struct Metadata<'a> {
    pub(super) kept: Vec<JsonMember<'a>>,
    /// Keys that the sandbox drops without an error.
    pub(super) dropped: Vec<Cow<'a, str>>,
}

/// The name of a key in errors.
#[derive(Clone, Copy)]
struct MetadataField<'a>(&'a str);

impl fmt::Display for MetadataField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metadata.{}", self.0)
    }
}

/// Splits metadata, in the order sent, into kept and dropped keys. Keys beyond the limit have to
/// follow the rules too.
pub(super) fn read<'a>(
    mut metadata: Vec<JsonMember<'a>>,
    rules: &OpenRules,
    findings: &mut Findings,
) -> Metadata<'a> {
    check_keys(&metadata, findings);
    let mut room = rules.metadata_keys;
    let mut dropped = Vec::new();
    metadata.retain_mut(|(key, value)| {
        let keep = check_value(value, MetadataField(key), rules, findings) && room > 0;
        if keep {
            room -= 1;
        } else {
            dropped.push(std::mem::take(key));
        }
        keep
    });
    Metadata { kept: metadata, dropped }
}

fn check_keys(metadata: &[JsonMember<'_>], findings: &mut Findings) {
    let mut folded_keys = Vec::with_capacity(metadata.len());
    for (key, value) in metadata {
        let field = MetadataField(key);
        let folded = fold(key);
        if let Some(forbidden) = key.bytes().find(|&byte| is_forbidden(byte)) {
            let forbidden = forbidden.escape_ascii();
            findings
                .broken_rule(field, format!("A key must not contain the character {forbidden}"))
                .hint("Take the character out of the key, or write an underscore in its place.");
        }
        if folded == RESERVED_KEY {
            findings
                .broken_rule(field, format!("The key {RESERVED_KEY} is reserved"))
                .hint("Name the thing in the key: `plan_type`, for example.");
        }
        if folded.ends_with(DATE_SUFFIX) && !value.is_integer() && !matches!(value, Json::Null) {
            findings
                .broken_rule(
                    field,
                    format!(
                        "A key that ends in {DATE_SUFFIX} must hold a date, which is an integer of \
                         Unix seconds, and holds {}",
                        value.kind()
                    ),
                )
                .hint("Send the date in whole Unix seconds, or let the key end in something else.");
        }
        folded_keys.push((folded, key));
    }
    // Sorting puts equal keys side by side, in the order sent. For a few keys it costs less than
    // hashing.
    folded_keys.sort_by(|(one, _), (other, _)| one.cmp(other));
    for pair in folded_keys.windows(2) {
        let [(before, _), (folded, key)] = pair else { continue };
        if before == folded {
            findings
                .broken_rule(
                    MetadataField(key),
                    "The key is there more than once, upper and lower case being the same",
                )
                .hint("Send each key once, and do not tell keys apart by upper and lower case.");
        }
    }
}

fn is_forbidden(byte: u8) -> bool {
    byte.is_ascii() && FORBIDDEN_IN_KEYS >> byte & 1 == 1
}

const fn bits(ascii: &[u8]) -> u128 {
    let mut bits = 0;
    let mut at = 0;
    while at < ascii.len() {
        bits |= 1 << ascii[at];
        at += 1;
    }
    bits
}

/// Lowers the case of a key, since Intercom ignores it. Most keys are in lower case already.
fn fold(key: &str) -> Cow<'_, str> {
    if key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        key.into()
    } else {
        key.to_lowercase().into()
    }
}

/// Changes the value to the one to keep. Returns `false` to drop the value.
fn check_value(
    value: &mut Json<'_>,
    field: MetadataField<'_>,
    rules: &OpenRules,
    findings: &mut Findings,
) -> bool {
    match value {
        Json::Number(_) => {}
        Json::Bool(_) => {
            if rules.refuse_booleans {
                findings
                    .broken_rule(field, "A value must not be a boolean")
                    .hint("Send a string, \"yes\" for example, or the number 1 or 0.");
            }
        }
        Json::String(text) if rules.cut_long_strings => cut(text),
        Json::String(text) => check_length(text, field, findings),
        Json::Null if rules.drop_null_values => return false,
        Json::Null => {
            findings
                .broken_rule(field, "A value must not be null")
                .hint("Leave the key out where there is no value.");
        }
        Json::Object(members) if is_rich_link(members) => check_rich_link(members, field, findings),
        Json::Object(members) if is_money(members) => check_money(members, field, rules, findings),
        Json::Array(_) | Json::Object(_) if rules.keep_nested_values => {}
        Json::Array(_) | Json::Object(_) if rules.drop_nested_values => return false,
        Json::Array(_) => {
            findings.broken_rule(field, "A value must not be an array").hint(
                "Send the number of items, one string that joins them, or an event for each.",
            );
        }
        Json::Object(_) => {
            findings
                .broken_rule(
                    field,
                    "An object must be a rich link of url and value, or a monetary amount of \
                     amount and currency, with nothing else in it",
                )
                .hint(
                    "Send each member of the object under a key of its own, `city_name` for \
                       example.",
                );
        }
    }
    true
}

fn is_rich_link(members: &[JsonMember<'_>]) -> bool {
    members.len() == 2 && member(members, "url").is_some() && member(members, "value").is_some()
}

fn is_money(members: &[JsonMember<'_>]) -> bool {
    members.len() == 2
        && member(members, "amount").is_some()
        && member(members, "currency").is_some()
}

fn member<'a, 'b>(members: &'a [JsonMember<'b>], key: &str) -> Option<&'a Json<'b>> {
    members.iter().find_map(|(name, value)| (name == key).then_some(value))
}

fn check_rich_link(members: &[JsonMember<'_>], field: MetadataField<'_>, findings: &mut Findings) {
    match member(members, "url") {
        Some(Json::String(url)) if is_web_address(url) => check_length(url, field, findings),
        _ => {
            findings
                .broken_rule(field, "The url of a rich link must be an http or https address")
                .hint("Send the whole address, as in https://example.com/orders/7.");
        }
    }
    match member(members, "value") {
        Some(Json::String(text)) => check_length(text, field, findings),
        other => {
            let kind = other.map_or("missing", Json::kind);
            findings
                .broken_rule(
                    field,
                    format!("The value of a rich link must be a string and is {kind}"),
                )
                .hint("Send the text of the link as value.");
        }
    }
}

fn check_money(
    members: &[JsonMember<'_>],
    field: MetadataField<'_>,
    rules: &OpenRules,
    findings: &mut Findings,
) {
    let amount = member(members, "amount").filter(|amount| amount.is_integer());
    match amount {
        None => {
            findings
                .broken_rule(
                    field,
                    "The amount must be an integer, in the smallest unit of its currency",
                )
                .hint("Send 349.99 euros as 34999, without quotes and without a fraction.");
        }
        Some(Json::Number(amount))
            if rules.refuse_negative_amounts && amount.as_u64().is_none() =>
        {
            findings
                .broken_rule(field, "The amount must not be negative")
                .hint("Send the amount without its sign, and its direction under another key.");
        }
        Some(_) => {}
    }
    if !matches!(member(members, "currency"), Some(Json::String(code)) if is_currency_code(code)) {
        findings
            .broken_rule(field, "The currency must be a code of three letters")
            .hint("Send the code of ISO 4217, `eur` for example, in one case.");
    }
}

fn check_length(text: &str, field: MetadataField<'_>, findings: &mut Findings) {
    // A text has at most as many characters as bytes, so most texts need no count.
    if text.len() > MAX_CHARACTERS {
        let characters = text.chars().count();
        if characters > MAX_CHARACTERS {
            findings
                .broken_rule(
                    field,
                    format!(
                        "A string must not be longer than {MAX_CHARACTERS} characters and has \
                         {characters}"
                    ),
                )
                .hint(format!("Cut the string to {MAX_CHARACTERS} characters, or send a summary."));
        }
    }
}

fn cut(text: &mut Cow<'_, str>) {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
        match text {
            Cow::Borrowed(text) => *text = &text[..end],
            Cow::Owned(text) => text.truncate(end),
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
