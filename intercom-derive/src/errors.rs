//! Collects the mistakes of one derive, and reports all of them together.

use std::cell::RefCell;
use std::fmt::Display;

use quote::ToTokens;

/// The mistakes found so far. End it with [`finish`](Errors::finish): dropping it is a bug, and
/// panics.
pub(crate) struct Errors {
    found: RefCell<Option<Vec<syn::Error>>>,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Errors { found: RefCell::new(Some(Vec::new())) }
    }

    /// Adds a mistake, with the caret on these tokens.
    pub(crate) fn at(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&self, error: syn::Error) {
        self.found.borrow_mut().get_or_insert_default().push(error);
    }

    /// Returns all mistakes as one error.
    pub(crate) fn finish(self) -> syn::Result<()> {
        let mut found = self.found.take().unwrap_or_default().into_iter();
        let Some(mut first) = found.next() else { return Ok(()) };
        found.for_each(|error| first.combine(error));
        Err(first)
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.found.borrow().is_some() {
            panic!("a derive collected mistakes and did not report them");
        }
    }
}
