//! Tells types of other crates that are values under a feature of the core.
//!
//! The derive does not know which features the core has. It names a trait for each crate, which is `MetadataValue` itself
//! under the feature, and tells of the feature without it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{GenericArgument, Path, PathArguments, Type};

/// The trait that a value of a crate's type has under a key of this kind: `MetadataValue`, by the name that it has for that
/// crate.
pub(crate) fn value_trait(krate: Option<&str>, kind: &str) -> TokenStream {
    match krate {
        Some(krate) => {
            let [krate, kind] = [krate, kind].map(|name| Ident::new(name, Span::call_site()));
            quote!(__p::#krate::#kind)
        }
        None => quote!(__V),
    }
}

/// The crate that a type is from, or the type in it, if it is one of those that have a feature.
pub(crate) fn krate_of(ty: &Type) -> Option<&'static str> {
    innermost(ty).and_then(krate)
}

/// The crate that a type is from, told by its name or by its path.
fn krate(path: &Path) -> Option<&'static str> {
    let last = path.segments.last()?.ident.to_string();
    match last.as_str() {
        "NaiveDate" | "DateTime" | "TimeDelta" => Some("chrono"),
        "Zoned" | "SignedDuration" => Some("jiff"),
        "Decimal" => Some("rust_decimal"),
        "OffsetDateTime" | "UtcDateTime" => Some("time"),
        "Url" => Some("url"),
        "Uuid" => Some("uuid"),
        _ if path.segments.len() > 1 => {
            let first = path.segments.first()?.ident.to_string();
            let crates = ["chrono", "jiff", "rust_decimal", "time", "url", "uuid"];
            crates.into_iter().find(|krate| *krate == first)
        }
        _ => None,
    }
}

/// The type behind references, in `Option` and in smart pointers, told by their names.
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
