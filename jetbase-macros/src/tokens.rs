//! Generated text as tokens.

use proc_macro2::TokenStream;
use syn::Error;

/// Parses generated text, which has no errors.
pub(crate) fn parse_tokens(text: &str) -> TokenStream {
    // `proc_macro2` would first parse the text itself, to see whether the compiler can.
    if proc_macro::is_available() {
        return text.parse::<proc_macro::TokenStream>().unwrap_or_default().into();
    }
    text.parse().unwrap_or_else(|error| Error::from(error).to_compile_error())
}
