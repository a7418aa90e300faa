//! Finds the types that mention a generic parameter, and adds their bounds.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericParam, Generics, WherePredicate, parse_quote};

/// The type and constant parameters of an input.
pub(crate) struct Params(Vec<Ident>);

impl Params {
    pub(crate) fn of(generics: &Generics) -> Self {
        let params = generics.params.iter().filter_map(|param| match param {
            GenericParam::Type(param) => Some(param.ident.clone()),
            GenericParam::Const(param) => Some(param.ident.clone()),
            GenericParam::Lifetime(_) => None,
        });
        Params(params.collect())
    }

    pub(crate) fn in_type(&self, ty: &impl ToTokens) -> bool {
        fn mention(tokens: TokenStream, params: &[Ident]) -> bool {
            tokens.into_iter().any(|token| match token {
                TokenTree::Ident(ident) => params.contains(&ident),
                TokenTree::Group(group) => mention(group.stream(), params),
                TokenTree::Punct(_) | TokenTree::Literal(_) => false,
            })
        }
        !self.0.is_empty() && mention(ty.to_token_stream(), &self.0)
    }
}

/// Adds the bounds of the types that mention a parameter.
pub(crate) fn with_bounds(generics: &Generics, bounds: Vec<TokenStream>) -> Generics {
    let mut generics = generics.clone();
    if !bounds.is_empty() {
        let predicates = bounds.iter().map(|bound| -> WherePredicate { parse_quote!(#bound) });
        generics.make_where_clause().predicates.extend(predicates);
    }
    generics
}

/// Returns the type with its lifetimes inferred, for a place where none of them is in scope.
pub(crate) fn without_lifetimes(ty: &impl ToTokens) -> TokenStream {
    fn replace(tokens: TokenStream) -> TokenStream {
        let mut after_quote = false;
        let replaced = tokens.into_iter().map(|token| {
            let in_lifetime = std::mem::take(&mut after_quote);
            match token {
                TokenTree::Ident(ident) if in_lifetime => Ident::new("_", ident.span()).into(),
                TokenTree::Punct(punct) => {
                    after_quote = punct.as_char() == '\'';
                    punct.into()
                }
                TokenTree::Group(group) => {
                    let mut inner =
                        proc_macro2::Group::new(group.delimiter(), replace(group.stream()));
                    inner.set_span(group.span());
                    inner.into()
                }
                other => other,
            }
        });
        replaced.collect()
    }
    replace(ty.to_token_stream())
}
