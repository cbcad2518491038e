//! The names of the version constants.
//!
//! The rule: the file's name without `.sql`, in upper case, with `_` for
//! everything but ASCII letters and digits, so `V2.1__add-email.sql` is
//! `V2_1__ADD_EMAIL`. A name that an earlier file of the running order has
//! already gets `_2` behind it, the next one `_3`. A set without errors never
//! needs that, as its versions differ; it keeps the compiler's own words out
//! of the errors about two files with one version.

use std::collections::HashSet;

use jetbase_core::{SourceFile, Version};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};

/// The constant of one versioned file.
#[derive(Debug)]
pub(crate) struct Constant<'f> {
    pub(crate) name: String,
    version: &'f Version,
    file: &'f SourceFile,
}

/// The constants of a set, in running order.
pub(crate) fn constants(files: &[SourceFile]) -> Vec<Constant<'_>> {
    let mut taken = HashSet::new();
    let versioned = files.iter().filter_map(|file| Some((file, file.name.version.as_ref()?)));
    versioned
        .map(|(file, version)| Constant {
            name: unused(name(&file.path), &mut taken),
            version,
            file,
        })
        .collect()
}

fn name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.strip_suffix(".sql").unwrap_or(file);
    stem.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

fn unused(name: String, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number: u64| format!("{name}_{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let name = free.unwrap_or(name);
    taken.insert(name.clone());
    name
}

impl Constant<'_> {
    /// The constant's item, in a module where `krate` leads to the facade.
    pub(crate) fn item(&self, krate: &TokenStream) -> TokenStream {
        let name = Ident::new(&self.name, Span::call_site());
        let version = self.version.as_str();
        let doc =
            format!("`{}`: {}.", self.file.path, crate::docs::plain(&self.file.name.description));
        quote! {
            #[doc = #doc]
            pub const #name: #krate::Version = #krate::Version::embedded(#version);
        }
    }
}

/// The module `versions`.
pub(crate) fn module(krate: &TokenStream, files: &[SourceFile]) -> TokenStream {
    let constants = constants(files);
    let items = constants.iter().map(|constant| constant.item(krate));
    let latest = match constants.last() {
        Some(constant) => {
            let version = constant.version.as_str();
            quote!(::core::option::Option::Some(#krate::Version::embedded(#version)))
        }
        None => quote!(::core::option::Option::None).into_token_stream(),
    };
    quote! {
        /// The versions of the set, one constant a file.
        pub mod versions {
            #(#items)*
            /// The highest version of the set.
            pub const LATEST: ::core::option::Option<#krate::Version> = #latest;
        }
    }
}
