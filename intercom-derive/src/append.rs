//! Appends tokens one by one.
//!
//! `quote!` makes a stream, and each stream that it interpolates is a call into the compiler. A
//! derive runs unoptimized, and waits for these calls. So the code appends
//! the tokens of each field: the bench `compile_time` shows the difference.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream};
use quote::TokenStreamExt;

pub(crate) trait Append {
    fn ident(&mut self, name: &str, span: Span);

    /// Appends an operator, such as `::`.
    fn punct(&mut self, operator: &str, span: Span);

    fn group(&mut self, delimiter: Delimiter, inner: TokenStream, span: Span);
}

impl Append for TokenStream {
    fn ident(&mut self, name: &str, span: Span) {
        self.append(Ident::new(name, span));
    }

    fn punct(&mut self, operator: &str, span: Span) {
        let mut rest = operator.chars();
        while let Some(char) = rest.next() {
            let spacing = if rest.as_str().is_empty() { Spacing::Alone } else { Spacing::Joint };
            let mut punct = Punct::new(char, spacing);
            punct.set_span(span);
            self.append(punct);
        }
    }

    fn group(&mut self, delimiter: Delimiter, inner: TokenStream, span: Span) {
        let mut group = Group::new(delimiter, inner);
        group.set_span(span);
        self.append(group);
    }
}
