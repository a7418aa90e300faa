//! Intercom's rules for names and keys, as sentences for error messages.
//!
//! `intercom-core` has the same rules for names known only at run time. The core depends on
//! this crate, so the derive cannot call them. Tests keep the two equal.

use unicode_normalization::UnicodeNormalization as _;

/// The default limit of metadata keys of an event.
pub(crate) const DEFAULT_MAX_KEYS: usize = 10;

/// The largest limit that `max_keys` can set.
pub(crate) const MAX_MAX_KEYS: usize = 20;

/// The most characters of a text.
pub(crate) const MAX_TEXT_CHARS: usize = 255;

/// The most characters of an event name or a metadata key.
pub(crate) const MAX_NAME_CHARS: usize = 255;

const FORBIDDEN_IN_KEY: &str = ".$~`!@#%^&*'\"{}|\\";

/// Returns what is wrong with an event name.
pub(crate) fn name_mistake(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some(
            "the event name is blank: use a past-tense verb with a noun, such as `project_created`"
                .into(),
        );
    }
    if name.trim() != name {
        return Some(format!(
            "an event name cannot begin or end with white space: write `{}`",
            name.trim()
        ));
    }
    if let Some(c) = name.chars().find(|c| matches!(c, '.' | '$')) {
        let better = name.replace(['.', '$'], "-");
        return Some(format!(
            "an event name cannot have a `{c}`: Intercom would turn it into a `-`; write `{better}`"
        ));
    }
    if let Some(c) = name.chars().find(|&c| is_unseen(c)) {
        return Some(format!("an event name cannot have the invisible character {c:?}: remove it"));
    }
    let chars = name.chars().count();
    (chars > MAX_NAME_CHARS).then(|| {
        format!(
            "an event name may have {MAX_NAME_CHARS} characters, and this one has {chars}: \
                 shorten it"
        )
    })
}

/// Returns what is wrong with a key. `fix` says how to choose another.
pub(crate) fn key_mistake(key: &str, fix: &str) -> Option<String> {
    // A fast path for nearly every key, because a derive runs unoptimized for every field.
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
    if (1..=MAX_NAME_CHARS).contains(&key.len()) && key != "type" && key.bytes().all(plain) {
        return None;
    }
    if key.trim().is_empty() {
        return Some(
            "the key is blank: write the name under which Intercom is to show the value".into(),
        );
    }
    if key.trim() != key {
        return Some(format!(
            "a metadata key cannot begin or end with white space: write `{}`",
            key.trim()
        ));
    }
    if let Some(c) = key.chars().find(|&c| is_unseen(c)) {
        return Some(format!(
            "a metadata key cannot have the invisible character {c:?}: remove it"
        ));
    }
    if let Some(c) = key.chars().find(|c| FORBIDDEN_IN_KEY.contains(*c)) {
        return Some(format!(
            "Intercom takes no {c:?} in a metadata key: use letters, digits, `_` or `-`"
        ));
    }
    let chars = key.chars().count();
    if chars > MAX_NAME_CHARS {
        return Some(format!(
            "a metadata key may have {MAX_NAME_CHARS} characters, and this one has {chars}: {fix}"
        ));
    }
    if key.eq_ignore_ascii_case("type") {
        return Some(format!("Intercom keeps the metadata key `type` for itself: {fix}"));
    }
    None
}

/// Returns whether a character is invisible: a control or format character, a line separator, or
/// one of Unicode's `Default_Ignorable_Code_Point`.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}'
                | '\u{890}'..='\u{891}' | '\u{8E2}' | '\u{115F}'..='\u{1160}'
                | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
                | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
                | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
        )
}

/// Folds a name or key for comparison. Intercom ignores case, and a letter looks the same as one
/// character and with a combining accent.
pub(crate) fn fold(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.to_lowercase().nfc().collect(),
    }
}

/// Returns why two texts fold to the same one.
pub(crate) fn sameness(one: &str, other: &str) -> &'static str {
    match one.to_lowercase() == other.to_lowercase() {
        true => "upper and lower case are the same",
        false => "they look the same, and differ in the encoding of an accent",
    }
}

/// Returns whether Intercom shows the values of this key as dates.
pub(crate) fn is_date_key(key: &str) -> bool {
    const SUFFIX: &[u8] = b"_date";
    // No letter beyond ASCII folds into the suffix, so this needs no allocation.
    key.as_bytes()
        .last_chunk()
        .is_some_and(|end: &[u8; SUFFIX.len()]| end.eq_ignore_ascii_case(SUFFIX))
}

/// Returns whether Intercom reads the values of this key as Stripe ids.
pub(crate) fn is_stripe_key(key: &str) -> bool {
    ["stripe_customer", "stripe_invoice", "stripe_charge"]
        .iter()
        .any(|stripe| stripe.eq_ignore_ascii_case(key))
}
