//! Checks the model against Intercom's rules, as far as one type's tokens allow.
//!
//! Trait bounds check what needs types. Constants check what needs other types' keys: see `expand`.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::LitStr;

use crate::errors::Errors;
use crate::model::{Convert, Field, Input, Key, Record, Role, Target, Usage};
use crate::rules::{self, DEFAULT_MAX_KEYS, MAX_MAX_KEYS};

pub(crate) fn validate(input: &Input<'_>, errors: &Errors) {
    for record in &input.records {
        if let Some(name) = &record.name {
            check_name(name, errors);
        }
        check_keys(record, input.target, errors);
        check_count(record, input.target, errors);
        check_roles(record, errors);
        for field in &record.fields {
            check_field(field, input, errors);
        }
    }
    check_names_differ(&input.records, errors);
    for record in &input.records {
        check_earlier_name(record, &input.records, errors);
    }
    check_all_or_none_name_contact(&input.records, errors);
}

fn check_name(name: &LitStr, errors: &Errors) {
    if let Some(mistake) = rules::name_mistake(&name.value()) {
        errors.at(name, mistake);
    }
}

fn check_names_differ(records: &[Record<'_>], errors: &Errors) {
    let mut seen = HashMap::new();
    for name in records.iter().filter_map(|record| record.name.as_ref()) {
        let text = name.value();
        match seen.get(&rules::fold(&text)) {
            None => {
                seen.insert(rules::fold(&text), text);
            }
            Some(first) if *first == text => {
                errors.at(name, "another variant has this event name already: give each its own");
            }
            Some(first) => errors.at(
                name,
                format_args!(
                    "Intercom takes `{text}` and `{first}` for one event name ({}): choose another",
                    rules::sameness(first, &text)
                ),
            ),
        }
    }
}

/// Checks an earlier name, which may break today's rules. No current event may have that name.
fn check_earlier_name(record: &Record<'_>, records: &[Record<'_>], errors: &Errors) {
    let Some(was) = &record.was else { return };
    let text = was.value();
    if text.trim().is_empty() {
        errors.at(
            was,
            "the earlier name is blank: write the name that this event had, or remove `was`",
        );
        return;
    }
    let has_it = |other: &&Record<'_>| {
        other.name.as_ref().is_some_and(|name| rules::fold(&name.value()) == rules::fold(&text))
    };
    match records.iter().find(has_it) {
        Some(other) if other.ident == record.ident => {
            errors.at(
                was,
                "this is the event's name still: write the one that it had before, or remove `was`",
            );
        }
        Some(other) => errors.at(
            was,
            format_args!(
                "`{}` has this name now: an event that is there is not the earlier form of another",
                other.ident
            ),
        ),
        None => {}
    }
}

