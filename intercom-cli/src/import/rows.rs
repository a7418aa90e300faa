//! Converts records to events.

use std::borrow::Cow;
use std::collections::HashMap;

use intercom_catalogue::PlannedKey;
use intercom_core::{Contact, DataEvent, DynamicEvent, Money, Timestamp, ValueKind, rules};
use rust_decimal::Decimal as Number;
use serde_json::value::RawValue;

use super::conventions::{Decimal, Times};
use super::headers::Role;
use super::mapping::{KeyTarget, MappingFile, Target};
use super::records::{Cells, Content, Record, RecordError};
use super::rejection::{Rejection, Rule};
use super::survey::{Survey, is_boolean, money_parts};
use crate::body::Members;
use crate::lock_file::{self, LockFile};
use crate::value::Value;

/// How rows become events.
pub(super) struct Rows {
    pub(super) survey: Survey,
    mapping: MappingFile,
    options: Options,
    lock: Option<LockFile>,
    /// The events of the lock, by the name in a row.
    known: HashMap<String, Result<Planned, Rejection>>,
    /// The role or key of each member of the JSON objects.
    members: HashMap<String, Target>,
}

/// The options of all rows.
#[derive(Default)]
pub(super) struct Options {
    /// The name of the event of a row without a name.
    pub(super) event: Option<String>,
    /// Texts that mean no value.
    pub(super) nulls: Vec<String>,
    pub(super) times: Times,
    pub(super) max_keys: Option<usize>,
}

/// An event of the lock.
#[derive(Clone, Debug)]
struct Planned {
    name: String,
    /// The key of each column, if the event has it.
    columns: Vec<Option<PlannedKey>>,
    keys: Vec<PlannedKey>,
}

/// A value of a row, its column, and the key that it becomes.
struct Given<'a> {
    column: &'a str,
    target: &'a KeyTarget,
    value: Raw<'a>,
}

/// A value in a row.
enum Raw<'a> {
    Cell(&'a str),
    Json(&'a RawValue),
}

/// The parts of a row outside its metadata.
#[derive(Default)]
struct Head<'a> {
    name: Option<Cow<'a, str>>,
    user_id: Option<Cow<'a, str>>,
    email: Option<Cow<'a, str>>,
    contact_id: Option<Cow<'a, str>>,
    created_at: Option<Cow<'a, str>>,
}

impl<'a> Head<'a> {
    fn set(&mut self, role: Role, text: Cow<'a, str>) {
        let part = match role {
            Role::EventName => &mut self.name,
            Role::UserId => &mut self.user_id,
            Role::Email => &mut self.email,
            Role::ContactId => &mut self.contact_id,
            Role::CreatedAt => &mut self.created_at,
        };
        *part = Some(text);
    }

    fn contact(&self) -> Option<Contact> {
        let mut contact = Contact::default();
        if let Some(id) = &self.user_id {
            contact = contact.with_user_id(&**id);
        }
        if let Some(email) = &self.email {
            contact = contact.with_email(&**email);
        }
        if let Some(id) = &self.contact_id {
            contact = contact.with_contact_id(&**id);
        }
        (contact != Contact::default()).then_some(contact)
    }
}

impl Rows {
    pub(super) fn new(
        survey: Survey,
        mapping: MappingFile,
        options: Options,
        lock: Option<LockFile>,
    ) -> Self {
        let (known, members) = (HashMap::new(), HashMap::new());
        Rows { survey, mapping, options, lock, known, members }
    }

    /// Returns whether a lock has the kind of each key.
    pub(super) fn has_lock(&self) -> bool {
        self.lock.is_some()
    }

    /// Reads a record as an event.
    ///
    /// # Errors
    ///
    /// Fails with the reason to reject the row.
    pub(super) fn event(&mut self, record: &Record<'_>) -> Result<DataEvent, Rejection> {
        match record.content {
            Ok(Content::Cells(cells)) => self.of_cells(cells),
            Ok(Content::Json(line)) => self.of_json(line),
            Err(error) => Err(of_record_error(error)),
        }
    }

