//! Recognizes lists, which are no values, and types of other crates that a feature of the core
//! makes values.
//!
//! The derive does not know the core's features. So it names a trait for each crate. With the
//! feature, that trait is `MetadataValue`. Without it, the trait's message names the feature.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{GenericArgument, Path, PathArguments, Type};

use crate::append::Append;

/// Appends the trait for a value of a crate's type under a key of this kind: `MetadataValue` under
/// that crate's name.
pub(crate) fn value_trait(krate: Option<&str>, kind: &str, tokens: &mut TokenStream) {
    let span = Span::call_site();
    match krate {
        Some(krate) => {
            let [krate, kind] = [krate, kind].map(|name| Ident::new(name, span));
            quote!(__p::#krate::#kind).to_tokens(tokens);
        }
        None => tokens.ident("__V", span),
    }
}

/// Returns the crate of a type, or of the type inside it, if a feature covers that crate.
pub(crate) fn krate_of(ty: &Type) -> Option<&'static str> {
    innermost(ty).and_then(krate)
}

/// Returns the crate of a type, by its name or its path.
fn krate(path: &Path) -> Option<&'static str> {
    let last = path.segments.last()?.ident.to_string();
    match last.as_str() {
        "NaiveDate" | "DateTime" | "TimeDelta" => Some("chrono"),
        "Zoned" | "SignedDuration" => Some("jiff"),
        "Decimal" => Some("rust_decimal"),
        "OffsetDateTime" | "UtcDateTime" => Some("time"),
        "Url" => Some("url"),
        "Uuid" => Some("uuid"),
        // A value under no feature: the message says what to make of a list.
        "Vec" | "VecDeque" | "HashSet" | "BTreeSet" => Some("list"),
        _ if path.segments.len() > 1 => {
            let first = path.segments.first()?.ident.to_string();
            let crates = ["chrono", "jiff", "rust_decimal", "time", "url", "uuid"];
            crates.into_iter().find(|krate| *krate == first)
        }
        _ => None,
    }
}

/// Returns the type behind references, `Option` and smart pointers, by their names.
fn innermost(ty: &Type) -> Option<&Path> {
    match ty {
        Type::Reference(reference) => innermost(&reference.elem),
        Type::Group(group) => innermost(&group.elem),
        Type::Path(path) if path.qself.is_none() => {
            let last = path.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return Some(&path.path);
            };
            match (last.ident.to_string().as_str(), arguments.args.last()) {
                ("Option" | "Box" | "Rc" | "Arc" | "Cow", Some(GenericArgument::Type(inner))) => {
                    innermost(inner)
                }
                _ => Some(&path.path),
            }
        }
        _ => None,
    }
}
