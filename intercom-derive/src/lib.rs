#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod append;
mod attr;
mod catalogue;
mod errors;
mod expand;
mod fallback;
mod foreign;
mod generics;
mod model;
mod rename;
mod rules;
mod serde;
#[cfg(test)]
mod snapshots;
mod validate;
mod value;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use model::Target;

#[expect(missing_docs, reason = "intercom-core documents it, where its examples compile")]
#[proc_macro_derive(IntercomEvent, attributes(event))]
pub fn derive_intercom_event(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), Target::Event).into()
}

#[expect(missing_docs, reason = "intercom-core documents it, where its examples compile")]
#[proc_macro_derive(EventMetadata, attributes(event))]
pub fn derive_event_metadata(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), Target::Group).into()
}

#[expect(missing_docs, reason = "intercom-core documents it, where its examples compile")]
#[proc_macro_derive(MetadataValue, attributes(event))]
pub fn derive_metadata_value(input: TokenStream) -> TokenStream {
    value::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// The core's `catalogue!` calls this.
#[doc(hidden)]
#[proc_macro]
pub fn __catalogue(input: TokenStream) -> TokenStream {
    catalogue::expand(&parse_macro_input!(input as catalogue::CatalogueInput)).into()
}

fn derive(input: &DeriveInput, target: Target) -> proc_macro2::TokenStream {
    let errors = errors::Errors::new();
    let model = model::Input::from_syn(input, target, &errors);
    validate::validate(&model, &errors);
    serde::check(&model, &errors);
    match errors.finish() {
        Ok(()) => expand::expand(&model),
        Err(error) => fallback::expand(&model, &error),
    }
}
