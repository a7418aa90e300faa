//! Reads `#[event(…)]` attributes: their words, and the items that take each word, once each.

use proc_macro2::{Ident, TokenTree};
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Lit, LitInt, LitStr, Meta, Path, Token};

use crate::errors::Errors;
use crate::rename::RenameRule;

/// The item with the attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Struct,
    Enum,
    Variant,
    Field,
    Group,
    GroupField,
    Newtype,
    ValueEnum,
    ValueVariant,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Struct => "an event",
            Place::Enum => "an enum of events",
            Place::Variant => "a variant",
            Place::Field => "a field of an event",
            Place::Group => "a group of keys",
            Place::GroupField => "a field of a group",
            Place::Newtype => "a newtype",
            Place::ValueEnum => "an enum of values",
            Place::ValueVariant => "a variant of a value",
        }
    }

    /// Returns what error messages call an attribute here.
    fn kind(self) -> &'static str {
        match self {
            Place::Struct | Place::Enum | Place::Variant | Place::Group => "event",
            Place::Field | Place::GroupField => "field",
            Place::Newtype | Place::ValueEnum | Place::ValueVariant => "value",
        }
    }

    /// Returns whether the word for a name is `rename` instead of `name`.
    fn is_renamed(self) -> bool {
        matches!(self, Place::Field | Place::GroupField | Place::ValueVariant)
    }
}

use Place::{Enum, Field, Group, GroupField, Newtype, Struct, ValueEnum, ValueVariant, Variant};

/// A word of `#[event(…)]`, the items that take it, and the advice for other items.
struct Known<W: 'static> {
    word: W,
    text: &'static str,
    places: &'static [Place],
    advice: &'static str,
}

const fn known<W>(
    word: W,
    text: &'static str,
    places: &'static [Place],
    advice: &'static str,
) -> Known<W> {
    Known { word, text, places, advice }
}

/// The words on a type or a variant.
#[derive(Clone, Copy)]
enum TypeWord {
    Name,
    RenameAll,
    MaxKeys,
    Also,
    Was,
    Crate,
}

const TYPE_WORDS: &[Known<TypeWord>] = &[
    known(
        TypeWord::Name,
        "name",
        &[Struct, Variant],
        "an event's name goes on the struct, or on each variant of an enum; for a key, write \
         `rename = \"…\"`",
    ),
    known(
        TypeWord::RenameAll,
        "rename_all",
        &[Struct, Enum, Variant, Group, ValueEnum],
        "the case of all keys or variants goes on their type; for one of them, write `rename = \
         \"…\"`",
    ),
    known(
        TypeWord::MaxKeys,
        "max_keys",
        &[Struct, Variant],
        "the limit of an event goes on the struct, or on the variant that needs it",
    ),
    known(
        TypeWord::Also,
        "also",
        &[Struct, Variant],
        "what an event sends beside itself goes on the struct, or on the variant that is the event",
    ),
    known(
        TypeWord::Was,
        "was",
        &[Struct, Variant],
        "the earlier name of an event goes on the struct, or on the variant that is the event",
    ),
    known(
        TypeWord::Crate,
        "crate",
        &[Struct, Enum, Group, Newtype, ValueEnum],
        "it holds for the whole type, and goes there",
    ),
];

/// The words on a field, or on a variant of a value.
#[derive(Clone, Copy)]
enum FieldWord {
    Rename,
    Skip,
    Flatten,
    Truncate,
    Display,
    With,
    Sensitive,
    UserId,
    Email,
    ContactId,
    CreatedAt,
}

const FIELD_WORDS: &[Known<FieldWord>] = &[
    known(
        FieldWord::Rename,
        "rename",
        &[Field, GroupField, ValueVariant],
        "it sets the key of a field or the text of a variant; for an event, write `name = \"…\"`",
    ),
    known(FieldWord::Skip, "skip", &[Field, GroupField], FIELD),
    known(FieldWord::Flatten, "flatten", &[Field, GroupField], FIELD),
    known(FieldWord::Truncate, "truncate", &[Field, GroupField], FIELD),
    known(FieldWord::Display, "display", &[Field, GroupField], FIELD),
    known(FieldWord::With, "with", &[Field, GroupField], FIELD),
    known(FieldWord::Sensitive, "sensitive", &[Field, GroupField], FIELD),
    known(FieldWord::UserId, "user_id", &[Field], ROLE),
    known(FieldWord::Email, "email", &[Field], ROLE),
    known(FieldWord::ContactId, "contact_id", &[Field], ROLE),
    known(FieldWord::CreatedAt, "created_at", &[Field], ROLE),
];

