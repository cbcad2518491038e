//! The module of a call with mistakes: all its items, and no migration.
//!
//! It keeps the rest of the program compiling, so that the errors of the call
//! are all that the user sees.

use jetbase_core::SourceFile;
use proc_macro2::TokenStream;
use quote::quote;

use crate::input::Call;
use crate::report::Report;
use crate::{expand, versions};

/// The errors, beside everything that the program may use of the module.
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
