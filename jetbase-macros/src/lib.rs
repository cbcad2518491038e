//! The macros `jetbase::embed!` and `#[jetbase::test]`.
//!
//! This crate is an implementation detail of the crate `jetbase`, which documents it and pins its
//! version. Do not depend on this crate.
//!
//! A call goes through the modules in this order: `input` reads its tokens, `migrations_dir` finds
//! the folder in the `environment`, `jetbase-core` checks the folder, and `expand` writes the
//! module. `functions`, `versions` and `docs` each write a part of it. `diagnostics` turns findings
//! into compile errors and warnings.
//!
//! `test_options` reads the options of `#[jetbase::test]`, and `test_attribute` writes the test.
//!
//! The macros keep no state. The result of a call depends only on its tokens, the environment and
//! the folder, because a compiler or an editor may expand a call twice, later, or never again.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod diagnostics;
mod docs;
mod environment;
mod expand;
mod functions;
mod input;
mod migrations_dir;
mod test_attribute;
mod test_options;
mod tokens;
mod versions;

use proc_macro::TokenStream;

/// Reads `[$crate] …` and writes the module. Only `jetbase::embed!` calls it.
#[doc(hidden)]
#[proc_macro]
pub fn __embed(tokens: TokenStream) -> TokenStream {
    let input = input::EmbedInput::read(tokens.into());
    expand::expand(&input, &environment::BuildEnvironment::of_process()).into()
}

/// Runs a test with migrated databases of its own. Users call it as `#[jetbase::test]`.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    test_attribute::expand(attribute.into(), item.into()).into()
}
