//! The macro behind `jetbase::embed!`.
//!
//! This crate is an implementation detail of the crate `jetbase`, which documents it and pins its
//! version. Do not depend on this crate.
//!
//! A call goes through the modules in this order: `input` reads its tokens, `migrations_dir` finds
//! the folder, `destination` compares it with the calls before, `jetbase-core` checks the folder,
//! and `expand` writes the module. For a folder with errors, `fallback` writes the module. `report`
//! turns findings into compile errors and warnings.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod destination;
mod docs;
mod expand;
mod fallback;
mod input;
mod migrations_dir;
mod report;
mod versions;

use proc_macro::TokenStream;

/// Reads `[$crate] …` and writes the module. Only `jetbase::embed!` calls it.
#[doc(hidden)]
#[proc_macro]
pub fn __embed(tokens: TokenStream) -> TokenStream {
    let call = input::Call::read(tokens.into());
    expand::expand(&call, &migrations_dir::Environment::of_process()).into()
}
