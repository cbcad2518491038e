//! The names of the version constants.
//!
//! The rule: the file's name without `.sql`, in upper case, with `_` for
//! everything but ASCII letters and digits, so `V2.1__add-email.sql` is
//! `V2_1__ADD_EMAIL`. A name that an earlier file of the running order has
//! already gets `_2` behind it, the next one `_3`. A set without errors never
//! needs that, as its versions differ; it keeps the compiler's own words out
//! of the errors about two files with one version.

use std::collections::HashSet;
use std::fmt::Write;

use jetbase_core::{SourceFile, Version};
use proc_macro2::TokenStream;
use quote::quote;

use crate::docs;
use crate::expand::tokens;

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
    /// Writes the constant's item.
    fn write(&self, items: &mut String) {
        let doc = format!("`{}`: {}.", self.file.path, docs::plain(&self.file.name.description));
        let (name, version) = (&self.name, self.version.as_str());
        // Writing to a String cannot fail.
        let _ = writeln!(
            items,
            "#[doc = {doc:?}] pub const {name}: Version = Version::embedded({version:?});"
        );
    }
}

/// The module `versions`, where `krate` leads to the facade.
pub(crate) fn module(krate: &TokenStream, files: &[SourceFile]) -> TokenStream {
    let constants = constants(files);
    let mut items = String::new();
    for constant in &constants {
        constant.write(&mut items);
    }
    let items = tokens(&items);
    let latest = match constants.last() {
        Some(constant) => {
            let version = constant.version.as_str();
            quote!(::core::option::Option::Some(Version::embedded(#version)))
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        /// The versions of the set, one constant a file.
        pub mod versions {
            use #krate::Version;
            #items
            /// The highest version of the set.
            pub const LATEST: ::core::option::Option<Version> = #latest;
        }
    }
}