const FIELD: &str = "it goes on a field of an event or a group";

/// The advice for a name on a type that also derives an event.
const ONE_DERIVE_OF_GROUP: &str = "an event has a name, and a group is a part of events: derive \
                                   `IntercomEvent` or `EventMetadata`, not both";
const ONE_DERIVE_OF_VALUE: &str = "an event has a name, and a value has a key: derive \
                                   `IntercomEvent` or `MetadataValue`, not both";

const ROLE: &str = "it goes on a field of the event itself";

/// An attribute with its span. Refuses a second use.
pub(crate) struct Attr<T> {
    found: Option<Found<T>>,
}

/// An attribute's value, with its word.
pub(crate) struct Found<T> {
    pub(crate) word: Ident,
    pub(crate) value: T,
}

impl<T> Attr<T> {
    fn none() -> Self {
        Attr { found: None }
    }

    fn set(&mut self, word: &Ident, value: T, errors: &Errors) {
        if self.found.is_some() {
            errors.at(word, format_args!("`{word}` is set twice; remove one"));
        } else {
            self.found = Some(Found { word: word.clone(), value });
        }
    }

    pub(crate) fn get(&self) -> Option<&Found<T>> {
        self.found.as_ref()
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.get().map(|found| &found.value)
    }

    pub(crate) fn word(&self) -> Option<&Ident> {
        self.get().map(|found| &found.word)
    }
}

/// The attributes of a type or a variant.
pub(crate) struct TypeAttrs {
    pub(crate) name: Attr<LitStr>,
    pub(crate) rename_all: Attr<RenameRule>,
    pub(crate) max_keys: Attr<LitInt>,
    /// Each `also`, in source order.
    pub(crate) also: Vec<Path>,
    pub(crate) was: Attr<LitStr>,
    pub(crate) krate: Attr<Path>,
    /// Whether the source has a name, or an attempt at one. Then no error says that the name is
    /// missing.
    pub(crate) named: bool,
}

impl TypeAttrs {
    pub(crate) fn read(attrs: &[Attribute], place: Place, errors: &Errors) -> Self {
        let mut read = TypeAttrs {
            name: Attr::none(),
            rename_all: Attr::none(),
            max_keys: Attr::none(),
            also: Vec::new(),
            was: Attr::none(),
            krate: Attr::none(),
            named: false,
        };
        let mut meant_name = false;
        let read_word = |known: TypeWord, word: &Ident, meta: ParseNestedMeta<'_>| {
            match known {
                TypeWord::Name => {
                    read.named = true;
                    let name = text(word, &meta, "name = \"project_created\"")?;
                    read.name.set(word, name, errors);
                }
                TypeWord::RenameAll => {
                    let rule = text(word, &meta, "rename_all = \"camelCase\"")?;
                    read.rename_all.set(word, RenameRule::from_literal(&rule)?, errors);
                }
                TypeWord::MaxKeys => {
                    let number = number(word, &meta, "max_keys = 20")?;
                    read.max_keys.set(word, number, errors);
                }
                TypeWord::Also => {
                    let path = path(word, &meta, "also = big_invoice")?;
                    let text = |path: &Path| path.to_token_stream().to_string();
                    if read.also.iter().any(|other| text(other) == text(&path)) {
                        errors.at(&path, "`also` has this function already; remove one");
                    } else {
                        read.also.push(path);
                    }
                }
                TypeWord::Was => {
                    let name = text(word, &meta, "was = \"plan_bought\"")?;
                    read.was.set(word, name, errors);
                }
                TypeWord::Crate => {
                    let path = path(word, &meta, "crate = my_facade::intercom_core")?;
                    read.krate.set(word, path, errors);
                }
            }
            Ok(())
        };
        each(attrs, place, TYPE_WORDS, errors, read_word, |word| {
            meant_name |= matches!(word, "" | "rename") || strsim::osa_distance(word, "name") <= 2;
        });
        read.named |= meant_name;
        read
    }
}

