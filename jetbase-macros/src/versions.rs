//! The module `versions`: an enum with one variant for each version of the set.
//!
//! The name of a variant is the file's name without `.sql`, in upper case. Every character except
//! ASCII letters and digits becomes `_`. For example, `V2.1__add-email.sql` becomes
//! `V2_1__ADD_EMAIL`. If an earlier file in running order has the same name, `_2` is appended, then
//! `_3`. A set without errors never needs this, because its versions differ. With two files of one
//! version, it prevents further errors from the compiler itself.

use std::collections::HashSet;

use jetbase_core::SourceFile;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::tokens::parse_tokens;

/// Returns the variants of a set, in running order. Versioned files come first in it.
pub(crate) fn variants(files: &[SourceFile]) -> Vec<String> {
    let mut taken = HashSet::with_capacity(files.len());
    let versioned = files.iter().filter(|file| file.name.version.is_some());
    versioned.map(|file| unique(name(&file.path), &mut taken)).collect()
}

fn name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.strip_suffix(".sql").unwrap_or(file);
    stem.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

fn unique(name: String, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number: u64| format!("{name}_{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let name = free.unwrap_or(name);
    taken.insert(name.clone());
    name
}

/// Returns the module `versions`. `facade` is the path to the crate `jetbase`.
pub(crate) fn module(facade: &TokenStream, files: &[SourceFile]) -> TokenStream {
    let variants = variants(files);
    let latest = match variants.last() {
        Some(name) => {
            let name = Ident::new(name, Span::call_site());
            quote!(::core::option::Option::Some(Known::#name))
        }
        None => quote!(::core::option::Option::None),
    };
    let variants = parse_tokens(&variants.join(","));
    // An error about a version shows this line. With another span, it would also show the macro inside
    // `jetbase::embed!`.
    let span = facade.clone().into_iter().next().map_or_else(Span::call_site, |it| it.span());
    let into_version = quote_spanned! { span=>
        impl #facade::IntoVersion for Known {
            fn into_version(self) -> #facade::Version {
                ::core::convert::From::from(self)
            }
        }
    };
    quote! {
        /// The versions of the migrations. For example, `V1__CREATE_USERS` is the version of
        /// `V1__create_users.sql`.
        pub mod versions {
            /// A version of the migrations. There is one variant for each file, in ascending order.
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[allow(missing_docs, non_camel_case_types)]
            pub enum Known { #variants }

            // The set may have no version.
            #[allow(unused_imports)]
            pub use self::Known::*;

            /// The highest version, or `None` if there is no version.
            pub const LATEST: ::core::option::Option<Known> = #latest;

            impl Known {
                /// Returns the version as the name of the file has it, with dots.
                #[must_use]
                pub fn as_str(self) -> &'static str {
                    let migration = super::MIGRATIONS.get(self as usize);
                    migration.and_then(|migration| migration.version_text()).unwrap_or_default()
                }
            }

            impl ::core::convert::From<Known> for #facade::Version {
                fn from(known: Known) -> Self {
                    #facade::Version::embedded(known.as_str())
                }
            }

            #into_version

            impl ::core::fmt::Display for Known {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(self.as_str())
                }
            }

            impl ::core::fmt::Debug for Known {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Display::fmt(self, f)
                }
            }
        }
    }
}
