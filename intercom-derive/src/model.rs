//! The input as events and fields, which the later stages use.
//!
//! Every node keeps its `syn` original, so that a later stage can point at the user's own token.

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Expr, Fields, Lit, LitInt, LitStr, Meta, Path, Type};

use crate::attr::{FieldAttrs, Place, TypeAttrs};
use crate::errors::Errors;
use crate::foreign::krate_of;
use crate::generics::Params;
use crate::rename::{RenameRule, snake_case};

/// The derive that runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Event,
    Group,
}

/// A whole input: an event, the events of an enum, or a group of keys.
pub(crate) struct Input<'a> {
    pub(crate) original: &'a DeriveInput,
    pub(crate) target: Target,
    pub(crate) params: Params,
    /// The path in `crate = path`.
    pub(crate) krate: Option<Path>,
    /// A single record for a struct, one a variant for an enum.
    pub(crate) records: Vec<Record<'a>>,
}

/// An event, or a group of keys.
pub(crate) struct Record<'a> {
    /// The struct's or the variant's name.
    pub(crate) ident: &'a Ident,
    pub(crate) is_variant: bool,
    pub(crate) attrs: &'a [Attribute],
    pub(crate) doc: String,
    pub(crate) name: Option<LitStr>,
    /// The form of the keys: the record's own, or that of the enum.
    pub(crate) rename_all: Option<RenameRule>,
    pub(crate) max_keys: Option<LitInt>,
    /// The functions that derive other events from this one.
    pub(crate) also: Vec<Path>,
    pub(crate) was: Option<LitStr>,
    pub(crate) fields: Vec<Field<'a>>,
}

/// A field, and its usage.
pub(crate) struct Field<'a> {
    pub(crate) original: &'a syn::Field,
    pub(crate) ident: &'a Ident,
    pub(crate) ty: TypeTokens,
    pub(crate) doc: Literal,
    pub(crate) usage: Usage,
}

/// A type as tokens. Each use takes the first and last span, because only nightly Rust can join
/// spans.
pub(crate) struct TypeTokens {
    tokens: Vec<TokenTree>,
    pub(crate) first: Span,
    pub(crate) last: Span,
    /// The type's crate, if a feature covers that crate.
    pub(crate) krate: Option<&'static str>,
}

impl TypeTokens {
    fn of(ty: &Type) -> Self {
        let tokens = match ty {
            // Most types are one identifier, which needs no stream.
            Type::Path(path) if path.qself.is_none() => match path.path.get_ident() {
                Some(ident) => vec![ident.clone().into()],
                None => ty.to_token_stream().into_iter().collect(),
            },
            _ => ty.to_token_stream().into_iter().collect(),
        };
        let first = tokens.first().map_or_else(Span::call_site, TokenTree::span);
        let last = tokens.last().map_or(first, TokenTree::span);
        TypeTokens { tokens, first, last, krate: krate_of(ty) }
    }
}

impl ToTokens for TypeTokens {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.tokens);
    }
}

/// The usage of a field.
pub(crate) enum Usage {
    Skip,
    Role(Role, Ident),
    Flatten,
    Value { key: Key, convert: Convert, truncate: Option<Ident>, sensitive: bool },
}

/// A metadata key, and the user's token for it.
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
    pub(crate) renamed: bool,
    /// The role with the field's name, unless the field has a `rename`.
    pub(crate) role: Option<Role>,
}

impl Key {
    pub(crate) fn renamed(literal: &LitStr) -> Self {
        Key { text: literal.value(), span: literal.span(), renamed: true, role: None }
    }
}

/// The conversion of a field's value.
pub(crate) enum Convert {
    /// Sends the value unchanged.
    None,
    /// Sends the value's `Display` text.
    Display(Ident),
    /// Sends what the function returns.
    With(Path),
}

/// The role of a field that is not metadata.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    UserId,
    Email,
    ContactId,
    CreatedAt,
}

impl Role {
    pub(crate) const ALL: [Role; 4] = [Role::UserId, Role::Email, Role::ContactId, Role::CreatedAt];
    pub(crate) const CONTACT: [Role; 3] = [Role::UserId, Role::Email, Role::ContactId];

    /// Returns the core's name of the role.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::UserId => "UserId",
            Role::Email => "Email",
            Role::ContactId => "ContactId",
            Role::CreatedAt => "CreatedAt",
        }
    }

    fn called(name: &str) -> Option<Self> {
        match name {
            "user_id" => Some(Role::UserId),
            "email" => Some(Role::Email),
            "contact_id" => Some(Role::ContactId),
            "created_at" => Some(Role::CreatedAt),
            _ => None,
        }
    }
}

impl Record<'_> {
    pub(crate) fn role(&self, role: Role) -> Option<&Field<'_>> {
        self.fields
            .iter()
            .find(|field| matches!(field.usage, Usage::Role(found, _) if found == role))
    }

    pub(crate) fn names_contact(&self) -> bool {
        Role::CONTACT.iter().any(|role| self.role(*role).is_some())
    }

    pub(crate) fn has_flatten(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.usage, Usage::Flatten))
    }
}

