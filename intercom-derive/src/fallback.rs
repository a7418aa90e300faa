//! Writes inert implementations beside the mistakes.
//!
//! The program does not compile, so they never run. They keep the type an event, so that no call
//! site repeats the mistakes.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::wrap;
use crate::model::{Input, Target};

pub(crate) fn expand(input: &Input<'_>, error: &syn::Error) -> TokenStream {
    let mistakes = error.to_compile_error();
    let ident = &input.original.ident;
    let (impl_generics, ty_generics, where_clause) = input.original.generics.split_for_impl();
    let inert = match input.target {
        Target::Event => quote! {
            #[automatically_derived]
            impl #impl_generics __p::IntercomEvent for #ident #ty_generics #where_clause {
                const EVENTS: &'static [__p::EventDescription] = &[];

                fn event_name(&self) -> __p::EventName {
                    __p::core::unreachable!()
                }

                fn encode_metadata(&self, _: &mut __p::MetadataEncoder<'_>) {}
            }

            #[automatically_derived]
            impl #impl_generics __p::IdentifiedEvent for #ident #ty_generics #where_clause {}
        },
        Target::Group => quote! {
            #[automatically_derived]
            impl #impl_generics __p::EventMetadata for #ident #ty_generics #where_clause {
                const GROUP: __p::GroupDescription = __p::group_description("", &[]);

                fn encode_metadata(&self, _: &mut __p::MetadataEncoder<'_>) {}
            }
        },
    };
    let inert = wrap(input.krate.as_ref(), inert);
    quote!(#mistakes #inert)
}