/// The attributes of a field.
pub(crate) struct FieldAttrs {
    pub(crate) rename: Attr<LitStr>,
    pub(crate) skip: Attr<()>,
    pub(crate) flatten: Attr<()>,
    pub(crate) truncate: Attr<()>,
    pub(crate) display: Attr<()>,
    pub(crate) with: Attr<Path>,
    pub(crate) sensitive: Attr<()>,
    pub(crate) user_id: Attr<()>,
    pub(crate) email: Attr<()>,
    pub(crate) contact_id: Attr<()>,
    pub(crate) created_at: Attr<()>,
}

impl FieldAttrs {
    pub(crate) fn read(attrs: &[Attribute], place: Place, errors: &Errors) -> Self {
        let mut read = FieldAttrs {
            rename: Attr::none(),
            skip: Attr::none(),
            flatten: Attr::none(),
            truncate: Attr::none(),
            display: Attr::none(),
            with: Attr::none(),
            sensitive: Attr::none(),
            user_id: Attr::none(),
            email: Attr::none(),
            contact_id: Attr::none(),
            created_at: Attr::none(),
        };
        let read_word = |known: FieldWord, word: &Ident, meta: ParseNestedMeta<'_>| {
            let attribute = match known {
                FieldWord::Rename => {
                    let key = text(word, &meta, "rename = \"project_name\"")?;
                    read.rename.set(word, key, errors);
                    return Ok(());
                }
                FieldWord::With => {
                    let path = path(word, &meta, "with = as_minutes")?;
                    read.with.set(word, path, errors);
                    return Ok(());
                }
                FieldWord::Skip => &mut read.skip,
                FieldWord::Flatten => &mut read.flatten,
                FieldWord::Truncate => &mut read.truncate,
                FieldWord::Display => &mut read.display,
                FieldWord::Sensitive => &mut read.sensitive,
                FieldWord::UserId => &mut read.user_id,
                FieldWord::Email => &mut read.email,
                FieldWord::ContactId => &mut read.contact_id,
                FieldWord::CreatedAt => &mut read.created_at,
            };
            if !at_end_of_item(meta.input) {
                return Err(meta
                    .input
                    .error(format_args!("`{word}` takes no value: write it alone")));
            }
            attribute.set(word, (), errors);
            Ok(())
        };
        each(attrs, place, FIELD_WORDS, errors, read_word, |_| {});
        read
    }
}

/// Passes each word that this item takes to `read`, and each other word to `refused`. Goes on after
/// a mistake.
fn each<W: Copy>(
    attrs: &[Attribute],
    place: Place,
    words: &[Known<W>],
    errors: &Errors,
    mut read: impl FnMut(W, &Ident, ParseNestedMeta<'_>) -> syn::Result<()>,
    mut refused: impl FnMut(&str),
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("event")) {
        if !matches!(attr.meta, Meta::List(_)) {
            let example = if place.is_renamed() { "rename" } else { "name" };
            errors.at(
                &attr.meta,
                format_args!("expected a list in parentheses: `#[event({example} = \"…\")]`"),
            );
            refused("");
            continue;
        }
        // The name alone, as other derives accept it.
        if let Ok(literal) = attr.parse_args::<Lit>() {
            let word = if place.is_renamed() { "rename" } else { "name" };
            let tokens = literal.to_token_stream();
            errors.at(literal, format_args!("write what this is: `{word} = {tokens}`"));
            refused("");
            continue;
        }
        let parsed = attr.parse_nested_meta(|meta| {
            let input = meta.input;
            let result = match allowed(&meta.path, place, words) {
                Ok((known, word)) => read(known, &word, meta),
                Err(error) => {
                    refused(&meta.path.to_token_stream().to_string());
                    Err(error)
                }
            };
            if let Err(error) = result {
                errors.push(error);
                skip_item(input)?;
            }
            Ok(())
        });
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
}

/// Returns the word of an attribute, if `own` has the word and this item takes it.
fn allowed<W: Copy>(path: &Path, place: Place, own: &[Known<W>]) -> syn::Result<(W, Ident)> {
    let Some(word) = path.get_ident() else {
        return Err(syn::Error::new_spanned(path, unknown("a path", place, None)));
    };
    let text = word.to_string();
    let here = own.iter().find(|known| known.text == text && known.places.contains(&place));
    if let Some(known) = here {
        return Ok((known.word, word.clone()));
    }
    if let Some((_, _, advice)) = words().find(|(known, ..)| *known == text) {
        let advice = match (text.as_str(), place) {
            ("name", Group) => ONE_DERIVE_OF_GROUP,
            ("name", Newtype | ValueEnum) => ONE_DERIVE_OF_VALUE,
            _ => advice,
        };
        return Err(syn::Error::new(
            word.span(),
            format_args!("`{text}` does not belong on {}; {advice}", place.name()),
        ));
    }
    let near = words_of(place)
        .map(|word| (strsim::osa_distance(word, &text), word))
        .min()
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .map(|(_, word)| word);
    Err(syn::Error::new(word.span(), unknown(&format!("`{text}`"), place, near)))
}

/// Returns all words, with their places and advice.
fn words() -> impl Iterator<Item = (&'static str, &'static [Place], &'static str)> {
    let of_types = TYPE_WORDS.iter().map(|known| (known.text, known.places, known.advice));
    let of_fields = FIELD_WORDS.iter().map(|known| (known.text, known.places, known.advice));
    of_types.chain(of_fields)
}

fn words_of(place: Place) -> impl Iterator<Item = &'static str> {
    words().filter(move |(_, places, _)| places.contains(&place)).map(|(word, ..)| word)
}