impl<'a> Input<'a> {
    pub(crate) fn from_syn(original: &'a DeriveInput, target: Target, errors: &Errors) -> Self {
        let place = match (target, &original.data) {
            (Target::Group, _) => Place::Group,
            (Target::Event, Data::Enum(_)) => Place::Enum,
            (Target::Event, _) => Place::Struct,
        };
        let attrs = TypeAttrs::read(&original.attrs, place, errors);
        let records = match (&original.data, target) {
            (Data::Struct(data), _) => {
                if target == Target::Event {
                    require_name(&attrs, &original.ident, None, errors);
                }
                let source = Source {
                    ident: &original.ident,
                    is_variant: false,
                    attrs: &original.attrs,
                    fields: &data.fields,
                };
                Vec::from_iter(Record::from_syn(source, &attrs, None, target, errors))
            }
            (Data::Enum(data), Target::Event) => {
                if data.variants.is_empty() {
                    errors.at(&original.ident, "an enum without variants has no event to send");
                }
                let rule = attrs.rename_all.value().copied();
                let record = |variant: &'a syn::Variant| {
                    let attrs = TypeAttrs::read(&variant.attrs, Place::Variant, errors);
                    require_name(&attrs, &variant.ident, Some(&original.ident), errors);
                    let (ident, fields) = (&variant.ident, &variant.fields);
                    let source = Source { ident, is_variant: true, attrs: &variant.attrs, fields };
                    Record::from_syn(source, &attrs, rule, target, errors)
                };
                data.variants.iter().filter_map(record).collect()
            }
            (Data::Enum(data), Target::Group) => {
                errors.at(
                    data.enum_token,
                    "a group of metadata keys is a struct with named \
                                            fields, not an enum: for one event a variant derive \
                                            `IntercomEvent`",
                );
                Vec::new()
            }
            (Data::Union(data), _) => {
                errors.at(
                    data.union_token,
                    "a union has no definite fields to send: use a struct with named fields",
                );
                Vec::new()
            }
        };
        Input {
            original,
            target,
            params: Params::of(&original.generics),
            krate: attrs.krate.value().cloned(),
            records,
        }
    }
}

/// Refuses an event without a name, and suggests one.
fn require_name(attrs: &TypeAttrs, ident: &Ident, enum_ident: Option<&Ident>, errors: &Errors) {
    if attrs.named {
        return;
    }
    let words =
        enum_ident.into_iter().chain([ident]).map(|word| snake_case(&word.unraw().to_string()));
    let name = words.collect::<Vec<_>>().join("_");
    let what = if enum_ident.is_some() { "variant" } else { "struct" };
    errors.at(
        ident,
        format_args!(
            "this {what} has no event name: put `#[event(name = \"{name}\")]` on it (the \
                      name is written out, so that a rename of the {what} does not rename the \
                      event)"
        ),
    );
}

/// The parts that a struct and a variant share, for which syn has no type.
struct Source<'a> {
    ident: &'a Ident,
    is_variant: bool,
    attrs: &'a [Attribute],
    fields: &'a Fields,
}

impl<'a> Record<'a> {
    fn from_syn(
        source: Source<'a>,
        attrs: &TypeAttrs,
        outer_rule: Option<RenameRule>,
        target: Target,
        errors: &Errors,
    ) -> Option<Self> {
        let Source { ident, is_variant, attrs: original_attrs, fields } = source;
        let what = if is_variant { "variant" } else { "struct" };
        let fields = match fields {
            Fields::Named(fields) => Some(&fields.named),
            Fields::Unit if target == Target::Event => None,
            Fields::Unit => {
                errors.at(ident, "a group of metadata keys needs a named field for each key");
                return None;
            }
            Fields::Unnamed(fields) => {
                errors.at(
                    fields,
                    format_args!(
                        "this {what} needs named fields: their names are the metadata keys"
                    ),
                );
                return None;
            }
        };
        let place = match target {
            Target::Event => Place::Field,
            Target::Group => Place::GroupField,
        };
        let rule = attrs.rename_all.value().copied().or(outer_rule);
        let fields = fields
            .into_iter()
            .flatten()
            .filter_map(|field| Field::from_syn(field, rule, place, errors))
            .collect();
        Some(Record {
            ident,
            is_variant,
            attrs: original_attrs,
            doc: doc(original_attrs),
            name: attrs.name.value().cloned(),
            rename_all: rule,
            max_keys: attrs.max_keys.value().cloned(),
            also: attrs.also.clone(),
            was: attrs.was.value().cloned(),
            fields,
        })
    }
}

impl<'a> Field<'a> {
    fn from_syn(
        original: &'a syn::Field,
        rule: Option<RenameRule>,
        place: Place,
        errors: &Errors,
    ) -> Option<Self> {
        let ident = original.ident.as_ref()?;
        let attrs = FieldAttrs::read(&original.attrs, place, errors);
        if !original.attrs.is_empty() {
            refuse_conflicts(&attrs, errors);
        }
        let usage = Usage::of(ident, rule, attrs);
        let ty = TypeTokens::of(&original.ty);
        Some(Field { original, ident, ty, doc: field_doc(&original.attrs), usage })
    }

