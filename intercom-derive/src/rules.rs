//! Intercom's rules for names and keys, as sentences to put under a caret.
//!
//! `intercom-core` has the same rules for names known only at run time. A derive crate is built before
//! the crates that use it and cannot call them; tests hold the two together.

/// How many metadata keys an event may have without asking for more.
pub(crate) const DEFAULT_MAX_KEYS: usize = 10;

/// The most keys that `max_keys` can ask for.
pub(crate) const MAX_MAX_KEYS: usize = 20;

/// The most characters that a text may have.
pub(crate) const MAX_TEXT_CHARS: usize = 255;

const FORBIDDEN_IN_KEY: &str = ".$~`!@#%^&*'\"{}|\\";

/// What is wrong with an event name.
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
    let control = name.chars().find(|c| c.is_control())?;
    Some(format!("an event name cannot have the control character {control:?}: remove it"))
}

/// What is wrong with a key. `fix` says how to get another one.
pub(crate) fn key_mistake(key: &str, fix: &str) -> Option<String> {
    // What nearly every key looks like; a derive runs unoptimized, and for every field.
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
    if !key.is_empty() && key != "type" && key.bytes().all(plain) {
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
    if let Some(c) = key.chars().find(|c| FORBIDDEN_IN_KEY.contains(*c) || c.is_control()) {
        return Some(format!(
            "Intercom takes no {c:?} in a metadata key: use letters, digits, `_` or `-`"
        ));
    }
    if key.eq_ignore_ascii_case("type") {
        return Some(format!("Intercom keeps the metadata key `type` for itself: {fix}"));
    }
    None
}

/// The form in which Intercom compares names and keys.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Whether Intercom shows what stands under this key as a date.
pub(crate) fn is_date_key(key: &str) -> bool {
    const SUFFIX: &[u8] = b"_date";
    // No letter beyond ASCII folds into one of the suffix, so there is nothing to allocate for.
    key.as_bytes()
        .last_chunk()
        .is_some_and(|end: &[u8; SUFFIX.len()]| end.eq_ignore_ascii_case(SUFFIX))
}

/// Whether Intercom takes what stands under this key for a Stripe id.
pub(crate) fn is_stripe_key(key: &str) -> bool {
    ["stripe_customer", "stripe_invoice", "stripe_charge"]
        .iter()
        .any(|stripe| stripe.eq_ignore_ascii_case(key))
}
