//! The role or key of each column, by the header or a mapping file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use encoding_rs::Encoding;
use intercom_core::{Currency, ValueKind, rules};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::conventions::{DateOrder, Decimal};
use super::headers::{REJECTED, Role};
use crate::failure::Failure;
use crate::value;

/// The content of a mapping file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MappingFile {
    pub(super) event: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) dates: Option<DateOrder>,
    pub(super) decimal: Option<Decimal>,
    pub(super) delimiter: Option<String>,
    pub(super) encoding: Option<String>,
    #[serde(default)]
    pub(super) null: Vec<String>,
    pub(super) max_keys: Option<usize>,
    #[serde(default)]
    columns: BTreeMap<String, MappedColumn>,
}

/// A column in a mapping file: the name of a role or a key, or a table.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a name such as \"user_id\" or \"amount:money\", \
        or a table with `key` or `skip = true`"
)]
enum MappedColumn {
    Name(String),
    Table(ColumnTable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnTable {
    key: Option<String>,
    kind: Option<String>,
    currency: Option<String>,
    #[serde(default)]
    truncate: bool,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    skip: bool,
}

/// What a column becomes.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Role(Role),
    Key(KeyTarget),
    Skipped,
}

/// A column of metadata.
#[derive(Clone, Debug)]
pub(super) struct KeyTarget {
    pub(super) key: String,
    /// The kind in the header or the mapping.
    pub(super) kind: Option<ValueKind>,
    pub(super) currency: Option<Currency>,
    pub(super) truncated: bool,
    pub(super) sensitive: bool,
}

impl KeyTarget {
    fn new(key: String, kind: Option<ValueKind>) -> Self {
        let kind = kind.or_else(|| rules::is_date_key(&key).then_some(ValueKind::Date));
        KeyTarget { key, kind, currency: None, truncated: false, sensitive: false }
    }
}

impl MappingFile {
    /// Reads a mapping file.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be read, and when it is not a mapping.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::file(format!("cannot read the mapping {shown}"), &error))?;
        toml::from_str(&text).map_err(|error| {
            Failure::usage(format!("{shown} is not a mapping: {}", error.to_string().trim_end()))
        })
    }

    /// Returns what each of these columns becomes.
    ///
    /// # Errors
    ///
    /// Fails when two columns become the same part of an event, and when the mapping names a
    /// missing column.
    pub(super) fn targets(&self, header: &[String]) -> Result<Vec<Target>, Failure> {
        for name in self.columns.keys() {
            if !header.iter().any(|column| column == name) {
                let columns: Vec<_> = header.iter().map(|name| format!("`{name}`")).collect();
                return Err(Failure::usage(format!(
                    "the mapping names the column `{name}`, \
                     which the file lacks; its columns are {}",
                    columns.join(", ")
                )));
            }
        }
        let targets = header.iter().map(|name| self.target(name)).collect::<Result<Vec<_>, _>>()?;
        let mut taken = BTreeSet::new();
        for (name, target) in header.iter().zip(&targets) {
            let part = match target {
                Target::Role(role) => role.as_str().to_owned(),
                Target::Key(key) => format!("the key {}", rules::fold(&key.key)),
                Target::Skipped => continue,
            };
            if !taken.insert(part.clone()) {
                return Err(Failure::usage(format!(
                    "the column `{name}` is {part}, and another column is too; rename one, or \
                     skip it with `\"{name}\" = {{ skip = true }}` under `[columns]` in a mapping \
                     file"
                )));
            }
        }
        Ok(targets)
    }

