//! Refuses serde's attributes where they would change what is sent and ours do not say what is.
//!
//! The derives do not read serde's attributes. A type that derives serde's traits too may have them, and
//! its author may take them for ours: a field under `#[serde(skip)]` would then be sent. So each attribute that
//! changes what serde writes needs one of ours beside it. The others are harmless:
//!   - what serde reads: `alias`, `default`, `deserialize_with`, `from`, `try_from`, `skip_deserializing`,
//!     `deny_unknown_fields`, `expecting`, `other`, `field_identifier`, `variant_identifier`;
//!   - what serde's code looks like: `bound`, `borrow`, `crate`, `remote`;
//!   - how serde tells types and variants apart, which an event's required name does: `tag`, `content`, `untagged`,
//!     and `rename` and `skip` on a type or variant, and `rename_all` on an enum.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Meta, Token};

use crate::errors::Errors;
use crate::model::{Convert, Field, Input, Record, Usage};
use crate::rename::RenameRule;
use crate::value::{Shape, Value};

pub(crate) fn check(input: &Input<'_>, errors: &Errors) {
    let enum_words = match &input.records[..] {
        [record] if !record.is_variant => Vec::new(),
        _ => words(&input.original.attrs),
    };
    for word in &enum_words {
        check_type_word(word, "rename_all_fields", &input.records, errors);
    }
    for record in &input.records {
        for word in words(record.attrs) {
            check_type_word(&word, "rename_all", std::slice::from_ref(record), errors);
        }
        for field in &record.fields {
            for word in words(&field.original.attrs) {
                check_field_word(&word, field, errors);
            }
        }
    }
}

/// One word of a `#[serde(…)]` attribute, and the text that it has for serializing.
struct Word {
    ident: Ident,
    text: Option<LitStr>,
}

/// The words of serde's attributes that say something about serializing. What is malformed is serde's to
/// report.
fn words(attrs: &[Attribute]) -> Vec<Word> {
    let mut words = Vec::new();
    // Documentation, which most attributes are, is no list, and told apart without looking at its name.
    let lists = attrs.iter().filter(|attr| matches!(attr.meta, Meta::List(_)));
    for attr in lists.filter(|attr| attr.path().is_ident("serde")) {
        let _ = attr.parse_nested_meta(|meta| {
            let ident = meta.path.get_ident().cloned();
            let mut text = None;
            let mut serializing = true;
            if meta.input.peek(Token![=]) {
                text = Some(meta.value()?.parse()?);
            } else if meta.input.peek(syn::token::Paren) {
                serializing = false;
                meta.parse_nested_meta(|side| {
                    let literal = side.value()?.parse()?;
                    if side.path.is_ident("serialize") {
                        (text, serializing) = (Some(literal), true);
                    }
                    Ok(())
                })?;
            }
            words.extend(ident.filter(|_| serializing).map(|ident| Word { ident, text }));
            Ok(())
        });
    }
    words
}

/// The same for a value. It is text or its inner value, however serde shapes the type around it.
pub(crate) fn check_value(value: &Value<'_>, errors: &Errors) {
    const BY_HAND: &str = "implement `MetadataValue` by hand to say what is sent";
    let refuse = |word: &Word, fix: String| {
        let name = &word.ident;
        errors.at(name, format_args!("serde's `{name}` does not hold for event values: {fix}"));
    };
    match &value.shape {
        Some(Shape::Newtype { field, .. }) => {
            let inner = field.ty.to_token_stream().to_string().replace(' ', "");
            let into = words(&value.original.attrs).into_iter().filter(|word| {
                let text = word.text.as_ref().map(|text| text.value().replace(' ', ""));
                word.ident == "into" && text.is_some_and(|text| text != inner)
            });
            let field = words(&field.attrs).into_iter().filter(|word| {
                ["skip", "skip_serializing", "with", "serialize_with", "skip_serializing_if"]
                    .iter()
                    .any(|name| word.ident == name)
            });
            into.chain(field).for_each(|word| refuse(&word, BY_HAND.into()));
        }
        Some(Shape::Enum { ruled, variants }) => {
            let mut unnamed = variants.iter().filter(|variant| !variant.text.renamed);
            for word in words(&value.original.attrs) {
                match (word.ident.to_string().as_str(), &word.text) {
                    ("rename_all", Some(rule)) if !ruled => {
                        let Ok(form) = RenameRule::from_literal(rule) else { continue };
                        let other = unnamed.clone().find_map(|variant| {
                            let renamed =
                                words(variant.attrs).iter().any(|word| word.ident == "rename");
                            let other = form.apply_to_variant(&variant.text.text);
                            let differs = !renamed && other != variant.text.text;
                            differs.then_some((other, &variant.text.text))
                        });
                        if let Some((other, ours)) = other {
                            refuse(
                                &word,
                                format!(
                                    "add `#[event(rename_all = \"{}\")]` to send `{other}`, or `#[event(rename_all = \"PascalCase\")]` to send `{ours}`",
                                    rule.value()
                                ),
                            );
                        }
                    }
                    ("into", Some(_)) if unnamed.next().is_some() => refuse(
                        &word,
                        format!("{BY_HAND}, or name each variant with `#[event(rename = \"…\")]`"),
                    ),
                    _ => {}
                }
            }
            for variant in variants.iter().filter(|variant| !variant.text.renamed) {
                let ours = &variant.text.text;
                for word in words(variant.attrs) {
                    match (word.ident.to_string().as_str(), &word.text) {
                        ("rename", Some(name)) if name.value() != *ours => refuse(
                            &word,
                            format!(
                                "add `#[event(rename = \"{}\")]`, or `#[event(rename = \"{ours}\")]` to keep this text",
                                name.value()
                            ),
                        ),
                        ("skip" | "skip_serializing", _) => refuse(
                            &word,
                            format!(
                                "add `#[event(rename = \"{ours}\")]` to send it, or remove the variant"
                            ),
                        ),
                        _ => {}
                    }
                }
            }
        }
        None => {}
    }
}

