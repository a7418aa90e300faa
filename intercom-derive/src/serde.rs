//! Refuses serde's attributes that would change what is sent, without an attribute of ours beside
//! them.
//!
//! The derives do not read serde's attributes. A type that also derives serde's traits may have
//! them. Its author may expect them to count, but the derive would send a field under
//! `#[serde(skip)]`. So each attribute that changes what serde writes needs one of ours beside it.
//! The others are harmless:
//!   - what serde reads: `alias`, `default`, `deserialize_with`, `from`, `try_from`,
//!     `skip_deserializing`, `deny_unknown_fields`, `expecting`, `other`, `field_identifier`,
//!     `variant_identifier`;
//!   - what serde's code looks like: `bound`, `borrow`, `crate`, `remote`;
//!   - how serde tells types and variants apart: `tag`, `content`, `untagged`, `rename` and `skip`
//!     on
//!     a type or variant, and `rename_all` on an enum. Events have a required name for that.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Meta, Token};

use crate::errors::Errors;
use crate::model::{Convert, Field, Input, Record, Usage};
use crate::rename::RenameRule;
use crate::value::{Shape, Value, Variant};

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

/// A word of a `#[serde(…)]` attribute, and its text for serializing.
struct Word {
    ident: Ident,
    text: Option<LitStr>,
}

/// Returns the words of serde's attributes that concern serializing. serde itself reports malformed
/// ones.
fn words(attrs: &[Attribute]) -> Vec<Word> {
    let mut words = Vec::new();
    // Most attributes are documentation, which is no list. This skips them without comparing names.
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

/// Checks a value. A value is text or its inner value, whatever serde's attributes on the type say.
pub(crate) fn check_value(value: &Value<'_>, errors: &Errors) {
    let of_type = words(&value.original.attrs);
    match &value.shape {
        Some(Shape::Newtype { field, .. }) => check_newtype(&of_type, field, errors),
        Some(Shape::Enum { ruled, variants }) => check_enum(&of_type, *ruled, variants, errors),
        None => {}
    }
}

const BY_HAND: &str = "implement `MetadataValue` by hand to say what is sent";

fn check_newtype(of_type: &[Word], field: &syn::Field, errors: &Errors) {
    let without_spaces = |text: String| text.replace(' ', "");
    let inner = without_spaces(field.ty.to_token_stream().to_string());
    for word in of_type.iter().filter(|word| word.ident == "into") {
        let into = word.text.as_ref().map(|text| without_spaces(text.value()));
        if into.is_some_and(|into| into != inner) {
            refuse_value(word, BY_HAND, errors);
        }
    }
    for word in words(&field.attrs) {
        match word.ident.to_string().as_str() {
            "skip" | "skip_serializing" | "skip_serializing_if" | "with" | "serialize_with" => {
                refuse_value(&word, BY_HAND, errors);
            }
            _ => {}
        }
    }
}

fn check_enum(of_type: &[Word], ruled: bool, variants: &[Variant<'_>], errors: &Errors) {
    let unnamed: Vec<_> = variants.iter().filter(|variant| !variant.text.renamed).collect();
    for word in of_type {
        match (word.ident.to_string().as_str(), &word.text) {
            ("rename_all", Some(rule)) if !ruled => {
                let Ok(form) = RenameRule::from_literal(rule) else { continue };
                let other = unnamed
                    .iter()
                    .find_map(|variant| Some((other_text(variant, form)?, &variant.text.text)));
                if let Some((other, ours)) = other {
                    let rule = rule.value();
                    let fix = format!(
                        "add `#[event(rename_all = \"{rule}\")]` to send `{other}`, or \
                         `#[event(rename_all = \"PascalCase\")]` to send `{ours}`"
                    );
                    refuse_value(word, &fix, errors);
                }
            }
            ("into", Some(_)) if !unnamed.is_empty() => {
                let fix =
                    format!("{BY_HAND}, or name each variant with `#[event(rename = \"…\")]`");
                refuse_value(word, &fix, errors);
            }
            _ => {}
        }
    }
    for variant in unnamed {
        let ours = &variant.text.text;
        for word in words(variant.attrs) {
            let fix = match (word.ident.to_string().as_str(), &word.text) {
                ("rename", Some(name)) if name.value() != *ours => format!(
                    "add `#[event(rename = \"{}\")]`, or `#[event(rename = \"{ours}\")]` to keep \
                     this text",
                    name.value()
                ),
                ("skip" | "skip_serializing", _) => {
                    format!("add `#[event(rename = \"{ours}\")]` to send it, or remove the variant")
                }
                _ => continue,
            };
            refuse_value(&word, &fix, errors);
        }
    }
}

/// Returns the text that serde writes for a variant, if it differs. The caller also checks the
/// variant's `rename`.
fn other_text(variant: &Variant<'_>, form: RenameRule) -> Option<String> {
    let other = form.apply_to_variant(&variant.ident.unraw().to_string());
    let renamed = words(variant.attrs).iter().any(|word| word.ident == "rename");
    (!renamed && other != variant.text.text).then_some(other)
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
        // An event omits `None` by itself.
        ("skip_serializing_if", Some(path)) if path.ends_with("Option::is_none") => {}
        ("skip_serializing_if", _) if !matches!(convert, Convert::With(_)) => refuse(
            "add `#[event(with = path)]`, a function that returns `None` to leave the key out, or \
             `#[event(with = std::convert::identity)]` to send every value"
                .into(),
        ),
        ("with" | "serialize_with" | "getter", _) if matches!(convert, Convert::None) => refuse(
            "add `#[event(with = path)]`, a function that makes the value, or `#[event(with = \
             std::convert::identity)]` to send the field as it is"
                .into(),
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
                    "add `#[event(rename_all = \"{}\")]` to send `{other}`, or `#[event(rename_all \
                     = \"snake_case\")]` to send `{}`",
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
            "add `#[event(flatten)]` to the field to spread its keys, or `#[event(rename = \
             \"…\")]` to send it under a key"
                .into(),
        ),
        _ => {}
    }
}

fn refuse(word: &Word, fix: &str, errors: &Errors) {
    let name = &word.ident;
    errors.at(name, format_args!("serde's `{name}` does not hold for events: {fix}"));
}

fn refuse_value(word: &Word, fix: &str, errors: &Errors) {
    let name = &word.ident;
    errors.at(name, format_args!("serde's `{name}` does not hold for event values: {fix}"));
}

/// Returns whether no attribute of ours says how to send the field.
fn is_unmarked(field: &Field<'_>) -> bool {
    match &field.usage {
        Usage::Value { key, convert: Convert::None, truncate: None, .. } => !key.renamed,
        _ => false,
    }
}

/// Returns the key that serde writes, if it differs. A field's own `rename` overrides `rename_all`,
/// and the field's check reads it.
fn other_key(field: &Field<'_>, form: RenameRule) -> Option<String> {
    let Usage::Value { key, .. } = &field.usage else { return None };
    let renamed =
        key.renamed || words(&field.original.attrs).iter().any(|word| word.ident == "rename");
    let other = form.apply(&field.ident.unraw().to_string());
    (!renamed && other != key.text).then_some(other)
}
