//! Why the import rejects a row: a rule, and what to do. It does not repeat the value, because the
//! file of rejected rows has it.

use intercom_core::rules::KeyError;
use intercom_core::{InvalidEvent, Reason, ValueError};
use serde::{Serialize, Serializer};

/// Why the import rejects a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) rule: Rule,
    /// The column with the mistake.
    pub(super) column: Option<String>,
    /// What is wrong, and what to do.
    pub(super) fix: String,
}

/// The rules. Scripts rely on their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    ColumnCount,
    ContactInvalid,
    ContactMissing,
    Encoding,
    EventUnknown,
    JsonInvalid,
    KeyInvalid,
    KeyMissing,
    KeyUnknown,
    NameInvalid,
    NameMissing,
    QuoteOpen,
    RowTooLong,
    TextTooLong,
    TimeInvalid,
    TimeMissing,
    TooManyKeys,
    ValueInvalid,
    ValueKind,
}

impl Rule {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Rule::ColumnCount => "COLUMN_COUNT",
            Rule::ContactInvalid => "CONTACT_INVALID",
            Rule::ContactMissing => "CONTACT_MISSING",
            Rule::Encoding => "ENCODING",
            Rule::EventUnknown => "EVENT_UNKNOWN",
            Rule::JsonInvalid => "JSON_INVALID",
            Rule::KeyInvalid => "KEY_INVALID",
            Rule::KeyMissing => "KEY_MISSING",
            Rule::KeyUnknown => "KEY_UNKNOWN",
            Rule::NameInvalid => "NAME_INVALID",
            Rule::NameMissing => "NAME_MISSING",
            Rule::QuoteOpen => "QUOTE_OPEN",
            Rule::RowTooLong => "ROW_TOO_LONG",
            Rule::TextTooLong => "TEXT_TOO_LONG",
            Rule::TimeInvalid => "TIME_INVALID",
            Rule::TimeMissing => "TIME_MISSING",
            Rule::TooManyKeys => "TOO_MANY_KEYS",
            Rule::ValueInvalid => "VALUE_INVALID",
            Rule::ValueKind => "VALUE_KIND",
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Rejection {
    pub(super) fn new(rule: Rule, column: Option<&str>, fix: impl Into<String>) -> Self {
        Rejection { rule, column: column.map(str::to_owned), fix: fix.into() }
    }

    /// Rejects a row for the mistake in its event. `column` is the one of the wrong key.
    pub(super) fn of(error: &InvalidEvent, column: Option<&str>) -> Self {
        let rule = match error.reason() {
            Reason::Name(_) => Rule::NameInvalid,
            Reason::Key(KeyError::TooMany { .. }) => Rule::TooManyKeys,
            Reason::Key(_) => Rule::KeyInvalid,
            Reason::Value(ValueError::TooLong { .. }) => Rule::TextTooLong,
            Reason::Value(_) => Rule::ValueInvalid,
            Reason::Contact(_) => Rule::ContactInvalid,
            _ => Rule::TimeInvalid,
        };
        let fix = match rule {
            Rule::TooManyKeys => {
                "the row has more keys than the event may have; empty a cell, skip a column in \
                 the mapping file, or raise --max-keys"
                    .to_owned()
            }
            Rule::TextTooLong => "the text has more than 255 characters; \
                 shorten it, or cut it with `truncate = true` in the mapping file"
                .to_owned(),
            _ => error.reason().to_string(),
        };
        Rejection { rule, column: column.map(str::to_owned), fix }
    }
}
