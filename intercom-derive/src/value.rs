//! `#[derive(MetadataValue)]`: a newtype as its inner value, an enum of unit variants as text.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Fields, Index, Path, Type};

use crate::attr::{FieldAttrs, Place, TypeAttrs};
use crate::errors::Errors;
use crate::expand::wrap;
use crate::generics::{Params, with_bounds};
use crate::model::Key;
use crate::rules::MAX_TEXT_CHARS;
use crate::serde;

/// The input, as far as it is valid.
pub(crate) struct Value<'a> {
    pub(crate) original: &'a DeriveInput,
    krate: Option<Path>,
    pub(crate) shape: Option<Shape<'a>>,
}

pub(crate) enum Shape<'a> {
    Newtype { at: usize, field: &'a syn::Field, span: Span },
    Enum { ruled: bool, variants: Vec<Variant<'a>> },
}

/// A variant, and its text.
pub(crate) struct Variant<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) attrs: &'a [Attribute],
    pub(crate) text: Key,
}

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let errors = Errors::new();
    let value = Value::from_syn(input, &errors);
    serde::check_value(&value, &errors);
    match errors.finish() {
        Ok(()) => wrap(value.krate.as_ref(), value.expand()),
        Err(error) => {
            let (mistakes, inert) = (error.to_compile_error(), value.inert());
            let inert = wrap(value.krate.as_ref(), inert);
            quote!(#mistakes #inert)
        }
    }
}

impl<'a> Value<'a> {
    fn from_syn(original: &'a DeriveInput, errors: &Errors) -> Self {
        let place = match &original.data {
            Data::Enum(_) => Place::ValueEnum,
            _ => Place::Newtype,
        };
        let attrs = TypeAttrs::read(&original.attrs, place, errors);
        let shape = match &original.data {
            Data::Struct(data) => newtype(&original.ident, &data.fields, errors),
            Data::Enum(data) => Some(unit_enum(&original.ident, data, &attrs, errors)),
            Data::Union(data) => {
                errors.at(data.union_token, "a union has no definite value to send");
                None
            }
        };
        Value { original, krate: attrs.krate.value().cloned(), shape }
    }

    fn expand(&self) -> TokenStream {
        match &self.shape {
            Some(Shape::Newtype { at, field, span }) => self.expand_newtype(*at, &field.ty, *span),
            Some(Shape::Enum { variants, .. }) => self.expand_enum(variants),
            None => TokenStream::new(),
        }
    }

    fn expand_newtype(&self, at: usize, inner: &Type, span: Span) -> TokenStream {
        let (ident, generics) = (&self.original.ident, &self.original.generics);
        let ty = &located_at(span, inner.to_token_stream());
        let is_generic = Params::of(generics).in_type(inner);
        let bounds = is_generic.then(|| quote!(#ty: __V));
        let bounded = with_bounds(generics, bounds.into_iter().collect());
        let (impl_generics, ty_generics, where_clause) = bounded.split_for_impl();
        let at = Index::from(at);
        let value = quote_spanned! {span=>
            type Kind = <#ty as __V>::Kind;

            const OPTIONAL: __p::bool = <#ty as __V>::OPTIONAL;

            const TEXTS: &'static [&'static __p::str] = <#ty as __V>::TEXTS;

            #[inline]
            fn encode(
                &self,
                __encoder: __p::ValueEncoder<'_, <#ty as __V>::Kind>,
            ) -> __p::core::result::Result<__p::Written, __p::ValueError> {
                <#ty as __V>::encode(&self.#at, __encoder)
            }
        };
        let roles = [
            ("ToUserId", "to_user_id", quote!(__p::Arc<__p::str>)),
            ("ToEmail", "to_email", quote!(__p::Arc<__p::str>)),
            ("ToContactId", "to_contact_id", quote!(__p::Arc<__p::str>)),
            ("ToTimestamp", "to_timestamp", quote!(__p::Timestamp)),
        ];
        let roles = roles.map(|(role, method, out)| {
            let [role, method] = [role, method].map(|name| Ident::new(name, ident.span()));
            // The lifetime delays the bound: the compiler checks it at each use of the type.
            let bound = quote!(for<'__value> &'__value #ty: __p::#role);
            let bounded = with_bounds(generics, vec![bound]);
            let (impl_generics, ty_generics, where_clause) = bounded.split_for_impl();
            quote! {
                #[automatically_derived]
                impl #impl_generics __p::#role for #ident #ty_generics #where_clause {
                    fn #method(&self) -> #out {
                        __p::#role::#method(&&self.#at)
                    }
                }
            }
        });
        quote! {
            #[automatically_derived]
            impl #impl_generics __V for #ident #ty_generics #where_clause {
                #value
            }

            # (#roles)*
        }
    }

    fn expand_enum(&self, variants: &[Variant<'_>]) -> TokenStream {
        let (ident, generics) = (&self.original.ident, &self.original.generics);
        let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
        let texts = variants.iter().map(|variant| &variant.text.text);
        let arms = variants.iter().map(|Variant { ident, text, .. }| {
            let text = &text.text;
            quote!(Self::#ident { .. } => #text)
        });
        quote! {
            #[automatically_derived]
            impl #impl_generics __V for #ident #ty_generics #where_clause {
                type Kind = __p::kind::Text;

                const TEXTS: &'static [&'static __p::str] = &[#(#texts),*];

                #[inline]
                fn encode(
                    &self,
                    __encoder: __p::ValueEncoder<'_, __p::kind::Text>,
                ) -> __p::core::result::Result<__p::Written, __p::ValueError> {
                    __p::ValueEncoder::text(__encoder, match self { #(#arms),* })
                }
            }
        }
    }

    /// Writes an inert implementation beside the mistakes, so that no use of the type repeats them.
    fn inert(&self) -> TokenStream {
        let ident = &self.original.ident;
        let (impl_generics, ty_generics, where_clause) = self.original.generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #impl_generics __V for #ident #ty_generics #where_clause {
                type Kind = __p::kind::Text;

                fn encode(
                    &self,
                    __encoder: __p::ValueEncoder<'_, __p::kind::Text>,
                ) -> __p::core::result::Result<__p::Written, __p::ValueError> {
                    __p::ValueEncoder::absent(__encoder)
                }
            }
        }
    }
}

