//! Errors, gathered so that all of them are told at once.

use std::cell::RefCell;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// Errors found so far.
#[derive(Default)]
pub(crate) struct Errors(RefCell<Option<syn::Error>>);

impl Errors {
    /// Adds an error at a place in the source.
    pub(crate) fn at(&self, place: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(place, message));
    }

    /// Adds an error.
    pub(crate) fn push(&self, error: syn::Error) {
        match &mut *self.0.borrow_mut() {
            Some(all) => all.combine(error),
            none => *none = Some(error),
        }
    }

    /// The value, or the error's addition.
    pub(crate) fn take<T>(&self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_none()
    }

    /// All of them as tokens that the compiler reports.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0
            .into_inner()
            .map(syn::Error::into_compile_error)
            .unwrap_or_default()
    }
}

/// The body of a function that stands in where there are errors: they are told, and what would
/// follow from them is not.
pub(crate) fn stop() -> TokenStream {
    quote!(::core::unreachable!("this type does not compile"))
}