    fn of_cells(&mut self, cells: Cells<'_>) -> Result<DataEvent, Rejection> {
        let columns = self.survey.header.len();
        if cells.len() != columns {
            let fix = format!(
                "the row has {} columns and the header {columns}; quote a cell that contains the \
                 delimiter, or complete the row",
                cells.len()
            );
            return Err(Rejection::new(Rule::ColumnCount, None, fix));
        }
        let mut head = Head::default();
        for (index, target) in self.survey.targets.iter().enumerate() {
            if let Target::Role(role) = target {
                let cell = cells.get(index);
                // A user id is the application's own, and may begin or end with a space.
                let cell = if *role == Role::UserId { cell } else { cell.trim() };
                if !self.is_absent(cell) {
                    head.set(*role, cell.into());
                }
            }
        }
        self.learn(&head)?;
        let given =
            self.survey.targets.iter().enumerate().filter_map(|(index, target)| match target {
                Target::Key(target) if !self.is_absent(cells.get(index)) => {
                    let column = self.survey.header[index].as_str();
                    Some((
                        Some(index),
                        Given { column, target, value: Raw::Cell(cells.get(index)) },
                    ))
                }
                _ => None,
            });
        self.assemble(&head, given)
    }

    fn of_json(&mut self, line: &str) -> Result<DataEvent, Rejection> {
        let wrong = || {
            Rejection::new(
                Rule::JsonInvalid,
                None,
                "the line is not a JSON object; write an object on each line",
            )
        };
        let members: Members = serde_json::from_str(line).map_err(|_| wrong())?;
        let mut flat = Vec::with_capacity(members.0.len());
        for (name, json) in members.0 {
            // Intercom's API nests metadata in such an object.
            match name == "metadata" && json.get().starts_with('{') {
                true => {
                    flat.extend(serde_json::from_str::<Members>(json.get()).map_err(|_| wrong())?.0)
                }
                false => flat.push((name, json)),
            }
        }
        for (name, _) in &flat {
            if !self.members.contains_key(name) {
                let target = self.mapping.target(name).unwrap_or(Target::Skipped);
                self.members.insert(name.clone(), target);
            }
        }
        let mut head = Head::default();
        for (name, json) in &flat {
            let Some(Target::Role(role)) = self.members.get(name) else { continue };
            let text = match json.get() {
                "null" => continue,
                token if token.starts_with('"') => {
                    serde_json::from_str::<String>(token).map_err(|_| wrong())?
                }
                // A number's digits become the text.
                token if token.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                    token.to_owned()
                }
                _ => {
                    let fix = "the value is neither text nor a number; write one of them";
                    return Err(Rejection::new(Rule::ValueKind, Some(name), fix));
                }
            };
            if !self.is_absent(&text) {
                head.set(*role, text.into());
            }
        }
        self.learn(&head)?;
        let given = flat.iter().filter_map(|(name, json)| match self.members.get(name) {
            Some(Target::Key(target)) if json.get() != "null" => {
                Some((None, Given { column: name, target, value: Raw::Json(json) }))
            }
            _ => None,
        });
        self.assemble(&head, given)
    }

    fn is_absent(&self, cell: &str) -> bool {
        cell.is_empty() || self.options.nulls.iter().any(|null| null == cell)
    }

    fn name<'h>(&'h self, head: &'h Head<'_>) -> Result<&'h str, Rejection> {
        head.name.as_deref().or(self.options.event.as_deref()).ok_or_else(|| {
            Rejection::new(
                Rule::NameMissing,
                Some("event_name"),
                "the row names no event; fill the cell, or name the event with --event",
            )
        })
    }

    /// Looks an event up in the lock, once for each name.
    fn learn(&mut self, head: &Head<'_>) -> Result<(), Rejection> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let name = self.name(head)?;
        if self.known.contains_key(name) {
            return Ok(());
        }
        let planned = match lock.lock.plan().event(name) {
            Some(event) => {
                let of_target = |target: &Target| match target {
                    Target::Key(target) => event
                        .keys
                        .iter()
                        .find(|key| lock_file::same(&key.key, &target.key))
                        .cloned(),
                    _ => None,
                };
                Ok(Planned {
                    name: event.name.clone(),
                    columns: self.survey.targets.iter().map(of_target).collect(),
                    keys: event.keys.clone(),
                })
            }
            None => {
                let fix = format!(
                    "the event is not in {}; correct the name, \
                     add it to the lock, or import with --no-lock",
                    lock.path.display()
                );
                Err(Rejection::new(Rule::EventUnknown, Some("event_name"), fix))
            }
        };
        let name = name.to_owned();
        self.known.insert(name, planned);
        Ok(())
    }

    fn assemble<'a>(
        &'a self,
        head: &Head<'_>,
        given: impl Iterator<Item = (Option<usize>, Given<'a>)>,
    ) -> Result<DataEvent, Rejection> {
        let name = self.name(head)?;
        let planned = self
            .known
            .get(name)
            .map(|planned| planned.as_ref().map_err(Clone::clone))
            .transpose()?;
        let contact = head.contact().ok_or_else(|| {
            Rejection::new(
                Rule::ContactMissing,
                None,
                "the row names no contact; fill user_id, email or contact_id",
            )
        })?;
        let created_at = self.created_at(head)?;
        let of_event = |error: &_| Rejection::of(error, None);
        let mut event = DynamicEvent::new(planned.map_or(name, |planned| &planned.name))
            .map_err(|error| Rejection::of(&error, Some("event_name")))?;
        let max_keys = planned
            .map_or(0, |planned| planned.keys.len())
            .max(self.options.max_keys.unwrap_or_default());
        if max_keys > rules::DEFAULT_MAX_KEYS {
            event = event.max_keys(max_keys).map_err(|error| of_event(&error))?;
        }
        let mut keys: Vec<&str> = Vec::new();
        for (index, given) in given {
            let key = match planned {
                Some(planned) => {
                    let key = match index {
                        Some(index) => planned.columns[index].as_ref(),
                        None => planned
                            .keys
                            .iter()
                            .find(|key| lock_file::same(&key.key, &given.target.key)),
                    };
                    Some(key.ok_or_else(|| {
                        let fix = format!(
                            "the lock has no key `{}` for the event; empty the \
                            cell, map the column to another key, or skip it",
                            given.target.key
                        );
                        Rejection::new(Rule::KeyUnknown, Some(given.column), fix)
                    })?)
                }
                None => None,
            };
            event = self.add(event, &given, key)?;
            if planned.is_some() {
                keys.push(key.map_or(&given.target.key, |key| &key.key));
            }
        }
        if let Some(planned) = planned
            && let Some(missing) = planned.keys.iter().find(|key| {
                !key.optional && !keys.iter().any(|given| lock_file::same(given, &key.key))
            })
        {
            let fix = format!("the lock requires the key `{}`; fill its cell", missing.key);
            return Err(Rejection::new(Rule::KeyMissing, Some(&missing.key), fix));
        }
        DataEvent::new(&event, contact, created_at).map_err(|error| of_event(&error))
    }

    fn created_at(&self, head: &Head<'_>) -> Result<Timestamp, Rejection> {
        let column = Role::CreatedAt.as_str();
        let Some(text) = &head.created_at else {
            let fix = "the row has no time; fill created_at";
            return Err(Rejection::new(Rule::TimeMissing, Some(column), fix));
        };
        self.options.times.read(text).map_err(|why| {
            Rejection::new(Rule::TimeInvalid, Some(column), format!("{why}; {}", why.fix()))
        })
    }

    /// Adds a value to an event, of the kind in the lock, in the mapping, or of the column.
    fn add(
        &self,
        event: DynamicEvent,
        given: &Given<'_>,
        planned: Option<&PlannedKey>,
    ) -> Result<DynamicEvent, Rejection> {
        let Given { column, target, value } = given;
        let kind = planned.map(|key| key.kind).or(target.kind);
        let key = planned.map_or(&target.key, |key| &key.key);
        let is_sensitive = target.sensitive || planned.is_some_and(|key| key.sensitive);
        let is_truncated = target.truncated || planned.is_some_and(|key| key.truncated);
        let refused = |error| Rejection::of(&error, Some(column));
        let text = match value {
            Raw::Cell(cell) => Cow::Borrowed(*cell),
            Raw::Json(json) if json.get().starts_with('"') => {
                let text: String = serde_json::from_str(json.get()).unwrap_or_default();
                Cow::Owned(text)
            }
            // The members of an object determine its kind.
            Raw::Json(json) if json.get().starts_with(['{', '[']) => {
                let value: serde_json::Value = serde_json::from_str(json.get()).unwrap_or_default();
                return match is_sensitive {
                    true => event.with_sensitive(key, value).map_err(refused),
                    false => event.with(key, value).map_err(refused),
                };
            }
            Raw::Json(json) => Cow::Borrowed(json.get()),
        };
        let kind = kind.unwrap_or_else(|| match value {
            Raw::Json(json) if json.get().starts_with('"') => ValueKind::Text,
            Raw::Json(json) if json.get().starts_with(['t', 'f']) => ValueKind::Boolean,
            Raw::Json(_) => ValueKind::Number,
            Raw::Cell(_) => ValueKind::Text,
        });
        if kind == ValueKind::Text {
            let text = match is_truncated {
                true => first_chars(&text),
                false => &text,
            };
            return match is_sensitive {
                true => event.with_sensitive(key, text).map_err(refused),
                false => event.with(key, text).map_err(refused),
            };
        }
        let decimal = match value {
            Raw::Cell(_) => self.survey.decimal,
            Raw::Json(_) => Decimal::Point,
        };
        let value = self
            .value(kind, text.trim(), decimal, target)
            .map_err(|fix| Rejection::new(Rule::ValueKind, Some(column), fix))?;
        value.add_to(event, key, is_sensitive).map_err(refused)
    }

    fn value(
        &self,
        kind: ValueKind,
        text: &str,
        decimal: Decimal,
        target: &KeyTarget,
    ) -> Result<Value, String> {
        match kind {
            ValueKind::Number => decimal
                .number(text)
                .and_then(|digits| Number::from_str_exact(&digits).ok())
                .or_else(|| {
                    text.contains(['e', 'E']).then(|| Number::from_scientific(text).ok()).flatten()
                })
                .map(Value::Number)
                .ok_or_else(|| {
                    "this is not a number of at most 28 digits; write one, or choose another \
                     kind, as in the header `key:text`"
                        .to_owned()
                }),
            ValueKind::Boolean => is_boolean(text)
                .map(Value::Boolean)
                .ok_or_else(|| "this is not a boolean; write true or false".to_owned()),
            ValueKind::Date => self
                .options
                .times
                .read(text)
                .map(Value::Date)
                .map_err(|why| format!("{why}; {}", why.fix())),
            ValueKind::Money => {
                let (amount, currency) = match (money_parts(text), target.currency) {
                    (Some((amount, currency)), _) => (amount, currency),
                    (None, Some(currency)) => (text, currency),
                    (None, None) => {
                        return Err("the amount has no currency; write 349.99 EUR, or name its \
                            currency in the mapping file"
                            .to_owned());
                    }
                };
                let digits = decimal.number(amount);
                let digits = digits
                    .ok_or_else(|| "this is not an amount of money; write 349.99 EUR".to_owned())?;
                Money::from_major(&digits, currency)
                    .map(Value::Money)
                    .map_err(|error| error.to_string())
            }
            kind => Value::of_kind(kind, text),
        }
    }
}

/// Cuts text at Intercom's limit of characters.
fn first_chars(text: &str) -> &str {
    text.char_indices().nth(rules::MAX_TEXT_CHARS).map_or(text, |(end, _)| &text[..end])
}

fn of_record_error(error: RecordError) -> Rejection {
    let (rule, fix) = match error {
        RecordError::TooLong => {
            (Rule::RowTooLong, "the row has more than 64 KiB; shorten it, or close an open quote")
        }
        RecordError::TooManyColumns => (
            Rule::ColumnCount,
            "the row has more than 100 columns; quote cells that contain the delimiter",
        ),
        RecordError::OpenQuote => (
            Rule::QuoteOpen,
            "the file ends within a quoted cell; close the quote, or complete the row",
        ),
        RecordError::Encoding => (
            Rule::Encoding,
            "the row is not UTF-8, and the file is; \
             correct the row, or import with --encoding windows-1252",
        ),
    };
    Rejection::new(rule, None, fix)
}