fn unknown(what: &str, place: Place, near: Option<&str>) -> String {
    let kind = place.kind();
    match near {
        Some(near) => format!("unknown {kind} attribute {what}, did you mean `{near}`?"),
        None => {
            let words: Vec<_> = words_of(place).map(|word| format!("`{word}`")).collect();
            format!("unknown {kind} attribute {what}, expected one of {}", words.join(", "))
        }
    }
}

/// Parses a string literal after `word =`.
fn text(word: &Ident, meta: &ParseNestedMeta<'_>, example: &str) -> syn::Result<LitStr> {
    match literal(word, meta, "a string literal", example)? {
        Lit::Str(text) => Ok(text),
        other => Err(not_a(&other, word, "a string literal", example)),
    }
}

/// Parses an integer literal after `word =`.
fn number(word: &Ident, meta: &ParseNestedMeta<'_>, example: &str) -> syn::Result<LitInt> {
    match literal(word, meta, "an integer literal", example)? {
        Lit::Int(number) => Ok(number),
        other => Err(not_a(&other, word, "an integer literal", example)),
    }
}

fn literal(
    word: &Ident,
    meta: &ParseNestedMeta<'_>,
    what: &str,
    example: &str,
) -> syn::Result<Lit> {
    let input = value(word, meta, example)?;
    if input.peek(Lit) {
        return input.parse();
    }
    match input.fork().parse::<TokenTree>() {
        Ok(token) => Err(not_a(token, word, what, example)),
        Err(_) => Err(input.error(format_args!("`{word}` needs a value: `{example}`"))),
    }
}

/// Parses a path after `word =`.
fn path(word: &Ident, meta: &ParseNestedMeta<'_>, example: &str) -> syn::Result<Path> {
    let input = value(word, meta, example)?;
    if input.peek(Lit) {
        let literal: Lit = input.fork().parse()?;
        return Err(syn::Error::new(
            literal.span(),
            format_args!("`{word}` takes a path, written without quotes: `{example}`"),
        ));
    }
    let refused = |error: syn::Error| {
        syn::Error::new(
            error.span(),
            format_args!("`{word}` takes a path and no other expression: `{example}`"),
        )
    };
    input.call(Path::parse_mod_style).map_err(refused)
}

fn value<'a>(
    word: &Ident,
    meta: &ParseNestedMeta<'a>,
    example: &str,
) -> syn::Result<ParseStream<'a>> {
    if at_end_of_item(meta.input) || !meta.input.peek(Token![=]) {
        let message = format_args!("`{word}` needs a value: `{example}`");
        return Err(syn::Error::new(word.span(), message));
    }
    meta.value()
}

fn not_a(tokens: impl ToTokens, word: &Ident, what: &str, example: &str) -> syn::Error {
    syn::Error::new_spanned(tokens, format_args!("`{word}` takes {what}: `{example}`"))
}

fn at_end_of_item(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

fn skip_item(input: ParseStream<'_>) -> syn::Result<()> {
    while !at_end_of_item(input) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
