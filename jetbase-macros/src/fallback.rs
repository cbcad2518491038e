//! The module of a call with errors: all its items, but no migration.
//!
//! With this module the rest of the program compiles, so the user sees only the errors of the call.

use jetbase_core::SourceFile;
use proc_macro2::TokenStream;
use quote::quote;

use crate::input::Call;
use crate::report::Report;
use crate::{expand, versions};

/// Returns the errors, and every item of the module that the program may use.
pub(crate) fn module(call: &Call, files: &[SourceFile], report: &Report) -> TokenStream {
    let krate = &call.krate;
    let functions = expand::functions(krate);
    let versions = versions::module(krate, files);
    let contents = quote! {
        #report

        /// The embedded set.
        pub static MIGRATIONS: #krate::Migrations = #krate::Migrations::embedded(
            #krate::__private::Table::new(&[], &[], ""),
            #krate::__private::Options::NONE,
        );

        #functions
        #versions
    };
    expand::frame(call, "Migrations with mistakes in them.", &contents)
}
