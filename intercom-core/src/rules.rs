//! Intercom's rules and limits for names and keys, each written once.
//!
//! The derive refuses the same at compile time. A derive crate is built before its users and cannot
//! call this module. Tests keep the two equal.

use unicode_normalization::UnicodeNormalization as _;

/// The most characters of a metadata string. This is Intercom's limit. Intercom does not document
/// what happens to longer strings, so this crate refuses them.
pub const MAX_TEXT_CHARS: usize = 255;

/// The most characters of an event name, a metadata key, a user id, an email address or a contact
/// id.
///
/// Intercom documents no limit for these. This is its limit for the other texts of an event.
pub const MAX_NAME_CHARS: usize = 255;

/// The default limit of metadata keys of an event.
///
/// Intercom's API description says 10, and its help centre 20. Intercom silently drops the keys
/// beyond the limit, in the order sent. So the default is the smaller number.
pub const DEFAULT_MAX_KEYS: usize = 10;

/// The most metadata keys that `max_keys` can ask for: the largest number Intercom documents.
pub const MAX_MAX_KEYS: usize = 20;

/// The largest bare number that counts as Unix seconds: the year 5138. Typed times, such as
/// `SystemTime`, may lie beyond it.
///
/// Intercom documents no bound. Milliseconds read as seconds lie tens of thousands of years ahead,
/// so a larger bare number is always a mistake.
pub const MAX_UNIX_SECONDS: i64 = 100_000_000_000;

/// A moment shortly before this version was written, in Unix seconds: 2026-10-01. A clock that shows an earlier time is
/// not set.
///
/// A machine without a battery begins at 1970, and its events would lie there for ever.
pub const EARLIEST_NOW: i64 = 1_790_812_800;

/// The characters that Intercom refuses in a metadata key. Invisible characters are refused too.
pub const FORBIDDEN_IN_KEY: &[char] =
    &['.', '$', '~', '`', '!', '@', '#', '%', '^', '&', '*', '\'', '"', '{', '}', '|', '\\'];

/// The metadata key that Intercom reserves.
pub const RESERVED_KEY: &str = "type";

/// The keys under which Intercom expects a Stripe id, as text.
pub const STRIPE_KEYS: &[&str] = &["stripe_customer", "stripe_invoice", "stripe_charge"];

/// The suffix that makes Intercom show a number as a date.
pub const DATE_SUFFIX: &str = "_date";

/// An invalid event name. The rules are Intercom's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty or only white space.
    #[error(
        "the event name is blank; use a past-tense verb with a noun, such as `project_created`"
    )]
    Blank,
    /// The name begins or ends with white space. Intercom accepts that, but it is always a mistake.
    #[error("the event name begins or ends with white space; remove that")]
    Padded,
    /// The name has a `.` or a `$`, which Intercom would turn into a `-`.
    #[error("the event name has a `{0}`, which Intercom would turn into `-`; use `-` or `_`")]
    Rewritten(char),
    /// The name has an invisible character: a control or format character, such as a zero-width
    /// space.
    #[error("the event name has an invisible character (U+{:04X}); remove it", *.0 as u32)]
    InvisibleCharacter(char),
    /// The name has more than 255 characters.
    #[error("the event name has {chars} characters, and may have {MAX_NAME_CHARS}; shorten it")]
    TooLong {
        /// The number of characters.
        chars: usize,
    },
}

/// An invalid metadata key, on its own or in this event. The rules are Intercom's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is empty or only white space.
    #[error("the key is blank")]
    Blank,
    /// The key begins or ends with white space. Intercom accepts that, but it is always a mistake.
    #[error("a key cannot begin or end with white space; remove that")]
    Padded,
    /// The key has a character that Intercom refuses in keys, or an invisible character.
    #[error("a key cannot have the character {0:?}; use letters, digits, `_` or `-`")]
    Forbidden(char),
    /// The key has more than 255 characters.
    #[error("the key has {chars} characters, and may have {MAX_NAME_CHARS}; shorten it")]
    TooLong {
        /// The number of characters.
        chars: usize,
    },
    /// The key is `type`, which Intercom reserves.
    #[error("the key `type` is Intercom's own; choose another")]
    Reserved,
    /// The event has this key already. Intercom ignores case in keys, and its users see no difference
    /// between an accented letter and a letter with a combining accent.
    #[error(
        "the event has this key already (upper and lower case are the same to Intercom, and so are two \
         ways to write an accent to its users)"
    )]
    Duplicate,
    /// The event has its limit of keys.
    #[error(
        "the event has {max} keys already, and Intercom drops further ones in silence; leave one out{}",
        if *.max < MAX_MAX_KEYS { ", or raise the limit with `max_keys` (at most 20)" } else { "" }
    )]
    TooMany {
        /// The most keys that this event may have.
        max: usize,
    },
    /// The requested limit is not between 11 and 20.
    #[error("`max_keys` is {0}; it raises the limit of 10, to a number from 11 to 20")]
    LimitOutOfRange(usize),
}

pub(crate) fn check_name(name: &str) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Blank);
    }
    if name.trim() != name {
        return Err(NameError::Padded);
    }
    match name.chars().find(|&c| matches!(c, '.' | '$') || is_unseen(c)) {
        Some(c @ ('.' | '$')) => return Err(NameError::Rewritten(c)),
        Some(c) => return Err(NameError::InvisibleCharacter(c)),
        None => {}
    }
    match name.chars().count() {
        chars if chars > MAX_NAME_CHARS => Err(NameError::TooLong { chars }),
        _ => Ok(()),
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), KeyError> {
    if key.trim().is_empty() {
        return Err(KeyError::Blank);
    }
    if key.trim() != key {
        return Err(KeyError::Padded);
    }
    if let Some(c) = key.chars().find(|&c| FORBIDDEN_IN_KEY.contains(&c) || is_unseen(c)) {
        return Err(KeyError::Forbidden(c));
    }
    let chars = key.chars().count();
    if chars > MAX_NAME_CHARS {
        return Err(KeyError::TooLong { chars });
    }
    if key.eq_ignore_ascii_case(RESERVED_KEY) {
        return Err(KeyError::Reserved);
    }
    Ok(())
}

/// Returns whether a character is invisible: a control or format character, a line separator, or
/// one of Unicode's `Default_Ignorable_Code_Point`. An invisible character makes a different name
/// that looks the same.
pub(crate) fn is_unseen(c: char) -> bool {
    // Nearly every character of a name.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
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

/// Folds an event name or key for comparison. Intercom ignores case, and a letter looks the same as one
/// character and with a combining accent.
pub fn fold(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.to_lowercase().nfc().collect(),
    }
}

/// Returns whether Intercom reads the values of this key as dates: the key ends in `_date`.
pub fn is_date_key(key: &str) -> bool {
    // No other character folds to one of the suffix, so this compares as `fold` does, and allocates nothing.
    let start = key.len().checked_sub(DATE_SUFFIX.len());
    let end = start.and_then(|start| key.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(DATE_SUFFIX))
}

/// Returns whether Intercom reads the values of this key as Stripe ids, which are text.
pub fn is_stripe_key(key: &str) -> bool {
    // As above: none of these keys has a `k`, which is what the Kelvin sign folds to.
    STRIPE_KEYS.iter().any(|stripe| key.eq_ignore_ascii_case(stripe))
}
