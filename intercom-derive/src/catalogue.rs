//! Expands `catalogue!`: a static list of the events that a program can send.
//!
//! This is a procedural macro so that each error points at the wrong line. The core's macro of the
//! same name passes its own path first, so that the expansion works under any name of the core.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, LitInt, Path, Token, Type, Visibility, parenthesized};

use crate::errors::Errors;
use crate::model::doc;

/// The most event names that an Intercom workspace can have.
const MAX_BUDGET: usize = 120;

/// A whole catalogue.
pub(crate) struct CatalogueInput {
    krate: TokenStream,
    attrs: Vec<Attribute>,
    budget: Option<LitInt>,
    vis: Visibility,
    ident: Ident,
    lines: Vec<Line>,
}

/// A line of a catalogue.
enum Line {
    Type(Type),
    Catalogue(Path),
}

impl Parse for CatalogueInput {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let krate;
        parenthesized!(krate in input);
        let krate = krate.parse()?;
        let (attrs, budget) = attributes(input)?;
        let vis = input.parse()?;
        if input.peek(Token![const]) {
            return Err(
                input.error("a catalogue is a `static`: write `static` in place of `const`")
            );
        }
        input.parse::<Token![static]>()?;
        let ident: Ident = input.parse()?;
        input.parse::<Token![:]>()?;
        let mut lines = Vec::new();
        while !input.is_empty() && !input.peek(Token![;]) {
            lines.push(line(input)?);
            if input.is_empty() || input.peek(Token![;]) {
                break;
            }
            if input.peek(Token![=]) {
                return Err(input.error(
                    "a catalogue has no value: list types that derive \
                                        `IntercomEvent`, with a comma between them",
                ));
            }
            input.parse::<Token![,]>()?;
        }
        input.parse::<Option<Token![;]>>()?;
        if lines.is_empty() {
            return Err(syn::Error::new(
                ident.span(),
                format_args!(
                    "a catalogue lists at least one event: `static {ident}: ProjectCreated, \
                     InvoicePaid<'_>`"
                ),
            ));
        }
        Ok(CatalogueInput { krate, attrs, budget, vis, ident, lines })
    }
}

/// Parses the attributes of the static, and the budget among them.
fn attributes(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Option<LitInt>)> {
    let mut attrs = input.call(Attribute::parse_outer)?;
    let mut budget: Option<LitInt> = None;
    let errors = Errors::new();
    attrs.retain(|attr| {
        if !attr.path().is_ident("budget") {
            return true;
        }
        let number = attr.parse_args::<LitInt>().ok();
        let allowed = |number: &LitInt| {
            matches!(number.base10_parse(), Ok(1..=MAX_BUDGET)) && number.suffix().is_empty()
        };
        match number {
            Some(_) if budget.is_some() => errors.at(attr, "`budget` is set twice; remove one"),
            Some(number) if allowed(&number) => budget = Some(number),
            Some(number) => errors.at(
                number,
                "a budget is a number from 1 to 120: Intercom takes no more event names in a \
                 workspace",
            ),
            None => errors.at(attr, "`budget` takes a number in parentheses: `#[budget(90)]`"),
        }
        false
    });
    errors.finish()?;
    Ok((attrs, budget))
}

fn line(input: ParseStream<'_>) -> syn::Result<Line> {
    if input.peek(Token![..]) {
        input.parse::<Token![..]>()?;
        return Ok(Line::Catalogue(input.call(Path::parse_mod_style)?));
    }
    Ok(Line::Type(input.parse()?))
}

pub(crate) fn expand(input: &CatalogueInput) -> TokenStream {
    let CatalogueInput { krate, attrs, vis, ident, .. } = input;
    let name = ident.unraw().to_string();
    let doc = doc(attrs);
    let budget = match &input.budget {
        Some(literal) => literal.to_token_stream(),
        None => quote!(#MAX_BUDGET),
    };
    let lines = input.lines.iter().map(|line| match line {
        Line::Type(ty) => {
            let (first, last) = ends(ty);
            let name = written(ty);
            let of = quote_spanned!(first=> __p::TypeDescription::__of);
            let of = quote_spanned!(last=> #of::<#ty>(#name));
            quote!(__p::Entry::Type(#of))
        }
        Line::Catalogue(path) => {
            let (_, last) = ends(path);
            quote_spanned!(last=> __p::Entry::Catalogue(&#path))
        }
    });
    let checks = input.lines.iter().enumerate().map(|(at, line)| {
        let (first, last) = match line {
            Line::Type(ty) => ends(ty),
            Line::Catalogue(path) => ends(path),
        };
        let check = quote_spanned!(first=> __p::Catalogue::__check);
        let check = quote_spanned!(last=> #check(&#ident, #at));
        quote!(const _: () = #check;)
    });
    // The path's tokens come from the core's macro. Errors would point there without new spans.
    quote! {
        # (#attrs)*
        #vis static #ident: #krate::Catalogue = {
            use #krate::__private_0_1_0 as __p;
            __p::Catalogue::__new(#name, #doc, #budget, &[#(#lines),*])
        };
        const _: () = {
            use #krate::__private_0_1_0 as __p;
            # (#checks)*
        };
    }
}

/// Returns the spans of the first and the last token.
fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// Returns the type as its author writes it.
fn written(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    let mut text = text.replace(" :: ", "::").replace(" , ", ", ");
    for (spaced, close) in [(" <", "<"), ("< ", "<"), (" >", ">"), ("& ", "&")] {
        text = text.replace(spaced, close);
    }
    text
}