fn check_field_word(word: &Word, field: &Field<'_>, errors: &Errors) {
    let Usage::Value { key, convert, .. } = &field.usage else { return };
    let text = word.text.as_ref().map(LitStr::value);
    let refuse = |fix: String| refuse(word, &fix, errors);
    match (word.ident.to_string().as_str(), text) {
        ("skip" | "skip_serializing", _) if is_unmarked(field) => refuse(format!(
            "add `#[event(skip)]` to leave the field out, or `#[event(rename = \"{}\")]` to send it",
            key.text
        )),
        ("flatten", _) if is_unmarked(field) => {
            refuse("add `#[event(flatten)]` to spread the keys of the field".into());
        }
        ("rename", Some(name)) if !key.renamed && name != key.text => refuse(format!(
            "add `#[event(rename = \"{name}\")]`, or `#[event(rename = \"{}\")]` to keep this key",
            key.text
        )),
        // An event leaves out what is `None` without being told.
        ("skip_serializing_if", Some(path)) if path.ends_with("Option::is_none") => {}
        ("skip_serializing_if", _) if !matches!(convert, Convert::With(_)) => refuse(
            "add `#[event(with = path)]`, a function that gives `None` to leave the key out, or `#[event(with = std::convert::identity)]` to send every value".into(),
        ),
        ("with" | "serialize_with" | "getter", _) if matches!(convert, Convert::None) => refuse(
            "add `#[event(with = path)]`, a function that makes the value, or `#[event(with = std::convert::identity)]` to send the field as it is".into(),
        ),
        _ => {}
    }
}

fn check_type_word(word: &Word, rename_all: &str, records: &[Record<'_>], errors: &Errors) {
    let refuse = |fix: String| refuse(word, &fix, errors);
    let mut fields = records.iter().flat_map(|record| &record.fields);
    match (word.ident.to_string().as_str(), &word.text) {
        (name, Some(rule)) if name == rename_all => {
            let Ok(form) = RenameRule::from_literal(rule) else { return };
            let unruled = records.iter().filter(|record| record.rename_all.is_none());
            let other = unruled
                .flat_map(|record| &record.fields)
                .find_map(|field| other_key(field, form).map(|other| (field.ident, other)));
            if let Some((ident, other)) = other {
                refuse(format!(
                    "add `#[event(rename_all = \"{}\")]` to send `{other}`, or `#[event(rename_all = \"snake_case\")]` to send `{}`",
                    rule.value(),
                    ident.unraw(),
                ));
            }
        }
        ("into" | "with" | "serialize_with", Some(other)) if fields.any(is_unmarked) => {
            refuse(format!(
                "send what `{}` makes of it, or say with `#[event(…)]` on each field what is sent",
                other.value()
            ));
        }
        ("transparent", None) if fields.any(is_unmarked) => refuse(
            "add `#[event(flatten)]` to the field to spread its keys, or `#[event(rename = \"…\")]` to send it under a key".into(),
        ),
        _ => {}
    }
}

fn refuse(word: &Word, fix: &str, errors: &Errors) {
    let name = &word.ident;
    errors.at(name, format_args!("serde's `{name}` does not hold for events: {fix}"));
}

/// Whether no attribute of ours says how the field is sent.
fn is_unmarked(field: &Field<'_>) -> bool {
    match &field.usage {
        Usage::Value { key, convert: Convert::None, truncate: None } => !key.renamed,
        _ => false,
    }
}

/// The key that serde writes, if it is not ours. A field's own `rename` goes before `rename_all`, and is
/// looked at with the field.
fn other_key(field: &Field<'_>, form: RenameRule) -> Option<String> {
    let Usage::Value { key, .. } = &field.usage else { return None };
    let renamed =
        key.renamed || words(&field.original.attrs).iter().any(|word| word.ident == "rename");
    let other = form.apply(&field.ident.unraw().to_string());
    (!renamed && other != key.text).then_some(other)
}