fn check_all_or_none_name_contact(records: &[Record<'_>], errors: &Errors) {
    let Some(naming) = records.iter().find(|record| record.names_contact()) else { return };
    for record in records.iter().filter(|record| !record.names_contact()) {
        errors.at(
            record.ident,
            format_args!(
                "variant `{}` names no contact, and `{}` does: give each variant a field \
                          marked `user_id`, `email` or `contact_id`, or none",
                record.ident, naming.ident
            ),
        );
    }
}

fn keys<'a>(record: &'a Record<'_>) -> impl Iterator<Item = &'a Key> {
    record.fields.iter().filter_map(|field| match &field.usage {
        Usage::Value { key, .. } => Some(key),
        _ => None,
    })
}

fn check_keys(record: &Record<'_>, target: Target, errors: &Errors) {
    // A list is faster than a map for few keys.
    let mut seen: Vec<(String, &str)> = Vec::new();
    for key in keys(record) {
        let fix = if key.renamed {
            "choose another"
        } else {
            "set another with `#[event(rename = \"…\")]`"
        };
        if let Some(mistake) = rules::key_mistake(&key.text, fix) {
            errors.push(syn::Error::new(key.span, mistake));
            continue;
        }
        let folded = rules::fold(&key.text);
        // Constants compare groups, and cannot fold letters beyond ASCII.
        if (target == Target::Group || record.has_flatten())
            && folded != key.text.to_ascii_lowercase()
        {
            errors.push(syn::Error::new(
                key.span,
                format_args!(
                    "the compiler compares letters beyond ASCII byte by byte with the \
                              keys of other groups: write `{folded}`, small and composed"
                ),
            ));
        }
        match seen.iter().find(|(first, _)| *first == folded) {
            None => seen.push((folded, &key.text)),
            Some((_, first)) if *first == key.text => errors.push(syn::Error::new(
                key.span,
                format_args!("another field has the key `{}` already: {fix}", key.text),
            )),
            Some((_, first)) => errors.push(syn::Error::new(
                key.span,
                format_args!(
                    "Intercom takes the keys `{}` and `{first}` for one ({}): {fix}",
                    key.text,
                    rules::sameness(first, &key.text)
                ),
            )),
        }
    }
}

/// Counts the keys of this type alone. A constant counts those of flattened groups.
fn check_count(record: &Record<'_>, target: Target, errors: &Errors) {
    if target == Target::Group {
        if record.fields.iter().all(|field| matches!(field.usage, Usage::Skip)) {
            errors.at(record.ident, "a group of metadata keys needs at least one key");
        }
        return;
    }
    let limit = match &record.max_keys {
        None => DEFAULT_MAX_KEYS,
        Some(literal) => match literal.base10_digits().parse::<usize>() {
            Ok(max) if (DEFAULT_MAX_KEYS + 1..=MAX_MAX_KEYS).contains(&max) => max,
            Ok(0..=DEFAULT_MAX_KEYS) => {
                errors.at(
                    literal,
                    "`max_keys` only raises the limit of 10, to a number from 11 to \
                                    20: remove it",
                );
                return;
            }
            _ => {
                errors.at(
                    literal,
                    "`max_keys` is a number from 11 to 20: Intercom takes no more keys in any \
                     version",
                );
                return;
            }
        },
    };
    let count = keys(record).count();
    if let Some(key) = keys(record).nth(limit) {
        let fix = match count {
            11..=MAX_MAX_KEYS => format!(", or raise the limit: `#[event(max_keys = {count})]`"),
            _ => String::new(),
        };
        errors.push(syn::Error::new(
            key.span,
            format_args!(
                "this event has {count} keys and may have {limit}: Intercom drops further \
                          keys without an error; leave some out with `#[event(skip)]`{fix}"
            ),
        ));
    }
    if let Some(literal) = &record.max_keys
        && count <= DEFAULT_MAX_KEYS
        && !record.has_flatten()
    {
        errors.at(
            literal,
            "this event needs no `max_keys`, because it has at most 10 keys: remove \
                            it",
        );
    }
}

fn check_roles(record: &Record<'_>, errors: &Errors) {
    let mut seen: Vec<Role> = Vec::new();
    for field in &record.fields {
        if let Usage::Role(role, word) = &field.usage {
            if seen.contains(role) {
                errors.at(
                    word,
                    format_args!("another field is the `{word}` already: an event has one"),
                );
            }
            seen.push(*role);
        }
    }
}

fn check_field(field: &Field<'_>, input: &Input<'_>, errors: &Errors) {
    if let Usage::Value { key: Key { role: Some(role), .. }, .. } = &field.usage {
        refuse_unmarked_role(field.ident, *role, input.target, errors);
        return;
    }
    match &field.usage {
        Usage::Flatten if input.params.in_type(field.ty()) => errors.at(
            field.ty(),
            "the derive cannot check the keys of a type with type parameters: flatten a type \
             without parameters",
        ),
        Usage::Value { key, convert, truncate, .. } if rules::is_date_key(&key.text) => {
            if let Some(word) = truncate {
                errors.at(
                    word,
                    format_args!(
                        "the key `{}` ends in `_date`, so its value is a \
                                              date, not text to cut: remove `truncate`, or set \
                                              another key",
                        key.text
                    ),
                );
            }
            if let Convert::Display(word) = convert {
                errors.at(
                    word,
                    format_args!(
                        "the key `{}` ends in `_date`, and Intercom shows its \
                                              value as a date, not as text: send a `Timestamp`, or \
                                              set another key",
                        key.text
                    ),
                );
            }
        }
        _ => {}
    }
}

/// Refuses an unmarked field with a role's name, because its author may expect the name to suffice.
fn refuse_unmarked_role(ident: &Ident, role: Role, target: Target, errors: &Errors) {
    let (what, key) = match role {
        Role::CreatedAt => ("is not the event's time", "created_date"),
        Role::UserId => ("does not name the event's contact", "user_id"),
        Role::Email => ("does not name the event's contact", "email"),
        Role::ContactId => ("does not name the event's contact", "contact_id"),
    };
    let fix = match target {
        Target::Event => format!(
            "add `#[event({ident})]`, or `#[event(rename = \"{key}\")]` to send it as metadata"
        ),
        Target::Group => format!(
            "move it from the group to the event and add `#[event({ident})]`, or add \
             `#[event(rename = \"{key}\")]` to send it as metadata"
        ),
    };
    errors.at(ident, format_args!("a field called `{ident}` {what} unless it is marked: {fix}"));
}