    /// Returns what a column, or a member of a JSON object, of this name becomes.
    ///
    /// # Errors
    ///
    /// Fails when the entry of the mapping is wrong.
    pub(super) fn target(&self, name: &str) -> Result<Target, Failure> {
        let wrong =
            |what: String| Failure::usage(format!("the mapping of the column `{name}`: {what}"));
        match self.columns.get(name) {
            None if name.to_lowercase().starts_with(REJECTED) => Ok(Target::Skipped),
            None => Ok(by_name(name.trim())),
            Some(MappedColumn::Name(target)) => Ok(by_name(target)),
            Some(MappedColumn::Table(table)) if table.skip => Ok(Target::Skipped),
            Some(MappedColumn::Table(table)) => {
                let kind = table.kind.as_deref().map(|kind| {
                    value::kind_of_name(kind).ok_or_else(|| wrong(value::not_a_kind(kind)))
                });
                let kind = kind.transpose()?;
                let currency = table.currency.as_deref().map(|code| {
                    code.parse().map_err(|_| {
                        wrong(format!(
                            "`{code}` is not a currency of ISO 4217; write a code such as EUR"
                        ))
                    })
                });
                let currency = currency.transpose()?;
                if currency.is_some() && kind != Some(ValueKind::Money) {
                    return Err(wrong("a `currency` needs `kind = \"money\"`".to_owned()));
                }
                let key = table.key.clone().unwrap_or_else(|| name.trim().to_owned());
                let (truncated, sensitive) = (table.truncate, table.sensitive);
                Ok(Target::Key(KeyTarget {
                    currency,
                    truncated,
                    sensitive,
                    ..KeyTarget::new(key, kind)
                }))
            }
        }
    }
}

/// Reads a role, or a key with its kind after a colon.
fn by_name(name: &str) -> Target {
    if let Some(role) = Role::of(name) {
        return Target::Role(role);
    }
    if let Some((key, kind)) = name.rsplit_once(':')
        && let Some(kind) = value::kind_of_name(kind)
    {
        return Target::Key(KeyTarget::new(key.to_owned(), Some(kind)));
    }
    Target::Key(KeyTarget::new(name.to_owned(), None))
}

/// Reads the name of an encoding, by the labels of browsers.
pub(super) fn encoding(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(name.as_bytes()).ok_or_else(|| {
        format!("`{name}` is not an encoding; write utf-8, utf-16le or windows-1252")
    })
}

/// Reads a delimiter: one character of ASCII, or its name.
pub(super) fn delimiter(name: &str) -> Result<u8, String> {
    match name {
        "comma" => Ok(b','),
        "semicolon" => Ok(b';'),
        "tab" | "\\t" => Ok(b'\t'),
        _ => match name.as_bytes() {
            &[byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(byte),
            _ => Err(format!(
                "`{name}` is not a delimiter; write comma, semicolon, tab, or one character"
            )),
        },
    }
}

/// Reads a time zone: `UTC`, `+02:00`, or a name such as `Europe/Berlin`.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, String> {
    if name.eq_ignore_ascii_case("utc") || name == "Z" {
        return Ok(TimeZone::UTC);
    }
    // A time with the offset shows the offset.
    if name.starts_with(['+', '-'])
        && let Ok(time) = format!("2026-01-01T00:00:00{name}").parse::<jiff::Timestamp>()
    {
        let zero = jiff::civil::date(2026, 1, 1).to_zoned(TimeZone::UTC).map(|t| t.timestamp());
        let seconds = zero.map_or(0, |zero| zero.as_second() - time.as_second());
        if let Ok(offset) =
            jiff::tz::Offset::from_seconds(i32::try_from(seconds).unwrap_or(i32::MAX))
        {
            return Ok(TimeZone::fixed(offset));
        }
    }
    TimeZone::get(name).map_err(|_| {
        format!("`{name}` is not a time zone; write UTC, +02:00, or a name such as Europe/Berlin")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_delimiters_are_read() {
        for name in ["UTC", "+02:00", "-0330", "Europe/Berlin"] {
            assert!(time_zone(name).is_ok(), "{name}");
        }
        assert!(time_zone("Moon/Sea").is_err() && time_zone("+99").is_err());
        let east = time_zone("+02:00").unwrap();
        assert_eq!(east.to_offset(jiff::Timestamp::UNIX_EPOCH), jiff::tz::offset(2));
        assert_eq!((delimiter("tab"), delimiter(";")), (Ok(b'\t'), Ok(b';')));
        assert!(delimiter("\"").is_err() && delimiter("ab").is_err() && delimiter("").is_err());
    }
}