    pub(crate) fn ty(&self) -> &'a Type {
        &self.original.ty
    }
}

impl Usage {
    fn of(ident: &Ident, rule: Option<RenameRule>, attrs: FieldAttrs) -> Self {
        let role = roles(&attrs).into_iter().find_map(|(role, word)| Some((role, word?.clone())));
        if attrs.skip.get().is_some() {
            return Usage::Skip;
        }
        if let Some((role, word)) = role {
            return Usage::Role(role, word);
        }
        if attrs.flatten.get().is_some() {
            return Usage::Flatten;
        }
        let key = match attrs.rename.value() {
            Some(literal) => Key::renamed(literal),
            None => {
                let name = ident.unraw().to_string();
                let role = Role::called(&name);
                let text = match rule {
                    Some(rule) => rule.apply(&name),
                    None => name,
                };
                Key { text, span: ident.span(), renamed: false, role }
            }
        };
        let convert = match (attrs.with.value(), attrs.display.word()) {
            (Some(path), _) => Convert::With(path.clone()),
            (None, Some(word)) => Convert::Display(word.clone()),
            (None, None) => Convert::None,
        };
        Usage::Value {
            key,
            convert,
            truncate: attrs.truncate.word().cloned(),
            sensitive: attrs.sensitive.get().is_some(),
        }
    }
}

fn roles(attrs: &FieldAttrs) -> [(Role, Option<&Ident>); 4] {
    [
        (Role::UserId, attrs.user_id.word()),
        (Role::Email, attrs.email.word()),
        (Role::ContactId, attrs.contact_id.word()),
        (Role::CreatedAt, attrs.created_at.word()),
    ]
}

/// Refuses contradicting attributes of one field, each at the word that has no effect.
fn refuse_conflicts(attrs: &FieldAttrs, errors: &Errors) {
    let roles = roles(attrs).map(|(_, word)| word);
    let sensitive = [attrs.sensitive.word()];
    let shaping =
        [attrs.rename.word(), attrs.truncate.word(), attrs.display.word(), attrs.with.word()];
    let refuse = |words: &[Option<&Ident>], with: &Ident, because: &str| {
        for word in words.iter().flatten() {
            errors
                .at(word, format_args!("`{word}` conflicts with `{with}`: {because}; remove one"));
        }
    };
    let mut roles_set = roles.into_iter().flatten();
    if let Some(skip) = attrs.skip.word() {
        refuse(&roles, skip, "the event does not send a skipped field");
        refuse(&[attrs.flatten.word()], skip, "the event does not send a skipped field");
        refuse(&shaping, skip, "the event does not send a skipped field");
        refuse(&sensitive, skip, "the event does not send a skipped field");
    } else if let Some(role) = roles_set.next() {
        let others: Vec<_> = roles_set.map(Some).collect();
        refuse(&others, role, "a field has one role");
        refuse(&[attrs.flatten.word()], role, "a role field is not metadata");
        refuse(&shaping, role, "a role field is not metadata");
        refuse(&sensitive, role, "no view shows a contact anyway");
    } else if let Some(flatten) = attrs.flatten.word() {
        refuse(&shaping, flatten, "a flattened field has no key and no value of its own");
        refuse(&sensitive, flatten, "mark the sensitive fields of the group instead");
    } else if let (Some(display), Some(with)) = (attrs.display.word(), attrs.with.word()) {
        refuse(&[Some(with)], display, "each of them chooses the value");
    }
}

/// Returns the lines of the documentation comments.
fn doc_lines(attrs: &[Attribute]) -> impl Iterator<Item = &LitStr> {
    attrs.iter().filter(|attr| attr.path().is_ident("doc")).filter_map(|attr| {
        let Meta::NameValue(meta) = &attr.meta else { return None };
        match &meta.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(line) => Some(line),
                _ => None,
            },
            // `#[doc = include_str!(…)]` holds a macro before its expansion.
            _ => None,
        }
    })
}

/// Returns the text of the documentation comments.
pub(crate) fn doc(attrs: &[Attribute]) -> String {
    let lines: Vec<_> = doc_lines(attrs).map(|line| line.value().trim().to_owned()).collect();
    lines.join("\n").trim().to_owned()
}

/// Returns the text for a field. A single line keeps its leading space, and the reader trims it:
/// there are many fields, and a derive parses literals slowly.
fn field_doc(attrs: &[Attribute]) -> Literal {
    let mut lines = doc_lines(attrs);
    match (lines.next(), lines.next()) {
        (None, _) => Literal::string(""),
        (Some(line), None) => {
            let mut line = line.token();
            // No mistake ever points there.
            line.set_span(Span::call_site());
            line
        }
        (Some(_), Some(_)) => Literal::string(&doc(attrs)),
    }
}

/// Returns the `T` of an `Option<T>`, recognized by name.
pub(crate) fn inside_option(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) => match arguments.args.first()? {
            syn::GenericArgument::Type(inner) => Some(inner),
            _ => None,
        },
        _ => None,
    }
}
