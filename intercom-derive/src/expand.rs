//! Writes the implementations.
//!
//! Every use of a field's type is `<Type as Trait>::…`, with spans from the type's first token to
//! its last. So the compiler reports a type that is no value once, with the caret under the whole
//! type.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{LitInt, Path};

use crate::foreign::value_trait;
use crate::generics::{with_bounds, without_lifetimes};
use crate::model::{
    Convert, Field, Input, Key, Record, Role, Target, TypeTokens, Usage, inside_option,
};
use crate::rules::{DEFAULT_MAX_KEYS, fold, is_date_key, is_stripe_key};

pub(crate) fn expand(input: &Input<'_>) -> TokenStream {
    wrap(
        input.krate.as_ref(),
        match input.target {
            Target::Event => event(input),
            Target::Group => group(input),
        },
    )
}

/// Wraps the output in a scope where its names meet no others.
pub(crate) fn wrap(krate: Option<&Path>, output: TokenStream) -> TokenStream {
    let krate = match krate {
        Some(path) => quote!(#path),
        None => quote!(::intercom_core),
    };
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_imports, unused_qualifications)]
        const _: () = {
            use #krate::__private_0_1_0::{self as __p, FieldDescription::Key as __K, MetadataValue as __V};
            #output
        };
    }
}

fn event(input: &Input<'_>) -> TokenStream {
    let ident = &input.original.ident;
    let generics = with_bounds(&input.original.generics, bounds(input));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let checks = input.records.iter().map(checks);
    let events = input.records.iter().map(description);
    let also = also(input);
    // A struct has one description, which is the trait's default.
    let is_enum = input.records.iter().any(|record| record.is_variant);
    let index = is_enum.then(|| event_index(input));
    let metadata = metadata(input);
    let contact = input.records.iter().any(Record::names_contact).then(|| contact(input));
    let created_at = input.records.iter().any(|record| record.role(Role::CreatedAt).is_some());
    let created_at = created_at.then(|| created_at_method(input));
    let identified = contact.is_some().then(|| {
        quote! {
            #[automatically_derived]
            impl #impl_generics __p::IdentifiedEvent for #ident #ty_generics #where_clause {}
        }
    });
    quote! {
        #(#checks)*

        #[automatically_derived]
        impl #impl_generics __p::IntercomEvent for #ident #ty_generics #where_clause {
            const EVENTS: &'static [__p::EventDescription] = &[#(#events),*];

            #also
            #index

            #[inline]
            fn encode_metadata(&self, __out: &mut __p::MetadataEncoder<'_>) {
                #metadata
            }

            #contact
            #created_at
        }

        #identified
    }
}