/// Returns the one field to send. A `PhantomData` beside it does not count.
fn newtype<'a>(ident: &'a Ident, fields: &'a Fields, errors: &Errors) -> Option<Shape<'a>> {
    match fields {
        Fields::Unnamed(unnamed) => {
            let mut sent =
                unnamed.unnamed.iter().enumerate().filter(|(_, field)| !is_phantom(&field.ty));
            match (sent.next(), sent.next()) {
                (Some((at, field)), None) => {
                    for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("event")) {
                        errors.at(
                            attr,
                            "a newtype sends its inner value, and takes no attribute: implement \
                             `MetadataValue` by hand to send another",
                        );
                    }
                    let span = unnamed.paren_token.span.join();
                    return Some(Shape::Newtype { at, field, span });
                }
                _ => errors.at(
                    unnamed,
                    "a newtype has one field, and sends it: for another value, implement \
                     `MetadataValue` by hand",
                ),
            }
        }
        Fields::Named(_) => errors.at(
            ident,
            "a struct with named fields is a group of keys, not one value: derive `EventMetadata` \
             and mark the field with `#[event(flatten)]`, or make it a newtype",
        ),
        Fields::Unit => errors.at(ident, "a unit struct has no value to send: make it a newtype"),
    }
    None
}

/// Returns the same tokens with one span. The compiler checks the type in several places of the
/// expansion, and merges errors that share a span.
fn located_at(span: Span, tokens: TokenStream) -> TokenStream {
    let moved = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            let mut moved = Group::new(group.delimiter(), located_at(span, group.stream()));
            moved.set_span(group.span());
            token = moved.into();
        }
        token.set_span(token.span().located_at(span));
        token
    });
    moved.collect()
}

fn is_phantom(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "PhantomData")
}

fn unit_enum<'a>(
    ident: &Ident,
    data: &'a syn::DataEnum,
    attrs: &TypeAttrs,
    errors: &Errors,
) -> Shape<'a> {
    if data.variants.is_empty() {
        errors.at(ident, "an enum without variants has no value to send");
    }
    let rule = attrs.rename_all.value().copied();
    let variant = |variant: &'a syn::Variant| {
        let attrs = FieldAttrs::read(&variant.attrs, Place::ValueVariant, errors);
        if !variant.fields.is_empty() {
            errors.at(
                &variant.fields,
                "a value is flat, and this variant holds more than its name: remove its fields, or \
                 implement `MetadataValue` by hand",
            );
        }
        let text = match attrs.rename.value() {
            Some(literal) => Key::renamed(literal),
            None => {
                let name = variant.ident.unraw().to_string();
                let text = match rule {
                    Some(rule) => rule.apply_to_variant(&name),
                    None => name,
                };
                Key { text, span: variant.ident.span(), renamed: false, role: None }
            }
        };
        let chars = text.text.chars().count();
        if chars > MAX_TEXT_CHARS {
            errors.push(syn::Error::new(
                text.span,
                format_args!(
                    "this text has {chars} characters, and Intercom takes \
                              {MAX_TEXT_CHARS}: shorten it"
                ),
            ));
        }
        Variant { ident: &variant.ident, attrs: &variant.attrs, text }
    };
    Shape::Enum { ruled: rule.is_some(), variants: data.variants.iter().map(variant).collect() }
}
