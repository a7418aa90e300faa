//! Writes the implementations.
//!
//! Every use of a field's type is `<Type as Trait>::…`, with spans from the type's first token to
//! its last. So the compiler reports a type that is no value once, with the caret under the whole
//! type.

use proc_macro2::{Delimiter, Ident, Literal, Span, TokenStream};
use quote::{ToTokens, TokenStreamExt, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{LitInt, Path};

use crate::append::Append;
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

/// Wraps the output in a scope of its own, so that its names do not collide with others.
pub(crate) fn wrap(krate: Option<&Path>, output: TokenStream) -> TokenStream {
    let krate = match krate {
        Some(path) => quote!(#path),
        None => quote!(::intercom_core),
    };
    quote! {
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
    let checks = input.records.iter().filter_map(checks);
    let descriptions = input.records.iter().map(description);
    let also = also(input);
    let is_enum = input.records.iter().any(|record| record.is_variant);
    // A struct's description is the default's one. By value it needs no constant of its own behind
    // the reference.
    let events = match is_enum {
        true => quote!(const EVENTS: &'static [__p::EventDescription] = &[#(#descriptions),*];),
        false => quote!(#(const __EVENT: __p::EventDescription = #descriptions;)*),
    };
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
        # (#checks)*

        #[automatically_derived]
        impl #impl_generics __p::IntercomEvent for #ident #ty_generics #where_clause {
            #events
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
fn also(input: &Input<'_>) -> Option<TokenStream> {
    if input.records.iter().all(|record| record.also.is_empty()) {
        return None;
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
    Some(quote! {
        const ALSO: &'static [__p::AlsoDescription] = &[#(#descriptions),*];

        fn derive_events(&self, __out: &mut __p::DerivedEvents<'_>) {
            #derive
        }
    })
}

fn group(input: &Input<'_>) -> TokenStream {
    let ident = &input.original.ident;
    let generics = with_bounds(&input.original.generics, bounds(input));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let checks = input.records.iter().map(group_checks);
    let fields: TokenStream = input.records.iter().map(fields).collect();
    let metadata = metadata(input);
    let name = ident.unraw().to_string();
    quote! {
        # (#checks)*

        #[automatically_derived]
        impl #impl_generics __p::EventMetadata for #ident #ty_generics #where_clause {
            const GROUP: __p::GroupDescription =
                __p::group_description(#name, &[#fields]);

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
        let mut statements = TokenStream::new();
        for field in &record.fields {
            encode(field, through_self, &mut statements);
        }
        return statements;
    }
    by_record(input, |record| {
        let pattern =
            pattern(record, |usage| matches!(usage, Usage::Flatten | Usage::Value { .. }));
        let mut statements = TokenStream::new();
        for field in &record.fields {
            encode(field, |field| binding(field).into_token_stream(), &mut statements);
        }
        quote!(#pattern => { #statements })
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
    let span = use_span(field);
    let mut place = TokenStream::new();
    place.ident("self", Span::call_site());
    place.punct(".", span);
    place.append(field.ident.clone());
    let mut reference = TokenStream::new();
    reference.punct("&", span);
    reference.group(Delimiter::Parenthesis, place, span);
    reference
}

/// Returns the span for a mistake in the use of a field.
fn use_span(field: &Field<'_>) -> Span {
    match &field.usage {
        Usage::Value { convert: Convert::With(path), .. } => path.span(),
        _ => field.ty.first,
    }
}

/// Appends `<ty as of>::item`, with spans from the type's first token to its last.
fn item(ty: &TypeTokens, of: impl FnOnce(&mut TokenStream), item: &str, out: &mut TokenStream) {
    let (first, last) = (ty.first, ty.last);
    out.punct("<", first);
    ty.to_tokens(out);
    out.ident("as", last);
    of(out);
    out.punct(">", last);
    out.punct("::", last);
    out.ident(item, last);
}

/// Returns a key in wire form, after a comma. No key needs escaping: see `rules`.
fn member(key: &Key) -> String {
    [",\"", &key.text, "\":"].concat()
}

/// Appends the statement that encodes a field. `value` writes a reference to the field.
fn encode(
    field: &Field<'_>,
    value: impl FnOnce(&Field<'_>) -> TokenStream,
    statements: &mut TokenStream,
) {
    // The name gets its span here, as in `through_self`.
    let (ty, out) = (&field.ty, Ident::new("__out", Span::call_site()));
    match &field.usage {
        Usage::Skip | Usage::Role(..) => {}
        Usage::Flatten => {
            item(ty, |of| quote!(__p::EventMetadata).to_tokens(of), "encode_metadata", statements);
            let mut arguments = value(field);
            arguments.punct(",", ty.last);
            arguments.append(out);
            statements.group(Delimiter::Parenthesis, arguments, ty.last);
            statements.punct(";", ty.last);
        }
        Usage::Value { key, convert, truncate, .. } => {
            let (member, method) = (member(key), method(key, truncate.is_some()));
            match convert {
                Convert::None => {
                    let of = |of: &mut _| value_trait(ty.krate, method.foreign, of);
                    item(ty, of, method.name, statements);
                    let mut arguments = value(field);
                    arguments.punct(",", ty.last);
                    arguments.append(out);
                    arguments.punct(",", ty.last);
                    arguments.append(Literal::string(&member));
                    statements.group(Delimiter::Parenthesis, arguments, ty.last);
                    statements.punct(";", ty.last);
                }
                Convert::Display(_) => {
                    let method = Ident::new(method.name, ty.first);
                    let (inner, value) = (inner_type(field), value(field));
                    let value = match inside_option(field.ty()) {
                        Some(_) => quote!(__p::core::option::Option::as_ref(#value)),
                        None => quote!(__p::core::option::Option::Some(#value)),
                    };
                    statements.extend(quote_spanned! {ty.first=>
                        __V::#method(&__p::display::<#inner>(#value), #out, #member);
                    });
                }
                Convert::With(path) => {
                    let method = Ident::new(method.name, path.span());
                    let value = value(field);
                    let converted = match inside_option(field.ty()) {
                        Some(_) => {
                            map_option(path, quote!(__p::core::option::Option::as_ref(#value)))
                        }
                        None => quote_spanned!(path.span()=> #path(#value)),
                    };
                    statements.extend(quote_spanned! {path.span()=>
                        __V::#method(&#converted, #out, #member);
                    });
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
        None => field.ty.to_token_stream(),
    }
}

/// Writes the description of an event.
fn description(record: &Record<'_>) -> TokenStream {
    let (name, doc) = (&record.name, &record.doc);
    let folded_name = name.as_ref().map(|name| fold(&name.value()));
    let fields = fields(record);
    let max_keys = match max_keys(record) {
        Some(literal) => quote!(#literal),
        None => quote!(#DEFAULT_MAX_KEYS),
    };
    let roles: Vec<_> = Role::ALL.into_iter().filter(|role| record.role(*role).is_some()).collect();
    let roles = (!roles.is_empty()).then(|| {
        let roles = roles.into_iter().map(|role| Ident::new(role.name(), Span::call_site()));
        quote!(.__with_roles(&[#(__p::Role::#roles),*]))
    });
    let was = record.was.as_ref().map(|was| quote!(.__with_earlier_name(#was)));
    quote! {
        __p::event_description(#name, #folded_name, #doc, &[#fields], #max_keys) #roles #was
    }
}

/// Returns the written limit without its suffix, because the limit is a `usize`.
fn max_keys(record: &Record<'_>) -> Option<LitInt> {
    let literal = record.max_keys.as_ref()?;
    Some(LitInt::new(literal.base10_digits(), literal.span()))
}

/// Writes the descriptions of the fields, each before a comma.
fn fields(record: &Record<'_>) -> TokenStream {
    let mut descriptions = TokenStream::new();
    for field in &record.fields {
        field_description(field, &mut descriptions);
    }
    descriptions
}

fn field_description(field: &Field<'_>, descriptions: &mut TokenStream) {
    let (ty, here) = (&field.ty, Span::call_site());
    match &field.usage {
        Usage::Skip | Usage::Role(..) => {}
        Usage::Flatten => {
            let mut group = TokenStream::new();
            item(ty, |of| quote!(__p::EventMetadata).to_tokens(of), "GROUP", &mut group);
            descriptions.extend(quote!(__p::FieldDescription::Group(#group),));
        }
        Usage::Value { key, convert, truncate, sensitive } => {
            let mut parts = TokenStream::new();
            parts.append(Literal::string(&key.text));
            parts.punct(",", here);
            parts.append(field.doc.clone());
            parts.punct(",", here);
            match convert {
                Convert::None => {
                    let foreign = method(key, truncate.is_some()).foreign;
                    let of = |of: &mut _| value_trait(ty.krate, foreign, of);
                    item(ty, of, "__DESCRIPTION", &mut parts);
                }
                Convert::Display(_) => {
                    let optional = inside_option(field.ty()).is_some();
                    parts.extend(quote!(__p::text_description(#optional)));
                }
                Convert::With(path) => {
                    let inner = inner_type(field);
                    let converted = quote_spanned!(path.span()=> #path(__field));
                    let converted = match inside_option(field.ty()) {
                        Some(_) => quote!(__p::core::option::Option::Some(#converted)),
                        None => converted,
                    };
                    parts.extend(quote_spanned! {path.span()=>
                        __p::converted::<#inner, _, _>(__V::__DESCRIPTION_OF, &|__field| #converted)
                    });
                }
            }
            if truncate.is_some() {
                parts.extend(quote!(.__truncated()));
            }
            if *sensitive {
                parts.extend(quote!(.__sensitive()));
            }
            descriptions.ident("__K", here);
            descriptions.group(Delimiter::Parenthesis, parts, here);
            descriptions.punct(",", here);
        }
    }
}

/// Writes the checks that need the keys of flattened groups, as constants.
fn checks(record: &Record<'_>) -> Option<TokenStream> {
    let last = record.fields.iter().rfind(|field| matches!(field.usage, Usage::Flatten))?;
    let (name, distinct) = (&record.name, distinct(record));
    let (span, max_keys) = match max_keys(record) {
        Some(literal) => (literal.span(), quote!(__p::core::option::Option::Some(#literal))),
        None => (last.ty.first, quote!(__p::core::option::Option::None)),
    };
    let count = quote_spanned! {span=>
        const _: () = __p::count_is_allowed(#name, __PARTS, #max_keys);
    };
    Some(quote!(const _: () = { #distinct #count };))
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
        # (#checks)*
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
            let mut value = TokenStream::new();
            item(&field.ty, |of| role_trait(role).to_tokens(of), "get", &mut value);
            let binding = binding(field).into_token_stream();
            value.group(Delimiter::Parenthesis, binding, field.ty.last);
            value
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