fn event_index(input: &Input<'_>) -> TokenStream {
    let arms = input.records.iter().enumerate().map(|(index, record)| {
        let pattern = pattern(record, |_| false);
        quote!(#pattern => #index)
    });
    quote! {
        #[inline]
        fn event_index(&self) -> usize {
            match self { #(#arms),* }
        }
    }
}

/// Writes the descriptions of the functions that `also` names, and the method that runs them.
fn also(input: &Input<'_>) -> TokenStream {
    if input.records.iter().all(|record| record.also.is_empty()) {
        return TokenStream::new();
    }
    let descriptions = input.records.iter().flat_map(|record| {
        let name = &record.name;
        record.also.iter().map(move |path| {
            quote_spanned! {path.span()=>
                __p::describe::<Self, _, _>(#name, __p::Gives::EVENTS, &|__event| #path(__event))
            }
        })
    });
    // The names get their spans here, as in `through_self`.
    let (this, out) = (quote!(self), quote!(__out));
    let derive = by_record(input, |record| {
        let pattern = pattern(record, |_| false);
        let derive = record.also.iter().map(|path| {
            quote_spanned! {path.span()=>
                __p::derive::<Self, _, _>(
                    #this, #out, __p::Gives::EVENTS, &|__event| #path(__event)
                );
            }
        });
        quote!(#pattern => { #(#derive)* })
    });
    quote! {
        const ALSO: &'static [__p::AlsoDescription] = &[#(#descriptions),*];

        fn derive_events(&self, __out: &mut __p::DerivedEvents<'_>) {
            #derive
        }
    }
}

fn group(input: &Input<'_>) -> TokenStream {
    let ident = &input.original.ident;
    let generics = with_bounds(&input.original.generics, bounds(input));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let checks = input.records.iter().map(group_checks);
    let fields =
        input.records.iter().flat_map(|record| record.fields.iter().filter_map(field_description));
    let metadata = metadata(input);
    let name = ident.unraw().to_string();
    quote! {
        #(#checks)*

        #[automatically_derived]
        impl #impl_generics __p::EventMetadata for #ident #ty_generics #where_clause {
            const GROUP: __p::GroupDescription =
                __p::group_description(#name, &[#(#fields),*]);

            #[inline]
            fn encode_metadata(&self, __out: &mut __p::MetadataEncoder<'_>) {
                #metadata
            }
        }
    }
}

/// Writes all fields: through `self` for a struct, through pattern bindings for an enum.
fn metadata(input: &Input<'_>) -> TokenStream {
    if let [record] = &input.records[..]
        && !record.is_variant
    {
        return record.fields.iter().map(|field| encode(field, &through_self(field))).collect();
    }
    by_record(input, |record| {
        let pattern =
            pattern(record, |usage| matches!(usage, Usage::Flatten | Usage::Value { .. }));
        let statements =
            record.fields.iter().map(|field| encode(field, &binding(field).into_token_stream()));
        quote!(#pattern => { #(#statements)* })
    })
}

/// Writes a `match` over the struct or the variants.
fn by_record(input: &Input<'_>, arm: impl Fn(&Record<'_>) -> TokenStream) -> TokenStream {
    let arms = input.records.iter().map(arm);
    quote!(match self { #(#arms),* })
}

/// Writes the pattern that binds the fields of the wanted usage.
fn pattern(record: &Record<'_>, wanted: impl Fn(&Usage) -> bool) -> TokenStream {
    let bound = record.fields.iter().filter(|field| wanted(&field.usage)).map(|field| {
        let (ident, binding) = (field.ident, binding(field));
        quote!(#ident: #binding,)
    });
    let path = if record.is_variant {
        let variant = record.ident;
        quote!(Self::#variant)
    } else {
        quote!(Self)
    };
    quote!(#path { #(#bound)* .. })
}

/// Returns the name that a pattern gives a field.
fn binding(field: &Field<'_>) -> Ident {
    format_ident!("field_{}", field.ident.unraw(), span = use_span(field))
}

/// Writes a reference to a field of a struct. `self` needs a span from here, because the type's
/// tokens may be a macro's argument. The parentheses carry the field's span.
fn through_self(field: &Field<'_>) -> TokenStream {
    let (this, ident) = (quote!(self), field.ident);
    quote_spanned!(use_span(field)=> &(#this.#ident))
}

/// Returns the span for a mistake in the use of a field.
fn use_span(field: &Field<'_>) -> Span {
    match &field.usage {
        Usage::Value { convert: Convert::With(path), .. } => path.span(),
        _ => field.ty.first,
    }
}

/// Writes `<ty as of>::item`, with spans from the type's first token to its last.
fn item(ty: &TypeTokens, of: TokenStream, item: &str) -> TokenStream {
    let TypeTokens { tokens, first, last, .. } = ty;
    let item = Ident::new(item, *last);
    let open = quote_spanned!(*first=> <);
    quote_spanned!(*last=> #open #tokens as #of>::#item)
}

/// Writes a call of such a function.
fn call(ty: &TypeTokens, function: TokenStream, arguments: TokenStream) -> TokenStream {
    quote_spanned!(ty.last=> #function(#arguments))
}

/// Returns a key in wire form, after a comma. No key needs escaping: see `rules`.
fn member(key: &Key) -> String {
    format!(",\"{}\":", key.text)
}

/// Writes the statement that encodes a field, given a reference to the field.
fn encode(field: &Field<'_>, value: &TokenStream) -> TokenStream {
    // The name gets its span here, as in `through_self`.
    let (ty, out) = (&field.ty, quote!(__out));
    match &field.usage {
        Usage::Skip | Usage::Role(..) => TokenStream::new(),
        Usage::Flatten => {
            let encode = item(ty, quote!(__p::EventMetadata), "encode_metadata");
            let call = call(ty, encode, quote!(#value, #out));
            quote!(#call;)
        }
        Usage::Value { key, convert, truncate, .. } => {
            let (member, method) = (member(key), method(key, truncate.is_some()));
            match convert {
                Convert::None => {
                    let value_trait = value_trait(ty.krate, method.foreign);
                    let encode = item(ty, value_trait, method.name);
                    let call = call(ty, encode, quote!(#value, #out, #member));
                    quote!(#call;)
                }
                Convert::Display(_) => {
                    let method = Ident::new(method.name, ty.first);
                    let inner = inner_type(field);
                    let value = match inside_option(field.ty()) {
                        Some(_) => quote!(__p::core::option::Option::as_ref(#value)),
                        None => quote!(__p::core::option::Option::Some(#value)),
                    };
                    quote_spanned! {ty.first=>
                        __V::#method(&__p::display::<#inner>(#value), #out, #member);
                    }
                }
                Convert::With(path) => {
                    let method = Ident::new(method.name, path.span());
                    let converted = match inside_option(field.ty()) {
                        Some(_) => {
                            map_option(path, quote!(__p::core::option::Option::as_ref(#value)))
                        }
                        None => quote_spanned!(path.span()=> #path(#value)),
                    };
                    quote_spanned! {path.span()=>
                        __V::#method(&#converted, #out, #member);
                    }
                }
            }
        }
    }
}

/// Applies a function to the value in an `Option`. The call site expects a reference, so deref
/// coercion lets `str::trim` take a `String`. `Option::map` would not coerce.
fn map_option(path: &Path, option: TokenStream) -> TokenStream {
    quote_spanned! {path.span()=>
        match #option {
            __p::core::option::Option::Some(__value) => {
                __p::core::option::Option::Some(#path(__value))
            }
            __p::core::option::Option::None => __p::core::option::Option::None,
        }
    }
}

/// Returns the method that writes a value under a key, and the bound on the value's kind.
fn method(key: &Key, truncate: bool) -> Method {
    if truncate {
        Method { name: "__truncated", kinds: "Truncate", foreign: "Truncated" }
    } else if is_date_key(&key.text) {
        Method { name: "__date", kinds: "DateKey", foreign: "Date" }
    } else if is_stripe_key(&key.text) {
        Method { name: "__stripe", kinds: "StripeKey", foreign: "Stripe" }
    } else {
        Method { name: "__plain", kinds: "PlainKey", foreign: "Plain" }
    }
}

/// A method that writes a value, the bound on the value's kind, and its trait in `foreign`.
struct Method {
    name: &'static str,
    kinds: &'static str,
    foreign: &'static str,
}

/// Returns the type to display or convert: the field's, or the one in its `Option`.
fn inner_type(field: &Field<'_>) -> TokenStream {
    match inside_option(field.ty()) {
        Some(inner) => inner.to_token_stream(),
        None => field.ty.tokens.clone(),
    }
}

/// Writes the description of an event.
fn description(record: &Record<'_>) -> TokenStream {
    let (name, doc) = (&record.name, &record.doc);
    let folded_name = name.as_ref().map(|name| fold(&name.value()));
    let roles = Role::ALL.iter().filter(|role| record.role(**role).is_some()).map(|role| {
        let role = Ident::new(role.name(), Span::call_site());
        quote!(__p::Role::#role)
    });
    let was = match &record.was {
        Some(was) => quote!(__p::core::option::Option::Some(#was)),
        None => quote!(__p::core::option::Option::None),
    };
    let fields = record.fields.iter().filter_map(field_description);
    let max_keys = match max_keys(record) {
        Some(literal) => quote!(#literal),
        None => quote!(#DEFAULT_MAX_KEYS),
    };
    quote! {
        __p::event_description(
            #name,
            #folded_name,
            #doc,
            &[#(#fields),*],
            #max_keys,
            &[#(#roles),*],
            #was,
        )
    }
}

/// Returns the written limit without its suffix, because the limit is a `usize`.
fn max_keys(record: &Record<'_>) -> Option<LitInt> {
    let literal = record.max_keys.as_ref()?;
    Some(LitInt::new(literal.base10_digits(), literal.span()))
}

fn field_description(field: &Field<'_>) -> Option<TokenStream> {
    let (ty, doc) = (&field.ty, &field.doc);
    match &field.usage {
        Usage::Skip | Usage::Role(..) => None,
        Usage::Flatten => {
            let group = item(ty, quote!(__p::EventMetadata), "GROUP");
            Some(quote!(__p::FieldDescription::Group(#group)))
        }
        Usage::Value { key, convert, truncate, sensitive } => {
            let foreign = method(key, truncate.is_some()).foreign;
            let key = &key.text;
            let value = match convert {
                Convert::None => item(ty, value_trait(ty.krate, foreign), "__DESCRIPTION"),
                Convert::Display(_) => {
                    let optional = inside_option(field.ty()).is_some();
                    quote!(__p::text_description(#optional))
                }
                Convert::With(path) => {
                    let inner = inner_type(field);
                    let converted = quote_spanned!(path.span()=> #path(__field));
                    let converted = match inside_option(field.ty()) {
                        Some(_) => quote!(__p::core::option::Option::Some(#converted)),
                        None => converted,
                    };
                    quote_spanned! {path.span()=>
                        __p::converted::<#inner, _, _>(__V::__DESCRIPTION_OF, &|__field| #converted)
                    }
                }
            };
            let truncated = truncate.is_some().then(|| quote!(.__truncated()));
            let sensitive = sensitive.then(|| quote!(.__sensitive()));
            Some(quote!(__K(#key, #doc, #value #truncated #sensitive)))
        }
    }
}

/// Writes the checks that need the keys of flattened groups, as constants.
fn checks(record: &Record<'_>) -> TokenStream {
    let Some(last) = record.fields.iter().rfind(|field| matches!(field.usage, Usage::Flatten))
    else {
        return TokenStream::new();
    };
    let (name, distinct) = (&record.name, distinct(record));
    let (span, max_keys) = match max_keys(record) {
        Some(literal) => (literal.span(), quote!(__p::core::option::Option::Some(#literal))),
        None => (last.ty.first, quote!(__p::core::option::Option::None)),
    };
    let count = quote_spanned! {span=>
        const _: () = __p::count_is_allowed(#name, __PARTS, #max_keys);
    };
    quote!(const _: () = { #distinct #count };)
}

fn group_checks(record: &Record<'_>) -> TokenStream {
    if !record.has_flatten() {
        return TokenStream::new();
    }
    let distinct = distinct(record);
    quote!(const _: () = { #distinct };)
}

/// Writes the keys of the fields, and a check for each flattened group, at the group's type.
fn distinct(record: &Record<'_>) -> TokenStream {
    let (mut parts, mut checks) = (Vec::new(), Vec::new());
    for field in &record.fields {
        match &field.usage {
            Usage::Skip | Usage::Role(..) => {}
            Usage::Value { key, .. } => {
                let key = &key.text;
                parts.push(quote!(__p::Part::Key(#key)));
            }
            Usage::Flatten => {
                let (span, ty) = (field.ty.first, without_lifetimes(field.ty()));
                let at = parts.len();
                checks.push(quote_spanned! {span=>
                    const _: () = __p::group_is_distinct(__PARTS, #at);
                });
                parts.push(quote_spanned! {span=>
                    __p::Part::Group(<#ty as __p::EventMetadata>::GROUP)
                });
            }
        }
    }
    quote! {
        const __PARTS: &[__p::Part] = &[#(#parts),*];
        #(#checks)*
    }
}

fn contact(input: &Input<'_>) -> TokenStream {
    let contact = by_record(input, |record| {
        let is_contact =
            |usage: &Usage| matches!(usage, Usage::Role(role, _) if Role::CONTACT.contains(role));
        let pattern = pattern(record, is_contact);
        let identifiers = Role::CONTACT.map(|role| role_value(record, role));
        quote!(#pattern => __p::Contact::__from_roles(#(#identifiers),*))
    });
    quote! {
        fn event_contact(&self) -> __p::core::option::Option<__p::Contact> {
            #contact
        }
    }
}

fn created_at_method(input: &Input<'_>) -> TokenStream {
    let created_at = by_record(input, |record| {
        let pattern = pattern(record, |usage| matches!(usage, Usage::Role(Role::CreatedAt, _)));
        let time = role_value(record, Role::CreatedAt);
        quote!(#pattern => #time)
    });
    quote! {
        fn event_created_at(&self) -> __p::core::option::Option<__p::Timestamp> {
            #created_at
        }
    }
}

fn role_value(record: &Record<'_>, role: Role) -> TokenStream {
    match record.role(role) {
        None => quote!(__p::core::option::Option::None),
        Some(field) => {
            let binding = binding(field);
            call(&field.ty, item(&field.ty, role_trait(role), "get"), quote!(#binding))
        }
    }
}

fn role_trait(role: Role) -> TokenStream {
    match role {
        Role::UserId => quote!(__p::UserIdRole),
        Role::Email => quote!(__p::EmailRole),
        Role::ContactId => quote!(__p::ContactIdRole),
        Role::CreatedAt => quote!(__p::CreatedAtRole),
    }
}

/// Returns the bounds for the fields whose types mention a parameter.
fn bounds(input: &Input<'_>) -> Vec<TokenStream> {
    let fields = input.records.iter().flat_map(|record| &record.fields);
    let generic = fields.filter(|field| input.params.in_type(field.ty()));
    generic.flat_map(field_bounds).collect()
}

fn field_bounds(field: &Field<'_>) -> Vec<TokenStream> {
    let ty = field.ty();
    match &field.usage {
        Usage::Skip | Usage::Flatten => Vec::new(),
        Usage::Role(role, _) => {
            let role = role_trait(*role);
            vec![quote!(#ty: #role)]
        }
        Usage::Value { convert: Convert::With(_), .. } => Vec::new(),
        Usage::Value { convert: Convert::Display(_), .. } => {
            let inner = inner_type(field);
            vec![quote!(#inner: __p::Display)]
        }
        Usage::Value { convert: Convert::None, key, truncate, .. } => {
            let kinds = Ident::new(method(key, truncate.is_some()).kinds, Span::call_site());
            vec![quote!(#ty: __V), quote!(<#ty as __V>::Kind: __p::#kinds)]
        }
    }
}
