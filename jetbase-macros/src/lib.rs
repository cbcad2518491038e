//! The macro behind `jetbase::embed!`.
//!
//! An implementation detail of the crate `jetbase`, which documents it and
//! pins the version: do not depend on this crate.
//!
//! A call goes through the files in this order: `input` reads its tokens,
//! `place` finds the folder, `destination` compares it with the calls before,
//! `jetbase-core` proves it, `expand` writes the module, `fallback` the module
//! of a folder with mistakes, and `report` turns findings into compile errors
//! and warnings.

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

/// Reads `[$crate] …` and writes the module; called by `jetbase::embed!` only.
#[doc(hidden)]
#[proc_macro]
pub fn __embed(tokens: TokenStream) -> TokenStream {
    let call = input::Call::read(tokens.into());
    expand::expand(&call, &migrations_dir::Environment::of_process()).into()
}
