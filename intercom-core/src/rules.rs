//! Intercom's rules for names and keys, and its limits: each written once, here.
//!
//! The derive refuses the same things at compile time. It cannot call this module, because a derive
//! crate is built before the crates that use it, so the two are held together by tests.

/// The most characters a metadata string may have. A rule of Intercom's; what it does with a longer
/// one is undocumented, so a longer one is refused here.
pub const MAX_TEXT_CHARS: usize = 255;

/// The most characters that an event name, a metadata key, a user id, an email address or a contact id may have.
///
/// Intercom documents none. This is its limit for the other texts of an event.
pub const MAX_NAME_CHARS: usize = 255;

/// How many metadata keys an event may carry without asking for more.
///
/// Intercom's API description says 10, its help centre 20. Keys beyond the limit are dropped in
/// silence, in the order sent, so the smaller number is the default here.
pub const DEFAULT_MAX_KEYS: usize = 10;

/// The most metadata keys that `max_keys` can ask for: the largest number Intercom documents.
pub const MAX_MAX_KEYS: usize = 20;

/// Seconds beyond which a bare number as a Unix time is taken for milliseconds: the year 5138. Times of a type, such as
/// `SystemTime`, may lie beyond it.
///
/// Intercom documents no bound. Milliseconds read as seconds lie tens of thousands of years ahead,
/// so a number this large is always a mistake.
pub const MAX_UNIX_SECONDS: i64 = 100_000_000_000;

/// The characters that Intercom does not take in a metadata key. Characters that nobody sees are refused too.
pub const FORBIDDEN_IN_KEY: &[char] =
    &['.', '$', '~', '`', '!', '@', '#', '%', '^', '&', '*', '\'', '"', '{', '}', '|', '\\'];

/// The metadata key that Intercom keeps for itself.
pub const RESERVED_KEY: &str = "type";

/// The keys under which Intercom expects a Stripe id, as text.
pub const STRIPE_KEYS: &[&str] = &["stripe_customer", "stripe_invoice", "stripe_charge"];

/// The ending that makes Intercom show a number as a date.
pub const DATE_SUFFIX: &str = "_date";

/// A name that cannot be an event name. The rules are Intercom's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty or has nothing but white space.
    #[error(
        "the event name is blank; use a past-tense verb with a noun, such as `project_created`"
    )]
    Blank,
    /// The name begins or ends with white space: always a mistake, if no rule of Intercom's.
    #[error("the event name begins or ends with white space; remove that")]
    Padded,
    /// The name has a `.` or a `$`, which Intercom would turn into a `-`.
    #[error("the event name has a `{0}`, which Intercom would turn into `-`; use `-` or `_`")]
    Rewritten(char),
    /// The name has a character that nobody sees: a control or format character, such as a zero-width space.
    #[error("the event name has a character that nobody sees (U+{:04X}); remove it", *.0 as u32)]
    Unseen(char),
    /// The name has more than 255 characters.
    #[error("the event name has {chars} characters, and may have {MAX_NAME_CHARS}; shorten it")]
    TooLong {
        /// How many characters the name has.
        chars: usize,
    },
}

/// A key that cannot be a metadata key, or not in this event. The rules are Intercom's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is empty or has nothing but white space.
    #[error("the key is blank")]
    Blank,
    /// The key begins or ends with white space: always a mistake, if no rule of Intercom's.
    #[error("a key cannot begin or end with white space; remove that")]
    Padded,
    /// The key has a character that Intercom does not take in keys, or that nobody sees.
    #[error("a key cannot have the character {0:?}; use letters, digits, `_` or `-`")]
    Forbidden(char),
    /// The key has more than 255 characters.
    #[error("the key has {chars} characters, and may have {MAX_NAME_CHARS}; shorten it")]
    TooLong {
        /// How many characters the key has.
        chars: usize,
    },
    /// The key is `type`, which Intercom keeps for itself.
    #[error("the key `type` is Intercom's own; choose another")]
    Reserved,
    /// The event has this key already. Intercom does not tell upper from lower case in keys.
    #[error("the event has this key already (upper and lower case are the same to Intercom)")]
    Duplicate,
    /// The event has as many keys as it may have.
    #[error(
        "the event has {max} keys already, and Intercom drops further ones in silence; leave one out{}",
        if *.max < MAX_MAX_KEYS { ", or raise the limit with `max_keys` (at most 20)" } else { "" }
    )]
    TooMany {
        /// How many keys this event may have.
        max: usize,
    },
    /// The limit asked for is not between 11 and 20.
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
        Some(c) => return Err(NameError::Unseen(c)),
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

/// Whether nobody sees this character: a control or format character, a line separator, or one of Unicode's
/// `Default_Ignorable_Code_Point`. In a name or an identifier each makes another one that looks the same.
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

/// The form in which Intercom compares event names and keys.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Returns whether Intercom takes the values of this key for dates: it ends in `_date`.
pub fn is_date_key(key: &str) -> bool {
    fold(key).ends_with(DATE_SUFFIX)
}

/// Returns whether Intercom takes the values of this key for ids of Stripe, which are text.
pub fn is_stripe_key(key: &str) -> bool {
    STRIPE_KEYS.contains(&fold(key).as_str())
}
